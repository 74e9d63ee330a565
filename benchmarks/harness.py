"""What every benchmark shares: rounds in turn after a warm-up, medians, and the result as one JSON object."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def arguments(doc: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--quick", action="store_true", help="a small version, for tests; its result is not recorded")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turn(contestants: Mapping[str, Callable[[], object]], rounds: int, warm_up: bool = True) -> dict[str, float]:
    """Median seconds of each, run A B A B ..., so that a machine whose speed drifts is fair to all."""
    if warm_up:
        for work in contestants.values():
            work()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            times[name].append(seconds(work))
    return {name: statistics.median(taken) for name, taken in times.items()}


def record(
    name: str,
    ours: float,
    peers: Mapping[str, float],
    unit: str,
    goal: float,
    packages: tuple[str, ...],
    *,
    ratio: float,
    keep: bool,
    **more: object,
) -> None:
    """Prints the result as the last line and keeps it in results/. `ratio`: ours over the best peer; more is better."""
    result = {
        "name": name,
        "ours": round(ours, 3),
        "peers": {peer: round(value, 3) for peer, value in peers.items()},
        "unit": unit,
        "ratio": round(ratio, 2),
        "goal": goal,
        "met": ratio >= goal,
        **more,
        "versions": {package: version(package) for package in packages} | {"python": platform.python_version()},
        "machine": {"cpu": _cpu(), "cores": len(os.sched_getaffinity(0))},
    }
    if keep:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
