"""DVC's no-op `repro` with 50,000 phantom images in shards, against the same images as loose files.

Goal: 4 times as fast, and at most 1.5 times the no-op with 500 images. 1,000 photos are drawn; each of the others is one
of these with a comment of its own, so that every file differs, as far as DVC can see.
"""

import tempfile
from functools import partial
from pathlib import Path

from harness import arguments, in_turn, record
from pipeline import run

from dermlab.data.shards import shard_name, shard_of_rows, write_shard
from dermlab.phantom.clinic import simulate
from dermlab.phantom.drawing import draw


def with_comment(jpeg: bytes, comment: bytes) -> bytes:
    """The same photo, other bytes: a COM segment behind the start marker."""
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def repository(folder: Path, jpegs: list[bytes], loose: bool) -> Path:
    """A git and DVC repository whose one stage takes the images as its dependency, run once."""
    images = folder / "images"
    images.mkdir(parents=True)
    if loose:
        for i, jpeg in enumerate(jpegs):
            (images / f"{i:08d}.jpg").write_bytes(jpeg)
    else:
        shard_of = shard_of_rows([len(jpeg) for jpeg in jpegs])
        for shard in range(shard_of[-1] + 1):
            rows = [i for i in range(len(jpegs)) if shard_of[i] == shard]
            write_shard(images / shard_name(shard), [f"{i:08d}" for i in rows], [jpegs[i] for i in rows])
    (folder / "dvc.yaml").write_text("stages:\n  train:\n    cmd: echo trained > model\n    deps: [images]\n    outs: [model]\n")
    run(folder, "git", "init", "-q")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "add", "-q", "images")
    run(folder, "dvc", "repro", "-q")
    return folder


def main() -> None:
    options = arguments(__doc__)
    many, few, drawn = (600, 50, 30) if options.quick else (50_000, 500, 1_000)
    recipes = simulate(1_200, seed=17).recipes
    photos = [jpeg for jpeg in map(draw, recipes[: drawn + drawn // 5]) if jpeg[:2] == b"\xff\xd8"][:drawn]
    jpegs = [with_comment(photos[i % len(photos)], b"%08d" % i) for i in range(many)]
    with tempfile.TemporaryDirectory() as scratch:
        repositories = {
            "shards": repository(Path(scratch) / "shards", jpegs, loose=False),
            "loose files": repository(Path(scratch) / "loose", jpegs, loose=True),
            "500 images": repository(Path(scratch) / "few", jpegs[:few], loose=False),
        }
        took = in_turn({name: partial(run, folder, "dvc", "repro") for name, folder in repositories.items()}, options.rounds)
    growth = took["shards"] / took["500 images"]
    print(f"no-op repro: {took['shards']:.2f} s in shards, {took['loose files']:.2f} s as loose files, {growth:.2f} x that of {few} images")
    record(
        "noop", took["shards"], {"loose files": took["loose files"]}, "s", 4.0, ("dvc", "pyarrow"),
        ratio=took["loose files"] / took["shards"], keep=not options.quick,
        images=many, over_500_images=round(growth, 2), over_500_images_goal=1.5,
    )  # fmt: skip


if __name__ == "__main__":
    main()
