"""`pull` from a bucket: 2,000 photos of 600 x 450 pixels fetched, verified, shrunk and packed; and 256 originals of 12 megapixels.

The server is on this machine. Ours is `pack` with the processes that the stage starts; peers are its halves, in the same processes and in
turn: fetching alone, whose bytes are thrown away, and decoding alone (`develop`), whose files are held in memory. Then the same with
30 ms that each answer of the server waits, and with originals as phones take them. Memory: sums of the peak resident sizes of `pack`'s
process and those that it uses, each of which counts the libraries that it shares. Goal: 0.85 of the slower half, with the latency 0.8 of
what it is without, of the originals 0.9 of what is decoded alone, and for 10,000 photos no more than 1.2 times the memory of 1,000.
"""

import io
import multiprocessing
import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import pandas as pd
from bucket import BUCKET, serving
from fetch import fetched
from harness import apart, contestant, in_turn, record
from PIL import Image, ImageChops

from dermlab.phantom.clinic import simulate
from dermlab.phantom.drawing import draw
from dermlab.phantom.recipes import Recipe
from dermlab.pull.develop import develop
from dermlab.pull.pack import PART_ROWS, pack
from dermlab.pull.params import Params, PullParams
from dermlab.run.machine import read_machine
from dermlab.run.objects.bucket import S3Files
from dermlab.run.objects.opening import open_files
from dermlab.run.params import read_params
from dermlab.run.workers import executor_of

PHOTOS, ORIGINALS, LATENCY = 2_000, 256, 0.03
FEW, MANY = 1_000, 10_000  # photos that memory is measured with
DRAWN, NOISE = 128, 8  # different ones, served under as many names as are asked for; grey levels that make 3 to 4 MB of an original
GOALS = {"pull": 0.85, "latency": 0.8, "originals": 0.9, "memory": 1.2}


def draw_into(folder: Path, count: int, original: bool) -> None:
    folder.mkdir()
    whole = [recipe for recipe in simulate(4 * DRAWN, seed=17).recipes if not recipe.spoil][:count]
    with ProcessPoolExecutor() as executor:
        list(executor.map(partial(_draw, original), whole, [folder / f"{number:04d}.jpg" for number in range(count)]))


def _draw(original: bool, recipe: Recipe, path: Path) -> None:
    image = Image.open(io.BytesIO(draw(recipe))).convert("RGB")
    image = image.resize((4000, 3000) if original else (600, 450), Image.Resampling.BICUBIC)
    if original:
        image = ImageChops.add(image, Image.effect_noise(image.size, NOISE).convert("RGB"), offset=-128)
    image.save(path, quality=90 if original else 95)


@cache
def held(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def named(folder: Path, count: int) -> dict[str, bytes]:
    return {f"{folder.name}/{number:06d}.jpg": held(folder)[number % len(held(folder))] for number in range(count)}


def wanted(files: S3Files, count: int) -> pd.DataFrame:
    keys = files.list()[:count]
    pins = [files.pin(key) for key in keys]
    return pd.DataFrame({"image_id": keys, "key": keys, "size": [size for size, _ in pins], "etag": [etag for _, etag in pins]})


def pull(rows: pd.DataFrame, objects: S3Files, knobs: PullParams, executor: Executor) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pulled = pack(rows, objects, knobs, executor, None, folder / "shards", folder / "parts")
        assert len(pulled.images) == len(rows)


def decode(folder: Path, count: int, knobs: PullParams, executor: Executor) -> None:
    """By parts, as `pack` does; each process reads the folder once, when it warms up."""
    parts = [range(start, min(start + PART_ROWS, count)) for start in range(0, count, PART_ROWS)]
    assert sum(executor.map(partial(_decode, folder, knobs), parts)) == count


def _decode(folder: Path, knobs: PullParams, numbers: range) -> int:
    photos = held(folder)
    return len([develop(photos[number % len(photos)], knobs.image_size, knobs.max_pixels) for number in numbers])


def contestants(
    photos: Path, originals: Path, small: int, large: int, late_url: str, executor: Executor
) -> dict[str, Callable[[], object]]:
    url = os.environ["AWS_ENDPOINT_URL"]
    near, late, heavy = bucket("photos", url), bucket("photos", late_url), bucket("originals", url)
    rows, heavy_rows = wanted(near, small), wanted(heavy, large)
    keys, knobs = rows["key"].tolist(), read_params(Params).pull
    return {
        "pull": lambda: pull(rows, near, knobs, executor),
        "fetch": lambda: fetched(near, keys, executor),
        "decode": lambda: decode(photos, small, knobs, executor),
        "pull, late": lambda: pull(rows, late, knobs, executor),
        "fetch, late": lambda: fetched(late, keys, executor),
        "pull, originals": lambda: pull(heavy_rows, heavy, knobs, executor),
        "decode, originals": lambda: decode(originals, large, knobs, executor),
    }


def memory_of(count: int, quick: bool) -> dict:
    files = bucket("photos", os.environ["AWS_ENDPOINT_URL"])
    rows, machine = wanted(files, count // 50 if quick else count), read_machine()
    with executor_of(machine) as executor:
        pull(rows, files, read_params(Params).pull, executor)
        processes = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
        return {"memory_mb": sum(peak_mb(process) for process in processes)}


def peak_mb(process: int) -> float:
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())[1]) * 1024 / 1e6


def bucket(prefix: str, endpoint_url: str) -> S3Files:
    return open_files(f"s3://{BUCKET}/{prefix}", endpoint_url, read_machine().connections)


def main() -> None:
    memories = {f"memory_{count}": partial(memory_of, count) for count in (FEW, MANY)}
    options = contestant(__doc__, memories)
    if options is None:
        return
    small, large = (PHOTOS // 25, ORIGINALS // 128) if options.quick else (PHOTOS, ORIGINALS)
    rounds = 1 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as scratch:
        photos, originals = Path(scratch) / "photos", Path(scratch) / "originals"
        draw_into(photos, min(small, DRAWN), False)
        draw_into(originals, min(large, DRAWN // 8), True)
        served = named(photos, MANY) | named(originals, large)
        with serving(served) as reached, serving(served, LATENCY) as late:
            os.environ |= reached
            with executor_of(read_machine()) as executor:
                took = in_turn(contestants(photos, originals, small, large, late["AWS_ENDPOINT_URL"], executor), rounds)
            options.rounds = 1  # a peak varies little
            memory = {name: results[0]["memory_mb"] for name, results in apart(__file__, list(memories), options).items()}
    rates = {name: (large if "originals" in name else small) / seconds for name, seconds in took.items()}
    few, many = memory.values()
    slower = min(("fetch", "decode"), key=rates.get)
    ratios = {
        "pull": rates["pull"] / rates[slower],
        "latency": rates["pull, late"] / rates["pull"],
        "originals": rates["pull, originals"] / rates["decode, originals"],
        "memory": many / few,
    }
    met = {name: ratio <= GOALS[name] if name == "memory" else ratio >= GOALS[name] for name, ratio in ratios.items()}
    record(
        "pull", rates["pull"], {f"{slower} alone": rates[slower]}, "images/s", GOALS["pull"], ("obstore", "pillow", "pyarrow"),
        ratio=ratios["pull"], keep=not options.quick, rates={name: round(rate, 1) for name, rate in rates.items()},
        memory_mb={name: round(peak) for name, peak in memory.items()}, ratios={name: round(ratio, 2) for name, ratio in ratios.items()},
        goals=GOALS, all_met=all(met.values()), kb={"photo": mean_kb(photos), "original": mean_kb(originals)},
    )  # fmt: skip


def mean_kb(folder: Path) -> float:
    return round(sum(map(len, held(folder))) / len(held(folder)) / 1e3, 1)


if __name__ == "__main__":
    main()
