"""The questionnaire, in the words of SCIN's tables (Ward et al. 2024), and how patients of the clinic answer it."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dermlab.data.questionnaire import Question, Questionnaire
from dermlab.phantom.conditions import BODY_PARTS, Condition

Answer = str | tuple[str, ...] | float | None

_AGES = (18, 30, 40, 50, 60, 70, 80)  # where each age group begins
AGE_GROUPS = (*(f"AGE_{low}_TO_{high - 1}" for low, high in pairwise(_AGES)), "AGE_80_OR_ABOVE")
_DAYS = (1.5, 7, 30, 90, 365, 5 * 365, math.inf)  # where each duration ends
DURATIONS = (
    "ONE_DAY", "LESS_THAN_ONE_WEEK", "ONE_TO_FOUR_WEEKS", "ONE_TO_THREE_MONTHS", "THREE_TO_TWELVE_MONTHS",
    "MORE_THAN_ONE_YEAR", "MORE_THAN_FIVE_YEARS",
)  # fmt: skip
TEXTURES = ("raised_or_bumpy", "flat", "rough_or_flaky", "fluid_filled")
PARTS = (
    "head_or_neck", "arm", "palm", "back_of_hand", "torso_front", "torso_back", "genitalia_or_groin", "buttocks", "leg",
    "foot_top_or_side", "foot_sole", "other",
)  # fmt: skip
SYMPTOMS = (
    "bothersome_appearance", "bleeding", "increasing_size", "darkening", "itching", "burning", "pain", "no_relevant_experience",
)  # fmt: skip
OTHER_SYMPTOMS = ("fever", "chills", "fatigue", "joint_pain", "mouth_sores", "shortness_of_breath", "no_relevant_symptoms")
CATEGORIES = (
    "RASH", "ACNE", "GROWTH_OR_MOLE", "PIGMENTARY_PROBLEM", "NAIL_PROBLEM", "HAIR_LOSS", "LOOKS_HEALTHY", "OTHER_ISSUE_DESCRIPTION",
)  # fmt: skip

QUESTIONS: Questionnaire = (
    Question(name="age_group", kind="choice", choices=AGE_GROUPS),
    Question(name="sex_at_birth", kind="choice", choices=("FEMALE", "MALE", "OTHER_OR_UNSPECIFIED")),
    Question(name="related_category", kind="choice", choices=CATEGORIES),
    Question(name="condition_duration", kind="choice", choices=(*DURATIONS, "UNKNOWN")),
    Question(name="body_parts", kind="multi", choices=PARTS),
    Question(name="textures", kind="multi", choices=TEXTURES),
    Question(name="condition_symptoms", kind="multi", choices=SYMPTOMS),
    Question(name="other_symptoms", kind="multi", choices=OTHER_SYMPTOMS),
    Question(name="itch_level", kind="number", low=0, high=10),
)

_WHOLE_MISSING = 0.32  # share of cases without any answer
_ONE_MISSING = 0.1  # share of single answers skipped
_CARELESS = 0.05  # share of ticks that do not follow the condition
_DURATION_SPREAD = 1.2  # standard deviation of log days


@dataclass(frozen=True)
class Person:
    age: float
    female: bool


def answers_of(condition: Condition, site: str, person: Person, rng: np.random.Generator) -> dict[str, Answer]:
    """One case's answers by column. Every column is there; None is not answered."""
    if rng.random() < _WHOLE_MISSING:
        return dict.fromkeys(question.column for question in QUESTIONS)
    itches = rng.random() < condition.itch
    answers: dict[str, Answer] = {
        "age_group": AGE_GROUPS[max(0, sum(person.age >= low for low in _AGES) - 1)],
        "sex_at_birth": "OTHER_OR_UNSPECIFIED" if rng.random() < 0.06 else ("FEMALE" if person.female else "MALE"),
        "related_category": condition.category if rng.random() < 0.8 else str(rng.choice(CATEGORIES, p=_CATEGORY_ODDS)),
        "condition_duration": _duration(condition.days, rng),
        "body_parts": _body_parts(site, rng),
        "textures": _ticked(TEXTURES, (condition.raised, condition.flat, condition.rough, condition.fluid), rng),
        "condition_symptoms": _symptoms(condition, itches, rng),
        "other_symptoms": _other_symptoms(condition, rng),
        "itch_level": float(np.clip(round(rng.normal(6 if itches else 1, 2.2)), 0, 10)),
    }
    return {f"q_{name}": None if rng.random() < _ONE_MISSING else value for name, value in answers.items()}


_CATEGORY_ODDS = (0.55, 0.06, 0.08, 0.05, 0.01, 0.01, 0.06, 0.18)


def _duration(days: float, rng: np.random.Generator) -> str:
    if rng.random() < 0.04:
        return "UNKNOWN"
    lasted = days * math.exp(rng.normal(0, _DURATION_SPREAD))
    return DURATIONS[next(i for i, end in enumerate(_DAYS) if lasted < end)]


def _ticked(choices: tuple[str, ...], chances: tuple[float, ...], rng: np.random.Generator) -> tuple[str, ...] | None:
    draws = rng.random(len(choices))
    blurred = ((1 - _CARELESS) * chance + _CARELESS * 0.3 for chance in chances)
    return tuple(choice for choice, draw, chance in zip(choices, draws, blurred, strict=True) if draw < chance) or None


def _body_parts(site: str, rng: np.random.Generator) -> tuple[str, ...]:
    named = {BODY_PARTS[site]} if rng.random() < 0.95 else {str(rng.choice(PARTS))}
    if rng.random() < 0.3:  # it is elsewhere too
        named.add(str(rng.choice(PARTS)))
    return tuple(part for part in PARTS if part in named)


def _symptoms(condition: Condition, itches: bool, rng: np.random.Generator) -> tuple[str, ...]:
    chances = (
        0.35,
        condition.bleeding,
        condition.growing,
        condition.darkening,
        0.93 if itches else 0.05,
        condition.burning,
        condition.pain,
    )
    return _ticked(SYMPTOMS[:-1], chances, rng) or SYMPTOMS[-1:]


def _other_symptoms(condition: Condition, rng: np.random.Generator) -> tuple[str, ...]:
    return _ticked(OTHER_SYMPTOMS[:-1], (condition.fever, 0.7 * condition.fever, 0.07, 0.05, 0.015, 0.02), rng) or OTHER_SYMPTOMS[-1:]
