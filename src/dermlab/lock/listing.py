"""What a source holds, and what sources of real files share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

import pandas as pd

from dermlab.data.classes import OTHER, Classes
from dermlab.data.questionnaire import Question, Questionnaire
from dermlab.lock.contents import counted
from dermlab.lock.label_table import read_label_table
from dermlab.run.errors import SourceError
from dermlab.run.objects.keys import ObjectError, check_utf8, litter_in
from dermlab.run.objects.opening import open_files
from dermlab.run.progress import progress, say, some

LITTER_SHOWN = 20  # names, of what is passed over


@dataclass(frozen=True)
class Listing:
    """What a source holds."""

    manifest: pd.DataFrame  # columns of `tables.SOURCE_MANIFEST` but the id, one row an image
    classes: Classes
    questions: Questionnaire
    # key, `true_label`, `kind` and `duplicate_of` (a key), without a row where the source does not know it
    truth: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({n: [] for n in ("key", "true_label", "kind", "duplicate_of")}))
    places: pd.Index | None = None  # of each row in the table that tells it, as `label_table` has them


@dataclass(frozen=True)
class Options:
    """What `dermlab lock` may be told."""

    images: int = 4800  # of the phantom, as the next two
    seed: int = 17
    raters: int = 1  # who label each case
    labels: str | None = None  # of a folder or bucket: the table, where there are several
    image_column: str | None = None  # of that table, as the next; None: found by the usual names
    label_column: str | None = None
    patient_column: str | None = None
    case_column: str | None = None
    split_column: str | None = None
    rater_column: str | None = None
    no_patients: bool = False  # each photo is taken for another person
    ignore_splits: bool = False  # dermlab splits by patient
    skip_missing: bool = False  # rows without an image are left out
    min_class_count: int = 20  # diagnoses with fewer images join `other` (all but the phantom)
    endpoint_url: str | None = None  # of an S3 server that is not Amazon's
    pseudonymise: bool = False  # patients, cases and paths become digests keyed by DERMLAB_KEY


class Source(Protocol):
    """`location`: what `dermlab.run.objects.opening.open_objects` needs to find the objects again."""

    location: str

    def scan(self) -> Listing: ...


class FileSource:
    """What sources of real files share: listing, pinning, and not knowing the truth."""

    def __init__(self, path: str, options: Options) -> None:
        self.files, self.path, self.options = open_files(path, options.endpoint_url), path, options
        self.location = path if path.startswith("s3://") else str(Path(path).resolve())
        check_utf8(self.location, "The source's path")

    def keys(self) -> list[str]:
        """What the source holds, sorted. What systems leave beside data is counted and passed over, folders first: they may hold many."""
        litter_of = {key: litter_in(key) for key in self.files.list()}
        litter = sorted(set(filter(None, litter_of.values())))
        folders = [path for path in litter if path not in litter_of or os.path.isdir(os.path.join(self.location, path))]
        files = sorted(set(litter) - set(folders))
        if litter:
            kinds = [counted(map(_kind_of_litter, paths), LITTER_SHOWN) for paths in (folders, files) if paths]
            say(f"      passed over, as systems leave it: {'; '.join(kinds)}")
        for line in self.files.said:
            say(f"      {line}")
        return [key for key, litter in litter_of.items() if litter is None]

    def pinned(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with `size` and `etag` of each key. Raises SourceError where a key has no object."""
        with self.named(), progress("lock", len(frame)) as meter:
            pins = [self.files.pin(key) for key in meter.track(frame["key"])]
        return frame.assign(size=[size for size, _ in pins], etag=[etag for _, etag in pins])

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors of objects name them: at lock it is the owner of the photos who reads them."""
        try:
            yield
        except ObjectError as error:
            raise SourceError(f"{self.path}: {error.key!r} {error.why}.") from error


def _kind_of_litter(path: str) -> str:
    """Its name; of hidden files that bear the name of another, such as `._1.jpg` and `.1.jpg.icloud`, what they have in common."""
    name = PurePosixPath(path)
    return "._*" if name.name.startswith("._") else f".*{name.suffix}" if name.name.startswith(".") and name.suffix else name.name


def read_known_table(data: bytes, where: str, needed: list[str]) -> pd.DataFrame:
    """A table whose columns its publisher has fixed, as strings, empty answers as None. Raises SourceError naming a missing column."""
    frame = read_label_table(data, where).frame
    if missing := [name for name in needed if name not in frame.columns]:
        raise SourceError(f"{where}: column {', '.join(missing)} is missing; it has {', '.join(frame.columns)}. Download the table again.")
    return frame.reset_index(drop=True)


def question_of(name: str, column: pd.Series) -> Question:
    """A choice question whose choices are the values seen, sorted."""
    return Question(name=name, kind="choice", choices=tuple(sorted(column.dropna().unique())))


def frequent_classes(diagnoses: pd.Series, min_count: int) -> Classes:
    """The diagnoses with at least `min_count` images, commonest first; the rest belongs to `other`, which is said."""
    counts = diagnoses[diagnoses != OTHER].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    targets, rare = counts[counts >= min_count], counts[counts < min_count]
    if len(targets) < 2:
        raise SourceError(
            f"Fewer than two diagnoses have --min-class-count {min_count} images (commonest: {_with_counts(counts) or 'none'}). "
            "Lower it, or give more images."
        )
    if len(rare):
        say(f"      joins `{OTHER}`, with fewer than {min_count} images (--min-class-count): {_with_counts(rare)}")
    return Classes(tuple(targets.index))


def never_first(manifest: pd.DataFrame, classes: Classes) -> list[str]:
    """What to say of labels that are the first of no photo, and so are no class."""
    if "diagnoses" not in manifest:
        return []
    named = manifest["diagnoses"].dropna().explode().str[0].value_counts()
    joining = named[~named.index.isin([*manifest["diagnosis"].unique(), OTHER])]
    return [f"joins `{OTHER}`, since no photo has it for its label: {_with_counts(joining)}"] if len(joining) else []


def _with_counts(counts: pd.Series, shown: int = 9) -> str:
    """`Melanom 19, Eczema 8`, in their order."""
    more = counts.iloc[shown:]
    named = ", ".join(f"{name} {count}" for name, count in counts.head(shown).items())
    return named + (f" and {some(len(more), 'other', 'others')} with {some(more.sum(), 'image', 'images')}" if len(more) else "")
