"""Common against rare: what the test split would score with more or less of the prior taken out of the predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.tables import PROB_PREFIX
from dermlab.scores.adjustment import TAUS, adjusted
from dermlab.scores.bootstrap import drawn_weights, interval
from dermlab.scores.counts import Counts, balanced_accuracy, sum_by, top1
from dermlab.scores.predictions import labels_and_probs
from dermlab.scores.ranking import over_targets


@dataclass(frozen=True)
class BalancePoint:
    """The test split with the logits adjusted by `tau`: value and 95 % interval, None with too few patients."""

    tau: float
    used: bool  # this run's
    top1: float
    top1_bounds: tuple[float, float] | None
    balanced: float
    balanced_bounds: tuple[float, float] | None


def balance_curve(scored: pd.DataFrame, adjustment: Mapping[str, Any], temperature: float, bootstrap: int, seed: int) -> list[BalancePoint]:
    """A point for each of TAUS; empty where evaluate wrote no prior. scored: as of `scored_rows`; `adjustment`: of metrics/evaluate.json;
    `bootstrap`: resamples of patients, the same for all points."""
    if not adjustment:
        return []
    labels, _ = labels_and_probs(scored)
    probs = scored[[name for name in scored.columns if name.startswith(PROB_PREFIX)]].to_numpy()
    moved = (adjusted(probs, np.array(adjustment["prior"]), tau - adjustment["tau"], temperature) for tau in TAUS)
    right = [over_targets(each).argmax(axis=1) == labels for each in moved]
    person, classes = pd.factorize(scored["patient_id"], sort=True)[0], probs.shape[1] - 1
    true, *hits = (sum_by(person, labels, amount, classes) for amount in (np.ones(len(labels)), *right))
    whole, drawn = _counts(np.ones((1, len(true))), true, hits), _drawn(true, hits, bootstrap, seed)
    first, balanced = top1(whole)[0], balanced_accuracy(whole)[0]
    first_drawn, balanced_drawn = top1(drawn), balanced_accuracy(drawn)
    return [
        BalancePoint(
            tau, tau == adjustment["tau"],
            float(first[at]), interval(first_drawn[:, at], len(true), float(first[at])),
            float(balanced[at]), interval(balanced_drawn[:, at], len(true), float(balanced[at])),
        )
        for at, tau in enumerate(TAUS)
    ]  # fmt: skip


def _drawn(true: np.ndarray, hits: list[np.ndarray], bootstrap: int, seed: int) -> Counts:
    parts = [_counts(weights, true, hits) for weights in drawn_weights(len(true), bootstrap, seed)]
    return Counts(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("hit", "predicted", "true")))


def _counts(weights: np.ndarray, true: np.ndarray, hits: list[np.ndarray]) -> Counts:
    """[R, T, K] of T adjustments, in one product. weights: [R, P]; `true`, each of `hits`: [P, K], whole numbers, which float32 holds
    exactly. `predicted` is NaN, for what is scored here does not ask for it."""
    summed = (weights.astype(np.float32) @ np.concatenate([true, *hits], axis=1).astype(np.float32)).astype(np.float64)
    summed = summed.reshape(len(weights), 1 + len(hits), -1)
    hit = summed[:, 1:]
    return Counts(hit, np.broadcast_to(np.nan, hit.shape), np.broadcast_to(summed[:, :1], hit.shape))
