"""What a change costs: which stages run after it, and how long, against running everything again.

A folder of the phantom's photos. `ours` is a label corrected at the source, which reruns catalog, flag and what follows; the other changes
stand in `rows`. `stages`: where the seconds of both go. Goal: at most half the time of everything.
"""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
from harness import arguments, record
from pipeline import DVC, clone_of_head, replace, rounded, run, show, timed

from dermlab.phantom.clinic import simulate
from dermlab.phantom.drawing import draw

LATER = 0.02  # share of the photos that come with the last change
EVERYTHING, LABEL = "everything", "a label corrected at the source"
LONG = (
    "catalog.noise_rate",
    "catalog.seed",
    "loss",
    "a knob of train",
    "2 % more photos",
)  # the small version makes them, and runs nothing
OPTIONS = ("--min-class-count", "2")  # all conditions are classes, also in the small version


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
        return lambda: replace(clone / file, old, new)

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
        "comment in the progress bar's file": comment("src/dermlab/run/progress.py", "\n# a comment\n"),
        "the review page's CSS": comment("src/dermlab/review/templates/review.css", "\n/* a comment */\n"),
        "machine.workers": edit("params.yaml", "workers: 0", "workers: 1"),
        "the same photos under another path": lock(first, source.with_name("elsewhere")),
        LABEL: lock(corrected, source),
        "catalog.noise_rate": edit("params.yaml", "noise_rate: 0.0", "noise_rate: 0.1"),
        "catalog.seed": edit("params.yaml", "seed: 17 # of the patient split", "seed: 18 # of the patient split"),
        "loss": edit("params.yaml", "loss: ce", "loss: focal"),
        "a knob of train": edit("params.yaml", "label_smoothing: 0.0", "label_smoothing: 0.1"),
        "a threshold of calibrate": edit("params.yaml", "answer: 0.9", "answer: 0.8"),
        "comment in the headline's file": comment("src/dermlab/scores/headline.py", "\n# a comment\n"),
        "2 % more photos": lock(table, source),
    }


def main() -> None:
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        took = measured(Path(folder), options.quick)
    show({EVERYTHING: took[EVERYTHING], LABEL: took[LABEL]})
    whole, label = sum(took[EVERYTHING].values()), sum(took[LABEL].values())
    record(
        "edit_cost", label, {"everything again": whole}, "s", 2.0, ("dvc", "torch", "timm"), ratio=whole / label, keep=not options.quick,
        rows=[{"change": change, "seconds": round(sum(of.values()), 1), "ran": ran(of)} for change, of in took.items()],
        stages={"ours": rounded(took[LABEL]), "everything again": rounded(took[EVERYTHING])},
    )  # fmt: skip


def measured(scratch: Path, quick: bool) -> dict[str, dict[str, float]]:
    """By change: seconds of the stages that `dvc repro` runs after it, and of DVC besides."""
    source, clone = scratch / "photos", clone_of_head(scratch / "clone", quick)
    table = photos(source, 600 if quick else 4800)
    table.head(round((1 - LATER) * len(table))).to_csv(source / "labels.csv", index=False)
    run(clone, "dermlab", "lock", f"folder:{source}", *OPTIONS)
    took: dict[str, dict[str, float]] = {}

    def measure(change: str) -> None:
        took[change] = timed(clone, "dvc", "repro")
        print(f"{change:38} {sum(took[change].values()):6.1f} s  {', '.join(ran(took[change])) or 'nothing'}", flush=True)

    measure(EVERYTHING)
    run(clone, "git", "add", "-A")  # dvc.lock too, or what one change leaves would be where the next starts
    run(clone, "git", "commit", "-qm", EVERYTHING)
    for name, apply in changes(clone, source, table).items():
        apply()
        if not (quick and name in LONG):
            measure(name)
        run(clone, "git", "checkout", "--", ".")
        run(clone, "dvc", "checkout", "--force", "--quiet")
    return took


def ran(took: dict[str, float]) -> list[str]:
    return [stage for stage in took if stage != DVC]


if __name__ == "__main__":
    main()
