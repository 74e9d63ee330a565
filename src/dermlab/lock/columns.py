"""Which column is which: by the name that was given, else by the names that people use."""

import difflib

import pandas as pd

from dermlab.lock.label_table import plain
from dermlab.run.errors import SourceError

# The first is ours and holds wherever it stands; of the others one alone may stand in a table.
USUAL = {
    "image": (
        "image", "image_path", "img_path", "image_name", "image_file", "filename", "file_name", "file", "filepath", "file_path", "path",
        "img", "photo", "picture", "key", "image_id", "isic_id",
    ),
    "label": (
        "label", "diagnosis", "dx", "class", "class_name", "target", "condition", "category", "disease", "diagnosis_name", "label_name",
    ),
    "patient": (
        "patient_id", "patient", "patientid", "patient_number", "patient_no", "subject_id", "subject", "person_id", "person", "pid",
        "lesion_id", "case_id", "case",
    ),
    "case": ("case_id", "case", "lesion_id", "visit_id"),
    "split": ("split", "fold_name", "subset", "partition", "set"),
}  # fmt: skip


def column_of(role: str, given: str | None, frame: pd.DataFrame, where: str) -> str | None:
    """The column of a role (a key of USUAL), None where there is none. Raises SourceError where `given` is not there or the choice is not
    clear."""
    names = {plain(name): name for name in frame.columns}
    if given is not None:
        if plain(given) in names:
            return names[plain(given)]
        close = difflib.get_close_matches(plain(given), names, n=1, cutoff=0.5)
        nearest = f" Did you mean --{role}-column {names[close[0]]!r}?" if close else ""
        raise SourceError(f"{where}: column {given} is missing; it has {', '.join(frame.columns)}.{nearest}")
    found = [names[name] for name in USUAL[role] if name in names]
    if not found or plain(found[0]) == USUAL[role][0] or role in ("image", "patient", "case"):
        return found[0] if found else None  # from the surest name to the least: a path before an id, a patient before a lesion
    if len(found) > 1:
        raise SourceError(f"{where}: {' and '.join(found)} may both be the {role}. Say which: --{role}-column {found[0]}")
    return found[0]


def nearest_column(role: str, frame: pd.DataFrame) -> str:
    """What to write where no column of the role was found."""
    close = [(max(difflib.SequenceMatcher(None, plain(name), usual).ratio() for usual in USUAL[role]), name) for name in frame.columns]
    return max(close)[1] if close else "NAME"
