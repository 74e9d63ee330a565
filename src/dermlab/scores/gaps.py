"""For whom a model is worse: how far a group of patients lies below all others who have the same diagnoses. N rows of target classes, P
patients, G groups, K classes.

A group that has harder diagnoses scores lower for that alone. So the others are standardised to the group's mix (direct standardisation):

    gap = sum over diagnoses d of (rows of d in the group / rows of the group) * recall of d of the others  -  top-1 of the group

Positive: the group is served worse. Rows of a diagnosis of which the others have fewer than two rows are left out of both sides.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.differences import ALPHA, DRAWS
from dermlab.scores.influence import degrees, variance

LEAST_OF_OTHERS = 2  # rows of a diagnosis: of one nobody knows how far it would scatter


@dataclass(frozen=True)
class Gaps:
    values: np.ndarray  # float [G], NaN where there is nothing to compare with
    moves: np.ndarray  # float [P, G]: what each patient moves it by, squares summing to its variance
    patients: np.ndarray  # int [G]: of the group, or of the others, where these are fewer
    left_out: np.ndarray  # int [G]: rows of the group whose diagnosis the others lack


def gaps(inside: np.ndarray, labels: np.ndarray, right: np.ndarray, person: np.ndarray, classes: int) -> Gaps:
    """inside: bool [N, G]; labels: int [N], 0..K-1; right: bool [N]; person: int [N], 0..P-1."""
    people = int(person.max(initial=-1)) + 1
    member, of_class = inside.astype(np.float64), np.eye(classes)[labels]
    mine, hits = member.T @ of_class, (member * right[:, None]).T @ of_class  # [G, K]
    theirs, their_hits = of_class.sum(0) - mine, (of_class * right[:, None]).sum(0) - hits
    known = theirs >= LEAST_OF_OTHERS
    total = (mine * known).sum(1)
    recall = np.divide(their_hits, theirs, out=np.zeros_like(theirs), where=known)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = mine * known / total[:, None]
        values = (weight * recall).sum(1) - (hits * known).sum(1) / total
        # A row of the others counts a little more than it lies from its mean, which it has drawn to itself (HC2: MacKinnon & White 1985)
        scale = np.divide(weight, np.sqrt(theirs * (theirs - 1)), out=np.zeros_like(weight), where=known)
        own = (recall.T[labels] - right[:, None] - values) / total * known.T[labels]
        other = scale.T[labels] * (right[:, None] - recall.T[labels])
    moved = np.where(inside, own, other)
    moves = np.zeros((people, inside.shape[1]))
    np.add.at(moves, person, np.nan_to_num(moved))
    patients = [min(len(np.unique(person[in_group])), len(np.unique(person[~in_group]))) for in_group in inside.T]
    scaled = moves * (people / max(people - 1, 1)) ** 0.5
    return Gaps(values, scaled, np.array(patients, dtype=np.int64), (mine * ~known).sum(1).astype(int))


def gap_intervals(found: Gaps, alpha: float = ALPHA) -> list[tuple[float, float] | None]:
    """Of each gap the interval that holds together with all others with 1 - alpha. None with fewer than MIN_PATIENTS in the group or beside
    it."""
    told = (found.patients >= MIN_PATIENTS) & np.isfinite(found.values) & found.moves.any(0)
    level = common_level(found.moves[:, told], alpha)
    half = np.sqrt(variance(found.moves)) * stdtrit(degrees(found.moves), 1 - level / 2)
    ends = np.clip((found.values - half, found.values + half), -1, 1).T
    return [(float(low), float(high)) if ok else None for (low, high), ok in zip(ends, told, strict=True)]


def common_level(moves: np.ndarray, alpha: float) -> float:
    """The two-sided level of each of several intervals that all hold together with 1 - alpha, where they hang together as moves [P, M] do:
    by DRAWS draws of normal variables with their correlation, as in Hothorn, Bretz & Westfall 2008."""
    if not moves.shape[1]:
        return alpha
    scaled = moves / np.sqrt(np.square(moves).sum(0))
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    drawn = np.random.default_rng(17).normal(size=(DRAWS, len(values))) @ (vectors * np.sqrt(np.maximum(values, 0))).T
    return float(2 * ndtr(-np.quantile(np.abs(drawn).max(1), 1 - alpha)))
