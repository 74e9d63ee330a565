"""Experiments at once, each in a slot: a clone under `.dvc/tmp` that shares the workspace's cache, log and checkpoints, with a GPU of its
own. A slot is opened by the process that then runs one experiment there, as a study of one: whatever holds for a study holds there, and
there is one process to stop, whatever it is at.

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
from contextlib import suppress
from dataclasses import asdict
from queue import SimpleQueue
from threading import Lock

from dermlab.run.errors import DermlabError
from dermlab.run.git import git, uninterrupted
from dermlab.run.launch import visible_gpus
from dermlab.run.machine import read_machine
from dermlab.run.progress import say
from dermlab.study.dvc import GRACE, ref_of
from dermlab.study.recipe import Experiment
from dermlab.study.workspace import TEMPORARY

SLOTS = TEMPORARY / "at-once"
LAST_LINES = 15  # of a log, shown where an experiment failed


class Slots:
    """`at_once` experiments at a time. As a context: what still runs at its end, however it ends, is stopped in the way a pod is, and what
    waits never starts."""

    def __init__(self, at_once: int) -> None:
        gpus = visible_gpus() or [""]
        self._free: SimpleQueue[str] = SimpleQueue()
        for number in range(at_once):
            self._free.put(gpus[number % len(gpus)])
        self._environment = _environment(at_once, bool(gpus[0]))
        self._pool = ThreadPoolExecutor(at_once)
        self._starting = Lock()  # held from the look at `_stopped` until the process is one of `_running`
        self._stopped = False
        self._running: list[subprocess.Popen] = []
        self._planned: dict[Future, Experiment] = {}  # those that are not brought home
        self.failed: list[str] = []

    def __enter__(self) -> "Slots":
        shutil.rmtree(SLOTS, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        with uninterrupted():
            self._pool.shutdown(wait=False, cancel_futures=True)
            with self._starting:
                self._stopped = True
            for process in self._running:
                process.stdin.close()  # for which it waits, see `slot`
        for process in self._running:
            try:
                process.wait(3 * GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
        self._pool.shutdown()
        for experiment in self._planned.values():
            with suppress(DermlabError):  # not done; those that are, while whoever asked for them was about something else, are kept
                _bring_home(experiment)

    def run(self, experiments: Sequence[Experiment]) -> Iterator[Experiment]:
        """Each as soon as it is done and in this repository; those that fail are in `failed` once all have ended."""
        SLOTS.mkdir(parents=True)
        self._planned = {self._pool.submit(self._run, each): each for each in experiments}
        for future in as_completed(list(self._planned)):
            experiment = self._planned[future]
            seconds, why = future.result()
            if why:
                self.failed.append(experiment.name)
                say(f"{experiment.name}: failed after {seconds:.0f} s, the others go on. {why}")
                continue
            _bring_home(experiment)
            del self._planned[future]
            say(f"{experiment.name}: done in {seconds:.0f} s")
            yield experiment

    def _run(self, experiment: Experiment) -> tuple[float, str]:
        """Seconds, and why it failed, empty where it did not."""
        gpu, started = self._free.get(), time.perf_counter()
        try:
            why = self._run_on(gpu, experiment)
        except OSError as error:
            why = str(error)
        finally:
            self._free.put(gpu)
        return time.perf_counter() - started, why

    def _run_on(self, gpu: str, experiment: Experiment) -> str:
        log = SLOTS / f"{experiment.name}.log"
        environment = {**self._environment, "CUDA_VISIBLE_DEVICES": gpu} if gpu else self._environment
        command = [sys.executable, "-m", "dermlab.study.slot", str(SLOTS / experiment.name), json.dumps(asdict(experiment))]
        with log.open("w") as said:
            with self._starting:
                if self._stopped:
                    return "stopped before it was started"
                process = subprocess.Popen(
                    command, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=subprocess.STDOUT, process_group=0
                )
                self._running.append(process)
            say(f"{experiment.name}: runs{f' on GPU {gpu}' if gpu else ''}, log in {log}")
            returned = process.wait()
        ends = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])
        return f"{log} ends in:\n{ends}" if returned else ""


def _bring_home(experiment: Experiment) -> None:
    """From its slot into this repository."""
    ref = ref_of(experiment.name)
    git("fetch", "--quiet", "--no-tags", str(SLOTS / experiment.name), f"+{ref}:{ref}")
    shutil.rmtree(SLOTS / experiment.name)


def _environment(at_once: int, has_gpu: bool) -> dict[str, str]:
    """One GPU each, its share of what the machine costs, and of the cores to decode for it."""
    machine = read_machine()
    environment = {**os.environ, "DERMLAB_GPUS": "1", "DERMLAB_USD_PER_HOUR": str(machine.usd_per_hour / at_once)}
    if has_gpu and not machine.loaders:
        environment["DERMLAB_LOADERS"] = str(max(1, (os.cpu_count() or 1) // 2 // at_once))
    return environment
