"""The headline, the per-class numbers and the rest, from the probabilities of the test rows."""

from dataclasses import dataclass

import numpy as np

from dermlab.data.classes import Classes
from dermlab.data.errors import ContractError
from dermlab.evaluate import scores


@dataclass(frozen=True)
class Evaluation:
    """`headline`: at most 8 numbers. `f1`: one a target class. `details`: what `metrics/evaluate.json` holds."""

    headline: dict[str, float]
    f1: dict[str, float]
    details: dict


def evaluate(labels: np.ndarray, probs: np.ndarray, train_counts: np.ndarray, classes: Classes, ece_bins: int) -> Evaluation:
    """labels: int [N] 0..K. probs: [N, K+1]. train_counts: int [K], of the whole catalog, so that `rare` means the same
    classes whatever the variant. Raises ContractError where no test row belongs to a target class."""
    scored = scores.on_targets(labels, probs)
    if not len(scored.labels):
        raise ContractError("No test image belongs to a target class. Check the splits in data/catalog.parquet.")
    names = classes.targets
    counts = scores.confusion(scored, len(names))
    precision, recall, f1 = scores.precision_recall_f1(counts)
    support, present = counts.sum(1), counts.sum(1) > 0
    rare = scores.rarest_third(train_counts)
    rare_present = [c for c in rare if present[c]]
    sink = int(np.argmax(train_counts))
    headline = {
        "top1": scores.top_k(scored, 1),
        "top3": scores.top_k(scored, 3),
        "macro_f1": float(f1[present].mean()),
        "balanced_accuracy": float(recall[present].mean()),
        "rare_recall": float(recall[rare_present].mean()) if rare_present else 0.0,
        "sink_ratio": float(counts[:, sink].sum() / max(support[sink], 1)),
        "ece": scores.expected_calibration_error(scored, ece_bins),
    }
    details = {
        "rows": {"targets": len(scored.labels), "other": int((labels == classes.other).sum())},
        "per_class": {
            name: {"precision": precision[c], "recall": recall[c], "f1": f1[c], "support": int(support[c])} for c, name in enumerate(names)
        },
        "confusion": {"classes": list(names), "counts": counts.tolist()},
        "rare_classes": [names[c] for c in rare],
        "not_in_test": [names[c] for c in range(len(names)) if not present[c]],
        "calibration": scores.calibration(scored, ece_bins),
        "unflagged": _without_own_flags(scored),
        **_other_auroc(labels, probs, classes.other),
    }
    return Evaluation(headline, dict(zip(names, f1.tolist(), strict=True)), details)


def _without_own_flags(scored: scores.Scored) -> dict:
    """The headline's two accuracies without the test rows whose label the model itself doubts. Test labels stay as they
    are: this says how much of the error could be the labels', it is not a better score."""
    from cleanlab.filter import find_label_issues

    present, labels = np.unique(scored.labels, return_inverse=True)  # cleanlab wants every class to occur
    probs = scored.probs[:, present]
    probs = probs / np.maximum(probs.sum(1, keepdims=True), 1e-30)
    doubted = (
        find_label_issues(labels, probs, filter_by="confident_learning", n_jobs=1) if len(present) > 1 else np.zeros(len(labels), bool)
    )
    kept = scores.Scored(scored.labels[~doubted], scored.probs[~doubted])
    if not len(kept.labels):
        return {"rows": 0}
    return {"rows": len(kept.labels), "top1": scores.top_k(kept, 1), "top3": scores.top_k(kept, 3)}


def _other_auroc(labels: np.ndarray, probs: np.ndarray, other: int) -> dict[str, float]:
    """How well p(other) tells `other` rows from the targets; absent where the test split lacks one of them."""
    from sklearn.metrics import roc_auc_score

    is_other = labels == other
    return {"other_auroc": float(roc_auc_score(is_other, probs[:, other]))} if 0 < is_other.sum() < len(labels) else {}
