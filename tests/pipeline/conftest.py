"""A real S3 server, and a clinic in which two experiments have run: once for all processes of a test run, which copy it."""

import json
import os
import shutil
from pathlib import Path

import pytest
from clones import FOCAL, Clone, clone_of_working_tree, copy_of, environment
from filelock import FileLock
from s3_server import client_of, serving

RAN = "ran.json"


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A real S3 server on this machine; yields the environment that reaches it."""
    with serving(tmp_path_factory.mktemp("s3")) as reached:
        client_of(reached).create_bucket(Bucket="dermlab")
        yield reached


@pytest.fixture(scope="session")
def finished_clinic(tmp_path_factory) -> Clone:
    """A clone in which the experiments `baseline` and `focal`, whose logits are adjusted on validation, have run. To be copied
    (`copy_of`), not changed: other processes copy it, too."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished-clinic"
    with FileLock(f"{shared}.lock"):
        if not (shared / RAN).exists():
            shutil.rmtree(shared, ignore_errors=True)
            (shared / "clone").mkdir(parents=True)
            clone = clone_of_working_tree(shared / "clone")
            first = clone.stages("dvc", "exp", "run", "--name", "baseline")
            second = clone.stages("dvc", "exp", "run", "--name", "focal", *FOCAL)
            (shared / RAN).write_text(json.dumps({"first": first, "second": second}))
    ran = json.loads((shared / RAN).read_text())
    return Clone(shared / "clone", environment(), ran["first"], ran["second"])


@pytest.fixture(scope="session")
def clinic(finished_clinic, tmp_path_factory) -> Clone:
    return copy_of(finished_clinic, Path(tmp_path_factory.mktemp("clinic")))
