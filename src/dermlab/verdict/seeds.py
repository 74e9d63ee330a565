"""Recipes over seeds: the spread of one recipe's runs, and t intervals between the means of two recipes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dermlab.scores.differences import Difference, difference_of_means, seeds_needed
from dermlab.scores.headline import HEADLINE


@dataclass(frozen=True)
class Recipe:
    """Runs whose params differ only in the seed, one a seed."""

    name: str
    seeds: tuple[int, ...]
    mean: dict[str, float]
    spread: dict[str, float]  # standard deviation over seeds (empty for one)
    # against the baseline's recipe, paired where the seeds are the same, else Welch's; empty where either has one seed
    differences: dict[str, Difference]
    needed: dict[str, int]  # seeds that a difference of this size would take to be told apart, where the seeds are the same


def flat(params: Mapping) -> dict[str, Any]:
    """`{"train": {"lr": 1}}` as `{"train.lr": 1}`, without the block `report`."""
    values = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            values |= {f"{key}.{name}": item for name, item in value.items()} if key != "report" else {}
        else:
            values[key] = value
    return values


def by_recipe(names: Sequence[str], params: Sequence[Mapping], heads: Sequence[Mapping[str, float]]) -> tuple[Recipe, ...]:
    """Runs, the baseline first, grouped by their params without the seed; empty where no recipe has a second seed. A seed
    that comes twice counts once: `workspace` is often also an experiment. `heads`: each run's headline."""
    groups: dict[str, dict[int, tuple[str, dict]]] = {}
    for name, block, scored in zip(names, params, heads, strict=True):
        recipe = flat(block)
        seed = recipe.pop("seed", None)
        groups.setdefault(json.dumps(recipe, sort_keys=True, default=str), {}).setdefault(seed, (name, scored))
    if all(len(group) < 2 for group in groups.values()):
        return ()
    values = [{m: {seed: float(scored[m]) for seed, (_, scored) in group.items()} for m in HEADLINE} for group in groups.values()]
    recipes = []
    for group, scored in zip(groups.values(), values, strict=True):
        several = len(group) > 1
        against = several and scored is not values[0] and len(values[0]["top1"]) > 1
        recipes.append(
            Recipe(
                name=next(iter(group.values()))[0],
                seeds=tuple(group),
                mean={m: float(np.mean(list(v.values()))) for m, v in scored.items()},
                spread={m: float(np.std(list(v.values()), ddof=1)) for m, v in scored.items()} if several else {},
                differences={m: difference_of_means(m, values[0][m], scored[m]) for m in HEADLINE} if against else {},
                needed={m: n for m in HEADLINE if (n := _needed(values[0][m], scored[m])) is not None} if against else {},
            )
        )
    return tuple(recipes)


def _needed(old: Mapping[int, float], new: Mapping[int, float]) -> int | None:
    if set(old) != set(new):
        return None
    each = np.array([new[seed] - old[seed] for seed in old])
    return seeds_needed(float(each.mean()), float(each.std(ddof=1)))
