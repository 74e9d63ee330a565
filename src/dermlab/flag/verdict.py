"""Which given labels are probably wrong, by one of two methods: `posterior` (ours) and `confident_learning` (cleanlab's).

N rows, C = K+1 classes. votes: [N, C], rows sum to 1: the nearest neighbours' labels. cases: [N]; photos of one case got their label in
one act.
"""

from dataclasses import dataclass

import numpy as np

from dermlab.flag.noise import Noise, by_bayes, fit_noise, softmax, sums_by
from dermlab.flag.probabilities import OutOfFoldProbabilities

TOWARDS = 0.5  # 0: as the model has it; 1: on average as the rate has it
FLOOR = 1e-6  # of a probability: a class unseen in the other folds is unlikely, not impossible


@dataclass(frozen=True)
class Verdict:
    label_issue: np.ndarray  # bool [N]
    quality: np.ndarray  # float32 [N], 0 doubtful .. 1 sure
    suggested: np.ndarray  # int64 [N], the likeliest class but the given one
    suggested_prob: np.ndarray  # float32 [N]
    noise: Noise | None = None  # how labels go wrong, where the method asks that
    expected_precision: float | None = None  # the share of the issues that are wrong, by the method's own account


def posterior(
    labels: np.ndarray,
    probs: OutOfFoldProbabilities,
    votes: np.ndarray,
    cases: np.ndarray,
    judged: np.ndarray,
    precision: float,
    expected_noise: float | None = None,
    opinions: np.ndarray | None = None,
) -> Verdict:
    """Quality is the probability that the given label is the true one, given photo, neighbours, the case's other photos, and how
    labels go wrong.

    judged: bool [N], rows that may be an issue. expected_noise: the share of wrong labels, where it is known. opinions: [N, C], how many
    raters gave each label, where rows have several (Dawid & Skene 1979); one alone counts as the label does.

    1. The classifier and the neighbours are pooled, q = p^(1-b) v^b (logarithmic opinion pool, Heskes 1998), with the b that
       gives the labels the least log-loss: where features do not cluster, neighbours have no say.
    2. `fit_noise` finds how many labels are wrong, by the classifiers of the labels as given; and which class is taken for which, by
       those fitted again.
    3. Photos of one case that bear one label are judged together, by the geometric mean of q: they were labelled in one act, and are
       too alike to be so many witnesses.
    4. Bayes: P(true = j | given = c) ~ r_j T_jc. Where the rate is known and the model finds another one, what it took for doubt are
       mistakes: the odds of every label being wrong are moved towards those at which labels are wrong at that rate on average (Saerens
       et al. 2002), by TOWARDS. Not all the way, for of some mistakes features show nothing, and others would be flagged in their place.
    5. An issue is more likely wrong than right, and among the lowest in quality, of which `precision` are wrong on average; here the
       quality is the highest of any draw of the folds, for what depends on the draw is not enough.
    """
    _, act = np.unique(np.stack([np.unique(cases, return_inverse=True)[1], labels]), axis=1, return_inverse=True)
    acts, pooled = int(act.max()) + 1, _pooled(labels, probs.refitted, votes)
    if expected_noise is None:
        measured = fit_noise(labels, _pooled(labels, probs.of_labels, votes), acts)
        noise = fit_noise(labels, pooled, acts, measured.rate)._replace(at_least=measured.at_least)
    else:
        noise = fit_noise(labels, pooled, acts, expected_noise)
    rows = np.arange(len(labels))

    def by_model(log_probs: np.ndarray) -> np.ndarray:
        return by_bayes(labels, softmax(noise.sharpness * mean_over(act, log_probs)), noise.transitions, opinions)

    by_rate = 1.0 if expected_noise is None else odds_at(by_model(pooled)[rows, labels], expected_noise) ** TOWARDS

    def judge(log_probs: np.ndarray) -> np.ndarray:
        judgement = by_model(log_probs)
        given = judgement[rows, labels]
        judgement *= by_rate
        judgement[rows, labels] = given
        return judgement / judgement.sum(axis=1, keepdims=True)

    judgement = judge(pooled)
    quality, suggested = judgement[rows, labels], likeliest_other(labels, judgement)
    highest = np.max([quality, *(judge(_pooled(labels, draw[None], votes))[rows, labels] for draw in probs.refitted)], axis=0)
    issue = surest(highest, judged, precision)
    expected = float(1 - highest[issue].mean()) if issue.any() else None
    return Verdict(issue, quality.astype(np.float32), suggested, judgement[rows, suggested].astype(np.float32), noise, expected)


def odds_at(quality: np.ndarray, rate: float) -> float:
    """By what the odds of every label being wrong, (1 - quality) / quality, are to be multiplied for a mean 1 - quality of `rate`."""
    from scipy.optimize import brentq

    sure = np.clip(quality, 1e-15, 1 - 1e-15)  # of a row that rounds to 0 or 1 no factor would move the odds
    odds = (1 - sure) / sure
    return float(np.exp(brentq(lambda log: 1 - rate - (1 / (1 + np.exp(log) * odds)).mean(), -80, 80)))


def surest(quality: np.ndarray, judged: np.ndarray, precision: float) -> np.ndarray:
    """bool [N]: as many as possible of the rows of least quality among `judged`, of which the mean 1 - quality is at least `precision`,
    none more likely right than wrong. quality: [N]."""
    order = np.flatnonzero(judged)[np.argsort(quality[judged], kind="stable")]
    wrong = 1 - quality[order]
    enough = (np.cumsum(wrong) / np.arange(1, len(order) + 1) >= precision) & (wrong > 0.5)
    chosen = np.zeros(len(quality), dtype=bool)
    chosen[order[: int(np.flatnonzero(enough).max(initial=-1)) + 1]] = True
    return chosen


def _pooled(labels: np.ndarray, probs: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """log q, float64 [N, C], up to a constant a row."""
    log_probs, log_votes = (np.log((of + FLOOR) / (1 + FLOOR * of.shape[1])) for of in (probs.mean(axis=0, dtype=np.float64), votes))
    weight = pool_weight(labels, log_probs, log_votes)
    return (1 - weight) * log_probs + weight * log_votes


def pool_weight(labels: np.ndarray, log_probs: np.ndarray, log_votes: np.ndarray) -> float:
    """b in 0..1, the neighbours' weight at which the pooled probabilities give the given labels the least log-loss."""
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))

    def log_loss(weight: float) -> float:
        return float(-np.log(softmax((1 - weight) * log_probs + weight * log_votes)[rows, labels]).mean())

    return float(minimize_scalar(log_loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-3}).x)


def confident_learning(labels: np.ndarray, probs: OutOfFoldProbabilities) -> Verdict:
    """Plain cleanlab (Northcutt et al. 2021), on the draws' mean of the classifiers of the labels as given.

    A row is an issue where its probability of another class reaches that class's threshold, the mean probability the class has
    on rows that bear its label. Quality is the normalised margin, (p(given) - max p(any other class) + 1) / 2.
    A class no row of which has any probability of it (one patient's alone, out-of-fold) cannot be judged: its threshold would be
    0 and every row would reach it. Its rows are no issue and of quality 1, and no row is held to be of it, where there is another class.
    A row wholly on such classes says nothing of the others, which count as equally likely.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    mean, rows = probs.of_labels.mean(axis=0), np.arange(len(labels))
    own = np.zeros(mean.shape[1])
    np.maximum.at(own, labels, mean[rows, labels])
    judged_classes = np.flatnonzero(own > 0)
    judged = np.isin(labels, judged_classes)
    label_issue = np.zeros(len(labels), dtype=bool)
    quality = np.ones(len(labels), dtype=np.float32)
    if len(judged_classes) > 1:
        given = np.searchsorted(judged_classes, labels[judged])
        among = mean[np.ix_(judged, judged_classes)].astype(np.float64)
        among[among.sum(axis=1) == 0] = 1  # a file may hold zeros and ones alone
        among /= among.sum(axis=1, keepdims=True)
        label_issue[judged] = find_label_issues(given, among, filter_by="confident_learning", n_jobs=1)
        quality[judged] = np.clip(get_label_quality_scores(given, among, method="normalized_margin"), 0, 1)
    can_be = np.isin(np.arange(mean.shape[1]), judged_classes)
    suggested = likeliest_other(labels, np.where(can_be, mean, -0.5))  # before the given class, whose -1 is the last resort
    return Verdict(label_issue, quality, suggested, mean[rows, suggested].astype(np.float32))


def likeliest_other(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """int64 [N]: the likeliest class that is not the given one."""
    others = probs.copy()
    others[np.arange(len(labels)), labels] = -1
    return others.argmax(axis=1)


def mean_over(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """float64 [N, C]: each row replaced by the mean of its group's rows."""
    return (sums_by(group, values, group.max(initial=-1) + 1) / np.bincount(group)[:, None])[group]
