"""How good the flags were, where the source knows the truth. Nothing but the report may read that table."""

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER
from dermlab.data.shares import beyond
from dermlab.data.tables import TRUTH_KINDS
from dermlab.scores.calibration import confidence_bin
from dermlab.scores.one_vs_rest import average_precision

GARBAGE = ("document", "no_skin", "wrong_part")
SKINLESS = ("document", "no_skin")
BINS = 15


def score_flags(flags: pd.DataFrame, truth: pd.DataFrame, manifest: pd.DataFrame) -> dict:
    """Flags of the training rows against the truth; empty where the truth knows none of them.

    A label is wrong where the class given is not the true one and the photo is no garbage. `kinds`: rows, flagged and left out
    of training, by kind of row. `label_errors`: precision and recall of `label_issue`, average precision of 1 - quality, and the
    share of right labels wrongly flagged; `rare`: the same among the rows given a class of the rarest third. `calibration_error`: of
    the quality as a probability.
    `garbage`: found by `label_issue`, and average precision of the scores meant for it. `duplicates`: pairs of the truth that
    `duplicate_of` or `leak` found. `shared`: of the rows of several labels that are no garbage, how many of the labels given are right,
    how much of them is believed, the mean share they keep, and in how many of the wrong ones the second is right. Keys whose
    denominator is zero are left out.
    """
    rows = flags.merge(truth, on="image_id", suffixes=("", "_truth"))
    if rows.empty:
        return {}
    trained = manifest.loc[manifest["split"] == "train"].set_index("image_id")
    rows["left_out"] = ~rows["image_id"].isin(manifest["image_id"]) & (rows["given"] != OTHER)  # `other` is sampled, not judged
    flagged, kind = rows["label_issue"].to_numpy(bool), rows["kind"]
    garbage = kind.isin(GARBAGE).to_numpy()
    wrong = (rows["given"] != rows["true_label"]).to_numpy() & ~garbage  # copies with a label of their own included
    rare = rows["protected"].to_numpy(bool)
    skinless, hard = kind.isin(SKINLESS).to_numpy(), (kind == "hard").to_numpy()
    return {
        "rows": len(rows),
        "kinds": [
            {"kind": name, "rows": int(of.sum()), "flagged": int((flagged & of).sum()), "left_out": int((rows["left_out"] & of).sum())}
            for name in TRUTH_KINDS
            if (of := (kind == name).to_numpy()).any()
        ],
        "label_errors": {
            **_label_errors(rows, wrong, garbage),
            **_share("precision_with_garbage", flagged & (wrong | garbage), flagged),
            **_share("suggestion_right", (rows["suggested"] == rows["true_label"]).to_numpy() & flagged & wrong, flagged & wrong),
        },
        "calibration_error": _calibration_error(rows["quality"].to_numpy()[~garbage], ~wrong[~garbage]),
        "rare": _label_errors(rows[rare], wrong[rare], garbage[rare]),
        "hard_but_right": {"rows": int(hard.sum()), **_share("flagged", flagged & hard, hard)},
        "garbage": {
            "rows": int(garbage.sum()),
            **_share("flagged", flagged & garbage, garbage),
            **_average_precision("not_skin_average_precision", skinless, rows["not_skin_score"].to_numpy()),
            **_average_precision("outlier_average_precision", garbage, rows["outlier_score"].to_numpy()),
        },
        "duplicates": _duplicates(flags, truth),
        **_relabeled(rows, trained),
        **_shared(rows[~garbage], trained),
    }


def _label_errors(rows: pd.DataFrame, wrong: np.ndarray, garbage: np.ndarray) -> dict:
    flagged, right = rows["label_issue"].to_numpy(bool), ~wrong & ~garbage
    return {
        "rows": int(wrong.sum()),
        **_share("precision", flagged & wrong, flagged),
        **_share("recall", flagged & wrong, wrong),
        **_share("right_flagged", flagged & right, right),
        **_average_precision("average_precision", wrong, 1 - rows["quality"].to_numpy()),
    }


def _calibration_error(quality: np.ndarray, right: np.ndarray) -> float | None:
    """Of the quality as the probability that the label is right."""
    if not len(right):
        return None
    where = confidence_bin(quality, BINS)
    return float(np.abs(np.bincount(where, right - quality, BINS)).sum() / len(right))


def _duplicates(flags: pd.DataFrame, truth: pd.DataFrame) -> dict:
    """A pair is a copy and its original, at least one of them in training; found if either of those rows says so."""
    marked = set(flags.loc[flags["duplicate_of"].notna() | flags["leak"], "image_id"])
    training = set(flags["image_id"])
    copies = truth[truth["duplicate_of"].notna()]
    pairs = [pair for pair in zip(copies["image_id"], copies["duplicate_of"], strict=True) if training & set(pair)]
    found = [pair for pair in pairs if marked & set(pair)]
    real = {image for pair in pairs for image in pair}
    return {
        "pairs": len(pairs),
        **({"recall": len(found) / len(pairs)} if pairs else {}),
        **({"precision": len(marked & real) / len(marked)} if marked else {}),
    }


def _relabeled(rows: pd.DataFrame, trained: pd.DataFrame) -> dict:
    """Of the rows that review relabelled: how many carry their true label now."""
    changed = trained[trained["origin"].str.startswith("relabeled")]
    now = rows.set_index("image_id")["true_label"].reindex(changed.index)
    known = now.notna()
    if not known.any():
        return {}
    return {"relabeled": {"rows": int(known.sum()), "right": float((now[known] == changed.loc[known, "label"]).mean())}}


def _shared(rows: pd.DataFrame, trained: pd.DataFrame) -> dict:
    shared = trained[trained["labels"].notna()].join(rows.set_index("image_id")["true_label"], how="inner")
    if shared.empty:
        return {}
    pairs = list(zip(shared["label"], shared["labels"], strict=True))
    own, next_likely = [dict(labels).get(label, 0.0) for label, labels in pairs], [beyond(label, labels) for label, labels in pairs]
    right, other = (column == shared["true_label"] for column in (shared["label"], next_likely))
    return {
        "shared": {
            "rows": len(shared),
            "right": float(right.mean()),
            "believed": sum(own) / len(own),
            **_share("second_right", (other & ~right).to_numpy(), ~right.to_numpy()),
        }
    }


def _share(name: str, part: np.ndarray, whole: np.ndarray) -> dict[str, float]:
    return {name: float(part.sum() / whole.sum())} if whole.any() else {}


def _average_precision(name: str, positive: np.ndarray, score: np.ndarray) -> dict[str, float]:
    return {name: average_precision(positive, score)} if positive.any() else {}
