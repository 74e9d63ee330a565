"""Class probabilities of every training row: multinomial logistic regression on the frozen features and the answers.

Out-of-fold, because in-sample probabilities over-flag what is hard and rare: the classifier has seen the label it is asked
about wherever it had the capacity to learn it, and contradicts it where it had not.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from dermlab.data.folds import patient_folds
from dermlab.model.logistic import FeatureBlocks, Part, best_penalty, cross_entropy, curvature_of, fit, threads_for
from dermlab.run.progress import progress

TRIED_ON = 20_000  # rows that tell one penalty from another
DOUBT = 0.1  # share of wrong labels that the refit reckons with


@dataclass(frozen=True)
class OutOfFoldProbabilities:
    """Two looks at every row by classifiers that saw none of its fold, each float32 [R, N, C] for R draws of the folds, rows sum to 1."""

    of_labels: np.ndarray  # fitted to the labels as given, so it says how labels come out
    refitted: np.ndarray  # fitted to what is then likely to be true
    l2: float | None  # the penalty of both; None where they come from elsewhere


def out_of_fold_probabilities(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int, l2: float | None, folds: int, repeats: int, seed: int,
    refit: bool = True,
) -> OutOfFoldProbabilities:  # fmt: skip
    """features: float [N, D]; labels: int [N] in 0..classes-1; groups: str [N], kept in one fold. l2: None chooses by `best_penalty`.
    Without `refit` both looks are the first."""
    target = one_hot(labels, classes)
    first, second = [], []
    for repeat in range(repeats):
        draw = OutOfFold(features, patient_folds(labels, groups, classes, folds, seed, repeat))
        l2 = l2 or draw.best_penalty(target)
        first.append(draw.predict(target, l2))
        second.append(draw.predict(believed(labels, first[-1]), l2) if refit else first[-1])
    return OutOfFoldProbabilities(np.stack(first), np.stack(second), l2)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """float32 [N, classes]."""
    return np.eye(classes, dtype=np.float32)[labels]


def believed(labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """float32 [N, C], rows sum to 1: what each row is likely to be if a share DOUBT of the labels is wrong, in no particular way.

    A classifier fitted to this instead of the labels (one step of EM for logistic regression under label noise, Bootkrajang & Kaban 2012)
    is not pulled towards the wrong ones. A particular way, were it learnt from the labels and wrong, would be learnt again by the refit.
    """
    wrong = DOUBT / (probs.shape[1] - 1)
    joint = probs * np.where(one_hot(labels, probs.shape[1]) > 0, 1 - DOUBT, wrong).astype(np.float32)
    return joint / joint.sum(axis=1, keepdims=True)


def power_normalised(features: np.ndarray) -> np.ndarray:
    """float32 [N, D]: the signed square root of every number, rows of length sqrt(D) (Perronnin et al. 2010, section 3).

    A few large activations then no longer outweigh the many small ones, which a linear classifier otherwise cannot undo.
    """
    roots = np.sqrt(np.abs(features), dtype=np.float32)
    np.copysign(roots, features, out=roots)
    roots *= roots.shape[1] ** 0.5 / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)
    return roots


def in_sample(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, classes: int, l2: float | None, folds: int, seed: int
) -> OutOfFoldProbabilities:
    """As `out_of_fold_probabilities`, but of a classifier that is fitted to all rows and asked about the same. For comparison only."""
    target = one_hot(labels, classes)
    l2 = l2 or OutOfFold(features, patient_folds(labels, groups, classes, folds, seed)).best_penalty(target)
    rows = FeatureBlocks(features, np.arange(len(labels)), np.array([0, len(labels)]))
    with threads_for(rows.x.numel()):
        probs = _Fold(rows, [0], 0).predict(torch.from_numpy(target).to(rows.x.device), l2)[None]
    return OutOfFoldProbabilities(probs, probs, l2)


class OutOfFold:
    """Rows and their folds, for which classifiers are fitted once or more: each search starts where the last one of its fold ended.

    features: float [N, D]; folds: int [N]. Standardisation is fitted without the held-out fold as well.
    """

    def __init__(self, features: np.ndarray, folds: np.ndarray) -> None:
        self.order = np.argsort(folds, kind="stable")  # a fold is then one block of rows, and the others are two: no copies
        numbers, sizes = np.unique(folds[self.order], return_counts=True)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self.rows = FeatureBlocks(features, self.order, starts)
        blocks = range(len(numbers))
        with threads_for(self.rows.x.numel()):
            self.folds = [_Fold(self.rows, [other for other in blocks if other != fold], fold) for fold in blocks]

    def predict(self, targets: np.ndarray, l2: float) -> np.ndarray:
        """float32 [N, C], rows sum to 1; a row comes from a classifier that saw no row of its fold. targets: float [N, C], rows sum to 1.
        A class absent from the other folds has probability 0."""
        with progress("Out-of-fold probabilities", len(self.folds), "folds") as meter:
            return self._predict(meter.track(self.folds), targets, l2)

    def best_penalty(self, targets: np.ndarray) -> float:
        """The one of the least out-of-fold log-loss, asked of so many folds as hold TRIED_ON rows.

        It depends on the source: 100 on the phantom, 300 on CIFAR-10H, 1000 on HAM10000, all with lite0. One too small makes every row
        its own evidence, one too large makes every row doubtful.
        """
        sizes = np.diff(self.rows.starts)
        asked = self.folds[: int(np.searchsorted(np.cumsum(sizes), min(TRIED_ON, sizes.sum()))) + 1]
        rows = np.concatenate([fold.asked(self.order) for fold in asked])

        def loss(l2: float) -> float:
            probs = self._predict(asked, targets, l2)[rows]
            return float(-(targets[rows] * np.log(np.clip(probs, 1e-7, 1))).sum(axis=1).mean())

        return best_penalty(loss)

    def _predict(self, folds: Iterable["_Fold"], targets: np.ndarray, l2: float) -> np.ndarray:
        ordered = torch.from_numpy(np.asarray(targets, dtype=np.float32)[self.order]).to(self.rows.x.device)
        probs = np.zeros(targets.shape, dtype=np.float32)
        with threads_for(self.rows.x.numel()):
            for fold in folds:
                probs[fold.asked(self.order)] = fold.predict(ordered, l2)
        return probs


class _Fold:
    """The classifier that sees the blocks `train` of `rows` and is asked about the block `held_out_fold`."""

    def __init__(self, rows: FeatureBlocks, train: list[int], held_out_fold: int) -> None:
        self.rows, self.train, self.held_out_fold = rows, train, held_out_fold
        self.seen = Part(rows, train)
        self.curvature = curvature_of(self.seen)
        self.solution: torch.Tensor | None = None  # of the last fit, for standardised features

    def asked(self, order: np.ndarray) -> np.ndarray:
        """int64: the rows of the held-out fold, as numbered before they were put in order."""
        return order[self.rows.starts[self.held_out_fold] : self.rows.starts[self.held_out_fold + 1]]

    def predict(self, targets: torch.Tensor, l2: float) -> np.ndarray:
        """float32 [rows of the held-out fold, C]. targets: [N, C] in the order of `rows`."""
        seen = torch.cat([targets[part] for part in self.rows.slices(self.train)])
        present = seen.sum(0) > 0
        (asked,) = self.rows.slices([self.held_out_fold])
        probs = np.zeros((asked.stop - asked.start, targets.shape[1]), dtype=np.float32)
        classes = int(present.sum())
        if classes == 1:
            probs[:, present.cpu().numpy()] = 1
            return probs
        start = self.solution if self.solution is not None and self.solution.shape[1] == classes else None
        fitted = fit(self.seen, cross_entropy(seen[:, present]), classes, l2, self.curvature, start)
        self.solution = fitted.solution
        logits = (self.rows.x[asked] @ fitted.weights.to(self.rows.x.dtype)).double() + fitted.intercept
        probs[:, present.cpu().numpy()] = torch.softmax(logits, dim=1).float().cpu().numpy()
        return probs
