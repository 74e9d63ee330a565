"""The phantom's photos as objects: drawn when they are read."""

from collections.abc import Iterator, Mapping, Sequence

from dermlab.phantom.clinic import etag_of, simulate
from dermlab.phantom.drawing import draw
from dermlab.phantom.recipes import Recipe
from dermlab.run.errors import SourceError


class PhantomFiles:
    """The etag is the digest of the recipe that a photo is drawn from."""

    def __init__(self, recipes: Mapping[str, Recipe]) -> None:
        self.recipes = recipes

    def some(self, keys: Sequence[str]) -> "PhantomFiles":
        if missing := [key for key in keys if key not in self.recipes]:
            raise SourceError(f"The phantom clinic has no {missing[0]}. Lock it again: `dermlab lock phantom`.")
        return PhantomFiles({key: self.recipes[key] for key in keys})

    def read_many(self, keys: Sequence[str]) -> Iterator[tuple[bytes, str]]:
        for key in keys:
            yield draw(self.recipes[key]), etag_of(self.recipes[key])


def objects_of(numbers: str) -> PhantomFiles | None:
    """`numbers`: IMAGES:SEED, such as 4800:17; None where it is something else."""
    said = numbers.split(":")
    if len(said) != 2 or not all(number.isdigit() for number in said):
        return None
    clinic = simulate(*map(int, said))
    return PhantomFiles(dict(zip(clinic.manifest["key"], clinic.recipes, strict=True)))
