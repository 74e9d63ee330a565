import logging
import shutil
import subprocess
import sys

import pytest
from clones import environment

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


STAGES = """\
stages:
  a: {cmd: echo 1 > a, outs: [a]}
  b: {cmd: cp a b, deps: [a], outs: [b]}
  flag: {cmd: cp b flags, deps: [b], outs: [flags]}
"""


def test_slots_that_end_the_same_stage_at_once_do_not_break_each_others_run_cache(tmp_path):
    def run(folder, *command):
        subprocess.run(command, cwd=folder, env=environment(), check=True)

    slots = [tmp_path / f"slot{number}" for number in range(4)]
    slots[0].mkdir()
    (slots[0] / "dvc.yaml").write_text(STAGES)
    for command in ("git init -q", "dvc init -q", f"dvc config cache.dir {tmp_path}/cache", "dvc config cache.type hardlink,copy"):
        run(slots[0], *command.split())
    for slot in slots[1:]:
        shutil.copytree(slots[0], slot)
    for _ in range(2):
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        for slot in slots:
            for name in ("a", "b", "flags", "dvc.lock"):
                (slot / name).unlink(missing_ok=True)
        command = [sys.executable, "-m", "dermlab.study.quiet_dvc", "repro", "flag"]
        started = [
            subprocess.Popen(command, cwd=slot, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for slot in slots
        ]
        for process in started:
            said, _ = process.communicate()
            assert process.returncode == 0, said
