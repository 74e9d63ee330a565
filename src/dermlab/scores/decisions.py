"""What acting on a probability is worth: net benefit (Vickers & Elkin 2006, Medical Decision Making 26:565). N rows, T thresholds.

Whoever acts from a probability of t on says that a missed one weighs as much as (1 - t) / t acts in vain. In that currency

    net benefit(t) = true positives / N - false positives / N * t / (1 - t)

is compared with acting on everybody and on nobody, which is worth 0. It holds for the mix of diagnoses that it is counted on.
"""

from typing import Any

import numpy as np

from dermlab.scores.counts import sum_by
from dermlab.scores.proportions import mean_interval

THRESHOLDS = tuple(percent / 100 for percent in range(1, 51))


def decision_curve(own: np.ndarray, score: np.ndarray, person: np.ndarray) -> list[dict[str, Any]]:
    """A row a threshold: `threshold`, `net_benefit`, `treat_all`, `interval` of the net benefit, and whether the model is `worth_more` than
    both alternatives, by the lower ends of the 95 % intervals over patients of its gain over either. own: bool [N]; score: float [N], a
    calibrated probability; person: int [N], 0..P-1."""
    found = []
    rows = sum_by(person, np.zeros_like(person), np.ones(len(own)), 1)[:, 0]
    for threshold in THRESHOLDS:
        costs = np.where(own, 1.0, -threshold / (1 - threshold))  # of acting on the row
        acted = np.where(score >= threshold, costs, 0.0)
        of_acted, of_gain = (sum_by(person, np.zeros_like(person), amount, 1)[:, 0] for amount in (acted, acted - costs))
        interval, gain = mean_interval(of_acted, rows), mean_interval(of_gain, rows)
        found.append(
            {
                "threshold": threshold,
                "net_benefit": float(acted.mean()),
                "treat_all": float(costs.mean()),
                "interval": interval,
                "worth_more": bool(interval and gain and min(interval[0], gain[0]) > 0),
            }
        )
    return found
