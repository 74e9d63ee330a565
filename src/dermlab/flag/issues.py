"""Which given labels the probabilities contradict: confident learning (Northcutt et al. 2021), by cleanlab."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Issues:
    """`label_issue`: bool [N]. `quality`: float32 [N], 0 doubtful .. 1 sure. `suggested`: int64 [N], the likeliest class."""

    label_issue: np.ndarray
    quality: np.ndarray
    suggested: np.ndarray


def find_issues(labels: np.ndarray, probs: np.ndarray) -> Issues:
    """labels: int [N] in 0..K; probs: float [N, K+1], rows sum to 1.

    A row is an issue where its probability of another class reaches that class's threshold, the mean probability the class has
    on rows that bear its label. Quality is the normalised margin, (p(given) - max p(any other class) + 1) / 2.
    A class no row of which has any probability of it (one patient's alone, out-of-fold) cannot be judged: its threshold would be
    0 and every row would reach it. Its rows are no issue and of quality 1, and no row is held to be of it.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    own = np.zeros(probs.shape[1])
    np.maximum.at(own, labels, probs[np.arange(len(labels)), labels])
    judged_classes = np.flatnonzero(own > 0)
    judged = np.isin(labels, judged_classes)
    label_issue = np.zeros(len(labels), dtype=bool)
    quality = np.ones(len(labels), dtype=np.float32)
    if len(judged_classes) > 1:
        given = np.searchsorted(judged_classes, labels[judged])
        among = probs[np.ix_(judged, judged_classes)].astype(np.float64)
        among /= among.sum(axis=1, keepdims=True)
        label_issue[judged] = find_label_issues(given, among, filter_by="confident_learning", n_jobs=1)
        quality[judged] = np.clip(get_label_quality_scores(given, among, method="normalized_margin"), 0, 1)
    return Issues(label_issue, quality, probs.argmax(axis=1))
