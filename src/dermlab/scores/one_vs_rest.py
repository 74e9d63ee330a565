"""Each class against all others: how well its probability tells it apart, at every threshold. N rows of target classes, K classes."""

import numpy as np


def one_vs_rest(labels: np.ndarray, probs: np.ndarray) -> list[dict[str, float]]:
    """One a class: `auroc`, `average_precision`, `prevalence` (what the latter is by chance), and `specificity`, the share of the other
    classes' rows that are not predicted as it; empty for a class without rows, or with all of them. labels: int [N], 0..K-1; probs: float
    [N, K]."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    predicted, found = probs.argmax(axis=1), []
    for c in range(probs.shape[1]):
        own = labels == c
        if not own.any() or own.all():
            found.append({})
            continue
        found.append(
            {
                "auroc": float(roc_auc_score(own, probs[:, c])),
                "average_precision": float(average_precision_score(own, probs[:, c])),
                "prevalence": float(own.mean()),
                "specificity": float((predicted[~own] != c).mean()),
            }
        )
    return found


def precision_recall(own: np.ndarray, score: np.ndarray, points: int = 60) -> list[tuple[float, float]]:
    """(recall, precision) from the highest threshold to the lowest, at most `points`. own: bool [N], some of them; score: float [N]."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(own, score)
    line = list(zip(recall[::-1].tolist(), precision[::-1].tolist(), strict=True))
    kept = np.unique(np.linspace(0, len(line) - 1, points).round().astype(int))
    return [line[i] for i in kept]
