"""`python -m dermlab.study.slot EXPERIMENT`, in a slot: a study of one experiment, given as JSON. It ends when whoever started it does,
however that ends: until then standard input stays open."""

import json
import os
import signal
import sys
import threading

from dermlab.run.command import run_command
from dermlab.study.recipe import Experiment
from dermlab.study.run import run_study


def main() -> None:
    threading.Thread(target=_end_with_the_starter, daemon=True).start()
    run_study([Experiment(**json.loads(sys.argv[1]))])


def _end_with_the_starter() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    run_command(main)
