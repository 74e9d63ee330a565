"""Everything that is chosen on validation, in the order in which each choice rests on the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from dermlab.calibrate.adjustment import choose_tau, holds
from dermlab.calibrate.cases import fit_independence
from dermlab.calibrate.familiarity import choose_familiarity
from dermlab.calibrate.groups import choose_groups
from dermlab.calibrate.params import Params
from dermlab.calibrate.sets import choose_sets
from dermlab.calibrate.temperature import fit_temperature
from dermlab.calibrate.tiers import choose_tiers
from dermlab.data.validation import Validation
from dermlab.model.calibration import Calibration
from dermlab.scores.cases import Pooling, has_several, of_one_label, pooled
from dermlab.scores.groups import Group
from dermlab.scores.probabilities import negative_log_likelihood, probabilities


def calibrate(
    validation: Validation,
    patients: np.ndarray,
    cases: np.ndarray,
    prior: np.ndarray,
    params: Params,
    names: Sequence[str] = (),
    groups: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Calibration:
    """`patients`, `cases`: [N], of the validation rows; `prior`: float64 [K+1], of the network; `names`: of its K+1 outputs; `groups`: of
    classes. What follows the temperature is chosen on the probabilities as they will be given, adjusted or not."""
    knobs, labels = params.calibrate, validation.labels
    temperature = fit_temperature(validation.logits, labels)
    chosen = choose_tau(labels, probabilities(validation.logits, temperature), prior, temperature)
    chosen_holds = chosen > 0 and holds(labels, probabilities(validation.logits, temperature), prior, temperature, patients, params.seed)
    applied = Calibration(temperature, chosen if knobs.adjust == "validation" else 0.0, chosen, chosen_tau_holds=chosen_holds)
    given = applied.probabilities(validation.logits, prior)
    pooling = Pooling(knobs.pool, fit_independence(labels, given, cases))
    photo = _Rows(labels, given, patients)
    case = _of_cases(photo, cases, pooling) if has_several(cases) else None
    return replace(
        applied,
        tiers=choose_tiers(labels, given, knobs.answer, knobs.top3),
        familiarity=choose_familiarity(validation.features, patients, knobs.unfamiliar, params.seed),
        pooling=pooling,
        case_tiers=choose_tiers(case.labels, case.probs, knobs.answer, knobs.top3) if case else None,
        sets=choose_sets(photo.labels, photo.probs, photo.patients, prior, knobs.coverage, params.seed),
        case_sets=choose_sets(case.labels, case.probs, case.patients, prior, knobs.coverage, params.seed) if case else None,
        groups=_groups(groups, names, photo, case, knobs.sensitivity),
    )


@dataclass(frozen=True)
class _Rows:
    labels: np.ndarray  # int [N], 0..K
    probs: np.ndarray  # float [N, K+1], as they will be given
    patients: np.ndarray  # [N]


def _of_cases(photo: _Rows, cases: np.ndarray, pooling: Pooling) -> _Rows | None:
    """A row a case, where all its photos bear one label; None where there is no such case, and nothing to choose on."""
    kept = of_one_label(photo.labels, cases)
    if not kept.any():
        return None
    together, first = pooled(photo.probs[kept], cases[kept], pooling)
    return _Rows(photo.labels[kept][first], together, photo.patients[kept][first])


def _groups(
    groups: Mapping[str, Sequence[str]], names: Sequence[str], photo: _Rows, case: _Rows | None, promise: float
) -> tuple[Group, ...]:
    found = choose_groups(groups, names, photo.labels, photo.probs, photo.patients, promise)
    if case is None:
        return found
    of_cases = choose_groups(groups, names, case.labels, case.probs, case.patients, promise)
    return tuple(replace(group, case_threshold=its.threshold) for group, its in zip(found, of_cases, strict=True))


def numbers(calibration: Calibration, validation: Validation, cases: np.ndarray, names: Sequence[str] = ()) -> dict[str, Any]:
    """What metrics/calibrate.json holds; a threshold that none could be is left out, and what is said of cases where each is a photo.
    `names`: of the K+1 outputs."""
    logits, labels = validation.logits.astype(np.float64), validation.labels
    found = {
        "rows": len(labels),
        "temperature": calibration.temperature,
        "nll_before": negative_log_likelihood(logits, labels),
        "nll_after": negative_log_likelihood(logits / calibration.temperature, labels),
        "tau": calibration.tau,
        "chosen_tau": calibration.chosen_tau,
        "chosen_tau_holds": calibration.chosen_tau_holds,
        "answer_threshold": calibration.tiers.answer,
        "top3_threshold": calibration.tiers.top3,
        "familiar_threshold": calibration.familiarity.threshold,
        "case_answer_threshold": calibration.case_tiers and calibration.case_tiers.answer,
        "case_top3_threshold": calibration.case_tiers and calibration.case_tiers.top3,
        "case_independence": calibration.pooling.independence if has_several(cases) else None,
    }
    if calibration.sets:
        found |= {"set_masses": dict(zip(names, calibration.sets.thresholds, strict=False))} if names else {}
    of_photos = {group.name: group.threshold for group in calibration.groups if group.threshold is not None}
    of_cases = {group.name: group.case_threshold for group in calibration.groups if group.case_threshold is not None}
    found |= {"group_thresholds": of_photos or None, "group_case_thresholds": of_cases or None}
    return {name: value for name, value in found.items() if value is not None}
