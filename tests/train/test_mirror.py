"""A machine that is gone with its disk: the checkpoint's copy in a bucket."""

import os
import shutil
import signal

import pytest
from s3_server import client_of, serving

from dermlab.run import mirror
from dermlab.run.errors import SourceError
from dermlab.train import loop

URI = "s3://runs/checkpoints"


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """The client of a server that the environment reaches."""
    (tmp_path / "s3").mkdir()
    with serving(tmp_path / "s3") as reached:
        for name, value in reached.items():
            monkeypatch.setenv(name, value)
        client = client_of(reached)
        client.create_bucket(Bucket="runs")
        yield client


def keys(client) -> list[str]:
    return [found["Key"] for found in client.list_objects_v2(Bucket="runs").get("Contents", [])]


def test_a_run_goes_on_where_nothing_is_left_but_the_copy(clinic, tmp_path, bucket, monkeypatch, capsys):
    whole = clinic.train(tmp_path / "whole", clinic.params())
    done, update = [], loop._update

    def signalled(*arguments):
        done.append(1)
        if len(done) == 18:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(*arguments)

    monkeypatch.setattr(loop, "_update", signalled)
    with pytest.raises(SystemExit):
        clinic.train(tmp_path / "first", clinic.params(), checkpoint_mirror=URI)
    assert len(keys(bucket)) == 1
    shutil.rmtree(tmp_path / "first")
    assert clinic.train(tmp_path / "second", clinic.params(), checkpoint_mirror=URI) == whole
    assert len(done) == 25  # no step was taken twice
    assert keys(bucket) == []
    assert f"the checkpoint of another machine came from {URI}" in capsys.readouterr().out


def test_a_bucket_that_cannot_be_asked_is_told_before_anything_is_trained(clinic, tmp_path, bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(SourceError, match="machine.checkpoint_mirror, s3://runs/checkpoints: .*credentials"):
        clinic.train(tmp_path / "run", clinic.params(), checkpoint_mirror=URI)


def test_a_copy_that_cannot_be_written_is_said_once_and_stops_nothing(clinic, tmp_path, bucket, monkeypatch, capsys):
    import obstore

    def refuse(*_):
        raise OSError("disk of the server is full")

    monkeypatch.setattr(obstore, "put", refuse)
    clinic.train(tmp_path / "run", clinic.params(), checkpoint_mirror=URI)
    assert capsys.readouterr().out.count("Training goes on; its checkpoints are on this machine alone") == 1


@pytest.mark.parametrize("has_links", [True, False])
def test_the_next_checkpoint_does_not_change_what_is_being_sent(tmp_path, bucket, monkeypatch, has_links):
    import obstore

    def refuse(*_):
        raise PermissionError("Operation not permitted")

    if not has_links:  # as some network file systems
        monkeypatch.setattr(os, "link", refuse)
    sent = []
    monkeypatch.setattr(obstore, "put", lambda store, key, path: sent.append(path.read_bytes()))
    folder = tmp_path / "digest"
    folder.mkdir()
    for content in (b"one", b"two"):
        (folder / "new.pt").write_bytes(content)
        os.replace(folder / "new.pt", folder / "state.pt")
        mirror.Mirror(URI, folder).send(wait=True)
    assert sent == [b"one", b"two"]
    assert [path.name for path in folder.iterdir()] == ["state.pt"]
