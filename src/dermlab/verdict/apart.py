"""From an estimate to differences with their words: which of them are told apart, and in whose company.

M scores: the headline, then F1 of each class, then those of groups of classes and the gaps between groups of patients.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from dermlab.scores.bootstrap import MIN_PATIENTS
from dermlab.scores.differences import BETTER, NOT_APART, WORSE, Difference, better_sign, holm, verdict_of, with_correction
from dermlab.scores.group_scores import SCORES
from dermlab.scores.headline import HEADLINE
from dermlab.verdict.question import Question
from dermlab.verdict.uncertainty import Estimate, Runs

UNBOUNDED = ("sink_ratio", "brier", "nll")
NEVER_TOLD = ("sink_ratio",)  # better nearer to 1, from either side: its difference has no direction
HEAD_PLACES = MappingProxyType({name: at for at, name in enumerate(HEADLINE)})  # among the M scores


def told_apart(
    found: Estimate,
    baseline: Runs,
    behind: np.ndarray,
    tested: Mapping[str, int],
    question: Question,
    places: Mapping[str, int] = HEAD_PLACES,
) -> tuple[dict[str, Difference], dict[str, Difference]]:
    """Of the headline, and what is guarded beside it, and of the F1 of each class in `tested`, name -> its place among the M scores, as
    `places` for the others. `behind`: int [M], the patients that a score rests on."""
    difference = _differences(found, baseline, behind, question)
    heads = {name: difference(name, places[name]) for name in dict.fromkeys((*HEADLINE, question.guarded))}
    judged = {name: heads.pop(name) for name in dict.fromkeys((question.primary, question.guarded))}
    described = heads | {f"class {name}": difference(name, at) for name, at in tested.items()}
    unjudged = {name: described.pop(name) for name in NEVER_TOLD if name in described}  # and so nothing to correct the others for
    places = [HEADLINE.index(name) for name in heads if name in described] + list(tested.values())
    described = with_correction(described, found.moves[:, places], question.alpha)  # one family, in which one false arrow is rare
    found_heads = described | unjudged | _decided(judged, question.alpha)
    in_order = dict.fromkeys((*HEADLINE, question.guarded))
    return {name: found_heads[name] for name in in_order}, {name: described[f"class {name}"] for name in tested}


def groups_apart(
    found: Estimate,
    baseline: Runs,
    behind: np.ndarray,
    groups: Mapping[str, int],
    differences: Mapping[str, Difference],
    question: Question,
) -> dict[str, dict[str, Difference]]:
    """Of each group of classes its sensitivity, specificity and AUROC, called better or worse where that holds among all of them. `groups`:
    group -> the place of the first of the three. What is guarded is as it was judged, in `differences`."""
    difference = _differences(found, baseline, behind, question)
    places = {(group, score): first + at for group, first in groups.items() for at, score in enumerate(SCORES)}
    if not places:
        return {}
    described = {" ".join(key): difference(" ".join(key), at) for key, at in places.items()}
    described = with_correction(described, found.moves[:, list(places.values())], question.alpha)
    of_groups = {group: {score: described[f"{group} {score}"] for score in SCORES} for group in groups}
    if question.guarded in of_groups:
        of_groups[question.guarded]["sensitivity"] = differences[question.guarded]
    return of_groups


def gaps_apart(found: Estimate, baseline: Runs, behind: np.ndarray, places: Mapping[str, int], question: Question) -> dict[str, Difference]:
    """Of the gap of each group of patients: worse where it is wider. A word holds among all gaps."""
    difference = _differences(found, baseline, behind, question, least=-1.0)
    flipped = {BETTER: WORSE, WORSE: BETTER}
    told = {group: difference(group, at) for group, at in places.items()}
    turned = {group: replace(d, verdict=flipped.get(d.verdict, d.verdict)) for group, d in told.items()}
    return with_correction(turned, found.moves[:, list(places.values())], question.alpha) if turned else {}


def _differences(
    found: Estimate, baseline: Runs, behind: np.ndarray, question: Question, least: float = 0.0
) -> Callable[[str, int], Difference]:
    """From a score's name and place to its difference, by its own interval. `least`: what the score can be; at most it is 1."""
    half, of_patients, p = found.half(question.alpha), found.patients_half(question.alpha), found.p
    old = np.stack([run.values for run in baseline.values()]).mean(0)

    def difference(name: str, at: int) -> Difference:
        before, delta = float(old[at]), float(found.delta[at])
        if behind[at] < MIN_PATIENTS or not np.isfinite(delta) or not np.isfinite(half[at]):
            return Difference(before, before + delta, None, verdict_of(None))
        lowest, highest = (least - before, 1 - before) if name not in UNBOUNDED else (-np.inf, np.inf)
        ends = max(delta - float(half[at]), lowest), min(delta + float(half[at]), highest)
        within = max(delta - float(of_patients[at]), ends[0]), min(delta + float(of_patients[at]), ends[1])
        word = NOT_APART if name in NEVER_TOLD else verdict_of(ends, better_sign(name, before, before + delta))
        return Difference(before, before + delta, ends, word, float(p[at]), within)

    return difference


def _decided(judged: dict[str, Difference], alpha: float) -> dict[str, Difference]:
    """What was asked: better by its own interval; worse where the chance that any of both is called so is still alpha / 2 (Holm), since
    one that is worse is enough to leave a recipe."""
    one_sided = holm(np.array([d.p / 2 if d.delta < 0 else 1.0 if np.isfinite(d.p) else np.nan for d in judged.values()]))
    return {
        name: replace(d, verdict=NOT_APART) if d.verdict == WORSE and not p <= alpha / 2 else d
        for (name, d), p in zip(judged.items(), one_sided, strict=True)
    }
