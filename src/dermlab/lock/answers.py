"""The questionnaire of a table. Every column whose name starts with `q_` is a question: a number where all its answers are numbers, several
answers where they are separated by `;`, a choice otherwise. What is read as no answer, joined or no number is said.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from dermlab.data.questionnaire import PREFIX, Question, Questionnaire
from dermlab.lock.spelling import NO_VALUE, folded, joined, lines_of, says_nothing, without_marks
from dermlab.run.errors import SourceError

MANY = 9  # different numbers that nobody gives to choose from
PARTED = r"[+-]?[1-9]\d{0,2}(?:[, ']\d{3})+(?:\.\d+)?"  # 1,000.5: thousands are parted
DECIMAL_COMMA = r"[+-]?\d+(?:\.\d{3})*,\d+"  # 1.000,5


def answers_of(rows: pd.DataFrame, delimiter: str, where: str) -> tuple[Questionnaire, dict[str, pd.Series], list[str]]:
    """The questions, the answers of each column (None, or NaN of a number, where there is none), and what to say of how they were read.
    `rows`: as strings, the index is the line. A column without any answer is no question. Raises SourceError for a column of numbers that
    has more in it than numbers, and for one without a name."""
    questions, answers, said = [], {}, []
    for column in [name for name in rows.columns if name.startswith(PREFIX)]:
        if not column.removeprefix(PREFIX).strip("_ "):
            raise SourceError(f"{where}: a column is named {column!r}, and not what is asked. Name it {PREFIX}NAME, or take it out.")
        question, read, of_column = _number(rows[column], delimiter, where) or _choice(rows[column])
        said += [f"{column}: {line}" for line in of_column]
        if question.kind != "number" and not question.choices:
            said.append(f"{column}: no row has an answer, so the column is left out")
            continue
        questions.append(question)
        answers[column] = read
    return tuple(questions), answers, said


Read = tuple[Question, pd.Series, list[str]]


def _number(column: pd.Series, delimiter: str, where: str) -> Read | None:
    """None where the column is no number."""
    nothing = _are(column, says_nothing)
    given = column[column.notna() & ~nothing]
    numbers, said = _numbers(given, delimiter)
    others = given[numbers.isna()]
    if numbers.nunique() > MANY and 0 < len(others) <= len(given) / 2:
        raise SourceError(
            f"{where}, {lines_of(others)}, column {column.name}: {others.iloc[0]!r} is no number, and {len(given) - len(others)} of "
            f"{len(given)} answers are. Write a number, or nothing where it is not known; or, if the numbers are names of something, words."
        )
    if given.empty or len(others):
        return None
    low, high = float(numbers.min()), float(numbers.max())
    question = Question(name=column.name.removeprefix(PREFIX), kind="number", low=low, high=high if high > low else low + 1)
    return question, numbers.reindex(column.index).astype(float), _not_given(column[nothing]) + said


def _numbers(given: pd.Series, delimiter: str) -> tuple[pd.Series, list[str]]:
    """NaN where an answer is no finite number. Where commas part the columns, one in a cell parts thousands if it can."""
    text, said = given.map(folded).astype(object), []
    marked = text[text.str.contains("[, ']", regex=True)]
    parted, decimal = marked.str.fullmatch(PARTED), marked.str.fullmatch(DECIMAL_COMMA)
    if len(marked) and decimal.all() and (delimiter != "," or not parted.all()):
        said = [f"{len(marked)} commas are read as decimal points ({lines_of(marked)})"]
        points = marked.str.contains(".", regex=False).any()  # then they part thousands
        text = (text.str.replace(".", "") if points else text).str.replace(",", ".")
    elif parted.any():
        said = [f"{parted.sum()} answers are read as thousands, 1,000 as 1000 ({lines_of(parted[parted])})"]
        text.loc[parted[parted].index] = marked[parted].str.replace("[, ']", "", regex=True)
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers)), said


def _choice(column: pd.Series) -> Read:
    nothing = _are(column, lambda answer: without_marks(answer) in NO_VALUE)  # `none` may be an answer
    answered, name = column.where(~nothing, None), column.name.removeprefix(PREFIX)
    several = bool(answered.dropna().str.contains(";").any())
    parts = answered.dropna().map(_parts if several else lambda answer: (answer,)).explode().dropna()
    answers, others = joined(parts)
    choices = tuple(sorted(set(answers)))
    said = _not_given(column[nothing]) + ([f"{len(others)} spellings are joined with a commoner one"] if others else [])
    words = answers[~np.isfinite(pd.to_numeric(answers, errors="coerce").astype(float))]
    if len(words) < len(answers):
        said.append(f"{len(words)} of {len(answers)} answers are no numbers ({lines_of(words)}), so it is a choice")
    if len(choices) > max(len(answers) / 2, 2):
        said.append(f"it has {len(choices)} different answers in {len(answers)}: is it a question to choose from?")
    spelt = dict(zip(parts, answers, strict=True))
    if not several:
        return Question(name=name, kind="choice", choices=choices), _of(answered, spelt.__getitem__), said
    sets = _of(answered, lambda answer: tuple(sorted({spelt[part] for part in _parts(answer)})))
    return Question(name=name, kind="multi", choices=choices), sets, said


def _parts(answer: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in answer.split(";") if part.strip())


def _of(answered: pd.Series, what: Callable[[str], object]) -> pd.Series:
    """What is made of each answer; None stays."""
    made = {answer: what(answer) for answer in answered.dropna().unique()}
    return pd.Series([made.get(answer) for answer in answered], answered.index, dtype=object)


def _are(column: pd.Series, so: Callable[[str], bool]) -> pd.Series:
    return _of(column, so).fillna(False).astype(bool)


def _not_given(cells: pd.Series) -> list[str]:
    words = ", ".join(map(repr, sorted(set(cells))[:5]))
    return [f"{len(cells)} answers are read as not given: {words}"] if len(cells) else []
