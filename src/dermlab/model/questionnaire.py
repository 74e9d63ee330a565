"""Answers as numbers: one-hot for a choice, multi-hot for several, a number standardised as the training rows have it (before any training
scaled to 0..1 by its range), and for every question one indicator `not answered`, so that silence can be told from `no`."""

import numpy as np
import pandas as pd

from dermlab.data.questionnaire import Question, Questionnaire
from dermlab.run.errors import ContractError


def width_of(questions: Questionnaire) -> int:
    """Q, the numbers an encoded questionnaire takes; 0 without questions."""
    return sum(question.width for question in questions)


def unanswered(questions: Questionnaire) -> np.ndarray:
    """float32 [Q]: the encoding of a row that answers nothing."""
    blank = [np.eye(1, question.width, question.width - 1, dtype=np.float32)[0] for question in questions]
    return np.concatenate(blank) if blank else np.zeros(0, dtype=np.float32)


def standardised(questions: Questionnaire, frame: pd.DataFrame) -> Questionnaire:
    """With mean and standard deviation of each number over the rows of `frame`, which are to be those of training. A number that fewer than
    two rows answer, or all alike, stays scaled by its range."""
    return tuple(_standardised(question, frame) for question in questions)


def _standardised(question: Question, frame: pd.DataFrame) -> Question:
    if question.kind != "number" or question.column not in frame:
        return question
    given = frame[question.column].dropna().astype(float).clip(question.low, question.high)
    if given.nunique() < 2:
        return question
    return question.model_copy(update={"mean": float(given.mean()), "std": float(given.std(ddof=0))})


def encode(frame: pd.DataFrame, questions: Questionnaire) -> np.ndarray:
    """float32 [N, Q], the questions' encodings side by side, in their order.

    A question whose column is absent counts as answered by nobody. Numbers beyond the question's range are clipped to it.
    Raises ContractError naming column, row and the valid answers for an answer the questionnaire does not know.
    """
    parts = [_encode_one(frame, question) for question in questions]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(frame), 0), dtype=np.float32)


def _encode_one(frame: pd.DataFrame, question: Question) -> np.ndarray:
    if question.column not in frame:
        return np.tile(unanswered((question,)), (len(frame), 1))
    column = frame[question.column]
    return _encode_numbers(column, question) if question.kind == "number" else _encode_choices(column, question)


def _encode_choices(column: pd.Series, question: Question) -> np.ndarray:
    """Each distinct answer is encoded once: there are few of them, however many rows."""
    answers = column.to_numpy(dtype=object)
    try:
        which, distinct = pd.factorize(answers)
    except TypeError:  # several answers as a list, which has no hash
        which, distinct = pd.factorize(column.map(lambda answer: tuple(answer) if isinstance(answer, list | np.ndarray) else answer))
    position = {choice: i for i, choice in enumerate(question.choices)}
    encodings = np.zeros((len(distinct) + 1, question.width), dtype=np.float32)
    encodings[-1, -1] = 1  # the last row is that of a missing answer, whose number is -1
    for at, answer in enumerate(distinct):
        for choice in answer if question.kind == "multi" else (answer,):
            if choice not in position:
                raise _unknown(choice, question, int((which == at).argmax()))
            encodings[at, position[choice]] = 1
    return encodings[which]


def _encode_numbers(column: pd.Series, question: Question) -> np.ndarray:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiub":
        values = column.to_numpy(dtype=np.float64)
    else:  # numbers as text, of a file
        values = np.array([_number(answer, question, row) for row, answer in enumerate(column.tolist())], dtype=np.float64)
    missing = np.isnan(values)
    values = values.clip(question.low, question.high)
    if question.mean is not None and question.std:
        values = (values - question.mean) / question.std
    else:
        values = (values - question.low) / max(question.high - question.low, 1e-9)
    return np.stack([np.where(missing, 0, values), missing], axis=1).astype(np.float32)


def _missing(answer: object) -> bool:
    return answer is None or answer is pd.NA or (isinstance(answer, float) and np.isnan(answer))


def _number(answer: object, question: Question, row: int) -> float:
    try:
        return np.nan if _missing(answer) else float(answer)
    except (TypeError, ValueError):
        raise _unknown(answer, question, row) from None


def _unknown(answer: object, question: Question, row: int) -> ContractError:
    valid = f"numbers from {question.low:g} to {question.high:g}" if question.kind == "number" else ", ".join(question.choices)
    return ContractError(
        f"Column {question.column}, row {row}: {answer!r} is not an answer of this question. Valid: {valid}, or empty where "
        "it was not answered. Correct the answer at the source, or lock the source again so that the answer is known."
    )
