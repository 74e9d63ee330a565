"""A study that goes on until its question is answered: seeds in blocks over all recipes, a look after each block, and no recipe longer than
it can still be told apart. Each look is paid for (`dermlab.verdict.looks`), and every run carries the looks in `report.looks`, so that
whoever compares them later judges as the study did.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dermlab.run.errors import DermlabError
from dermlab.run.progress import say
from dermlab.study.recipe import Experiment, read_recipe
from dermlab.verdict.advice import NOT_ENOUGH
from dermlab.verdict.judge import Verdict

LOOKS = (2, 3, 5, 8)  # seeds of each recipe
LEAST_CHANCE = 0.1  # of an answer at the last look, below which a recipe runs no further
FIRST_SEED = 17


@dataclass(frozen=True)
class Budget:
    """None: no end to it."""

    hours: float | None
    usd: float | None
    usd_per_hour: float

    def left(self, hours: float) -> bool:
        """Whether so many hours are still within it."""
        return (self.hours is None or hours <= self.hours) and (self.usd is None or hours * self.usd_per_hour <= self.usd)


def until_decided(
    recipe: Path,
    run: Callable[[Sequence[Experiment]], int],
    judged: Callable[[Sequence[str]], Verdict],
    budget: Budget,
    looks: Sequence[int] = LOOKS,
) -> list[Experiment]:
    """run: trains what has not been trained, and says how many that were; judged: the verdict of recipes by name, the baseline first. The
    budget is that of this call, and is kept before each block but the first, of which nobody knows what it takes. Returns the experiments
    that there are at the end. Raises DermlabError for a recipe without anything to compare."""
    first = read_recipe(recipe, (FIRST_SEED,))
    if len(first) < 2 or first[0].holds_out:
        raise DermlabError(f"{recipe} has nothing to compare: a baseline and one experiment or more are needed to decide between.")
    seeds = _seeds(recipe, looks[-1])
    open_names, done, started, trained = [experiment.name for experiment in first], [], time.monotonic(), 0
    for block, count in enumerate(looks):
        block_of = [
            replace(each, overrides={**each.overrides, "report.looks": ",".join(map(str, looks))})
            for each in read_recipe(recipe, seeds[:count])
            if _recipe_of(each.name, open_names) is not None
        ]
        new = [each for each in block_of if each.name not in {before.name for before in done}]
        hours = (time.monotonic() - started) / 3600
        if trained and not budget.left(hours + len(new) * hours / trained):
            say(f"until decided: the budget ends here: {hours:.1f} hours for {trained} runs, and {len(new)} more would be needed")
            break
        early = ", which tells large differences only" if block == 0 else ""
        say(f"until decided: look {block + 1} of {len(looks)}, after {count} seeds of {', '.join(open_names)}{early}")
        trained += run([*done, *new])
        done = [*done, *new]
        verdict = judged([experiment.name for experiment in first])
        still = []
        for found in verdict.judged:
            name = _recipe_of(found.name, open_names)
            if name is None:  # answered before
                continue
            say(found.advice.sentence)
            if found.advice.word != NOT_ENOUGH:
                continue
            if found.chance is not None and found.chance < LEAST_CHANCE:
                say(f"{found.name}: given up, since {looks[-1]} seeds would give an answer with a chance of {found.chance:.0%}")
                continue
            still.append(name)
        if not still:
            break
        open_names = [first[0].name, *still]
    fixed = looks[-1] * len(first)
    say(f"until decided: {len(done)} runs; {looks[-1]} seeds of each recipe would have been {fixed}, {fixed - len(done)} more")
    return done


def _seeds(recipe: Path, count: int) -> list[int]:
    """Those of the recipe first."""
    own = list(dict.fromkeys(each.overrides["seed"] for each in read_recipe(recipe) if "seed" in each.overrides))
    further = (seed for seed in range(FIRST_SEED, FIRST_SEED + count + len(own)) if seed not in own)
    return [*own, *further][:count]


def _recipe_of(name: str, names: Sequence[str]) -> str | None:
    """The recipe that an experiment is a seed of."""
    return next((known for known in names if name == known or (name.startswith(f"{known}-s") and name[len(known) + 2 :].isdecimal())), None)
