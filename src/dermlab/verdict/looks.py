"""What a look costs. Whoever looks after two seeds, after three and after five, and stops at what pleases, is wrong more often than once
in twenty; so each look has a level of its own, and all of them together keep to the one that was asked for.

Lan & DeMets (1983), Discrete sequential boundaries for clinical trials, with the spending function of O'Brien & Fleming's type: little is
spent while little is known. Runs of the same recipes on the same patients fit it: the later mean is worth the earlier one and more, so
that the information of a look is one over the variance of its difference (Jennison & Turnbull 2000, chapter 11).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from scipy.special import ndtr, ndtri

from dermlab.run.errors import ParamsError
from dermlab.scores.differences import Difference
from dermlab.verdict.power import Plan
from dermlab.verdict.question import Question

NO_LOOKS = "none"
POINTS = 400  # of the density of those that go on


def looks_of(params: Mapping) -> tuple[int, ...]:
    """Counts of seeds at which a study is looked at, the last one included, as `report.looks` has them. Empty: only at its end."""
    report = params.get("report")
    text = str(report.get("looks", NO_LOOKS)) if isinstance(report, Mapping) else NO_LOOKS
    return () if text == NO_LOOKS else read_looks(text)


def read_looks(text: str) -> tuple[int, ...]:
    """Raises ParamsError."""
    words = text.replace(" ", "").split(",")
    counts = tuple(int(word) if word.isdecimal() else 0 for word in words)
    if counts[0] < 1 or any(later <= earlier for earlier, later in pairwise(counts)):
        raise ParamsError(f"report.looks: {text!r} is not valid. Valid: none, or rising counts of seeds such as 2,3,5,8.")
    return counts


def level_at(looks: Sequence[int], seeds: int, plan: Plan, alpha: float) -> float:
    """Of the look after so many seeds of each recipe, the earlier ones paid for. `plan`: of the score that was asked for."""
    if not looks:
        return alpha
    done = [count for count in looks if count <= seeds] or [seeds]
    last = plan.error(looks[-1], plan.patients)
    return level([min(1.0, (last / plan.error(count, plan.patients)) ** 2) if last else 1.0 for count in done], alpha)


def level(fractions: Sequence[float], alpha: float) -> float:
    """Two-sided level of the last of some looks. fractions: of the information of the end, rising to at most 1."""
    from scipy.optimize import brentq

    t = np.maximum.accumulate(np.asarray(fractions, float))
    spent = 4 * ndtr(ndtri(alpha / 4) / np.sqrt(t))  # both sides, each as one that has half of it
    bound = -ndtri(spent[0] / 2)
    at = np.linspace(-bound, bound, POINTS) * t[0] ** 0.5
    going_on = np.exp(-(at**2) / 2 / t[0]) / np.sqrt(2 * np.pi * t[0]) * (at[1] - at[0])  # the share of studies at each place
    for k in range(1, len(t)):
        step = (t[k] - t[k - 1]) ** 0.5
        if step < 1e-6:  # nothing new was learnt
            continue

        def missed(bound: float, k: int = k, step: float = step, at: np.ndarray = at, going_on: np.ndarray = going_on) -> float:
            edge = bound * t[k] ** 0.5
            return float((going_on * (ndtr((at - edge) / step) + ndtr((-edge - at) / step))).sum()) - (spent[k] - spent[k - 1])

        bound = brentq(missed, 0.0, 12.0) if missed(12.0) < 0 else 12.0
        places = np.linspace(-bound, bound, POINTS) * t[k] ** 0.5
        gaps = (places[:, None] - at[None, :]) / step
        going_on = (np.exp(-(gaps**2) / 2) / np.sqrt(2 * np.pi) / step) @ going_on * (places[1] - places[0])
        at = places
    return float(2 * ndtr(-bound))


def chance_of_an_answer(delta: float, now: Plan, looks: Sequence[int], margin: float, alpha: float) -> float:
    """That the last look finds a difference, or none beyond the margin, if it is what it seems: by this a recipe is given up."""
    last, error = now.error(looks[-1], now.patients), now.error(now.seeds, now.patients)
    spread = max(error**2 - last**2, 1e-12) ** 0.5
    reach = -ndtri(level_at(looks, looks[-1], now, alpha) / 2) * last
    told = ndtr((delta - reach) / spread) + ndtr((-reach - delta) / spread)
    room = margin - reach
    alike = ndtr((room - delta) / spread) - ndtr((-room - delta) / spread) if room > 0 else 0.0
    return float(min(1.0, max(told, alike)))


def chance_of_both(differences: Mapping[str, Difference], plans: Mapping[str, Plan], looks: Sequence[int], question: Question) -> float:
    """Of an answer at the last look, from both scores that were asked for; 0 where one rests on too few patients to be judged."""
    asked = (question.primary, question.guarded)
    if any(differences[name].bounds is None for name in asked):
        return 0.0
    return min(chance_of_an_answer(differences[name].delta, plans[name], looks, question.margin, question.alpha) for name in asked)
