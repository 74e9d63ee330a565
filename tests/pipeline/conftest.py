"""A real S3 server, and a clone in which two experiments have run."""

import pytest
from clones import Clone, clone_of_working_tree
from s3_server import client_of, serving


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A real S3 server on this machine; yields the environment that reaches it."""
    with serving(tmp_path_factory.mktemp("s3")) as reached:
        client_of(reached).create_bucket(Bucket="dermlab")
        yield reached


@pytest.fixture(scope="session")
def clinic(tmp_path_factory) -> Clone:
    """A clone in which the experiments `baseline` and `focal` have run."""
    clone = clone_of_working_tree(tmp_path_factory.mktemp("clinic"))
    clone.run("dvc", "exp", "run", "--name", "baseline")
    clone.run("dvc", "exp", "run", "--name", "focal", "-S", "loss=focal")
    return clone
