#!/usr/bin/env bash
# Makes .venv from requirements.lock, and nothing that the locks do not hold: bash pod/install.sh [python3.11]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
"$python" - <<'EOF' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"dermlab needs Python 3.11 or newer; this is {sys.version.split()[0]}. Name another: PYTHON=python3.12 make setup, or pod/install.sh python3.12.")
try:
    import ensurepip, venv  # Debian ships them apart from python3
except ImportError:
    sys.exit("This Python cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv")
EOF
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "Installing requirements.lock into .venv (a few minutes the first time)"
locked() { .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes "${@:2}" -r "$1"; }
# Where pip knows a folder of wheels (PIP_FIND_LINKS) with a CPU build of torch, that one: with hashes it would prefer what an index lists.
locked <(sed -n '/^torch==/,/[^\\]$/p' requirements.lock) --no-index 2>/dev/null || true
locked requirements.lock
# PyPI's torch for Linux is linked to CUDA's libraries, GPU or not; a CPU build needs none of their gigabytes.
! .venv/bin/python -c 'import importlib.metadata, sys; sys.exit("nvidia" not in str(importlib.metadata.requires("torch")))' \
  || locked requirements-cuda.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
