import logging

import pytest

from dermlab.study.quiet_dvc import concerns_the_reader


def record(level: int, text: str, *values: str) -> logging.LogRecord:
    return logging.LogRecord("dvc", level, "file.py", 1, text, values, None)


@pytest.mark.parametrize(
    ("level", "text", "values", "shown"),
    [
        (logging.WARNING, "No file hash info found for '%s'. It won't be created.", ("data/flags.parquet",), False),
        (logging.INFO, "\nTo track the changes with git, run:\n\n%s", ("git add x",), False),
        (logging.INFO, "Updating lock file '%s'", ("dvc.lock",), False),
        (logging.WARNING, "The workspace contains unsaved changes", (), True),
        (logging.INFO, "Running stage '%s':", ("train",), True),
        (logging.ERROR, "No file hash info found for '%s'", ("data/flags.parquet",), True),
        (logging.INFO, "100 % done", (), True),
    ],
)
def test_advice_and_routine_go_and_whatever_may_be_wrong_stays(level, text, values, shown):
    assert concerns_the_reader(record(level, text, *values)) is shown
