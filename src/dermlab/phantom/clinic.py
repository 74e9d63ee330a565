"""`simulate`: patients, their cases and photos, the answers and the given diagnoses; and, apart from these, the truth."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dermlab.data.classes import OTHER, Classes
from dermlab.data.questionnaire import Questionnaire
from dermlab.phantom.conditions import BODY_PARTS, CONDITIONS, POOL, TARGETS, Condition
from dermlab.phantom.looks import atypical_look, healthy_look, look_of
from dermlab.phantom.questions import QUESTIONS, Answer, Person, answers_of
from dermlab.phantom.recipes import VERSION, Look, Recipe
from dermlab.run.errors import SourceError

LEAST_IMAGES = 200
HEAD_TO_TAIL = 40  # images of the commonest class over those of the rarest
POOL_SHARE = 0.10
LABEL_ERRORS = 0.04  # of the target images
LOOK_ALIKE_ERRORS = 0.85  # share of the label errors that fall between look-alikes
HARD = (0.03, 0.16)  # share of hard cases in the commonest and in the rarest class
GARBAGE = {"document": 0.005, "no_skin": 0.005, "wrong_part": 0.005}
COPIES = 0.01
COPIES_RELABELED = 0.3
BROKEN = 0.003
SPOILS = ("truncated", "not_an_image", "huge")
_PHOTOS = (0.34, 0.26, 0.20, 0.12, 0.08)  # odds of 1..5 photos in a case
_CASES = (0.72, 0.21, 0.07)  # odds of 1..3 cases of a patient


@dataclass(frozen=True)
class Clinic:
    manifest: pd.DataFrame  # columns of `tables.SOURCE_MANIFEST` but the id, sorted by key
    truth: pd.DataFrame  # the same rows by key, as `lock.Listing` has it
    classes: Classes
    questions: Questionnaire
    recipes: tuple[Recipe, ...]  # one a row; `drawing.draw` makes the file of it


@dataclass(frozen=True)
class _Case:
    true: Condition
    given: Condition
    hard: bool
    patient: int
    look: Look
    answers: dict[str, Answer]
    photos: int


@dataclass
class _Photo:
    case: int
    patient: int
    true: Condition
    given: Condition
    kind: str
    recipe: Recipe
    answers: dict[str, Answer]
    copy_of: int | None = None


def simulate(images: int, seed: int) -> Clinic:
    """A clinic of `images` photos, at least LEAST_IMAGES. The same numbers give the same clinic, and `draw` the same bytes."""
    if images < LEAST_IMAGES:
        raise SourceError(f"A phantom clinic of {images} images would lack classes. Lock {LEAST_IMAGES} or more (--images).")
    rng = np.random.default_rng([seed, images])
    copies = round(COPIES * images)
    counts = _image_counts(images - copies)
    cases = _cases(counts, rng)
    photos = [photo for number, case in enumerate(cases) for photo in _photos(number, case, rng)]
    _add_garbage(photos, rng)
    _add_copies(photos, copies, len(cases), 1 + max(case.patient for case in cases), rng)
    _break_files(photos, images, rng)
    return _tables(photos, rng)


def _image_counts(images: int) -> dict[Condition, int]:
    """Images of each condition: targets along (rank + 5)^-s with s such that head : tail is HEAD_TO_TAIL; the pool evenly."""
    power = math.log(HEAD_TO_TAIL) / math.log((len(TARGETS) + 5) / 6)
    odds = [(rank + 6) ** -power for rank in range(len(TARGETS))]
    pool = round(POOL_SHARE * images)
    return dict(zip(TARGETS, _shares(images - pool, odds), strict=True)) | dict(zip(POOL, _shares(pool, [1.0] * len(POOL)), strict=True))


def _shares(total: int, odds: Sequence[float], least: int = 2) -> list[int]:
    """Whole numbers in the proportion of `odds` with sum `total`, none below `least`; the first takes the rounding."""
    counts = [max(least, round(total * odd / sum(odds))) for odd in odds]
    counts[0] += total - sum(counts)
    return counts


def _cases(counts: dict[Condition, int], rng: np.random.Generator) -> list[_Case]:
    plan = [(condition, size) for condition, total in counts.items() for size in _case_sizes(total, rng)]
    plan = [plan[i] for i in rng.permutation(len(plan))]
    wrong = _mislabeled(plan, rng)
    cases, patient = [], -1
    left = 0
    for number, (condition, size) in enumerate(plan):
        if left == 0:  # the next patient
            patient, left = patient + 1, 1 + int(rng.choice(len(_CASES), p=_CASES))
            person = Person(float(np.clip(rng.normal(condition.age, 13), 18, 92)), bool(rng.random() < condition.female))
            tone = float(
                np.clip(rng.choice((2.2, 3.2, 4.4, 5.4, 6.4, 7.6, 8.8), p=_TONE_ODDS) + rng.normal(0, 0.5) + condition.tone_bias, 1, 10)
            )
            warmth, hairiness = float(rng.uniform(-1, 1)), float(rng.uniform(0, 0.5) if person.female else rng.uniform(0.2, 1))
        left -= 1
        given = wrong.get(number, condition)
        rank = TARGETS.index(condition) / (len(TARGETS) - 1) if condition in TARGETS else 0.0
        hard = number not in wrong and rng.random() < HARD[0] + (HARD[1] - HARD[0]) * rank
        look = (atypical_look if hard else look_of)(condition, tone, warmth, hairiness, rng)
        cases.append(_Case(condition, given, bool(hard), patient, look, answers_of(condition, look.site, person, rng), size))
    return cases


_TONE_ODDS = (0.2, 0.24, 0.2, 0.15, 0.1, 0.07, 0.04)


def _case_sizes(total: int, rng: np.random.Generator) -> list[int]:
    """Photos of each case; at least two cases where there are two images, so that no class is one patient's."""
    sizes: list[int] = []
    while (left := total - sum(sizes)) > 0:
        most = max(1, min(left, total // 2))
        sizes.append(min(most, 1 + int(rng.choice(len(_PHOTOS), p=_PHOTOS))))
    return sizes


def _mislabeled(plan: list[tuple[Condition, int]], rng: np.random.Generator) -> dict[int, Condition]:
    """Case number -> the wrong diagnosis given, until LABEL_ERRORS of the target images have one."""
    targets = [number for number, (condition, _) in enumerate(plan) if condition in TARGETS]
    budget = LABEL_ERRORS * sum(plan[number][1] for number in targets)
    wrong: dict[int, Condition] = {}
    for position in rng.permutation(len(targets)):
        number = targets[position]
        condition, size = plan[number]
        if size > budget + 0.5:
            continue
        others = tuple(name for name in CONDITIONS if name != condition.name)
        names = condition.looks_like if rng.random() < LOOK_ALIKE_ERRORS else others
        odds = np.array([commonness(name) for name in names])
        wrong[number] = CONDITIONS[str(rng.choice(names, p=odds / odds.sum()))]
        budget -= size
        if budget < 0.5:
            break
    return wrong


def commonness(name: str) -> float:
    """Odds that a clinician in doubt names it: rather the commoner condition."""
    return 1 / (2 + next((rank for rank, condition in enumerate(TARGETS) if condition.name == name), len(TARGETS)))


def _photos(number: int, case: _Case, rng: np.random.Generator) -> list[_Photo]:
    kind = "hard" if case.hard else "clean" if case.true is case.given else "mislabeled"
    return [
        _Photo(number, case.patient, case.true, case.given, kind, Recipe("skin", case.look, int(rng.integers(2**62))), case.answers)
        for _ in range(case.photos)
    ]


def _add_garbage(photos: list[_Photo], rng: np.random.Generator) -> None:
    """In place. Garbage keeps the diagnosis and the answers of the case it was uploaded to."""
    clean = [photo for photo in photos if photo.kind == "clean"]
    order = iter(rng.permutation(len(clean)))
    for kind, share in GARBAGE.items():
        for _ in range(max(1, round(share * len(photos)))):
            photo = clean[next(order)]
            photo.kind = kind
            if kind == "wrong_part":
                own = {BODY_PARTS[site] for site in photo.true.sites}
                sites = [site for site, part in BODY_PARTS.items() if part not in own]
                photo.recipe = replace(photo.recipe, look=healthy_look(photo.recipe.look, str(rng.choice(sites))))
            else:
                photo.recipe = replace(photo.recipe, subject=kind, look=None)


def _add_copies(photos: list[_Photo], copies: int, case: int, patient: int, rng: np.random.Generator) -> None:
    """In place. The same photo under a new patient: the same bytes, or resized and compressed anew; at times another label."""
    originals = [row for row, photo in enumerate(photos) if photo.kind in ("clean", "hard")]
    for number, row in enumerate(rng.choice(originals, copies, replace=False)):
        original = photos[int(row)]
        copy = None if rng.random() < 0.4 else (float(rng.choice((0.9, 1.0, 1.1, 1.25))), int(rng.integers(60, 91)))
        given = CONDITIONS[str(rng.choice(original.true.looks_like))] if rng.random() < COPIES_RELABELED else original.given
        answers = original.answers if rng.random() < 0.5 else dict.fromkeys(original.answers)
        recipe = replace(original.recipe, copy=copy)
        photos.append(_Photo(case + number, patient + number, original.true, given, "duplicate", recipe, answers, int(row)))


def _break_files(photos: list[_Photo], images: int, rng: np.random.Generator) -> None:
    """In place. Truncated, no image at all, or huge by its header; neither a copy nor what was copied."""
    copied = {photo.copy_of for photo in photos}
    rows = [row for row, photo in enumerate(photos) if photo.kind == "clean" and row not in copied]
    for number, row in enumerate(rng.choice(rows, max(1, round(BROKEN * images)), replace=False)):
        photos[row].recipe = replace(photos[row].recipe, spoil=SPOILS[number % len(SPOILS)])


def _tables(photos: list[_Photo], rng: np.random.Generator) -> Clinic:
    classes = Classes(tuple(condition.name for condition in TARGETS))
    names = [f"photos/{name}.jpg" for name in _opaque("img", len(photos), rng)]
    patient_ids = _opaque("pat", 1 + max(photo.patient for photo in photos), rng)
    case_ids = _opaque("case", 1 + max(photo.case for photo in photos), rng)
    order = sorted(range(len(photos)), key=names.__getitem__)
    keys, rows = [names[i] for i in order], [photos[i] for i in order]
    nothing = np.full(len(rows), None, dtype=object)
    manifest = pd.DataFrame(
        {
            "patient_id": [patient_ids[photo.patient] for photo in rows],
            "case_id": [case_ids[photo.case] for photo in rows],
            "key": keys,
            "size": nothing,
            "etag": [etag_of(photo.recipe) for photo in rows],
            "diagnosis": [photo.given.name for photo in rows],
            "split": nothing.copy(),
            "note_skin_tone": [None if photo.recipe.look is None else str(round(photo.recipe.look.tone)) for photo in rows],  # Monk's scale
            **{q.column: _column(q.kind, [photo.answers[q.column] for photo in rows]) for q in QUESTIONS},
        }
    )
    sources = [None if photo.copy_of is None else names[photo.copy_of] for photo in rows]
    truth = pd.DataFrame(
        {
            "key": keys,
            "true_label": [photo.true.name if photo.true in TARGETS else OTHER for photo in rows],
            "kind": [photo.kind for photo in rows],
            "duplicate_of": pd.Series(sources, dtype=object),
        }
    )
    return Clinic(manifest, truth, classes, QUESTIONS, tuple(photo.recipe for photo in rows))


def _column(kind: str, answers: list[Answer]) -> pd.Series:
    return pd.Series(answers, dtype="float64" if kind == "number" else object)


def _opaque(prefix: str, count: int, rng: np.random.Generator) -> list[str]:
    """Ids that tell nothing of their order."""
    return [f"{prefix}-{number:08d}" for number in rng.choice(10**8, count, replace=False)]


def etag_of(recipe: Recipe) -> str:
    """Hex digest of the recipe and of the simulator's version; files of one etag hold the same bytes."""
    return hashlib.sha256(f"phantom {VERSION} {recipe!r}".encode()).hexdigest()[:32]
