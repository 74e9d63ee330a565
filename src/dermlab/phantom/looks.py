"""What the photos of one case share: a condition's style, varied from case to case and drawn towards its look-alikes."""

from dataclasses import fields, replace

import numpy as np

from dermlab.phantom.conditions import CONDITIONS, Condition
from dermlab.phantom.recipes import Look, Style

NUMBERS = tuple(field.name for field in fields(Style))
# How far a typical case strays towards a look-alike: mean 0.1; a few cannot be told apart.
_STRAY = (0.7, 6.3)
_CHANCE_OF_SITE_OF_LOOK_ALIKE = 0.1


def look_of(condition: Condition, tone: float, warmth: float, hairiness: float, rng: np.random.Generator) -> Look:
    return _look(condition, float(rng.beta(*_STRAY)), _CHANCE_OF_SITE_OF_LOOK_ALIKE, condition.spread, tone, warmth, hairiness, rng)


def atypical_look(condition: Condition, tone: float, warmth: float, hairiness: float, rng: np.random.Generator) -> Look:
    """Of a hard case: nearer to a look-alike than to its own condition."""
    return _look(condition, float(rng.uniform(0.6, 0.9)), 0.7, 1.5 * condition.spread, tone, warmth, hairiness, rng)


def healthy_look(look: Look, site: str) -> Look:
    """The same person's skin elsewhere, without lesions."""
    return replace(look, site=site, style=Style(count=0.0))


def _look(
    condition: Condition,
    stray: float,
    site_stray: float,
    spread: float,
    tone: float,
    warmth: float,
    hairiness: float,
    rng: np.random.Generator,
) -> Look:
    double = CONDITIONS[str(rng.choice(condition.looks_like))]
    place = double if rng.random() < site_stray else condition
    # Nails and scalps stay with the conditions that have them: elsewhere these could not be drawn.
    if set(place.sites) & {"nail"} or set(condition.sites) & {"nail"} or condition.sites.keys() == {"scalp"}:
        place = condition
    layout = double if rng.random() < stray else condition
    own, other = condition.style, double.style
    if "nail" in condition.sites or condition.sites.keys() == {"scalp"}:
        stray = 0.4 * stray
    blended = {}
    for name in NUMBERS:
        a, b = getattr(own, name), getattr(other, name)
        mixed = float(np.exp((1 - stray) * np.log(a) + stray * np.log(b))) if name in ("count", "size") else (1 - stray) * a + stray * b
        varied = mixed * float(np.exp(rng.normal(0, spread * (0.6 if name == "size" else 1.0))))
        blended[name] = round(varied if name in ("count", "blood", "melanin", "violet", "relief", "satellites") else min(varied, 1.0), 4)
    return Look(
        tone=round(tone, 3),
        warmth=round(warmth, 3),
        hairiness=round(hairiness, 3),
        site=_drawn(place.sites, rng),
        layout=_drawn(layout.layouts, rng),
        style=Style(**blended),
        seed=int(rng.integers(2**62)),
    )


def _drawn(odds: dict[str, float], rng: np.random.Generator) -> str:
    weights = np.array(list(odds.values()), dtype=float)
    return str(rng.choice(list(odds), p=weights / weights.sum()))
