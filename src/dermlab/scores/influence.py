"""What each patient moves a score by: the empirical influence values behind every interval of a difference.

P patients, M scores. A patient is added once more, or left out (the positive jackknife and the jackknife: Efron 1982, The Jackknife, the
Bootstrap and Other Resampling Plans, chapter 6). The squares of the moves sum to the variance that other patients would bring, and the
moves of a difference are differences of moves. Of a class of n patients the first makes a little too little, n / (n + 1), and nothing where
n is 1; the second too much, n / (n - 1). Their mean is about right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from dermlab.scores.counts import Counts


@dataclass(frozen=True)
class Measured:
    """Scores of one run on one test set."""

    values: np.ndarray  # float [M], NaN where a score does not exist
    # `added`, `left_out`: float32 [P, M], each column sums to zero, and its squares to the variance over patients
    added: np.ndarray
    left_out: np.ndarray
    # float32 [Q, M], as `reference.moves`: what the score moves by with what the truth may be; without a row where that is not asked
    truths: np.ndarray


def measure(by_patient: Counts, scores: Callable[[Any], np.ndarray], truths: np.ndarray | None = None) -> Measured:
    """by_patient: counts or tallies [P, ...], P > 1; scores: from those of a whole split [...] to [..., M]; truths: as of `Measured`."""
    whole = by_patient.total()
    values, patients = scores(whole), len(by_patient.rows)
    moves = []
    for sign in (1, -1):
        other = type(whole)(*(getattr(whole, part.name) + sign * getattr(by_patient, part.name) for part in fields(whole)))
        move = sign * np.nan_to_num(scores(other) - values)  # NaN where a class is gone
        moves.append(((move - move.mean(0)) * (patients / max(patients - 1, 1)) ** 0.5).astype(np.float32))
    return Measured(values, *moves, np.zeros((0, len(values)), np.float32) if truths is None else truths)


def beside(parts: Sequence[Measured]) -> Measured:
    """The scores of one run one after another; what has no row of `truths` does not move with them."""
    draws = max(len(part.truths) for part in parts)
    truths = [part.truths if len(part.truths) else np.zeros((draws, len(part.values)), np.float32) for part in parts]
    values, added, left_out = (np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in ("values", "added", "left_out"))
    return Measured(values, added, left_out, np.concatenate(truths, axis=-1))


def variance(moves: np.ndarray) -> np.ndarray:
    """float64 [M], of moves [P, M]."""
    return np.square(moves, dtype=np.float64).sum(0)


def degrees(moves: np.ndarray) -> np.ndarray:
    """[M]: degrees of freedom of the variances of moves [P, M], at most P - 1: fewer where a few patients make most of it, by the kurtosis
    of the moves (Satterthwaite 1946 for a sum of squares that are not normal)."""
    squares = np.square(moves, dtype=np.float64)
    patients, total, fourth = len(moves), squares.sum(0), np.square(squares).sum(0)
    spread = fourth - total**2 / patients
    most = max(patients - 1, 1)
    return np.clip(np.divide(2 * total**2, spread, out=np.full_like(total, most), where=spread > 0), 1, most)
