"""Where images come from: `phantom`, `folder:PATH`, `ham10000:PATH`, `scin:PATH`. Adding a source is one class, one line."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pandas as pd

from dermlab.data.classes import OTHER, Classes
from dermlab.data.errors import SourceError
from dermlab.data.params import PullParams
from dermlab.data.questionnaire import Question, Questionnaire
from dermlab.data.tables import TRUTH
from dermlab.pull.files import Files


@dataclass(frozen=True)
class Listing:
    """What a source holds. `manifest`: columns of `tables.SOURCE_MANIFEST`, one row an image."""

    manifest: pd.DataFrame
    classes: Classes
    questions: Questionnaire


class Source(Protocol):
    """Picklable: pull hands it to its processes."""

    def scan(self) -> Listing: ...

    def read(self, key: str) -> bytes: ...

    def etag(self, key: str, data: bytes) -> str: ...

    def truth(self) -> pd.DataFrame: ...


class Phantom:
    """The embedded simulator; the only source that knows the truth."""

    def __init__(self, path: str, params: PullParams) -> None:
        if path:
            raise SourceError(f"`phantom` takes no path (got {path!r}). Its knobs are pull.images and pull.seed in params.yaml.")
        self.images, self.seed = params.images, params.seed

    @cached_property
    def _clinic(self):
        from dermlab.pull.phantom.clinic import simulate

        return simulate(self.images, self.seed)

    @cached_property
    def _row_of_key(self) -> dict[str, int]:
        return {key: row for row, key in enumerate(self._clinic.manifest["key"])}

    def scan(self) -> Listing:
        return Listing(self._clinic.manifest, self._clinic.classes, self._clinic.questions)

    def read(self, key: str) -> bytes:
        from dermlab.pull.phantom.drawing import draw

        if key not in self._row_of_key:
            raise SourceError(f"The phantom clinic has no {key}. Lock it again: `dermlab lock phantom`.")
        return draw(self._clinic.recipes[self._row_of_key[key]])

    def etag(self, key: str, data: bytes) -> str:
        return self._clinic.manifest["etag"].iat[self._row_of_key[key]]  # a drawing is pinned by its recipe

    def truth(self) -> pd.DataFrame:
        return self._clinic.truth

    def __getstate__(self) -> dict:
        return {"images": self.images, "seed": self.seed}  # simulating again is cheaper than sending it


class FileSource:
    """What sources of real files share: reading, pinning, and not knowing the truth."""

    files: Files

    def read(self, key: str) -> bytes:
        return self.files.read(key)

    def etag(self, key: str, data: bytes) -> str:
        return self.files.etag(data)

    def truth(self) -> pd.DataFrame:
        return pd.DataFrame({name: [] for name in TRUTH.names})

    def pinned(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with `size` and `etag` of each key. Raises SourceError where a key has no object."""
        pins = [self.files.pin(key) for key in frame["key"]]
        return frame.assign(size=[size for size, _ in pins], etag=[etag for _, etag in pins])


def read_csv(data: bytes, where: str, needed: list[str]) -> pd.DataFrame:
    """All columns as strings, empty answers as NaN. Raises SourceError naming a missing column."""
    try:
        frame = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, na_values=[""])
    except (ValueError, UnicodeDecodeError) as error:
        raise SourceError(f"{where} is not a readable CSV ({error}).") from error
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise SourceError(
            f"{where}: column {', '.join(missing)} is missing; it has {', '.join(frame.columns)}. "
            "Name the columns in params.yaml (pull.*_column) or correct the header."
        )
    return frame


def question_of(name: str, column: pd.Series) -> Question:
    """A choice question whose choices are the values seen, sorted."""
    return Question(name=name, kind="choice", choices=tuple(sorted(column.dropna().unique())))


def frequent_classes(diagnoses: pd.Series, min_count: int) -> Classes:
    """The diagnoses with at least `min_count` images, commonest first; the rest belongs to `other`."""
    counts = diagnoses[diagnoses != OTHER].value_counts()
    targets = sorted(counts[counts >= min_count].index, key=lambda name: (-counts[name], name))
    if len(targets) < 2:
        raise SourceError(
            f"Fewer than two diagnoses have pull.min_class_count = {min_count} images (commonest: "
            f"{', '.join(f'{n} {c}' for n, c in counts.head(5).items())}). Lower it, or give more images."
        )
    return Classes(tuple(targets))


def _registry() -> dict[str, Callable[[str, PullParams], Source]]:
    from dermlab.pull.folder import Folder
    from dermlab.pull.ham10000 import Ham10000
    from dermlab.pull.scin import Scin

    return {"phantom": Phantom, "folder": Folder, "ham10000": Ham10000, "scin": Scin}


# What of `pull:` a source's listing depends on: pinned by `dermlab lock`, checked by pull.
LISTING_PARAMS = {
    "phantom": ("images", "seed"),
    "folder": ("image_column", "label_column", "patient_column", "case_column", "split_column", "min_class_count"),
    "ham10000": (),
    "scin": ("min_class_count",),
}


def open_source(uri: str, params: PullParams) -> Source:
    """`uri` is KIND or KIND:PATH. Raises SourceError for an unknown kind or a path that is not there."""
    kind, _, path = uri.partition(":")
    known = _registry()
    if kind not in known:
        raise SourceError(f"{uri!r} is not a source. Valid: phantom, folder:PATH, ham10000:PATH, scin:PATH.")
    if kind != "phantom":
        if not path:
            raise SourceError(f"`{kind}` needs the path of its files: {kind}:PATH.")
        path = str(Path(path).expanduser())
    return known[kind](path, params)
