#!/usr/bin/env bash
# One recipe on a rented machine, from a fresh clone: bash pod/run.sh medsiglip-h100 [--at-once 8]. Run it again, here or elsewhere, to go on.
# Needs the variables that docs/pods.md names. SIGTERM or Ctrl-C: a checkpoint, then what is done is pushed.
set -euo pipefail
cd "$(dirname "$0")/.."
recipe=${1:?"which recipe? One of: $(cd recipes && echo *.yaml | sed 's/\.yaml//g')"}

[ -x .venv/bin/dermlab ] || bash pod/install.sh
# shellcheck source=/dev/null
source .venv/bin/activate
dvc pull --quiet data/source
dermlab preflight "$recipe"

# The study in a process group of its own: the signal reaches it once, from here, and what it started ends before the push begins.
set -m
dermlab study "$recipe" --share "${@:2}" &
study=$!
set +m
stopped=0
trap 'stopped=143; kill -TERM "$study"' TERM
trap 'stopped=130; kill -TERM "$study"' INT
ended=0
wait "$study" || ended=$?
while kill -0 "$study" 2>/dev/null; do wait "$study" || ended=$?; done # a trap ends `wait` before the study has ended
trap - TERM INT

# Finished stages of an experiment that is not finished are in the run cache: elsewhere they need not run again.
echo "pushing what is done"
dvc push --quiet --run-cache
[ "$stopped" = 0 ] || exit "$stopped"
exit "$ended"
