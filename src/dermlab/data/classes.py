"""The target classes. K target classes are labels 0..K-1 in the order of `targets`; label K is `other`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dermlab.data.json_files import read_json, write_json
from dermlab.run import paths
from dermlab.run.errors import ContractError

OTHER = "other"
DROP = "drop"  # in the ledger, and of readers: the photo is left out
CANNOT_TELL = "cannot tell"  # of readers
NO_CLASS = (DROP, CANNOT_TELL)  # answers that name none
THEN = " > "  # between the classes of an answer that names several, the likeliest first


def why_no_class(name: str) -> str:
    """Why no class may have this name, or decisions and answers could not be told apart; empty where it may."""
    if name.casefold() in NO_CLASS:
        return "which is what a reviewer says in place of a class"
    return f"as `{THEN}` stands between the classes of a reviewer's answer" if THEN in f" {name} " else ""


@dataclass(frozen=True)
class Classes:
    """`targets`: the K names, in label order. Every other diagnosis belongs to the pool `other`. Raises ContractError for fewer than two,
    for a name that stands twice, and for one that means something else (`other`, and as of `why_no_class`)."""

    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.targets) < 2 or len(set(self.targets)) != len(self.targets) or OTHER in self.targets:
            raise ContractError(f"Classes must be two or more different names, none of them `{OTHER}`: {self.targets}")
        for name in self.targets:
            if why := why_no_class(name):
                raise ContractError(f"A class cannot be named {name!r}, {why}. Rename it in the source, and lock again.")

    @property
    def names(self) -> tuple[str, ...]:
        """The K+1 names of the model's outputs: the targets, then `other`."""
        return (*self.targets, OTHER)

    @property
    def other(self) -> int:
        return len(self.targets)

    def label_of(self, diagnosis: str) -> str:
        return diagnosis if diagnosis in self.targets else OTHER

    def encode(self, labels: Iterable[str], where: str = "a label column") -> np.ndarray:
        """int64 [N], 0..K. Raises ContractError naming the first label that is not a class."""
        index = {name: position for position, name in enumerate(self.names)}
        labels = list(labels)
        try:
            return np.array([index[label] for label in labels], dtype=np.int64)
        except KeyError as error:
            row = next(i for i, label in enumerate(labels) if label not in index)
            raise ContractError(
                f"{where}, row {row}: {error.args[0]!r} is not one of the {len(self.names)} classes "
                f"({', '.join(self.names)}). Correct the label, or lock the source again so that the class is known."
            ) from error

    def write(self, path: Path) -> None:
        write_json(path, {"targets": list(self.targets)})


def read_classes(path: Path = paths.SOURCE / "classes.json") -> Classes:
    return Classes(tuple(read_json(path)["targets"]))
