"""From scores to what is wrong with a row, in one word, and to the order in which a person is asked."""

import numpy as np
import pandas as pd

from dermlab.data.tables import ISSUES

EXPECTED_GARBAGE = 0.01  # share of the photos; the field found "a small absolute count"
ASKED = ("conflict", "garbage", "mislabeled", "hard")  # a leak is left out and a plain copy does no harm: no question


def garbage_probability(not_skin_score: np.ndarray, votes: np.ndarray, chance: np.ndarray, k: int) -> np.ndarray:
    """float64 [N] in 0..1: that a photo says nothing about any class, from how unlike skin it is and from its neighbours' labels.

    The neighbours of a scanned page are scanned pages, whose labels are as mixed as all labels; a scalp is unlike most skin too,
    but its neighbours have a scalp's diagnoses. So from the log-odds of the score goes the log-likelihood ratio of the k votes
    against the classes' frequencies, k KL(votes || frequency), less what it is on average for votes cast at random; and the log-odds
    against EXPECTED_GARBAGE, since few photos are. votes, chance: [N, C], rows sum to 1, by the neighbours' labels and by shuffled
    labels.
    """
    frequency = chance.mean(axis=0)

    def divergence(share: np.ndarray) -> np.ndarray:
        return (share * np.log(share / frequency)).sum(axis=1)

    score = np.clip(not_skin_score.astype(np.float64), 1e-9, 1 - 1e-9)
    log_odds = np.log(score / (1 - score)) - k * (divergence(votes) - divergence(chance).mean())
    log_odds += np.log(EXPECTED_GARBAGE / (1 - EXPECTED_GARBAGE))
    return 1 / (1 + np.exp(-np.clip(log_odds, -60, 60)))


def issues(**found: np.ndarray) -> np.ndarray:
    """str [N], one of ISSUES: the first that applies. found: bool [N] for each of them but `none`."""
    return np.select([found[name] for name in ISSUES[:-1]], ISSUES[:-1], ISSUES[-1]).astype(object)


def review_ranks(issue: np.ndarray, labels: np.ndarray, wrong: np.ndarray, image_ids: np.ndarray) -> pd.Series:
    """Int32 [N]: 1 is asked first, null is not asked. wrong: [N] in 0..1, the probability that the row is wrong.

    Conflicts come first: of two labels for one photo one is wrong for certain. Then garbage, which takes a glance. Then by
    expected value, the probability that the answer changes something times what a change is worth to the class: one row in n,
    softened to 1 / sqrt(n), so that rare classes get their share and the commonest is not left out.
    """
    counts = np.bincount(labels)
    value = wrong / np.sqrt(np.maximum(counts[labels], 1))
    asked = np.isin(issue, ASKED)
    order = np.lexsort((image_ids, -value, issue != "garbage", issue != "conflict", ~asked))[: int(asked.sum())]
    ranks = pd.Series(pd.NA, index=range(len(issue)), dtype="Int32")
    ranks.iloc[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    return ranks
