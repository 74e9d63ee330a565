"""A real S3 server, and a clinic in which two experiments have run: once for all processes of a test run, which copy it."""

import json
import os
import shutil
from pathlib import Path

import pytest
from clones import Clone, clone_of_working_tree, copy_of, environment
from filelock import FileLock
from s3_server import client_of, serving

SECONDS = "seconds.json"


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A real S3 server on this machine; yields the environment that reaches it."""
    with serving(tmp_path_factory.mktemp("s3")) as reached:
        client_of(reached).create_bucket(Bucket="dermlab")
        yield reached


@pytest.fixture(scope="session")
def finished_clinic(tmp_path_factory) -> Clone:
    """A clone in which the experiments `baseline` and `focal` have run. To be copied (`copy_of`), not changed: other processes copy it,
    too. `seconds`: what each stage took."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished-clinic"
    with FileLock(f"{shared}.lock"):
        if not (shared / SECONDS).exists():
            shutil.rmtree(shared, ignore_errors=True)
            (shared / "clone").mkdir(parents=True)
            clone = clone_of_working_tree(shared / "clone")
            seconds = clone.stages("dvc", "exp", "run", "--name", "baseline")
            clone.run("dvc", "exp", "run", "--name", "focal", "-S", "loss=focal")
            (shared / SECONDS).write_text(json.dumps(seconds))
    return Clone(shared / "clone", environment(), json.loads((shared / SECONDS).read_text()))


@pytest.fixture(scope="session")
def clinic(finished_clinic, tmp_path_factory) -> Clone:
    return copy_of(finished_clinic, Path(tmp_path_factory.mktemp("clinic")))
