"""How labels go wrong: how many, and which class is taken for which. Fitted to the labels themselves, without a truth.

N rows, C classes. The model: a photo's true class j is drawn from r(photo), its label c from T_jc = P(given c | true j), the same for
every photo. r is a classifier's prediction made surer, r = softmax(s log q): one that learnt from labels of which some are wrong is less
sure of the truth than it could be. s and T are those that make the labels likeliest, prod_i sum_j r_ij T_j,label(i): Dawid & Skene
1979, with a classifier in place of the further raters.
"""

from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

PRIOR_ROWS = 100.0  # of the transitions expected beforehand, added to those that the rows of a class show
# As if so many cases had been looked at beforehand: what a few hundred rows say of the rate is little.
PRIOR_RATE, PRIOR_CASES = 0.05, 100.0
FREQUENCY = 0.5  # exponent of a class's frequency in that expectation: 0 where no annotator has base rates in mind, 1 where all have
STEPS = 20  # of expectation-maximisation
FITTED_ON = 20_000  # rows that tell s and the rate to two digits
SHARPNESS = np.geomspace(0.7, 3.0, 16)  # the s that are tried; between them the likelihood is interpolated
RATES = np.linspace(0.001, 0.5, 500)  # the rates that are tried; beyond, labels say little
CHI_SQUARE = 3.84  # its 95th percentile, one degree of freedom
LOOKS_WRONG = 0.5  # of the labels that look wrong, the share that surely is: on the phantom, which draws photos unlike their class, 0.53


class Noise(NamedTuple):
    """`rate`: the share of wrong labels that is reckoned with. `at_least`: the share that the labels show by themselves; None where the
    rate was given. `sharpness`: s. `transitions`: T, float64 [C, C], rows sum to 1."""

    rate: float
    at_least: float | None
    sharpness: float
    transitions: np.ndarray


def fit_noise(labels: np.ndarray, log_probs: np.ndarray, cases: int, rate: float | None = None) -> Noise:
    """labels: int [N]; log_probs: [N, C], log q; cases: how many acts of labelling the rows come from; rate: where it is known.

    The rate is no estimate to be quoted: from labels alone it cannot be told from doubt. Mistakes on hard photos, or always the same one,
    are learnt as doubt, and the rate comes out too low; right labels of photos that look unlike their class pass for mistakes, and it
    comes out too high. Hence `at_least`: the lower end of the 95 % interval of the profile likelihood, in which the photos of a case count
    once, times LOOKS_WRONG.
    """
    some = slice(None, None, max(1, len(labels) // FITTED_ON))
    shape = expected_shape(labels, softmax(log_probs))
    given = RATES if rate is None else np.array([rate])
    tried = [_likelihood(labels[some], softmax(s * log_probs[some]), shape, given, rate) for s in SHARPNESS]
    fine = np.linspace(np.log(SHARPNESS[0]), np.log(SHARPNESS[-1]), 200)
    likelihood = CubicSpline(np.log(SHARPNESS), np.stack(tried))(fine) * (cases / len(labels))  # [200, rates]
    likelihood += PRIOR_CASES * (PRIOR_RATE * np.log(given) + (1 - PRIOR_RATE) * np.log(1 - given))
    best, at = np.unravel_index(likelihood.argmax(), likelihood.shape)
    profile = likelihood.max(axis=0)
    low = given[profile >= profile[at] - CHI_SQUARE / 2][0]
    sharpness = float(np.exp(fine[best]))
    transitions = _fit(labels, softmax(sharpness * log_probs), shape, float(given[at]))[1]
    return Noise(float(given[at]), LOOKS_WRONG * float(low) if rate is None else None, sharpness, transitions)


def expected_shape(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """float64 [C, C], rows sum to 1, the diagonal 0: where a wrong label goes, before the labels themselves are asked. probs: [N, C].

    To a class that the classifier takes for it or it for that class, and to common classes rather than rare ones: hardly anybody labels
    eczema as something rare, so a rare class is not doubted for being rare.
    """
    classes = probs.shape[1]
    confusion = sums_by(labels, probs, classes) + 1e-3
    confusion /= confusion.sum(axis=1, keepdims=True)
    frequency = (np.bincount(labels, minlength=classes) + 0.5) / len(labels)
    shape = (confusion + confusion.T) * frequency**FREQUENCY
    np.fill_diagonal(shape, 0)
    return shape / shape.sum(axis=1, keepdims=True)


def by_bayes(labels: np.ndarray, probs: np.ndarray, transitions: np.ndarray, votes: np.ndarray | None = None) -> np.ndarray:
    """P(true class | label, photo), float64 [N, C], by Bayes. labels: int [N]; probs: [N, C], r; transitions: [C, C], T; votes: [N, C], how
    often each label was given, where not all rows have one label once: each is then a witness of its own."""
    joint = probs * (transitions.T[labels] if votes is None else likelihood_of(votes, transitions))
    return joint / joint.sum(axis=1, keepdims=True)


def likelihood_of(votes: np.ndarray, transitions: np.ndarray) -> np.ndarray:
    """prod_c T_jc^votes_c of each true class j, the largest of a row 1: float64 [N, C]."""
    log = votes @ np.log(np.maximum(transitions, 1e-12)).T
    return np.exp(log - log.max(axis=1, keepdims=True))


def _likelihood(labels: np.ndarray, probs: np.ndarray, shape: np.ndarray, rates: np.ndarray, rate: float | None) -> np.ndarray:
    """Log-likelihood of the labels at each of `rates`, float64 [rates]; where wrong ones go is fitted at `rate`, or at the best."""
    _, transitions = _fit(labels, probs, shape, rate)
    np.fill_diagonal(transitions, 0)
    transitions /= transitions.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    if_right, if_wrong = probs[rows, labels], (probs @ transitions)[rows, labels]
    return np.array([np.log((1 - of) * if_right + of * if_wrong).sum() for of in rates])


def _fit(labels: np.ndarray, probs: np.ndarray, shape: np.ndarray, rate: float | None) -> tuple[float, np.ndarray]:
    """(the rate, unless it is given, and the transitions) by expectation-maximisation."""
    now = 0.1 if rate is None else rate
    transitions = _transitions(shape, now)
    for _ in range(STEPS):
        counts = sums_by(labels, by_bayes(labels, probs, transitions), len(shape)).T
        if rate is None:
            now = max(1 - np.trace(counts) / counts.sum(), RATES[0])
        counts += PRIOR_ROWS * _transitions(shape, now)
        transitions = counts / counts.sum(axis=1, keepdims=True)
    return float(now), transitions


def _transitions(shape: np.ndarray, rate: float) -> np.ndarray:
    transitions = rate * shape
    np.fill_diagonal(transitions, 1 - rate)
    return transitions


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def sums_by(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    """float64 [groups, C]: sums of the rows of `values` [N, C] that bear each number of `group`, int [N]."""
    return np.stack([np.bincount(group, weights=column, minlength=groups) for column in values.T], axis=1)
