"""The questionnaire of a table. Every column whose name starts with `q_` is a question: a number where all its answers are numbers, several
answers where they are separated by `;`, a choice otherwise. What is read as no answer, joined or no number is said.
"""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from dermlab.data.questionnaire import PREFIX, Question, Questionnaire
from dermlab.lock.spelling import MONTH, NO_VALUE, folded, joined, lines_of, listed, says_nothing, without_marks
from dermlab.run.errors import SourceError
from dermlab.run.progress import some

SURE = 30  # answers, of which ages and the like would repeat themselves
MANY = 9  # different numbers that nobody gives to choose from
# A number with the signs that people put into it, in English, 1,000.5, and in German, 1.000,5. Blanks and ' part thousands in both.
POINTED = r"[+-]?(?:[1-9]\d{0,2}(?:[, ']\d{3})+|\d+)(?:\.\d+)?"
COMMAED = r"[+-]?(?:[1-9]\d{0,2}(?:[. ']\d{3})+|\d+)(?:,\d+)?"
DATE = re.compile(
    rf"(?:\d{{1,4}}([-./])\d{{1,2}}\1\d{{1,4}}|\d{{1,2}}[-. ]+{MONTH}\w*[-., ]+\d{{2,4}}|{MONTH}\w*[-. ]+\d{{1,2}},? \d{{4}})"
    r"(?:[t ].*)?|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
)
USELESS = f"it tells the network nothing, and a name without {PREFIX} leaves it out"


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
        said += [f"{column}: {line}" for line in _doubts(rows[column], question)]
        questions.append(question)
        answers[column] = read
    return tuple(questions), answers, said


Read = tuple[Question, pd.Series, list[str]]


def _number(column: pd.Series, delimiter: str, where: str) -> Read | None:
    """None where the column is no number."""
    nothing = _are(column, says_nothing)
    given = column[column.notna() & ~nothing]
    numbers, said = _numbers(given, delimiter, where)
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


def _numbers(given: pd.Series, delimiter: str, where: str) -> tuple[pd.Series, list[str]]:
    """NaN where an answer is no finite number. Whether 1,234 and 1.234 are a thousand or one and a bit, the other answers tell; where none
    does, a comma parts thousands in a table whose columns are parted by commas, too. Raises SourceError where they tell both."""
    text = given.map(folded).astype(object)
    pointed, commaed = _read(text, POINTED, "[, ']").fillna(pd.to_numeric(text, errors="coerce")), _read(text, COMMAED, "[. ']")
    comma, point = text.str.contains(",", regex=False), text.str.contains(".", regex=False)
    doubtful = pointed.notna() & commaed.notna() & (pointed != commaed)
    sure = commaed.notna() & pointed.isna(), (comma | point) & pointed.notna() & commaed.isna()
    told = sure[0].any() or sure[1].any()
    for_comma, for_point = sure if told else (doubtful & comma, doubtful & point)
    if doubtful.any() and for_comma.any() and for_point.any() and (pointed.notna() | commaed.notna()).all():
        raise SourceError(
            f"{where}, {lines_of(text[doubtful])}, column {given.name}: {given[doubtful].iloc[0]!r} may be thousands or have decimals, for "
            f"some answers look as 1.000,5 does ({lines_of(text[for_comma])}) and some as 1,000.5 ({lines_of(text[for_point])}). Write all "
            "numbers as 1000.5."
        )
    by_comma = for_comma.any() and (told or delimiter != ",")
    as_commaed = commaed.notna() if by_comma else commaed.notna() & pointed.isna()
    numbers = commaed.where(as_commaed, pointed)
    decimal = text[as_commaed & comma]
    parted = text[numbers.notna() & text.str.contains("[ ']", regex=True) | as_commaed & point | ~as_commaed & pointed.notna() & comma]
    said = [f"{some(len(decimal), 'comma is read as a decimal point', 'commas are read as decimal points')} ({lines_of(decimal)})"]
    said = (said if len(decimal) else []) + [
        f"{some(len(parted), 'answer is', 'answers are')} read as thousands, {answer} as {numbers[line]:.15g} ({lines_of(parted)})"
        for line, answer in parted.head(1).items()
    ]
    return numbers.where(np.isfinite(numbers)), said


def _read(text: pd.Series, form: str, apart: str) -> pd.Series:
    """The numbers of the answers that have this form, without the signs that part thousands; NaN for others."""
    bare = text.str.replace(apart, "", regex=True).str.replace(",", ".")
    return pd.to_numeric(bare.where(text.str.fullmatch(form)), errors="coerce").astype(float)


def _choice(column: pd.Series) -> Read:
    nothing = _are(column, lambda answer: without_marks(answer) in NO_VALUE)  # `none` may be an answer
    answered, name = column.where(~nothing, None), column.name.removeprefix(PREFIX)
    several = bool(answered.dropna().str.contains(";").any())
    parts = answered.dropna().map(_parts if several else lambda answer: (answer,)).explode().dropna()
    answers, others = joined(parts)
    choices = tuple(sorted(set(answers)))
    said = _not_given(column[nothing])
    if others:
        said.append(f"{some(len(others), 'spelling is', 'spellings are')} joined with a commoner one: {listed(others)}")
    words = answers[~np.isfinite(pd.to_numeric(answers, errors="coerce").astype(float))]
    if len(words) < len(answers):
        said.append(f"{len(words)} of {len(answers)} answers are no numbers ({lines_of(words)}), so it is a choice")
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
    return [f"{some(len(cells), 'answer is', 'answers are')} read as not given: {words}"] if len(cells) else []


def _doubts(column: pd.Series, question: Question) -> list[str]:
    """What to say of a question whose answers nobody else will give again: dates, ids, free text."""
    answers = column.dropna().map(folded).loc[lambda texts: ~texts.map(says_nothing).astype(bool)]
    dates = answers[answers.map(lambda answer: DATE.fullmatch(answer) is not None).astype(bool)]
    different = answers.nunique()
    if len(dates) > len(answers) / 2:
        return [f"{some(len(dates), 'answer is a date', 'answers are dates')} ({lines_of(dates)}): {USELESS}"]
    if question.kind == "number":
        as_ids = len(answers) > SURE and different > 0.9 * len(answers) and answers.str.fullmatch(r"\d+").all()
        return [f"it has {different} different whole numbers in {len(answers)} answers: if they are ids, {USELESS}"] if as_ids else []
    many = len(question.choices) > max(len(answers) / 2, 2)
    return [f"it has {len(question.choices)} different answers in {len(answers)}: {USELESS}"] if many else []
