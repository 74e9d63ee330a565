"""What a score is worth whose reference is uncertain: raters disagree, and the label that most of them gave may be wrong.

N rows of target classes, K target classes. U units: the photos of one case that have the same several labels, and so one truth; each has O
options at most. A Dirichlet of the votes says what is plausible (Stutz et al. 2023, Evaluating AI systems under uncertain ground truth);
a truth drawn from it is each label as often as its share of the votes, whatever their number, so the shares are drawn from.

That is right where a photo leaves the truth open as far as raters differ about it, and the network sees no more in it than they do. Scores
against the majority are then too high, for raters who agree by chance seem to confirm a guess. A network that knew better than its raters
would be underrated. Where all raters agree they are believed.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from dermlab.data.tables import CASE
from dermlab.scores.bootstrap import interval, resample
from dermlab.scores.counts import Counts, recall
from dermlab.scores.headline import Tally, tally
from dermlab.scores.ranking import in_top

TOPS = {"top1": 1, "top3": 3}


@dataclass(frozen=True)
class Reference:
    """Of the scored rows that have several labels. `other` is left out, as in the ranking."""

    unit: np.ndarray  # int [N]: that of the row, -1 where it has one label
    labels: np.ndarray  # int [U, O], 0..K-1
    shares: np.ndarray  # float [U, O], rows sum to 1; 0 beyond the unit's options

    @property
    def rows(self) -> np.ndarray:
        """int [D], the rows that have several labels."""
        return np.flatnonzero(self.unit >= 0)


def reference_of(scored: pd.DataFrame, targets: tuple[str, ...]) -> Reference | None:
    """scored: as of `scored_rows`. None where no row has several labels that are targets."""
    if "labels" not in scored or scored["labels"].isna().all():
        return None
    place, cases = {name: at for at, name in enumerate(targets)}, scored[CASE] if CASE in scored else scored["image_id"]
    known = [tuple((place[name], share) for name, share in of or () if name in place) for of in scored["labels"]]
    unit, units = pd.factorize(
        pd.Series([(case, of) if len(of) > 1 else None for case, of in zip(cases, known, strict=True)], dtype=object)
    )
    if not len(units):
        return None
    most = max(len(options) for _, options in units)
    labels, shares = np.zeros((len(units), most), np.int64), np.zeros((len(units), most))
    for at, (_, options) in enumerate(units):
        labels[at, : len(options)] = [label for label, _ in options]
        labels[at, len(options) :] = options[0][0]
        shares[at, : len(options)] = [share for _, share in options]
    return Reference(unit, labels, shares / shares.sum(axis=1, keepdims=True))


def under_raters(
    labels: np.ndarray, probs: np.ndarray, patient: np.ndarray, reference: Reference, draws: int, seed: int
) -> dict[str, dict[str, Any]]:
    """`top1`, `top3`: the share of opinions that the ranking meets, `value`, and its 95 % `interval` over `draws` of patients. labels: int
    [N]; probs: float [N, K]; patient: int [N], 0..P-1.

    A photo whose truth is open counts by the odds of each label, so that other raters are among what other patients bring. Drawing a truth
    for each photo besides would count that twice: such an interval of 95 % held the true accuracy in 99.5 % of simulated studies.
    """
    rows, people, met = reference.rows, int(patient.max()) + 1, {}
    options, shares = reference.labels[reference.unit[rows]], reference.shares[reference.unit[rows]]
    for name, top in TOPS.items():
        met[name] = in_top(labels, probs, top).astype(float)
        met[name][rows] = sum(share * in_top(of, probs[rows], top) for of, share in zip(options.T, shares.T, strict=True))
    given = np.bincount(patient, minlength=people).astype(float)[:, None].repeat(len(TOPS), axis=1)
    found = np.stack([np.bincount(patient, of, people) for of in met.values()], axis=1)
    (drawn,) = resample([Counts(hit=found, predicted=given, true=given)], draws, seed)
    samples, values = dict(zip(TOPS, recall(drawn).T, strict=True)), {name: float(of.mean()) for name, of in met.items()}
    return {name: {"value": value, "interval": interval(samples[name], people, value)} for name, value in values.items()}


def moves(labels: np.ndarray, probs: np.ndarray, reference: Reference, scores: Callable[[Any], np.ndarray]) -> np.ndarray:
    """float32 [U O, M]: by how much each of M scores moves with the truth of one unit, of mean 0 over its options and times the root
    of each one's share, so that the squares of a column sum to the variance over what the truths may be. Those of a difference of two
    runs are the differences. labels: int [N]; probs: float [N, K]; scores: from tallies [...] to [..., M]."""
    whole, rows, unit = tally(labels, probs), reference.rows, reference.unit[reference.rows]
    now, before, found = tally(labels[rows], probs[rows], unit), scores(whole), []
    for of in reference.labels[unit].T:
        then = tally(of, probs[rows], unit)
        other = Tally(*(getattr(whole, part.name) + getattr(then, part.name) - getattr(now, part.name) for part in fields(Tally)))
        found.append(np.nan_to_num(scores(other) - before))  # NaN where a class is gone
    moved, shares = np.stack(found, axis=1), reference.shares[:, :, None]  # [U, O, M]
    centred = (moved - (shares * moved).sum(axis=1, keepdims=True)) * np.sqrt(shares)
    return centred.reshape(-1, moved.shape[-1]).astype(np.float32)
