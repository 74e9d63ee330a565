"""A small run as the stages before the report leave it: every table and metrics file, with known numbers in them."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from defaults import DEFAULTS
from PIL import Image
from rows_in_use import write_rows

from dermlab.data.json_files import write_json
from dermlab.data.shards import shard_name, write_shard
from dermlab.data.tables import FLAGS, LEARNT, MANIFEST, PREDICTIONS, QUARANTINE, TRUTH, read_table, write_table
from dermlab.run import paths
from dermlab.scores.headline import headline
from dermlab.scores.predictions import scored_rows, tally_by_patient
from dermlab.scores.rare import commonest, rarest_third

ALONE = {
    "top1": {"with": 0.7, "without": 0.62, "difference": -0.08, "interval": [-0.1, -0.06], "verdict": "worse"},
    "balanced_accuracy": {"with": 0.6, "without": 0.5, "difference": -0.1, "interval": None, "verdict": "worse"},
}
SELECTIVE = {
    "tiers": [
        {"tier": "answer", "promise": 0.9, "threshold": 0.8, "rows": 50, "share": 0.5, "right": 0.92, "interval": [0.85, 0.97]},
        {"tier": "top-3", "promise": 0.9, "threshold": None, "rows": 0, "share": 0.0, "right": None, "interval": None},
        {"tier": "abstain", "promise": None, "threshold": None, "rows": 50, "share": 0.5, "right": 0.4, "interval": [0.3, 0.5]},
    ],
    "curve": [{"coverage": 0.5, "accuracy": 0.9}, {"coverage": 1.0, "accuracy": 0.7}],
}
SUBGROUPS = [
    {"by": "sex", "group": "female", "images": 60, "patients": 41, "top1": 0.7, "top3": 0.9, "interval": [0.6, 0.8]},
    {"by": "sex", "group": "not answered", "images": 3, "patients": 2, "top1": 0.3333, "top3": 1.0, "interval": None},
]
UNFAMILIAR = {"threshold": 0.2, "rows": 4, "share": 0.031, "right": 0.25, "others": 0.71}
TARGETS = ("eczema", "acne", "psoriasis", "tinea", "wart", "post-inflammatory hyperpigmentation")
COMMENT = b"taken at 52.5200 N, 13.4050 E"


def predictions_of(labels, probs, patients, targets=TARGETS) -> pd.DataFrame:
    """labels: names [N]; probs: [N, K+1]; patients: names [N]. As the predictions table, ids in row order."""
    ids = [f"img{i:06d}" for i in range(len(labels))]
    frame = pd.DataFrame({"image_id": ids, "patient_id": patients, "diagnosis": labels, "label": labels})
    columns = [f"prob_{name}" for name in (*targets, "other")]
    return pd.concat([frame, pd.DataFrame(np.asarray(probs, np.float32), columns=columns)], axis=1)


def simulated(rng, labels, skill, targets=TARGETS) -> np.ndarray:
    """[N, K+1] probabilities of a model that adds `skill` to the logit of the right class."""
    names = [*targets, "other"]
    logits = rng.normal(size=(len(labels), len(names)))
    logits[np.arange(len(labels)), [names.index(label) for label in labels]] += skill
    probs = np.exp(logits)
    return probs / probs.sum(1, keepdims=True)


def learnt_by_heart(rng, manifest, truth) -> pd.DataFrame:
    """Of a network that tells what is true in its first epoch, and in its second what it was given in all rows that are drawn."""
    rows = manifest[manifest["split"] == "train"].merge(truth, on="image_id")
    drawn = rng.random(len(rows)) < 0.9
    return pd.DataFrame({"image_id": rows["image_id"], "frozen_1": rows["true_label"], "finetune_1": rows["label"].where(drawn, None)})


@dataclass
class World:
    """What was put into the files, to compare a report with."""

    folder: Path
    catalog: pd.DataFrame
    predictions: pd.DataFrame
    flags: pd.DataFrame
    truth: pd.DataFrame


def make_world(folder: Path, images: int = 600, targets=TARGETS, seed: int = 0, knows_truth: bool = True, side: int = 48) -> World:
    """Writes a whole run below `folder`; the working directory must be `folder`."""
    rng = np.random.default_rng(seed)
    names = [*targets, "other"]
    odds = np.append(1.0 / np.arange(1, len(targets) + 1) ** 0.8, 0.3)
    labels = rng.choice(names, images, p=odds / odds.sum())
    patient = rng.integers(images // 2, size=images)
    split = np.where(patient % 10 < 6, "train", np.where(patient % 10 == 6, "val", "test"))
    ids = [f"img{i:06d}" for i in range(images)]
    catalog = pd.DataFrame({
        "image_id": ids, "patient_id": [f"secret-patient-{p}" for p in patient], "case_id": [f"case{p}" for p in patient],
        "diagnosis": labels, "label": labels, "split": split, "width": side, "height": side, "sha256": ids, "phash": 0,
        "shard": 0, "row": np.arange(images), "q_sex": np.where(patient % 3 == 0, None, "female"),
        "note_dx_type": np.where(patient % 2 == 0, "histo", "consensus"), "note_said": [f"secret-note-{i}" for i in range(images)],
    })  # fmt: skip
    (folder / paths.SHARDS).mkdir(parents=True)
    write_shard(folder / paths.SHARDS / shard_name(0), ids, [_photo(rng, side) for _ in ids])
    train = catalog[catalog["split"] == "train"]
    kinds = rng.choice(["clean", "hard", "mislabeled", "document", "no_skin", "wrong_part"], images, p=[0.7, 0.12, 0.1, 0.03, 0.03, 0.02])
    truth = pd.DataFrame({"image_id": ids, "true_label": labels, "kind": kinds, "duplicate_of": pd.Series([None] * images, dtype=object)})
    truth.loc[truth["kind"] == "mislabeled", "true_label"] = targets[1]
    doubt = {"clean": 0.05, "hard": 0.3, "mislabeled": 0.7}
    chance = truth.loc[train.index, "kind"].map(doubt).fillna(0.4)
    issue = rng.random(len(train)) < chance
    flags = pd.DataFrame({
        "image_id": train["image_id"], "given": train["label"], "suggested": rng.choice(targets, len(train)),
        "quality": np.where(issue, rng.uniform(0, 0.3, len(train)), rng.uniform(0.2, 1, len(train))), "label_issue": issue,
        "duplicate_of": pd.Series([None] * len(train), dtype=object, index=train.index),
        "outlier_score": rng.random(len(train)), "not_skin_score": rng.random(len(train)), "leak": False,
        "protected": train["label"].isin(targets[-2:]), "suggested_prob": 0.5, "spread": 0.0, "agreement": 0.5,
        "issue": np.where(issue, "mislabeled", "none"), "neighbours": [()] * len(train),
        "review_rank": pd.Series(np.arange(1, len(train) + 1), index=train.index, dtype="Int32"),
    })  # fmt: skip
    kept = catalog[~catalog["image_id"].isin(flags.loc[issue & (flags["quality"] < 0.15), "image_id"])]
    manifest = kept[["image_id", "label", "split"]].assign(weight=1.0, origin="kept", labels=None)
    test = catalog[catalog["split"] == "test"]
    predictions = pd.concat([
        test[["image_id", "patient_id", "diagnosis", "label"]].reset_index(drop=True),
        pd.DataFrame(simulated(rng, test["label"], 2.0, targets), columns=[f"prob_{name}" for name in names]),
    ], axis=1)  # fmt: skip
    write_rows(catalog, catalog=folder / paths.CATALOG, images=folder / paths.IMAGES)
    write_table(folder / paths.QUARANTINE, pd.DataFrame({"image_id": ["x"], "reason": ["truncated"]}), QUARANTINE)
    write_table(folder / paths.FLAGS, flags, FLAGS)
    write_table(folder / paths.MANIFEST, manifest, MANIFEST)
    write_table(folder / paths.LEARNT, learnt_by_heart(rng, manifest, truth), LEARNT)
    write_table(folder / paths.PREDICTIONS, predictions, PREDICTIONS)
    write_table(folder / paths.TRUTH, truth if knows_truth else truth.head(0), TRUTH)
    noise = {"rate": 0.06, "at_least": 0.02}
    write_json(folder / paths.metrics_of("flag"), {"noise": noise, "expected_precision": 0.81})
    gone = ~train["image_id"].isin(kept["image_id"])
    cleaned = {"dropped_per_class": gone, "saved_by_guard": flags["label_issue"] & ~gone}
    write_json(
        folder / paths.metrics_of("manifest"),
        {what: train.loc[which, "label"].value_counts().sort_index().to_dict() for what, which in cleaned.items()},
    )
    write_json(folder / paths.metrics_of("train"), {"best_epoch": 3, "val_top1": 0.61, "val_macro_f1": 0.5})
    share = odds / odds.sum()
    adjustment = {"tau": 0.0, "chosen": 0.4, "prior": share.tolist(), "curve": []}
    write_json(
        folder / paths.metrics_of("evaluate"),
        {
            "temperature": 1.1,
            "adjustment": adjustment,
            "other_auroc": 0.71,
            "photo_alone": ALONE,
            "selective": SELECTIVE,
            "subgroups": SUBGROUPS,
            "unfamiliar": UNFAMILIAR,
            "unflagged": {"rows": 90, "top1": 0.77, "top3": 0.95},
        },
    )
    counts = train["label"].value_counts()
    rows = np.array([counts.get(name, 0) for name in targets])
    found = headline(
        tally_by_patient(scored_rows(read_table(folder / paths.PREDICTIONS, PREDICTIONS))).total(), rarest_third(rows), commonest(rows)
    )
    write_json(folder / paths.HEADLINE, {name: round(float(value), 4) for name, value in found.items()})
    text = DEFAULTS.read_text().replace("variant: baseline", "variant: cleaned", 1)
    (folder / "params.yaml").write_text(text.replace("bootstrap: 10000", "bootstrap: 200"))
    return World(folder, catalog, predictions, flags, truth)


def _photo(rng, side: int) -> bytes:
    """A JPEG that carries what a report must not: EXIF with a location, and a comment."""
    colour = rng.integers(90, 230, 3)
    image = Image.fromarray((colour + rng.normal(0, 12, (side, side, 3))).clip(0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825)[1] = "N"
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif, comment=COMMENT)
    return buffer.getvalue()
