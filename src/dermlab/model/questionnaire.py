"""Answers as numbers: one-hot for a choice, multi-hot for several, a number standardised as the training rows have it (before any training
scaled to 0..1 by its range), and for every question one indicator `not answered`, so that silence can be told from `no`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dermlab.data.questionnaire import Question, Questionnaire
from dermlab.run.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd


def width_of(questions: Questionnaire) -> int:
    """Q, the numbers an encoded questionnaire takes; 0 without questions."""
    return sum(question.width for question in questions)


def unanswered(questions: Questionnaire) -> np.ndarray:
    """float32 [Q]: the encoding of a row that answers nothing."""
    blank = [np.eye(1, question.width, question.width - 1, dtype=np.float32)[0] for question in questions]
    return np.concatenate(blank) if blank else np.zeros(0, dtype=np.float32)


def standardised(questions: Questionnaire, frame: "pd.DataFrame") -> Questionnaire:
    """With mean and standard deviation of each number over the rows of `frame`, which are to be those of training. A number that fewer than
    two rows answer, or all alike, stays scaled by its range."""
    return tuple(_standardised(question, frame) for question in questions)


def _standardised(question: Question, frame: "pd.DataFrame") -> Question:
    if question.kind != "number" or question.column not in frame:
        return question
    given = frame[question.column].dropna().astype(float).clip(question.low, question.high)
    if given.nunique() < 2:
        return question
    return question.model_copy(update={"mean": float(given.mean()), "std": float(given.std(ddof=0))})


def encode(frame: "pd.DataFrame", questions: Questionnaire) -> np.ndarray:
    """float32 [N, Q], the questions' encodings side by side, in their order.

    A question whose column is absent counts as answered by nobody. Numbers beyond the question's range are clipped to it.
    Raises ContractError naming column, row and the valid answers for an answer the questionnaire does not know.
    """
    return encode_answers({q.column: _plain(frame[q.column]) for q in questions if q.column in frame}, len(frame), questions)


def _plain(column: "pd.Series") -> Sequence[Any]:
    """Numbers as an array, with NaN where there is none; whatever else as a list, with None."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        return column.to_numpy(dtype=np.float64)
    answers = column.astype(object)
    return answers.where(answers.notna(), None).tolist()


def encode_answers(answers: Mapping[str, Sequence[Any]], rows: int, questions: Questionnaire) -> np.ndarray:
    """As `encode`, of columns of `rows` answers each; None: not answered."""
    parts = [_encode_one(answers.get(question.column, [None] * rows), question) for question in questions]
    return np.concatenate(parts, axis=1) if parts else np.zeros((rows, 0), dtype=np.float32)


def _encode_one(column: Sequence[Any], question: Question) -> np.ndarray:
    return _encode_numbers(column, question) if question.kind == "number" else _encode_choices(column, question)


def _encode_choices(column: Sequence[Any], question: Question) -> np.ndarray:
    """Each distinct answer is encoded once: there are few of them, however many rows."""
    number_of: dict[Any, int] = {}
    keys = (tuple(answer) if isinstance(answer, list | np.ndarray) else answer for answer in column)
    which = [number_of.setdefault(answer, len(number_of)) for answer in keys]
    position = {choice: i for i, choice in enumerate(question.choices)}
    encodings = np.zeros((len(number_of), question.width), dtype=np.float32)
    for answer, at in number_of.items():
        if answer is None:
            encodings[at, -1] = 1
            continue
        for choice in answer if question.kind == "multi" else (answer,):
            if choice not in position:
                raise _unknown(choice, question, which.index(at))
            encodings[at, position[choice]] = 1
    return encodings[which] if which else np.zeros((0, question.width), dtype=np.float32)


def _encode_numbers(column: Sequence[Any], question: Question) -> np.ndarray:
    if not isinstance(column, np.ndarray):  # as text, of a file
        column = np.array([_number(answer, question, row) for row, answer in enumerate(column)], dtype=np.float64)
    missing = np.isnan(column)
    values = column.clip(question.low, question.high)
    if question.mean is not None and question.std:
        values = (values - question.mean) / question.std
    else:
        values = (values - question.low) / max(question.high - question.low, 1e-9)
    return np.stack([np.where(missing, 0, values), missing], axis=1).astype(np.float32)


def _number(answer: object, question: Question, row: int) -> float:
    try:
        return np.nan if answer is None else float(answer)
    except (TypeError, ValueError):
        raise _unknown(answer, question, row) from None


def _unknown(answer: object, question: Question, row: int) -> ContractError:
    valid = f"numbers from {question.low:g} to {question.high:g}" if question.kind == "number" else ", ".join(question.choices)
    return ContractError(
        f"Column {question.column}, row {row}: {answer!r} is not an answer of this question. Valid: {valid}, or empty where "
        "it was not answered. Correct the answer at the source, or lock the source again so that the answer is known."
    )
