"""A real S3 server, and a clone in which two experiments have run."""

import socket
import subprocess
import time

import pytest
from clones import BIN, Clone, clone_of_working_tree


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """A real S3 server on this machine; yields the environment that reaches it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("s3")
    server = subprocess.Popen(
        [BIN / "rclone", "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", "key,secret", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    endpoint = f"http://127.0.0.1:{port}"
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    import botocore.session

    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=endpoint, aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1"
    )
    client.create_bucket(Bucket="dermlab")
    yield {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    server.terminate()
    server.wait()


@pytest.fixture(scope="session")
def clinic(tmp_path_factory) -> Clone:
    """A clone in which the experiments `baseline` and `focal` have run."""
    clone = clone_of_working_tree(tmp_path_factory.mktemp("clinic"))
    clone.run("dvc", "exp", "run", "--name", "baseline")
    clone.run("dvc", "exp", "run", "--name", "focal", "-S", "loss=focal")
    return clone
