"""Scores under bootstrap weights: every score is a function of sums over patients, so R resamples are one matrix product.

Notation: P patients, K target classes, B calibration bins, R resamples. Rows of `other` are not scored, and `other` is
left out of the ranking. A score of the whole test split is the resample in which every patient counts once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER
from dermlab.data.errors import ContractError
from dermlab.data.tables import PROB_PREFIX

HEADLINE = ("top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall", "sink_ratio", "ece")
CHUNK = 256  # resamples weighted at once: bounds the memory to CHUNK x P numbers


@dataclass(frozen=True)
class Tally:
    """Counts behind every score, summed over rows. Leading axes [...] are patients, resamples, or none.

    `hit`, `predicted`, `true`: [..., K] rows of the class that are right, that are predicted as it, that are of it;
    `top3`: [...] rows whose class is among the three likeliest; `gap`: [..., B] right minus confidence, by bin.
    """

    hit: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    top3: np.ndarray
    gap: np.ndarray

    @cached_property
    def rows(self) -> np.ndarray:
        return self.true.sum(-1)

    def weighted(self, weights: np.ndarray) -> "Tally":
        """weights [R, P] of a tally by patient [P, ...]: the tally of each resample [R, ...]."""
        return Tally(weights @ self.hit, weights @ self.predicted, weights @ self.true, weights @ self.top3, weights @ self.gap)


def target_names(predictions: pd.DataFrame) -> tuple[str, ...]:
    """The K targets in label order, as the probability columns name them."""
    names = tuple(name.removeprefix(PROB_PREFIX) for name in predictions.columns if name.startswith(PROB_PREFIX))
    return tuple(name for name in names if name != OTHER)


def scored_rows(predictions: pd.DataFrame) -> pd.DataFrame:
    """The rows that count: those of the target classes, sorted by image_id."""
    return predictions[predictions["label"] != OTHER].sort_values("image_id", ignore_index=True)


def tally_by_patient(scored: pd.DataFrame, bins: int) -> Tally:
    """The tally of each patient, [P, ...], patients in sorted order. `scored`: as of `scored_rows`; `bins`: equal-width
    bins of confidence. Raises ContractError for no row, or a label without a probability column."""
    labels, probs = labels_and_probs(scored)
    patient = pd.factorize(scored["patient_id"], sort=True)[0]
    people, k = int(patient.max()) + 1, probs.shape[1]
    own = probs[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(k) < labels[:, None]  # ties go to the earlier class
    rank = (probs > own).sum(1) + ((probs == own) & earlier).sum(1)
    predicted, confidence = probs.argmax(1), probs.max(1)
    right = predicted == labels

    def by_patient(column: np.ndarray, width: int, amount: np.ndarray) -> np.ndarray:
        return np.bincount(patient * width + column, amount, people * width).reshape(people, width)

    return Tally(
        hit=by_patient(labels, k, right),
        predicted=by_patient(predicted, k, np.ones(len(labels))),
        true=by_patient(labels, k, np.ones(len(labels))),
        top3=np.bincount(patient, rank < 3, people),
        gap=by_patient(_bin(confidence, bins), bins, right - confidence),
    )


def labels_and_probs(scored: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """int [N] 0..K-1, and float64 [N, K] over the targets, rows sum to 1. Raises ContractError where there is nothing to score."""
    targets = target_names(scored)
    labels = pd.Categorical(scored["label"], categories=targets).codes.astype(np.int64)
    if not len(scored):
        raise ContractError("data/predictions.parquet holds no row of a target class. Run `dvc repro evaluate`.")
    if (labels < 0).any():
        unknown = scored["label"].iloc[int(np.argmax(labels < 0))]
        raise ContractError(f"data/predictions.parquet: label {unknown!r} has no probability column. Run `dvc repro evaluate`.")
    probs = scored[[PROB_PREFIX + name for name in targets]].to_numpy(np.float64)
    return labels, probs / np.maximum(probs.sum(1, keepdims=True), 1e-30)


def confusion(scored: pd.DataFrame, order: Sequence[str]) -> np.ndarray:
    """int [K, K], rows true, columns predicted; classes in `order`."""
    labels, probs = labels_and_probs(scored)
    at = np.array([order.index(name) for name in target_names(scored)])
    return np.bincount(at[labels] * len(at) + at[probs.argmax(1)], minlength=len(at) ** 2).reshape(len(at), len(at))


def calibration_bins(scored: pd.DataFrame, bins: int) -> list[dict[str, float]]:
    """The equal-width bins of confidence that hold rows: `low`, `high`, `count`, mean `confidence`, `accuracy`."""
    labels, probs = labels_and_probs(scored)
    confidence, right = probs.max(1), probs.argmax(1) == labels
    of_row = _bin(confidence, bins)
    return [
        {
            "low": b / bins,
            "high": (b + 1) / bins,
            "count": int(own.sum()),
            "confidence": confidence[own].mean(),
            "accuracy": right[own].mean(),
        }
        for b in range(bins)
        if (own := of_row == b).any()
    ]


def total(by_patient: Tally) -> Tally:
    """The tally of the whole split."""
    return Tally(by_patient.hit.sum(0), by_patient.predicted.sum(0), by_patient.true.sum(0), by_patient.top3.sum(0), by_patient.gap.sum(0))


def per_class_f1(tally: Tally) -> np.ndarray:
    """[..., K]; NaN where the class has no row."""
    return np.where(tally.true > 0, _ratio(2 * tally.hit, tally.predicted + tally.true), np.nan)


def headline(tally: Tally, rare: list[int], sink: int) -> dict[str, np.ndarray]:
    """Each [...]. `rare`: indices of the rarest third by training rows; `sink`: index of the commonest class. A mean over
    classes is over those that have rows; NaN where none has."""
    recall = np.where(tally.true > 0, _ratio(tally.hit, tally.true), np.nan)
    scores = {
        "top1": _ratio(tally.hit.sum(-1), tally.rows),
        "top3": _ratio(tally.top3, tally.rows),
        "macro_f1": _mean_of_present(per_class_f1(tally)),
        "balanced_accuracy": _mean_of_present(recall),
        "rare_recall": _mean_of_present(recall[..., rare]),
        "sink_ratio": np.where(tally.true[..., sink] > 0, _ratio(tally.predicted[..., sink], tally.true[..., sink]), np.nan),
        "ece": _ratio(np.abs(tally.gap).sum(-1), tally.rows),  # Guo et al. 2017, eq. 3
    }
    return {name: scores[name] for name in HEADLINE}


def rarest_third(train_counts: list[int]) -> list[int]:
    """Indices of the K // 3 (at least one) classes with the fewest training rows; ties by class order."""
    return sorted(np.argsort(train_counts, kind="stable")[: max(1, len(train_counts) // 3)].tolist())


def resample(by_patient: list[Tally], resamples: int, seed: int) -> list[Tally]:
    """Tallies [R, ...] of each run, patients drawn with replacement, the same draw for every run (a paired bootstrap)."""
    people = len(by_patient[0].top3)
    rng = np.random.default_rng(seed)
    parts: list[list[Tally]] = [[] for _ in by_patient]
    for start in range(0, resamples, CHUNK):
        count = min(CHUNK, resamples - start)
        drawn = rng.integers(people, size=(count, people)) + np.arange(count)[:, None] * people
        weights = np.bincount(drawn.ravel(), minlength=count * people).reshape(count, people).astype(np.float64)
        for run, tally in zip(parts, by_patient, strict=True):
            run.append(tally.weighted(weights))
    names = ("hit", "predicted", "true", "top3", "gap")
    return [Tally(*(np.concatenate([getattr(part, name) for part in run]) for name in names)) for run in parts]


def interval(samples: np.ndarray) -> tuple[float, float] | None:
    """The 95 % percentile interval of samples [R]; resamples in which the score does not exist (NaN) are left out."""
    samples = samples[np.isfinite(samples)]
    if not len(samples):
        return None
    low, high = np.quantile(samples, [0.025, 0.975])
    return float(low), float(high)


def _bin(confidence: np.ndarray, bins: int) -> np.ndarray:
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / np.maximum(whole, 1)


def _mean_of_present(scores: np.ndarray) -> np.ndarray:
    """[..., C] to [...]: the mean without NaN; NaN where nothing else is there."""
    present = np.isfinite(scores)
    count = present.sum(-1)
    return np.where(count > 0, np.where(present, scores, 0).sum(-1) / np.maximum(count, 1), np.nan)
