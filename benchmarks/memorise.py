"""What helps where a network learns wrong labels by heart: the policies of recipes/memorise.yaml, the whole network fine-tuned, at several
rates of wrong training labels.

A study of many hours goes on where it stopped, on any machine: what each run predicts is kept in results/memorise/. The table is what the
one judge says of the runs that there are. Goal: at each rate some policy is better than the baseline in top-1 and in balanced accuracy,
each beyond its interval, and makes no class worse. `ratio`: balanced accuracy of the best policy over the baseline's, at the highest rate.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from harness import RESULTS, parser_of, record, skip
from pipeline import ROOT, clone_of_head, run

from dermlab.data.classes import OTHER
from dermlab.data.tables import CATALOG, PROB_PREFIX, read_table
from dermlab.run import paths
from dermlab.scores.differences import BETTER, WORSE, Difference
from dermlab.study.recipe import Experiment, read_recipe, read_seeds
from dermlab.study.run import run_study
from dermlab.verdict.judge import Recipe, Run, Verdict, judge
from dermlab.verdict.question import Question
from dermlab.verdict.runs import load_run

KEPT = RESULTS / "memorise"
BASELINE = "baseline"
SHOWN = {"top1": "top-1", "balanced_accuracy": "balanced accuracy", "rare_recall": "rare recall", "nll": "NLL"}
SMALL = {"train.frozen_epochs": 2, "train.trainable_blocks": 1}  # of --quick


@dataclass(frozen=True)
class Setting:
    """What the policies are set against each other in."""

    source: str  # as `dermlab lock` takes it
    kind: str  # of the wrong labels
    rate: float
    side: int  # pixels
    epochs: int  # of fine-tuning

    @property
    def name(self) -> str:
        return f"{self.source.partition(':')[0]}-{self.kind}-{self.rate:.0%}-{self.side}px-{self.epochs}".replace("%", "")

    @property
    def params(self) -> dict[str, object]:
        wrong = {"catalog.noise_kind": self.kind, "catalog.noise_rate": self.rate}
        return {**wrong, "embed.image_size": self.side, "train.finetune_epochs": self.epochs}


class Store:
    """Runs of one setting: which photos were tested, and of each run its probabilities in half precision. No label and no patient is kept:
    these come from the source."""

    def __init__(self, setting: Setting, root: Path) -> None:
        self.setting, self.folder = setting, root / setting.name
        self.images = self.folder / "images.txt"

    def file(self, experiment: Experiment) -> Path:
        return self.folder / f"{experiment.name}.npz"

    def keep(self, experiment: Experiment, done: Run) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = done.predictions.sort_values("image_id")
        columns = [name for name in rows if name.startswith(PROB_PREFIX)]
        classes = [name.removeprefix(PROB_PREFIX) for name in columns]
        counts = np.array([[of.get(name, 0) for name in classes] for of in (done.train_counts, done.trained)])
        self.images.write_text("\n".join(rows["image_id"]) + "\n")
        np.savez_compressed(self.file(experiment), classes=classes, probs=rows[columns].to_numpy(np.float16), counts=counts)

    def read(self, experiment: Experiment, test: pd.DataFrame) -> Run:
        """test: the test rows of the catalog, by image_id."""
        with np.load(self.file(experiment)) as kept:
            classes, probs, counts = (kept[name] for name in ("classes", "probs", "counts"))
        test = test.loc[self.images.read_text().split()].reset_index()
        probs = probs.astype(np.float64)
        table = pd.DataFrame(probs / probs.sum(1, keepdims=True), columns=[f"{PROB_PREFIX}{name}" for name in classes])
        known, trained = ({str(name): int(n) for name, n in zip(classes, of, strict=True) if name != OTHER} for of in counts)
        params = {"policy": policy_of(experiment), "seed": experiment.overrides["seed"]}
        return Run(experiment.name, test.join(table), params, known, trained)


def policy_of(experiment: Experiment) -> str:
    return experiment.name.removesuffix(f"-s{experiment.overrides['seed']}")


def train(setting: Setting, experiment: Experiment, folder: Path, quick: bool) -> Run:
    """A real `dvc exp run` in the clone `folder`."""
    with chdir(folder):
        run_study(
            [replace(experiment, overrides={**experiment.overrides, **setting.params, **(SMALL if quick else {})})], replace_others=True
        )
    return load_run(experiment.name, folder)


def tables(setting: Setting, found: Verdict) -> Iterator[str]:
    """Markdown."""
    yield f"\n{setting.name}: {found.images:,} test photos of {found.patients:,} patients\n"
    yield "| policy | seeds | " + " | ".join(f"{label} | Δ" for label in SHOWN.values()) + " | classes better, worse |"
    yield "|---" * (3 + 2 * len(SHOWN)) + "|"
    for recipe in found.recipes:
        cells = []
        for name in SHOWN:
            mean = f"{recipe.mean[name]:.3f}" + (f" ± {recipe.spread[name]:.3f}" if name in recipe.spread else "")
            cells += [mean, _change(recipe.differences[name], 1 if name == "nll" else 100) if recipe.differences else ""]
        told = [d.verdict for d in recipe.class_differences.values()]
        policy = recipe.changed.get("policy", (None, recipe.name))[1]
        yield f"| {policy} | {len(recipe.seeds)} | " + " | ".join(cells) + f" | {told.count(BETTER)}, {told.count(WORSE)} |"


def _change(d: Difference, unit: int) -> str:
    if d.bounds is None:
        return d.verdict
    places = 1 if unit == 100 else 3
    low, high = (f"{value * unit:+.{places}f}" for value in d.bounds)
    text = f"{d.delta * unit:+.{places}f} [{low}, {high}]"
    return f"**{text}**" if d.verdict in (BETTER, WORSE) else text


def wins(recipe: Recipe) -> bool:
    told = all(recipe.differences[name].verdict == BETTER for name in ("top1", "balanced_accuracy"))
    return told and not any(d.verdict == WORSE for d in recipe.class_differences.values())


def study(store: Store, planned: Sequence[Experiment], folder: Path, ends: float, quick: bool) -> None:
    """Runs in the clone `folder` what there is not yet, seed by seed, so that what is left at the end is of few seeds and not of few
    policies. `ends`: no run is begun after it, by `time.monotonic`."""
    for experiment in [experiment for experiment in planned if not store.file(experiment).exists()]:
        if time.monotonic() > ends:
            return
        started = time.monotonic()
        store.keep(experiment, train(store.setting, experiment, folder, quick))
        print(f"{store.setting.name}: {experiment.name} after {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def judged(store: Store, planned: Sequence[Experiment], test: pd.DataFrame) -> Verdict | None:
    """Of the runs that there are; None where no policy can be set against the baseline."""
    runs = [store.read(experiment, test) for experiment in planned if store.file(experiment).exists()]
    policies = {done.params["policy"] for done in runs}
    return judge(runs, Question()) if BASELINE in policies and len(policies) > 1 else None


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--source", default="phantom", help="as `dermlab lock` takes it, such as ham10000:PATH")
    parser.add_argument("--kind", default="pairs", help="of wrong labels: pairs or uniform")
    parser.add_argument("--rates", default="0.4,0.2")
    parser.add_argument("--side", type=int, default=128, help="of the images, pixels")
    parser.add_argument("--epochs", type=int, default=5, help="of fine-tuning")
    parser.add_argument("--seeds", default="17-19")
    parser.add_argument("--policies", default="", help="some of the recipe's, by comma; else all")
    parser.add_argument("--hours", type=float, default=float("inf"), help="no run is begun after so many; 0: the table of those there are")
    options = parser.parse_args()
    if options.quick:
        options.rates, options.side, options.epochs, options.seeds, options.policies = "0.4", 64, 1, "17-18", "baseline,softened"
    settings = [Setting(options.source, options.kind, float(rate), options.side, options.epochs) for rate in options.rates.split(",")]
    wanted = options.policies.split(",") if options.policies else ()
    planned = read_recipe(ROOT / "recipes" / "memorise.yaml", read_seeds(options.seeds))  # seed by seed
    planned = [experiment for experiment in planned if not wanted or policy_of(experiment) in wanted]
    with tempfile.TemporaryDirectory() as scratch:
        folder = clone_of_head(Path(scratch) / "clone", options.quick)
        run(folder, "dermlab", "lock", options.source, *(["--images=600"] if options.quick else []))
        run(folder, "dvc", "repro", "catalog")
        who = read_table(folder / paths.CATALOG, CATALOG, ["image_id", "patient_id", "diagnosis", "label", "split"])
        test = who[who["split"] == "test"].set_index("image_id").drop(columns="split")
        stores = [Store(setting, Path(scratch) if options.quick else KEPT) for setting in settings]
        ends = time.monotonic() + 3600 * options.hours
        for store in stores:
            study(store, planned, folder, ends, options.quick)
        found = {store: verdict for store in stores if (verdict := judged(store, planned, test))}
    if not found:
        skip("no policy has been run beside the baseline yet")
    for store, verdict in found.items():
        print("\n".join(tables(store.setting, verdict)))
    conclude([store.setting for store in found], list(found.values()), keep=not options.quick)


def conclude(settings: Sequence[Setting], verdicts: Sequence[Verdict], keep: bool) -> None:
    hardest = verdicts[0]
    best = max(hardest.judged, key=lambda recipe: recipe.mean["balanced_accuracy"])
    ours, peer = (recipe.mean["balanced_accuracy"] for recipe in (best, hardest.baseline))
    winners = {
        setting.name: [recipe.name for recipe in found.judged if wins(recipe)] for setting, found in zip(settings, verdicts, strict=True)
    }
    missed = [name for name, policies in winners.items() if not policies]
    record(
        "memorise", ours, {BASELINE: peer}, "balanced accuracy", 1.0, ("torch", "timm"), ratio=ours / peer, keep=keep, best=best.name,
        winners=winners, missed=missed, met=not missed, seeds=[len(found.baseline.seeds) for found in verdicts],
    )  # fmt: skip


if __name__ == "__main__":
    main()
