"""Experiments at once, each in a slot: a clone under `.dvc/tmp` that shares the workspace's cache, log and checkpoints, with a GPU of its
own. A slot runs one experiment as a study of one, so that whatever holds for a study holds there.

Not `dvc exp run --temp`: each start would stash and restore the workspace under the others, and it leaves checkpoints behind.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

from dermlab.run import paths
from dermlab.run.errors import DermlabError
from dermlab.run.launch import visible_gpus
from dermlab.run.machine import read_machine
from dermlab.run.progress import say
from dermlab.study.dvc import GRACE, dvc, dvc_output, git, ref_of
from dermlab.study.recipe import Experiment
from dermlab.study.workspace import RESULTS, TEMPORARY

SLOTS = TEMPORARY / "at-once"
LINKS = "reflink,hardlink,symlink"  # never a copy: each slot has every out
LAST_LINES = 15  # of a log, shown where an experiment failed


class Slots:
    """`at_once` experiments at a time. As a context: what still runs at its end, however it ends, is stopped in the way a pod is."""

    def __init__(self, at_once: int) -> None:
        gpus = visible_gpus() or [""]
        self._free: SimpleQueue[str] = SimpleQueue()
        for number in range(at_once):
            self._free.put(gpus[number % len(gpus)])
        self._environment = _environment(at_once, bool(gpus[0]))
        self._pool = ThreadPoolExecutor(at_once)
        self._running: list[subprocess.Popen] = []
        self.failed: list[str] = []

    def __enter__(self) -> "Slots":
        shutil.rmtree(SLOTS, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in self._running:
            process.stdin.close()  # for which it waits, see `slot`
        for process in self._running:
            try:
                process.wait(3 * GRACE)
            except subprocess.TimeoutExpired:
                process.kill()

    def run(self, experiments: Sequence[Experiment]) -> Iterator[Experiment]:
        """Each as soon as it is done and in this repository; those that fail are in `failed` once all have ended."""
        SLOTS.mkdir(parents=True)
        started: dict[Future, Experiment] = {self._pool.submit(self._run, each): each for each in experiments}
        for future in as_completed(started):
            experiment = started[future]
            seconds, why = future.result()
            if why:
                self.failed.append(experiment.name)
                say(f"{experiment.name}: failed after {seconds:.0f} s, the others go on. {why}")
                continue
            ref = ref_of(experiment.name)
            git("fetch", "--quiet", "--no-tags", str(SLOTS / experiment.name), f"+{ref}:{ref}")
            shutil.rmtree(SLOTS / experiment.name)
            say(f"{experiment.name}: done in {seconds:.0f} s")
            yield experiment

    def _run(self, experiment: Experiment) -> tuple[float, str]:
        """Seconds, and why it failed, empty where it did not."""
        gpu, started = self._free.get(), time.perf_counter()
        try:
            why = self._run_on(gpu, experiment, _open_slot(experiment.name))
        except (DermlabError, OSError) as error:
            why = str(error)
        finally:
            self._free.put(gpu)
        return time.perf_counter() - started, why

    def _run_on(self, gpu: str, experiment: Experiment, slot: Path) -> str:
        log = SLOTS / f"{experiment.name}.log"
        environment = {**self._environment, "PYTHONPATH": os.pathsep.join(filter(None, [str(slot / "src"), os.environ.get("PYTHONPATH")]))}
        if gpu:
            environment["CUDA_VISIBLE_DEVICES"] = gpu
        command = [sys.executable, "-m", "dermlab.study.slot", json.dumps(asdict(experiment))]
        with log.open("w") as said:
            process = subprocess.Popen(
                command, cwd=slot, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, process_group=0
            )
            self._running.append(process)
            say(f"{experiment.name}: runs{f' on GPU {gpu}' if gpu else ''}, log in {log}")
            returned = process.wait()
        ends = "\n".join(log.read_text(encoding="utf-8").splitlines()[-LAST_LINES:])
        return f"{log} ends in:\n{ends}" if returned else ""


def _environment(at_once: int, has_gpu: bool) -> dict[str, str]:
    """One GPU each, its share of what the machine costs, and of the cores to decode for it."""
    machine = read_machine()
    environment = {**os.environ, "DERMLAB_GPUS": "1", "DERMLAB_USD_PER_HOUR": str(machine.usd_per_hour / at_once)}
    if has_gpu and not machine.loaders:
        environment["DERMLAB_LOADERS"] = str(max(1, (os.cpu_count() or 1) // 2 // at_once))
    return environment


def _open_slot(name: str) -> Path:
    """A clone of HEAD with what is not committed here, but for params and results."""
    slot = (SLOTS / name).resolve()
    git("clone", "--quiet", "--shared", "--no-checkout", ".", str(slot))
    git("-C", str(slot), "checkout", "--quiet", "-B", "study", git("rev-parse", "HEAD"))
    for key in ("user.name", "user.email"):
        if value := git("config", key, check=False):
            git("-C", str(slot), "config", key, value)
    changed = git("diff", "HEAD", "--name-only", "--no-renames", "-z").split("\0")
    new = git("ls-files", "--others", "--exclude-standard", "-z").split("\0")
    for path in filter(None, changed + new):
        if path not in RESULTS:
            _copy(Path(path), slot / path)
    for ignored in (paths.LOCATION, paths.OUT_OF_FOLD):
        _copy(ignored, slot / ignored)
    for shared in (paths.CHECKPOINTS, paths.TRAIN_LOG):
        (slot / shared).symlink_to(shared.resolve())
    paths.CHECKPOINTS.mkdir(exist_ok=True)
    with (slot / ".git" / "info" / "exclude").open("a") as excluded:
        excluded.write(f"/{paths.CHECKPOINTS}\n")  # .gitignore has it as a folder, which a link is not
    _share_cache(slot)
    return slot


def _share_cache(slot: Path) -> None:
    for key, value in (("cache.dir", dvc_output("cache", "dir").strip()), ("cache.type", LINKS)):
        dvc("--cd", str(slot), "config", "--local", key, value)
    dvc("--cd", str(slot), "checkout", "--quiet", f"{paths.SOURCE}.dvc")


def _copy(here: Path, there: Path) -> None:
    if not here.exists():
        there.unlink(missing_ok=True)
        return
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(here, there)
