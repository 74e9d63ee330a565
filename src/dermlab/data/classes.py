"""The target classes. K target classes are labels 0..K-1 in the order of `targets`; label K is `other`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dermlab.data.json_files import read_json, write_json
from dermlab.run import paths
from dermlab.run.errors import ContractError

OTHER = "other"


@dataclass(frozen=True)
class Classes:
    """`targets`: the K names, in label order. Every other diagnosis belongs to the pool `other`."""

    targets: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.targets) < 2 or len(set(self.targets)) != len(self.targets) or OTHER in self.targets:
            raise ContractError(f"Classes must be two or more different names, none of them `{OTHER}`: {self.targets}")

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
