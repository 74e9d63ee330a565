"""`python -m dermlab.study.quiet_dvc exp run ...`: DVC's command line, less the lines that concern nobody in a study.

A first run warns of each of two dozen outs that is not there yet, and every stage ends in advice on `git add`; between them a real warning
would be overlooked. What stages print, what DVC runs, and all errors stay. And who uses the run cache waits for who writes it: slots of a
study share it, and DVC takes a file that another is writing for a broken one and removes it, on which the other fails.
"""

import logging
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

NOT_SAID = (
    "No file hash info found for",  # the outs of a first run
    "\nTo track the changes with git",
    "\nTo enable auto staging",
    "Generating lock file",
    "Updating lock file",
    "'data/source.dvc' didn't change",
)


def concerns_the_reader(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or not record.getMessage().startswith(NOT_SAID)


def use_run_cache_alone() -> None:
    from dvc.stage.cache import StageCache
    from filelock import FileLock

    for name in ("save", "_load_cache"):  # the first calls the second
        setattr(StageCache, name, _alone(getattr(StageCache, name), FileLock))


def _alone(method: Callable, lock: Callable) -> Callable:
    @wraps(method)
    def waits(self: Any, *arguments: Any) -> Any:
        Path(self.cache_dir).parent.mkdir(parents=True, exist_ok=True)
        with lock(f"{self.cache_dir}.lock", is_singleton=True):
            return method(self, *arguments)

    return waits


def main() -> int:
    from dvc.cli import main as dvc_main  # its import sets the handlers up

    use_run_cache_alone()

    for name in ("dvc", "dvc_data", "dvc_objects"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(concerns_the_reader)
    return dvc_main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
