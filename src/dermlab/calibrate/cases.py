"""How far several photos of a case are evidence of their own (scores/cases.py)."""

import numpy as np
from scipy.optimize import minimize_scalar

from dermlab.scores.cases import LOGMEAN, Pooling, has_several, of_one_label, pooled

SPREAD = 0.5  # standard deviation of the prior about 0, where photos count as one: more is for validation to show


def fit_independence(labels: np.ndarray, probs: np.ndarray, cases: np.ndarray) -> float:
    """The exponent in 0..1 of `Pooling`, which gives the validation cases of several photos their labels with the least negative
    log-likelihood, plus its square over twice SPREAD's; 0 where there are none. labels: int [N], 0..K; probs: float [N, K+1],
    calibrated; cases: names [N]."""
    _, case, count = np.unique(cases, return_inverse=True, return_counts=True)
    kept = of_one_label(labels, cases) & (count[case] > 1)
    labels, probs, cases = labels[kept], probs[kept].astype(np.float64), cases[kept]
    if not len(cases) or not has_several(cases):
        return 0.0

    def cost(independence: float) -> float:
        together, first = pooled(probs, cases, Pooling(LOGMEAN, independence))
        right = together[np.arange(len(first)), labels[first]]
        return float(-np.log(np.maximum(right, np.finfo(float).tiny)).sum()) + independence**2 / (2 * SPREAD**2)

    found = minimize_scalar(cost, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4})
    return min((0.0, float(found.x), 1.0), key=cost)
