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
    given = {question.column: frame[question.column].astype(object) for question in questions if question.column in frame}
    plain = {name: column.where(column.notna(), None).tolist() for name, column in given.items()}
    return encode_answers(plain, len(frame), questions)


def encode_answers(answers: Mapping[str, Sequence[Any]], rows: int, questions: Questionnaire) -> np.ndarray:
    """As `encode`, of plain columns of `rows` answers each; None: not answered."""
    parts = [_encode_one(answers.get(question.column, ()), rows, question) for question in questions]
    return np.concatenate(parts, axis=1) if parts else np.zeros((rows, 0), dtype=np.float32)


def _encode_one(column: Sequence[Any], rows: int, question: Question) -> np.ndarray:
    encoded = np.zeros((rows, question.width), dtype=np.float32)
    encoded[:, -1] = 1
    position = {choice: i for i, choice in enumerate(question.choices)}
    for row, answer in enumerate(column):
        if answer is None:
            continue
        encoded[row, -1] = 0
        if question.kind == "number":
            encoded[row, 0] = _scaled(answer, question, row)
            continue
        for choice in answer if question.kind == "multi" else (answer,):
            if choice not in position:
                raise _unknown(choice, question, row)
            encoded[row, position[choice]] = 1
    return encoded


def _scaled(answer: object, question: Question, row: int) -> float:
    try:
        value = float(answer)
    except (TypeError, ValueError):
        raise _unknown(answer, question, row) from None
    value = min(max(value, question.low), question.high)
    if question.mean is not None and question.std:
        return (value - question.mean) / question.std
    return (value - question.low) / max(question.high - question.low, 1e-9)


def _unknown(answer: object, question: Question, row: int) -> ContractError:
    valid = f"numbers from {question.low:g} to {question.high:g}" if question.kind == "number" else ", ".join(question.choices)
    return ContractError(
        f"Column {question.column}, row {row}: {answer!r} is not an answer of this question. Valid: {valid}, or empty where "
        "it was not answered. Correct the answer at the source, or lock the source again so that the answer is known."
    )
