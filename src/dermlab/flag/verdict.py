"""Which given labels are probably wrong, by one of two methods: `posterior` (ours) and `confident_learning` (cleanlab's).

N rows, C = K+1 classes. probs: [R, N, C], rows sum to 1: held-out probabilities, from R repeats of the folds. votes: [N, C], rows
sum to 1: the nearest neighbours' labels. cases: [N]; photos of one case got their label in one act.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

FLOOR = 1e-6  # of a probability: a class unseen in the other folds is unlikely, not impossible
KEPT = 0.01  # of a probability, the least that is left of it when the expected noise is taken out
PRIOR_WEIGHT = 0.5  # of the transitions expected beforehand, in parts of what a class's own rows say
STEPS = 3  # of expectation-maximisation; further ones take hard classes for noisy ones


@dataclass(frozen=True)
class Verdict:
    """`label_issue`: bool [N]. `quality`: float32 [N], 0 doubtful .. 1 sure. `suggested`: int64 [N], the likeliest class but the
    given one. `suggested_prob`: float32 [N]."""

    label_issue: np.ndarray
    quality: np.ndarray
    suggested: np.ndarray
    suggested_prob: np.ndarray


def posterior(labels: np.ndarray, probs: np.ndarray, votes: np.ndarray, cases: np.ndarray, expected_noise: float) -> Verdict:
    """Quality is the probability that the given label is the true one, given photo, neighbours, the case's other photos, and how
    labels go wrong.

    1. The classifier and the neighbours are pooled, q = p^(1-b) v^b (logarithmic opinion pool, Heskes 1998), with the b that
       gives the labels the least log-loss: where features do not cluster, neighbours have no say.
    2. Photos of one case that bear one label are judged together, by the geometric mean of q: they were labelled in one act.
    3. T_jc = P(given c | true j): the noise expected beforehand, the share `expected_noise` of each class, goes to where a class
       is taken for another (the classifier's mean confusion, either way) and to common classes rather than rare ones. So a rare
       class is not doubted for being rare: hardly anybody labels eczema as it, which weighs against a classifier that says eczema.
    4. The classifier learnt from labels of which some are wrong, so q = r T, with r the probabilities of the true class (Patrini
       et al. 2017, theorem 2): r = q T^-1, at least KEPT q.
    5. Bayes: P(true = j | given = c) ~ r_j T_jc, with T fitted to the labels by STEPS steps of EM (Dawid & Skene 1979), PRIOR_WEIGHT
       of the expectation added to every count.
    6. A label is an issue where every repeat of the folds by itself finds it more likely wrong than right: what depends on
       the draw of the folds is not enough.
    """
    floored = (probs.astype(np.float64) + FLOOR) / (1 + FLOOR * probs.shape[2])
    _, group = np.unique(np.stack([np.unique(cases, return_inverse=True)[1], labels]), axis=1, return_inverse=True)
    log_mean, log_votes = np.log(floored.mean(axis=0)), np.log((votes + FLOOR) / (1 + FLOOR * votes.shape[1]))
    weight = pool_weight(labels, log_mean, log_votes)

    def judge(log_probs: np.ndarray) -> np.ndarray:
        pooled = (1 - weight) * log_probs + weight * log_votes
        transitions = expected_transitions(labels, softmax(pooled), expected_noise)
        noisy = softmax(mean_over(group, pooled))
        clean = np.maximum(noisy @ np.linalg.inv(transitions), KEPT * noisy)
        return noise_posterior(labels, clean / clean.sum(axis=1, keepdims=True), transitions)

    judged, rows = judge(log_mean), np.arange(len(labels))
    repeats = [judge(np.log(repeat))[rows, labels] for repeat in floored]
    suggested = likeliest_other(labels, judged)
    quality = judged[rows, labels]
    wrong = np.all([repeat < 0.5 for repeat in [quality, *repeats]], axis=0)
    return Verdict(wrong, quality.astype(np.float32), suggested, judged[rows, suggested].astype(np.float32))


def pool_weight(labels: np.ndarray, log_probs: np.ndarray, log_votes: np.ndarray) -> float:
    """b in 0..1, the neighbours' weight at which the pooled probabilities give the given labels the least log-loss."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def log_loss(weight: float) -> float:
        return float(-np.log(softmax((1 - weight) * log_probs + weight * log_votes)[rows, labels]).mean())

    return float(minimize_scalar(log_loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-3}).x)


def expected_transitions(labels: np.ndarray, probs: np.ndarray, expected_noise: float) -> np.ndarray:
    """T float64 [C, C], rows sum to 1: where a label goes wrong, before the labels themselves are asked. probs: [N, C]."""
    classes = probs.shape[1]
    confusion = sums_by(labels, probs, classes) + 1e-3
    confusion /= confusion.sum(axis=1, keepdims=True)
    frequency = (np.bincount(labels, minlength=classes) + 0.5) / len(labels)
    transitions = (confusion + confusion.T) * frequency
    np.fill_diagonal(transitions, 0)
    transitions *= expected_noise / transitions.sum(axis=1, keepdims=True)
    np.fill_diagonal(transitions, 1 - expected_noise)
    return transitions


def noise_posterior(labels: np.ndarray, probs: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """P(true class | given label, photo), float64 [N, C]; the transitions `expected` [C, C] fitted to the labels by EM."""

    def of(transitions: np.ndarray) -> np.ndarray:
        joint = probs * transitions.T[labels]
        return joint / joint.sum(axis=1, keepdims=True)

    transitions = expected
    for _ in range(STEPS):
        counts = sums_by(labels, of(transitions), len(expected)).T
        counts += PRIOR_WEIGHT * expected * counts.sum(axis=1, keepdims=True) + FLOOR * expected
        transitions = counts / counts.sum(axis=1, keepdims=True)
    return of(transitions)


def confident_learning(labels: np.ndarray, probs: np.ndarray) -> Verdict:
    """Plain cleanlab (Northcutt et al. 2021), on the repeats' mean.

    A row is an issue where its probability of another class reaches that class's threshold, the mean probability the class has
    on rows that bear its label. Quality is the normalised margin, (p(given) - max p(any other class) + 1) / 2.
    A class no row of which has any probability of it (one patient's alone, out-of-fold) cannot be judged: its threshold would be
    0 and every row would reach it. Its rows are no issue and of quality 1, and no row is held to be of it.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    probs, rows = probs.mean(axis=0), np.arange(len(labels))
    own = np.zeros(probs.shape[1])
    np.maximum.at(own, labels, probs[rows, labels])
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
    suggested = likeliest_other(labels, probs)
    return Verdict(label_issue, quality, suggested, probs[rows, suggested].astype(np.float32))


def likeliest_other(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """int64 [N]: the likeliest class that is not the given one."""
    others = probs.copy()
    others[np.arange(len(labels)), labels] = -1
    return others.argmax(axis=1)


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def sums_by(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    """float64 [groups, C]: sums of the rows of `values` [N, C] that bear each number of `group`, int [N]."""
    return np.stack([np.bincount(group, weights=column, minlength=groups) for column in values.T], axis=1)


def mean_over(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """float64 [N, C]: each row replaced by the mean of its group's rows."""
    return (sums_by(group, values, group.max(initial=-1) + 1) / np.bincount(group)[:, None])[group]


Method = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float], Verdict]
METHODS: dict[str, Method] = {
    "posterior": posterior,
    "confident_learning": lambda labels, probs, votes, cases, expected_noise: confident_learning(labels, probs),
}
