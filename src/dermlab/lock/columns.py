"""Which column is which: by the name that was given, else by the names that people use; or a column a class (one-hot)."""

import difflib
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from dermlab.data.questionnaire import PREFIX
from dermlab.lock.keys import share_named
from dermlab.lock.spelling import alike, lines_of, plain
from dermlab.run.errors import SourceError
from dermlab.run.progress import some

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
    "rater": (
        "rater", "rater_id", "annotator", "annotator_id", "reader", "reader_id", "grader", "grader_id", "reviewer", "labeler", "labeller",
        "expert",
    ),
}  # fmt: skip


LIKELY = 0.7  # how alike two names are, from 0 to 1: below it a proposal is a guess, as of `age` for `target`
NO_PERSON = ("lesion", "case", "visit", "encounter", "episode")  # of whom one person may have several
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
    if not found or plain(found[0]) == USUAL[role][0] or role in ("image", "patient", "case", "rater"):
        return found[0] if found else None  # from the surest name to the least: a path before an id, a patient before a lesion
    if len(found) > 1:
        raise SourceError(f"{where}: {' and '.join(found)} may both be the {role}. Say which: --{role}-column {found[0]}")
    return found[0]


def is_read(name: str) -> bool:
    """Whether a column of that name has a role, or is a question."""
    return name.startswith(PREFIX) or any(plain(name) in usual for usual in USUAL.values())


def what_to_write(roles: Sequence[str], frame: pd.DataFrame, taken: Collection[str], photos: Sequence[str]) -> str:
    """Of roles that no column was found for: a column that is likely, else those that are free. `photos`: keys of the source."""
    likely, said = {}, []
    for role in roles:
        free = [name for name in frame.columns if name not in (*taken, *likely.values()) and not name.startswith(PREFIX)]
        if (column := _likeliest(role, frame[free], photos)) is not None:
            likely[role] = column
        elif free:
            said.append(f"For the {role} say --{role}-column with one of these: {', '.join(free)}.")
        else:
            said.append(f"No column is left that could be the {role}.")
    proposed = " ".join(f"--{role}-column {name!r}" for role, name in likely.items())
    return " ".join(([f"Say which: {proposed}."] if proposed else []) + said)


def _likeliest(role: str, frame: pd.DataFrame, photos: Sequence[str]) -> str | None:
    """An image by what its cells name, for of that they can be asked; any other by its own name."""
    if role == "image":
        score, least = {name: share_named(frame[name], photos) for name in frame}, 0.5
    else:
        score, least = {name: max(_likeness(plain(name), usual) for usual in USUAL[role]) for name in frame}, LIKELY
    best = max(score, key=score.__getitem__, default=None)
    return best if best is not None and score[best] >= least else None


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def usual_patients(columns: Collection[str]) -> list[str]:
    """Those that are usual names for a patient, the surest first."""
    names = {plain(name): name for name in columns}
    return [names[usual] for usual in USUAL["patient"] if usual in names]


def no_people(column: str) -> list[str]:
    """What to say where a column that is taken for the patient tells by its name that it is none."""
    return [
        f"patients are told apart by {column}, which tells {word}s apart and not people: photos of one person may lie on both sides of the "
        "split"
        for word in NO_PERSON
        if any(part.startswith(word) for part in plain(column).split("_"))
    ][:1]


def check_apart(used: Mapping[str, str], where: str) -> None:
    """Raises SourceError where a column has two roles (a case may be a patient) or is a question too: a model would be given what it is
    asked for, or people be told apart by what they have."""
    for role, name in used.items():
        if name.startswith(PREFIX):
            raise SourceError(
                f"{where}: column {name} is named as the {role}, and {PREFIX} makes a question of it, whose answers the network is given. "
                f"Name another column with --{role}-column, or take {PREFIX} off its name."
            )
        both = {other for other in used if used[other] == name}
        if len(both) > 1 and both != {"patient", "case"}:
            raise SourceError(
                f"{where}: column {name} is named as the {' and the '.join(sorted(both))}, and can be one of them. Name another column for "
                f"the other ({', '.join(f'--{one}-column' for one in sorted(both))})"
                + ("; where nobody knows the patients, say --no-patients." if "patient" in both else ".")
            )


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
            f"{some((odd == 0).sum(), 'row has', 'rows have')} none and {(odd > 1).sum()} several. Write one column of labels and name it "
            f"--label-column; or, if one of these is no class, take it out, or begin its name with {PREFIX} to make it a question."
        )
    return ticked.idxmax(axis=1).astype(object)
