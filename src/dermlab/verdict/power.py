"""How many patients and seeds tell a difference of some size apart."""

import math
from dataclasses import dataclass

from dermlab.report.render import in_points
from dermlab.scores.differences import ALPHA
from dermlab.verdict.uncertainty import FIELD_SIGMA

POWER = 0.8  # a difference is to be told apart four times in five
MOST_SEEDS, MOST_PATIENTS = 30, 1_000_000
SEEDS = (1, 2, 3, 5, 8)
# Variances of a difference in top-1 between two recipes, times the test patients, as measured by the studies in docs/results.md: what all
# runs of a recipe share, and what each run has of its own.
SHARED, LUCK = 0.048, 0.015
USUAL_SEEDS = (3, 5, 10)  # with which more patients are thought of


@dataclass(frozen=True)
class Plan:
    """The variance of a difference, in its parts, as `uncertainty` names them."""

    shared: float  # over these patients
    total: float  # S, of a run
    of_patients: float  # I, the part of S that these patients explain
    patients: int
    seeds: int  # of the recipe, as yet
    recipes: int = 2  # whose runs tell how far runs lie apart
    pool: float = math.inf  # degrees of freedom that they tell it with, as yet; infinite where the field tells it
    alpha: float = ALPHA

    def error(self, seeds: int, patients: float) -> float:
        """The standard error with so many seeds of each recipe, and so many patients."""
        scale = self.patients / patients
        trained = max(0.0, self.total - self.of_patients)
        return (self.shared * scale + 2 / seeds * (trained + self.of_patients * scale)) ** 0.5

    def tells(self, seeds: int, patients: float) -> float:
        """The smallest difference that is told apart four times in five."""
        from scipy.special import stdtrit

        scale = self.patients / patients
        shared, between = self.shared * scale, self.error(seeds, patients) ** 2 - self.shared * scale
        trained = max(self.pool, self.recipes * (seeds - 1), 1)
        below = shared**2 / max(patients - 1, 1) + between**2 / trained
        freedom = (shared + between) ** 2 / below if below > 0 else math.inf
        return self.error(seeds, patients) * float(stdtrit(freedom, 1 - self.alpha / 2) + stdtrit(freedom, POWER))

    def needed(self, size: float) -> "Need":
        for seeds in range(self.seeds + 1, MOST_SEEDS + 1):
            if self.tells(seeds, self.patients) <= size:
                return Need(size, seeds, None, seeds)
        reaching = [seeds for seeds in (*USUAL_SEEDS, MOST_SEEDS) if seeds >= self.seeds and self.tells(seeds, MOST_PATIENTS) <= size]
        if not reaching:
            return Need(size, None, None, max(MOST_SEEDS, self.seeds))
        seeds = reaching[0]
        low, high = self.patients, MOST_PATIENTS
        while high - low > max(1, low // 100):
            middle = (low + high) // 2
            low, high = (low, middle) if self.tells(seeds, middle) <= size else (middle, high)
        return Need(size, None, _rounded(high), seeds)


@dataclass(frozen=True)
class Need:
    """None where nothing within reach would do."""

    size: float
    seeds: int | None  # of each recipe, on these patients
    patients: int | None  # with `patients_seeds` of each recipe
    patients_seeds: int

    def __str__(self) -> str:
        size = f"a difference of {in_points(self.size)}"
        if self.seeds is not None:
            return f"about {self.seeds} seeds of each would tell {size} apart"
        if self.patients is not None:
            return f"{size} takes other patients: about {self.patients:,} to test on, with {self.patients_seeds} seeds of each"
        return f"{size} is out of reach with {self.patients_seeds} seeds of each, whatever the patients"


def expected(patients: int) -> Plan:
    """Of top-1, before anything has been trained here: two recipes of a head as they differed on HAM10000 (`recipes/scout.yaml`), and
    trainings that lie apart as in the field."""
    own = LUCK / patients
    return Plan(SHARED / patients, FIELD_SIGMA**2 + own, own, patients, 1)


def tables(plan: Plan) -> list[tuple[int, list[float]]]:
    """Test patients, as they are and up to four times as many, and the smallest difference that SEEDS of each recipe tell apart."""
    return [(of, [plan.tells(seeds, of) for seeds in SEEDS]) for of in (plan.patients, 2 * plan.patients, 4 * plan.patients)]


def _rounded(count: int) -> int:
    """To two digits: it is a reckoning."""
    step = 10 ** max(0, math.floor(math.log10(max(count, 1))) - 1)
    return math.ceil(count / step) * step
