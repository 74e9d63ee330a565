import numpy as np
import pandas as pd
import pytest

from dermlab.data.questionnaire import Question, as_json, questionnaire_from
from dermlab.model.questionnaire import encode, standardised, unanswered, width_of
from dermlab.run.errors import ContractError

SEX = Question(name="sex", kind="choice", choices=("female", "male"))
SYMPTOMS = Question(name="symptoms", kind="multi", choices=("itching", "pain", "bleeding"))
AGE = Question(name="age", kind="number", low=0, high=100)
QUESTIONS = (SEX, SYMPTOMS, AGE)


def test_each_kind_of_answer_has_its_encoding_and_silence_has_its_own():
    frame = pd.DataFrame(
        {"q_sex": ["male", None], "q_symptoms": [("itching", "bleeding"), None], "q_age": [25.0, float("nan")]}, index=[7, 9]
    )
    encoded = encode(frame, QUESTIONS)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(encoded[0], [0, 1, 0, 1, 0, 1, 0, 0.25, 0])
    np.testing.assert_array_equal(encoded[1], [0, 0, 1, 0, 0, 0, 1, 0, 1])
    np.testing.assert_array_equal(encoded[1], unanswered(QUESTIONS))


def test_answering_none_of_several_is_not_silence():
    np.testing.assert_array_equal(encode(pd.DataFrame({"q_symptoms": [()]}), (SYMPTOMS,)), [[0, 0, 0, 0]])


def test_numbers_beyond_the_range_are_clipped_to_it():
    np.testing.assert_array_equal(encode(pd.DataFrame({"q_age": [-5.0, 130.0]}), (AGE,))[:, 0], [0, 1])


def test_numbers_are_standardised_as_the_training_rows_have_them_and_silence_is_their_mean():
    training = pd.DataFrame({"q_age": [20.0, 40.0, 60.0, float("nan"), 130.0], "q_sex": ["male"] * 5})
    questions = standardised((SEX, AGE), training)
    assert questions[0] == SEX
    mean, std = np.mean([20, 40, 60, 100]), np.std([20, 40, 60, 100])  # 130 is clipped to the range first
    encoded = encode(pd.DataFrame({"q_age": [20.0, float("nan"), 130.0]}), questions[1:])
    np.testing.assert_allclose(encoded, [[(20 - mean) / std, 0], [0, 1], [(100 - mean) / std, 0]], rtol=1e-6)
    assert questionnaire_from(as_json(questions)) == questions
    assert "mean" not in as_json((AGE,))[0]


@pytest.mark.parametrize("answers", [[], [50.0], [50.0, 50.0]])
def test_a_number_that_tells_nothing_apart_stays_scaled_by_its_range(answers):
    assert standardised((AGE,), pd.DataFrame({"q_age": pd.Series(answers, dtype=float)})) == (AGE,)


def row_by_row(frame: pd.DataFrame, question: Question) -> np.ndarray:
    """The encoding as it is defined; a ValueError tells the first answer that is none, and its row."""
    encoded = np.zeros((len(frame), question.width), dtype=np.float32)
    for row, answer in enumerate(frame[question.column].tolist()):
        if answer is None or answer is pd.NA or (isinstance(answer, float) and np.isnan(answer)):
            encoded[row, -1] = 1
        elif question.kind == "number":
            try:
                value = min(max(float(answer), question.low), question.high)
            except ValueError:
                raise ValueError(f"{question.column}, row {row}: {answer!r} is not an answer") from None
            zero, one = (question.mean, question.std) if question.std else (question.low, question.high - question.low)
            encoded[row, 0] = (value - zero) / one
        else:
            for choice in answer if question.kind == "multi" else (answer,):
                if choice not in question.choices:
                    raise ValueError(f"{question.column}, row {row}: {choice!r} is not an answer")
                encoded[row, question.choices.index(choice)] = 1
    return encoded


KNOWN = {
    "q_sex": ["female", "male", None, float("nan"), pd.NA],
    "q_symptoms": [("itching",), ("pain", "itching"), ("itching", "pain"), (), ["bleeding"], None, float("nan")],
    "q_age": [25, 25.5, -3.0, 300, "41", " 7 ", "1e1", True, None, float("nan"), pd.NA, float("inf")],
}
STRANGE = {"q_sex": ["mael", "", 3, ("female",)], "q_symptoms": [("pain", "burning", "fever"), "itching"], "q_age": ["forty", ""]}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("question", [*QUESTIONS, AGE.model_copy(update={"mean": 40.0, "std": 12.5})], ids=lambda q: q.name)
def test_many_rows_at_once_are_what_they_are_one_by_one(question, seed):
    rng = np.random.default_rng(seed)
    answers = KNOWN[question.column] + (STRANGE[question.column] if seed % 3 == 0 else [])
    answers = [answer for answer in answers if seed % 2 or not isinstance(answer, list)]
    frame = pd.DataFrame({question.column: pd.Series([answers[k] for k in rng.integers(len(answers), size=200)], dtype=object)})
    frame.index = rng.permutation(200)
    if seed % 3:
        np.testing.assert_array_equal(encode(frame, (question,)), row_by_row(frame, question))
        return
    with pytest.raises(ValueError, match="is not an answer") as first:
        row_by_row(frame, question)
    with pytest.raises(ContractError) as found:
        encode(frame, (question,))
    assert str(found.value).startswith(f"Column {first.value} of this question. Valid: ")


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "Int64", "bool"])
def test_numbers_of_any_type_are_numbers(kind):
    ages = pd.Series([0, 1, 1, 0], dtype=kind)
    np.testing.assert_array_equal(encode(pd.DataFrame({"q_age": ages}), (AGE,))[:, 0], np.float32([0, 0.01, 0.01, 0]))


def test_an_encoding_asks_once_about_answers_that_many_rows_gave(monkeypatch):
    """What makes 100,000 rows a matter of a second: the work in Python is that of the distinct answers."""
    asked = []

    class Counted(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            asked.append(self)
            return str.__eq__(self, other)

    many = SEX.model_copy(update={"choices": tuple(Counted(choice) for choice in SEX.choices)})
    encode(pd.DataFrame({"q_sex": ["male", "female"] * 5_000}), (many,))
    assert len(asked) < 100


def test_without_questions_there_are_no_columns():
    assert encode(pd.DataFrame({"image_id": ["a", "b"]}), ()).shape == (2, 0)
    assert width_of(()) == 0
    assert unanswered(()).shape == (0,)


def test_an_absent_column_counts_as_answered_by_nobody():
    np.testing.assert_array_equal(encode(pd.DataFrame({"image_id": ["a"]}), QUESTIONS)[0], unanswered(QUESTIONS))


def test_an_unknown_answer_names_column_row_and_the_valid_ones():
    with pytest.raises(ContractError, match=r"q_sex, row 1: 'mael' is not an answer.*female, male"):
        encode(pd.DataFrame({"q_sex": ["male", "mael"]}), (SEX,))
    with pytest.raises(ContractError, match=r"q_symptoms, row 0: 'burning'.*itching, pain, bleeding"):
        encode(pd.DataFrame({"q_symptoms": [("itching", "burning")]}), (SYMPTOMS,))
    with pytest.raises(ContractError, match=r"q_age, row 0: 'forty'.*numbers from 0 to 100"):
        encode(pd.DataFrame({"q_age": ["forty"]}), (AGE,))
