"""The same shards, whoever packs them: processes here, or a Dask cluster of which a worker dies."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from defaults import DEFAULTS

from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.pull.pack import pack
from dermlab.pull.params import Params
from dermlab.run.errors import ParamsError
from dermlab.run.machine import read_machine
from dermlab.run.objects.opening import open_objects
from dermlab.run.params import read_params
from dermlab.run.workers import executor_of

KNOBS = read_params(Params, DEFAULTS).pull.model_copy(update={"max_quarantine": 0.1, "image_size": 48})
IMAGES = 400


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers in processes of their own; `address`."""
    file = tmp_path / "scheduler.json"
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    processes = [subprocess.Popen(command, **quiet)]
    while not file.exists():
        time.sleep(0.1)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny"]
    processes += [subprocess.Popen([*worker, "--no-dashboard"], **quiet) for _ in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def address_in(folder) -> str:
    import json

    return json.loads((folder / "scheduler.json").read_text())["address"]


@pytest.fixture
def wanted(tmp_path):
    return lock("phantom", Options(images=IMAGES), tmp_path / "source", tmp_path / ".location").manifest


def test_a_cluster_of_which_a_worker_dies_packs_the_same_bytes_as_one_process(tmp_path, wanted, cluster):
    rows, objects = wanted[["image_id", "key", "size", "etag"]], open_objects(f"phantom:{IMAGES}:17", None)
    with ThreadPoolExecutor(1) as executor:
        alone = pack(rows, objects, KNOBS, executor, None, tmp_path / "alone", tmp_path / "parts-alone")
    machine = read_machine(DEFAULTS).model_copy(update={"scheduler": address_in(tmp_path)})
    with ThreadPoolExecutor(1) as beside, executor_of(machine) as executor:
        running = beside.submit(pack, rows, objects, KNOBS, executor, None, tmp_path / "shared", tmp_path / "parts")
        while not list((tmp_path / "parts").rglob("*.arrow")) and not running.done():
            time.sleep(0.05)
        assert not running.done()
        cluster[1].send_signal(signal.SIGKILL)
        shared = running.result(120)
    assert shared.images.equals(alone.images)
    for shard in (tmp_path / "alone").iterdir():
        assert (tmp_path / "shared" / shard.name).read_bytes() == shard.read_bytes()


def test_a_scheduler_that_does_not_answer_is_said_before_anything_is_read(monkeypatch):
    monkeypatch.setattr("dermlab.run.workers.TIMEOUT", 1)
    machine = read_machine(DEFAULTS).model_copy(update={"scheduler": "tcp://127.0.0.1:9"})
    with pytest.raises(ParamsError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"), executor_of(machine):
        pass
