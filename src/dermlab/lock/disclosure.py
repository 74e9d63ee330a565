"""What a pseudonym hides must stand in no answer: answers and notes are pushed as they are."""

import re
from collections.abc import Iterable, Iterator

import pandas as pd

from dermlab.data.questionnaire import PREFIX
from dermlab.data.tables import NOTE_PREFIX
from dermlab.lock.spelling import folded, lines_of
from dermlab.run.errors import SourceError

NAMING = 4  # characters of a word that may name somebody; shorter ones do where most rows have their own id there, and so do numbers
LONGEST = 12  # words of a path that are looked for together


def check_answers(manifest: pd.DataFrame, where: str) -> list[str]:
    """What to say of the columns that no pseudonym covers. Raises SourceError where one of them holds a path, a patient id or a case id of
    the source, or a part of one that belongs to one patient alone; it names column and line, and nobody. The index is the line."""
    columns = [name for name in manifest.columns if name.startswith((PREFIX, NOTE_PREFIX))]
    naming = _naming(manifest)
    for name in columns:
        answers = manifest[name].dropna()
        words = [answer for answer in answers.unique() if not isinstance(answer, float)]
        tells = {answer: any(phrase in naming for phrase in _phrases(answer)) for answer in words}
        told = answers[[tells.get(answer, False) for answer in answers]]
        if len(told) == 0 and len(own := _own_ids(manifest, answers)) > max(1, len(answers) / 2):
            told = own
        if len(told):
            raise SourceError(
                f"{where}, {lines_of(told)}, column {name}: {len(told)} answers hold a path, or the id of a patient or case, or a part of "
                "one. Answers are pushed as they are, and a pseudonym would hide nothing. Take the names out, or the column."
            )
    return [f"answers are not pseudonymised, and pushed as they are: {', '.join(columns)}"] if columns else []


def _naming(manifest: pd.DataFrame) -> set[str]:
    """Paths and ids, as words, and the words of them that belong to one patient alone: `images` and a class name nobody."""
    person = manifest["patient_id"].fillna(manifest["key"])
    names = [manifest[column].map(_words, na_action="ignore") for column in ("key", "patient_id", "case_id")]
    whole = {" ".join(words) for column in names for words in column.dropna()}
    words = pd.concat([column.dropna().explode() for column in names]).dropna()
    people = person[words.index].groupby(words.to_numpy()).nunique()
    classes = {word for label in manifest["diagnosis"].unique() for word in _words(label)}
    short = {name for name in whole if re.search(r"\d", name) and re.search(r"[^\W\d_]", name)}  # P3 is a name, 3 and M may be answers
    return short | {name for name in {*whole, *people[people == 1].index} - classes if len(name) >= NAMING}


def _phrases(answer: object) -> Iterator[str]:
    """The words of an answer, and those that stand beside each other."""
    for text in _texts(answer):
        words = _words(text)
        for begin in range(len(words)):
            yield from (" ".join(words[begin:end]) for end in range(begin + 1, min(begin + LONGEST, len(words)) + 1))


def _own_ids(manifest: pd.DataFrame, answers: pd.Series) -> pd.Series:
    """The answers that are the patient or the case of their row, whatever their length."""
    of_row = manifest.loc[answers.index, ["patient_id", "case_id"]].map(folded, na_action="ignore")
    same = [bool({*map(folded, _texts(answer))} & {*ids}) for answer, ids in zip(answers, of_row.to_numpy().tolist(), strict=True)]
    return answers[same]


def _texts(answer: object) -> Iterable[str]:
    """What an answer holds."""
    return answer if isinstance(answer, tuple | list) else [f"{answer:.15g}" if isinstance(answer, float) else str(answer)]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", folded(text))
