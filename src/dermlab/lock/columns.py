"""Which column is which: by the name that was given, else by the names that people use; or a column a class (one-hot)."""

import difflib
from collections.abc import Collection

import pandas as pd

from dermlab.data.questionnaire import PREFIX
from dermlab.lock.spelling import alike, lines_of, plain
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


TICKS = {"0": False, "1": True, "false": False, "true": True}


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


def is_read(name: str) -> bool:
    """Whether a column of that name has a role, or is a question."""
    return name.startswith(PREFIX) or any(plain(name) in usual for usual in USUAL.values())


def nearest_column(role: str, frame: pd.DataFrame, taken: Collection[str]) -> str:
    """What to write where no column of the role was found: no column that has another role."""
    close = [
        (max(difflib.SequenceMatcher(None, plain(name), usual).ratio() for usual in USUAL[role]), name)
        for name in frame.columns
        if name not in taken and not name.startswith(PREFIX)
    ]
    return max(close)[1] if close else "NAME"


def class_columns(frame: pd.DataFrame, taken: Collection[str]) -> list[str]:
    """The columns of a one-hot table: two or more of 0 and 1 alone (or `false` and `true`), which have no other role. None where another
    column is called much like a label: then they may be the patient's sex as well."""
    free = [name for name in frame.columns if name not in taken and not name.startswith(PREFIX)]
    ticked = [name for name in free if frame[name].notna().any() and frame[name].dropna().map(alike).isin(TICKS).all()]
    label_like = [name for name in free if name not in ticked and difflib.get_close_matches(plain(name), USUAL["label"], cutoff=0.75)]
    return ticked if len(ticked) > 1 and not label_like else []


def label_of_ticks(ticks: pd.DataFrame, where: str) -> pd.Series:
    """The name of the one column that is ticked in each row. Raises SourceError where none or several are."""
    ticked = ticks.apply(lambda column: column.map(lambda cell: TICKS[alike(cell)], na_action="ignore") == True)  # noqa: E712
    if len(odd := ticked.sum(axis=1).loc[lambda count: count != 1]):
        raise SourceError(
            f"{where}, {lines_of(odd)}: no column is known as the label, and of {', '.join(ticks.columns)}, which look like a class each, "
            f"{(odd == 0).sum()} rows have none and {(odd > 1).sum()} several. Write one column of labels and name it --label-column; or, "
            f"if one of these is no class, take it out, or begin its name with {PREFIX} to make it a question."
        )
    return ticked.idxmax(axis=1).astype(object)
