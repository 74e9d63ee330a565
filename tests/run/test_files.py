import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dermlab.data.json_files import read_json, write_json
from dermlab.data.shards import Shards, shard_name, shard_of_rows, write_shard
from dermlab.run.errors import BudgetError, ContractError, DermlabError
from dermlab.run.files import atomic_path


def test_a_write_that_fails_leaves_what_stood_there(tmp_path):
    target = tmp_path / "metrics.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as unfinished:  # noqa: PT012
        unfinished.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_where_no_file_can_be_that_is_said(tmp_path):
    (tmp_path / "paper").touch()
    for folder in (tmp_path / "paper", Path("/proc/paper")):
        with pytest.raises(DermlabError, match=rf"f1.pdf cannot be written \(.+: {folder}\)"), atomic_path(folder / "f1.pdf"):
            pass


def test_a_folder_replaces_a_folder(tmp_path):
    target = tmp_path / "shards"
    target.mkdir()
    (target / "old").touch()
    with atomic_path(target) as unfinished:
        unfinished.mkdir()
        (unfinished / "new").touch()
    assert [p.name for p in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_comes_back_where_the_new_one_cannot_take_its_place(tmp_path):
    target = tmp_path / "shards"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(FileNotFoundError), atomic_path(target):
        pass  # nothing was written, so that the last rename fails
    assert [p.name for p in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_said_in_words_and_leaves_nothing(tmp_path):
    with pytest.raises(BudgetError, match="No space left while writing"), atomic_path(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


WRITERS = {
    "bytes": lambda path: path.write_bytes(bytes(2**20)),
    "torch": lambda path: torch.save({"weights": torch.zeros(2**18)}, path),
    "pyarrow": lambda path: pq.write_table(pa.table({"numbers": np.random.default_rng(0).random(2**17)}), path),
    "numpy": lambda path: np.lib.format.write_array(path.open("wb"), np.zeros(2**18)),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_said_in_words_whatever_library_meets_it(tmp_path, writer, monkeypatch):
    """On /dev/full, where every write fails as on a full disk; that the disk below it has room left is not to be seen."""
    monkeypatch.setattr("dermlab.run.files.NOTHING", 2**62)
    with pytest.raises(BudgetError, match="No space left while writing .*out"), atomic_path(tmp_path / "out") as unfinished:  # noqa: PT012
        unfinished.symlink_to("/dev/full")
        WRITERS[writer](unfinished)
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_is_no_full_disk_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="diverged"), atomic_path(tmp_path / "out"):
        raise RuntimeError("diverged")


def test_an_out_is_replaced_and_never_written_through_a_hardlink(tmp_path):
    cached, out = tmp_path / "cache", tmp_path / "out.json"
    cached.write_text("{}\n")
    out.hardlink_to(cached)
    write_json(out, {"top1": 0.5})
    assert cached.read_text() == "{}\n"


def test_numbers_in_json_are_rounded_and_finite(tmp_path):
    write_json(tmp_path / "m.json", {"a": np.float32(1 / 3), "b": [np.int64(2)]})
    assert read_json(tmp_path / "m.json") == {"a": 0.3333, "b": [2]}
    with pytest.raises(ContractError, match=r"m.json: a would hold nan"):
        write_json(tmp_path / "m.json", {"a": float("nan")})


@pytest.mark.parametrize(("written", "said"), [(b"[1]", "holds a list and no dict"), (b"\xff{}", "byte 0 is not UTF-8"), (b"{", "line 1")])
def test_json_that_no_stage_wrote_is_refused(tmp_path, written, said):
    (tmp_path / "m.json").write_bytes(written)
    with pytest.raises(ContractError, match=f"m.json is not .*{said}"):
        read_json(tmp_path / "m.json")


@pytest.mark.parametrize("total_mb", [100, 130, 410])
def test_shards_are_between_32_and_48_mb(total_mb):
    sizes = np.random.default_rng(0).integers(5_000, 15_000, size=total_mb * 100)
    shard_bytes = np.bincount(shard_of_rows(sizes), weights=sizes)
    assert shard_bytes.max() < 48e6
    assert shard_bytes.min() > 32e6


def test_a_truncated_shard_is_an_error_that_names_it(tmp_path):
    path = tmp_path / shard_name(0)
    write_shard(path, ["a"], [b"x" * 1000])
    assert Shards(tmp_path).jpeg(0, 0) == b"x" * 1000
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ContractError, match=r"shard-00000.arrow is missing or truncated"):
        Shards(tmp_path).jpeg(0, 0)


KILLED = """
import os, signal, sys, time
from pathlib import Path
from dermlab.run.files import atomic_path
with atomic_path(Path(sys.argv[1])) as unfinished:
    unfinished.mkdir()
    (unfinished / "large").write_bytes(bytes(1000))
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """Another process in the middle of writing `out`."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.wait()


def leftovers(folder) -> list:
    return [entry for entry in folder.iterdir() if entry.name.startswith(".out.")]


def grow_old(folder) -> None:
    for entry in leftovers(folder):
        os.utime(entry, (time.time() - 3600, time.time() - 3600))


def test_what_a_killed_write_left_is_removed_by_the_next(tmp_path, writer):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert len(leftovers(tmp_path)) == 1
    grow_old(tmp_path)
    with atomic_path(tmp_path / "out") as unfinished:
        unfinished.write_text("whole")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_what_another_process_is_writing_is_left_alone_and_so_is_what_somebody_else_named_alike(tmp_path, writer):
    (tmp_path / ".out.backup-of-mine").mkdir()
    grow_old(tmp_path)
    with atomic_path(tmp_path / "out") as unfinished:
        unfinished.write_text("whole")
    assert len(leftovers(tmp_path)) == 2
