"""What a change costs: which stages run after it, and how long, against running everything again.

A folder of the phantom's photos. `ours` is a label corrected at the source, which reruns catalog, flag and what follows; the other changes
stand in `rows`. Goal: at most half the time of everything.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
from harness import arguments, record

from dermlab.phantom.clinic import simulate
from dermlab.phantom.drawing import draw

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
LATER = 0.02  # share of the photos that come with the last change
OPTIONS = ("--min-class-count", "2")  # all conditions are classes, also in the small version


def run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True).stdout


def photos(folder: Path, images: int) -> pd.DataFrame:
    """Draws the readable photos of a clinic into `folder`; its CSV's rows."""
    folder.mkdir()
    clinic = simulate(images, seed=17)
    whole = [number for number, recipe in enumerate(clinic.recipes) if not recipe.spoil]
    with ProcessPoolExecutor() as executor:
        for number, data in zip(whole, executor.map(draw, [clinic.recipes[number] for number in whole], chunksize=64), strict=True):
            (folder / f"{number:06d}.jpg").write_bytes(data)
    rows = clinic.manifest.iloc[whole]
    table = pd.DataFrame({"image": [f"{number:06d}.jpg" for number in whole], "label": rows["diagnosis"].to_numpy()})
    return table.assign(patient_id=rows["patient_id"].to_numpy(), case_id=rows["case_id"].to_numpy())


def changes(clone: Path, source: Path, table: pd.DataFrame) -> dict[str, Callable[[], None]]:
    """By name: what to do to the clone, at whose source `table` less its last LATER of rows stands so far."""

    def edit(file: str, old: str, new: str) -> Callable[[], None]:
        def apply() -> None:
            text = (clone / file).read_text()
            assert old in text, (file, old)
            (clone / file).write_text(text.replace(old, new, 1))

        return apply

    def comment(file: str, text: str) -> Callable[[], None]:
        return lambda: (clone / file).write_text((clone / file).read_text() + text)

    def lock(rows: pd.DataFrame, at: Path) -> Callable[[], None]:
        def apply() -> None:
            if at != source:
                shutil.copytree(source, at)
            rows.to_csv(at / "labels.csv", index=False)
            run(clone, "dermlab", "lock", f"folder:{at}", *OPTIONS)

        return apply

    first = table.head(round((1 - LATER) * len(table)))
    corrected = first.assign(label=first["label"].where(first.index != 7, first["label"].mode()[0]))
    return {
        "comment in the progress bar's file": comment("src/dermlab/data/progress.py", "\n# a comment\n"),
        "the review page's CSS": comment("src/dermlab/review/templates/review.css", "\n/* a comment */\n"),
        "machine.workers": edit("params.yaml", "workers: 0", "workers: 1"),
        "the same photos under another path": lock(first, source.with_name("elsewhere")),
        "a label corrected at the source": lock(corrected, source),
        "catalog.noise_rate": edit("params.yaml", "noise_rate: 0.0", "noise_rate: 0.1"),
        "catalog.seed": edit("params.yaml", "seed: 17 # of the patient split", "seed: 18 # of the patient split"),
        "loss": edit("params.yaml", "loss: ce", "loss: focal"),
        "a knob of train": edit("params.yaml", "label_smoothing: 0.0", "label_smoothing: 0.1"),
        "2 % more photos": lock(table, source),
    }


def main() -> None:
    options = arguments(__doc__)
    scratch = Path(tempfile.mkdtemp())
    try:
        table = photos(scratch / "photos", 600 if options.quick else 4800)
        clone = scratch / "clone"
        run(ROOT, "git", "clone", "-q", str(ROOT), str(clone))
        table.head(round((1 - LATER) * len(table))).to_csv(scratch / "photos" / "labels.csv", index=False)
        run(clone, "dermlab", "lock", f"folder:{scratch / 'photos'}", *OPTIONS)
        rows = [measured(clone, "everything")]
        run(clone, "git", "commit", "-qam", "everything")
        for name, apply in changes(clone, scratch / "photos", table).items():
            apply()
            rows.append(measured(clone, name))
            run(clone, "git", "checkout", "--", ".")
            run(clone, "dvc", "checkout", "--force", "--quiet")
    finally:
        shutil.rmtree(scratch)
    for row in rows:
        print(f"{row['change']:38} {row['seconds']:6.1f} s  {', '.join(row['ran']) or 'nothing'}")
    whole, label = rows[0]["seconds"], next(row["seconds"] for row in rows if row["change"].startswith("a label"))
    record(
        "edit_cost", label, {"everything again": whole}, "s", 2.0, ("dvc", "torch", "timm"), ratio=whole / label, keep=not options.quick,
        rows=rows,
    )  # fmt: skip


def measured(clone: Path, change: str) -> dict[str, object]:
    started = time.perf_counter()
    said = run(clone, "dvc", "repro")
    return {"change": change, "seconds": round(time.perf_counter() - started, 1), "ran": re.findall(r"Running stage '(\w+)'", said)}


if __name__ == "__main__":
    main()
