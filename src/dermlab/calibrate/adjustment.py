"""How much of the prior is taken out of the logits (scores/adjustment.py), and whether validation can tell that it helps."""

import numpy as np
from scipy.special import stdtrit

from dermlab.data.folds import patient_folds
from dermlab.run.errors import ContractError
from dermlab.scores.adjustment import TAUS, adjusted, two_aims
from dermlab.scores.counts import Counts, balanced_accuracy, count, top1
from dermlab.scores.influence import degrees, measure, variance
from dermlab.scores.ranking import over_targets

FOLDS = 5


def choose_tau(labels: np.ndarray, probs: np.ndarray, prior: np.ndarray, temperature: float) -> float:
    """The tau of TAUS that is best for AIM; of equal ones the smallest, and 0 where no row is of a target class."""
    if not (labels < probs.shape[1] - 1).any():
        return 0.0
    aims = [sum(two_aims(labels, adjusted(probs, prior, tau, temperature))) for tau in TAUS]
    return TAUS[int(np.argmax(aims))]


def holds(labels: np.ndarray, probs: np.ndarray, prior: np.ndarray, temperature: float, patients: np.ndarray, seed: int) -> bool:
    """Whether a tau chosen on four fifths of the validation patients is better for AIM on the others: a tau is chosen because it is best
    where it is chosen, which says little. labels: int [N], 0..K; probs: float [N, K+1]; patients: str [N]."""
    other = probs.shape[1] - 1
    try:
        fold = patient_folds(labels, patients, other + 1, FOLDS, seed)
    except ContractError:  # too few patients to share out
        return False
    moved = probs.astype(np.float64)
    for number in range(FOLDS):
        inside = fold == number
        tau = choose_tau(labels[~inside], probs[~inside], prior, temperature)
        moved[inside] = adjusted(probs[inside], prior, tau, temperature)
    kept = labels < other
    people = np.unique(patients[kept], return_inverse=True)[1]
    if people.max(initial=0) < 1:
        return False

    def aim(counts: Counts) -> np.ndarray:
        return (top1(counts) + balanced_accuracy(counts))[..., None] / 2

    calls = (over_targets(each[kept]).argmax(axis=1) for each in (probs, moved))
    plain, taken_out = (measure(count(labels[kept], predicted, other, people), aim) for predicted in calls)
    gain, added, left_out = (getattr(taken_out, part) - getattr(plain, part) for part in ("values", "added", "left_out"))
    error = np.sqrt((variance(added) + variance(left_out)) / 2)
    return bool(gain[0] > error[0] * stdtrit(degrees(added)[0], 0.975))
