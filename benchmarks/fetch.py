"""5,000 objects of 60 KB, from an S3 server on this machine into memory.

Ours: `S3Files.read_many` part after part in a process a core, as `pull` reads a bucket; the processes are started before. Peers: bare
obstore with as many requests under way as ours, through its asynchronous interface and from threads; boto3 with 32 threads; and
`aws s3 cp --recursive` as it comes, which writes to the disk and whose start is part of its time. Each contestant runs in a process of
its own, and `server_share` says for how much of the time the server was at work. Goal: 0.85 of the faster bare obstore, 3 times boto3 and
5 times aws.
"""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from statistics import median

import obstore
from bucket import BUCKET, cpu_seconds, serving
from harness import apart, contestant, median_of, record, seconds
from obstore.store import S3Store

from dermlab.pull.pack import PART_ROWS
from dermlab.run.machine import read_machine
from dermlab.run.objects.keys import Objects
from dermlab.run.objects.opening import open_objects
from dermlab.run.objects.s3 import open_store
from dermlab.run.workers import executor_of

OBJECTS, SIZE, WARM_UP = 5_000, 60_000, 320
LEAST = 5  # seconds that a contestant is measured for in a round: the fastest are through in half of one
BOTO3_THREADS = 32
GOALS = {"obstore_async": 0.85, "obstore_threads": 0.85, "boto3": 3.0, "aws": 5.0}


def endpoint() -> str:
    return os.environ["AWS_ENDPOINT_URL"]


def keys_of(quick: bool) -> list[str]:
    return [f"images/{number:06d}.jpg" for number in range(OBJECTS // 10 if quick else OBJECTS)]


def measured(fetch: Callable[[list[str]], int], quick: bool, warm_up: bool = True) -> dict:
    """`fetch` returns the bytes that it got. The median of as many times as it takes."""
    keys, took, got = keys_of(quick), [], []
    if warm_up:
        fetch(keys[:WARM_UP])
    before = cpu_seconds(endpoint())
    while sum(took) < (0.1 if quick else LEAST):
        took.append(seconds(lambda: got.append(fetch(keys))))
    assert set(got) == {SIZE * len(keys)}, got
    return {"rate": len(keys) / median(took), "server_share": (cpu_seconds(endpoint()) - before) / sum(took)}


def ours(quick: bool) -> dict:
    machine = read_machine()
    objects = open_objects(f"s3://{BUCKET}", endpoint(), machine.connections)
    with executor_of(machine) as executor:
        return measured(lambda keys: fetched(objects, keys, executor), quick)


def fetched(objects: Objects, keys: list[str], executor: Executor) -> int:
    """Bytes of the objects, read by parts, as `pack` reads them."""
    parts = [keys[start : start + PART_ROWS] for start in range(0, len(keys), PART_ROWS)]
    return sum(executor.map(_read, [objects.some(part) for part in parts], parts))


def _read(objects: Objects, keys: list[str]) -> int:
    return sum(len(data) for data, _ in objects.read_many(keys))


def bare() -> tuple[S3Store, int]:
    """A store, and how many requests are under way at once in all processes of ours."""
    machine = read_machine()
    return open_store(BUCKET, "", endpoint()), machine.processes * machine.connections


def obstore_async(quick: bool) -> dict:
    store, at_once = bare()

    async def fetch(keys: list[str]) -> int:
        gate = asyncio.Semaphore(at_once)

        async def one(key: str) -> int:
            async with gate:
                return len(await (await obstore.get_async(store, key)).bytes_async())

        return sum(await asyncio.gather(*map(one, keys)))

    return measured(lambda keys: asyncio.run(fetch(keys)), quick)


def obstore_threads(quick: bool) -> dict:
    store, at_once = bare()
    with ThreadPoolExecutor(at_once) as threads:
        return measured(lambda keys: sum(threads.map(lambda key: len(obstore.get(store, key).bytes()), keys)), quick)


def boto3(quick: bool) -> dict:
    from boto3 import client
    from botocore.config import Config

    s3 = client("s3", config=Config(max_pool_connections=BOTO3_THREADS))  # or threads would throw connections away
    with ThreadPoolExecutor(BOTO3_THREADS) as threads:
        return measured(lambda keys: sum(threads.map(lambda key: len(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()), keys)), quick)


def aws(quick: bool) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "awscli", "s3", "cp", "--recursive", "--only-show-errors", f"s3://{BUCKET}/images", folder]

        def fetch(_: list[str]) -> int:
            subprocess.run(command, check=True)
            return sum(entry.stat().st_size for entry in os.scandir(folder))

        return measured(fetch, quick, warm_up=False)


def main() -> None:
    contestants = {"ours": ours, "obstore_async": obstore_async, "obstore_threads": obstore_threads, "boto3": boto3, "aws": aws}
    options = contestant(__doc__, contestants, ("boto3", "awscli"))
    if options is None:
        return
    objects = {key: random.Random(number).randbytes(SIZE) for number, key in enumerate(keys_of(options.quick))}
    with serving(objects) as reached:
        os.environ |= reached
        results = apart(__file__, list(contestants), options)
    rates = {name: median_of(of, "rate") for name, of in results.items()}
    mine = rates.pop("ours")
    ratios = {name: round(mine / rate, 2) for name, rate in rates.items()}
    record(
        "fetch", mine, rates, "objects/s", 0.85, ("obstore", "boto3", "awscli"), ratio=mine / max(rates.values()), keep=not options.quick,
        ratios=ratios, goals=GOALS, all_met=all(ratios[name] >= goal for name, goal in GOALS.items()),
        server_share={name: round(median_of(of, "server_share"), 2) for name, of in results.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
