#!/usr/bin/env bash
# Makes .venv from requirements.lock: bash pod/install.sh [python3.11]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
"$python" - <<'EOF' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"dermlab needs Python 3.11 or newer; this is {sys.version.split()[0]}. Run `make setup PYTHON=python3.12`, say.")
try:
    import ensurepip, venv  # Debian ships them apart from python3
except ImportError:
    sys.exit("This Python cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv")
EOF
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "Installing requirements.lock into .venv (a few minutes the first time)"
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.lock
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
