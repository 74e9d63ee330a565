"""What every benchmark shares: rounds in turn after a warm-up, medians, and the result as one JSON object."""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).parent
RESULTS = HERE / "results"
HELPERS = ("bucket", "harness", "pipeline", "run")  # every other script here is a benchmark
ROUND = "DERMLAB_BENCHMARK_ROUND"


def names() -> list[str]:
    """Of all benchmarks."""
    return sorted(script.stem for script in HERE.glob("*.py") if script.stem not in HELPERS)


def skip(why: str) -> NoReturn:
    """Ends a benchmark that cannot run on this machine; its last line says why."""
    print(json.dumps({"name": Path(sys.argv[0]).stem, "skipped": why}))
    sys.exit()


def arguments(doc: str) -> argparse.Namespace:
    return parser_of(doc).parse_args()


def parser_of(doc: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--quick", action="store_true", help="a small version, for tests; its result is not recorded")
    parser.add_argument("--rounds", type=int, default=3)
    return parser


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


def contestant(doc: str, contestants: Mapping[str, Callable[[bool], dict]], packages: tuple[str, ...] = ()) -> argparse.Namespace | None:
    """For benchmarks whose contestants run in processes of their own, so that memory is each one's alone: with `--contestant`
    runs that one, prints what it returns and its peak memory as JSON, and returns None. `packages`: those of peers that
    requirements.lock does not have."""
    parser = parser_of(doc)
    parser.add_argument("--contestant", choices=list(contestants), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.contestant:
        if absent := [package for package in packages if not _installed(package)]:
            skip(f"{' and '.join(absent)} not installed: pip install -r benchmarks/requirements.txt")
        return options
    result = contestants[options.contestant](options.quick)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # Linux counts KiB: GB to within 3 %
    print(json.dumps({**result, "peak_gb": round(peak, 2)}))
    return None


def _installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def apart(script: str, names: Sequence[str], options: argparse.Namespace) -> dict[str, list[dict]]:
    """Results of each contestant, round by round: A B A B ... Each process warms up before it measures."""
    results: dict[str, list[dict]] = {name: [] for name in names}
    for number in range(1 if options.quick else options.rounds):
        environment = {**os.environ, ROUND: str(number)}
        for name in names:
            command = [sys.executable, script, "--contestant", name, *(["--quick"] if options.quick else [])]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            results[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"{name}: {results[name][-1]}", file=sys.stderr, flush=True)
    return results


def round_number() -> int:
    """Of the round that a contestant runs in, from 0: for those whose rounds are seeds."""
    return int(os.environ.get(ROUND, 0))


def median_of(results: Sequence[Mapping[str, float]], key: str) -> float:
    return statistics.median(result[key] for result in results)
