"""`python -m dermlab.study.quiet_dvc exp run ...`: DVC's command line, less the lines that concern nobody in a study.

A first run warns of each of two dozen outs that is not there yet, and every stage ends in advice on `git add`; between them a real warning
would be overlooked. What stages print, what DVC runs, and all errors stay.
"""

import logging
import sys

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


def main() -> int:
    from dvc.cli import main as dvc_main  # its import sets the handlers up

    for name in ("dvc", "dvc_data", "dvc_objects"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(concerns_the_reader)
    return dvc_main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
