"""How much of the prior is taken out of the logits (scores/adjustment.py)."""

import numpy as np

from dermlab.scores.adjustment import TAUS, adjusted, two_aims


def choose_tau(labels: np.ndarray, probs: np.ndarray, prior: np.ndarray, temperature: float) -> float:
    """The tau of TAUS that is best for AIM; of equal ones the smallest, and 0 where no row is of a target class."""
    if not (labels < probs.shape[1] - 1).any():
        return 0.0
    aims = [sum(two_aims(labels, adjusted(probs, prior, tau, temperature))) for tau in TAUS]
    return TAUS[int(np.argmax(aims))]
