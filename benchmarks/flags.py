"""How good the flags are, against plain cleanlab on the same out-of-fold probabilities, at three seeds.

    python benchmarks/flags.py                                    the phantom clinic, drawn anew for each seed
    python benchmarks/flags.py --source ham10000:/data/HAM10000   another source, a tenth of its training labels made wrong in pairs

Ours: quality of `flag.method: posterior`. Peer: the better of cleanlab's two label qualities, self-confidence (its default) and
normalised margin. Goal: a higher average precision at each seed, and in the rarest third of the classes at most half the share of
right labels flagged by plain cleanlab (`find_label_issues`), at the recall that it has: over all rows, and within those classes.
"""

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from harness import parser_of, record
from sklearn.metrics import average_precision_score

from dermlab.catalog.build import build_catalog
from dermlab.catalog.params import CatalogParams
from dermlab.catalog.params import Params as CatalogPart
from dermlab.data.location import read_location
from dermlab.data.machine import read_machine
from dermlab.data.params import read_params
from dermlab.data.shards import Shards
from dermlab.embed.features import embed
from dermlab.embed.params import Params as EmbedPart
from dermlab.flag.duplicates import groups_of_copies
from dermlab.flag.folds import people_of
from dermlab.flag.neighbours import nearest, votes
from dermlab.flag.params import Params as FlagPart
from dermlab.flag.probabilities import repeated_out_of_fold
from dermlab.flag.verdict import posterior
from dermlab.lock.lock import lock
from dermlab.lock.sources import Options
from dermlab.model.backbones import create_backbone
from dermlab.model.questionnaire import encode
from dermlab.pull.objects import open_objects
from dermlab.pull.pack import pack
from dermlab.pull.params import Params as PullPart
from dermlab.pull.params import PullParams
from dermlab.scores.rare import rarest_third, rows_per_class

PARAMS = Path(__file__).parents[1] / "params.yaml"
GARBAGE = ("document", "no_skin", "wrong_part")


def scores_of(source: str, options: Options, who: CatalogParams, pixels: PullParams, folder: Path) -> dict[str, float]:
    """One seed: pulls, embeds, judges and scores against the truth."""
    pin = lock(source, options, folder / "source", folder / "location")
    made = build_catalog(pin, who)
    with ProcessPoolExecutor(read_machine(PARAMS).processes, multiprocessing.get_context("spawn")) as executor:
        objects = open_objects(*read_location(folder / "location"))
        pulled = pack(made.wanted, objects, pixels, executor, shards=folder / "shards", checkpoints=folder / "checkpoints")
    embedding, knobs = read_params(EmbedPart, PARAMS), read_params(FlagPart, PARAMS).flag
    size = embedding.embed.image_size
    backbone = create_backbone(embedding.backbone, size)
    embeddings, _ = embed(backbone, pulled.images, Shards(folder / "shards"), size, read_machine(PARAMS).batch_size)
    known = made.catalog.merge(pulled.images, on="image_id").sort_values("image_id", ignore_index=True)
    copied, _ = groups_of_copies(
        known["sha256"].to_numpy(), known["phash"].to_numpy(), embeddings.of(known["image_id"]), known["label"].to_numpy(), knobs.phash_bits
    )
    rows = known.assign(copied=copied)
    rows = rows[rows["split"] == "train"].reset_index(drop=True).merge(made.truth, on="image_id")
    labels, classes = pin.classes.encode(rows["label"]), len(pin.classes.names)
    people, features = people_of(rows["patient_id"], rows["copied"].to_numpy()), embeddings.of(rows["image_id"])
    inputs = np.concatenate([features.astype(np.float32), encode(rows, pin.questions)], axis=1)
    probs = repeated_out_of_fold(inputs, labels, people, classes, knobs.l2, knobs.folds, knobs.repeats, knobs.seed)
    cast = votes(nearest(features, knobs.neighbours, people)[0], labels, classes)
    ours = posterior(labels, probs, cast, rows["case_id"].to_numpy(str), knobs.expected_noise)
    garbage = rows["kind"].isin(GARBAGE).to_numpy()
    wrong = (rows["label"] != rows["true_label"]).to_numpy() & ~garbage
    rare = np.isin(labels, rarest_third(rows_per_class(labels, pin.classes.other)))
    return _scores(labels, probs.mean(axis=0).astype(np.float64), ours.quality, wrong, ~wrong & ~garbage, rare)


def _scores(
    labels: np.ndarray, probs: np.ndarray, quality: np.ndarray, wrong: np.ndarray, right: np.ndarray, rare: np.ndarray
) -> dict[str, float]:
    probs = probs / probs.sum(axis=1, keepdims=True)
    flagged = find_label_issues(labels, probs, filter_by="confident_learning", n_jobs=1)
    peers = {
        name: average_precision_score(wrong, 1 - get_label_quality_scores(labels, probs, method=name))
        for name in ("self_confidence", "normalized_margin")
    }
    everywhere = np.ones(len(labels), dtype=bool)
    return {
        "wrong_labels": int(wrong.sum()),
        "average_precision": average_precision_score(wrong, 1 - quality),
        **peers,
        "cleanlab_recall": float(flagged[wrong].mean()),
        "cleanlab_rare_right_flagged": float(flagged[rare & right].mean()),
        "rare_right_flagged": float(_at_recall_of(flagged, quality, wrong, everywhere)[rare & right].mean()),
        "rare_right_flagged_at_rare_recall": float(_at_recall_of(flagged, quality, wrong, rare)[rare & right].mean()),
    }


def _at_recall_of(flagged: np.ndarray, quality: np.ndarray, wrong: np.ndarray, among: np.ndarray) -> np.ndarray:
    """bool [N]: the rows of lowest quality, so many that as many wrong labels of `among` are found as by `flagged`."""
    order = np.argsort(quality, kind="stable")
    order = order[among[order]]
    wanted = int((flagged & wrong & among).sum())
    rows = int(np.searchsorted(np.cumsum(wrong[order]), wanted)) + 1 if wanted else 0
    found = np.zeros(len(quality), dtype=bool)
    found[order[:rows]] = True
    return found


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--source", default="phantom")
    options = parser.parse_args()
    who, pixels = read_params(CatalogPart, PARAMS).catalog, read_params(PullPart, PARAMS).pull
    kind = options.source.partition(":")[0]
    rate = who.noise_rate if kind == "phantom" else 0.1
    seeds = []
    for seed in (17,) if options.quick else (17, 18, 19):
        listed = Options(images=800 if options.quick else 4800, seed=seed)
        judged = who.model_copy(update={"seed": seed, "noise_rate": rate})
        tolerant = pixels.model_copy(update={"max_quarantine": 0.1})
        with tempfile.TemporaryDirectory() as folder:
            seeds.append(scores_of(options.source, listed, judged, tolerant, Path(folder)))
    table = pd.DataFrame(seeds)
    print(table.round(3).to_string())
    best_peer = table[["self_confidence", "normalized_margin"]].max(axis=1)
    halves = {name: (table[name] / table["cleanlab_rare_right_flagged"]).round(2).tolist() for name in table if name.startswith("rare_")}
    record(
        "flags" if kind == "phantom" else f"flags-{kind}", float(table["average_precision"].mean()),
        {name: float(table[name].mean()) for name in ("self_confidence", "normalized_margin")}, "average precision", 1.0,
        ("cleanlab", "torch", "scikit-learn"), ratio=float((table["average_precision"] / best_peer).min()), keep=not options.quick,
        rare_right_flagged_over_cleanlabs=halves, rare_goal=0.5, seeds=table.round(4).to_dict("records"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
