"""The questionnaire of a table: numbers, choices, and what is no answer."""

import pandas as pd
import pytest
from sources import ROWS, scan, source, table_of

from dermlab.run.errors import SourceError


def test_words_for_nothing_are_no_answers_and_an_endless_number_is_none(tmp_path):
    rows = [(*row, ("nan", "N/A", "3", "4")[i % 4], ("inf", "1")[i % 2]) for i, row in enumerate(ROWS)]
    listing = scan(source(tmp_path, table_of("image,label,patient_id,q_age,q_odd", rows)))
    age, odd = listing.questions
    assert (age.kind, age.low, age.high) == ("number", 3, 4)
    assert listing.manifest["q_age"].isna().sum() == 4
    assert (odd.kind, odd.choices) == ("choice", ("1", "inf"))


def asked(tmp_path, answers: list[str], delimiter: str = ","):
    """What is made of these answers."""
    files = [f"{i:02d}.jpg" for i in range(len(answers))]
    rows = [(name, ("nevus", "eczema")[i % 2], f"P{i}", answers[i]) for i, name in enumerate(files)]
    listing = scan(source(tmp_path, table_of("image,label,patient_id,q_age", rows, delimiter), files))
    return listing.questions[0], listing.manifest["q_age"]


AGES = [str(20 + i) for i in range(20)]


@pytest.mark.parametrize(
    ("odd", "value", "says"),
    [
        ("NA", None, "q_age: 1 answer is read as not given: 'NA'"),
        ("unknown", None, "q_age: 1 answer is read as not given: 'unknown'"),
        ("?", None, "q_age: 1 answer is read as not given: '?'"),
        ('"1,000"', 1000, "q_age: 1 answer is read as thousands, 1,000 as 1000 (line 5)"),
        ("1\u00a0000.5", 1000.5, "q_age: 1 answer is read as thousands"),
        ('"0,125"', 0.125, "q_age: 1 comma is read as a decimal point (line 5)"),
        ('"27,5"', 27.5, "q_age: 1 comma is read as a decimal point (line 5)"),
        ("27\u00a0", 27, ""),
        ("\u22125", -5, ""),
        ("\uff12\uff17", 27, ""),
    ],
)
def test_a_number_stays_one_whatever_one_answer_looks_like(tmp_path, capsys, odd, value, says):
    question, answers = asked(tmp_path, [*AGES[:3], odd, *AGES[4:]])
    assert question.kind == "number"
    assert (None if pd.isna(answers[3]) else answers[3]) == value
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize(
    ("answers", "values", "says"),
    [
        (["1.000,5", "20", "3,25", "1.234"], [1000.5, 20, 3.25, 1234], "2 answers are read as thousands, 1.000,5 as 1000.5 (lines 2, 5)"),
        (["27,5", "1.234"], [27.5, 1234], "1 answer is read as thousands, 1.234 as 1234 (line 3)"),
        (["1.234.567", "1.234"], [1234567, 1234], "2 answers are read as thousands"),
        (["1 234,5", "1'234", "-1.234"], [1234.5, 1234, -1234], "3 answers are read as thousands"),
        (["1,234", "27.5"], [1234, 27.5], "1 answer is read as thousands, 1,234 as 1234 (line 2)"),
        (["1,234.5", "1,234"], [1234.5, 1234], "2 answers are read as thousands, 1,234.5 as 1234.5 (lines 2, 3)"),
        (["1,234", "2"], [1.234, 2], "1 comma is read as a decimal point (line 2)"),
        (["27,5", "27.5"], [27.5, 27.5], "1 comma is read as a decimal point (line 2)"),
        (["1.234", "0.5"], [1.234, 0.5], ""),
        (["1e3", "27,5", "1.234"], [1000, 27.5, 1234], "1 answer is read as thousands, 1.234 as 1234 (line 4)"),
    ],
)
def test_what_a_comma_and_a_point_are_the_other_answers_tell(tmp_path, capsys, delimiter, answers, values, says):
    assert asked(tmp_path, [*answers, "3"], delimiter)[1].tolist() == [*values, 3]
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("answers", [["27,5", "1.234", "27.5"], ["27,5", "1,234", "0.5"], ["1.234", "1,234", "5"]])
def test_numbers_whose_signs_may_be_either_are_refused_with_their_lines(tmp_path, answers):
    with pytest.raises(
        SourceError, match="lines? [23].*, column q_age: '1.234' may be thousands or have decimals.*Write all numbers as 1000.5"
    ):
        asked(tmp_path, answers, ";")


@pytest.mark.parametrize("form", ["2024-01-{:02d}", "{:02d}.01.2024", "1/{}/24", "2024-01-{:02d} 10:00", "202401{:02d}", "{} Mar 2024"])
def test_a_question_of_dates_or_of_as_many_answers_as_rows_is_told_to_be_useless(tmp_path, capsys, form):
    asked(tmp_path, [form.format(i + 1) for i in range(12)])
    useless = "it tells the network nothing, and a name without q_ leaves it out"
    assert f"q_age: 12 answers are dates (lines 2, 3, 4, 5, 6 and others): {useless}" in capsys.readouterr().out
    asked(tmp_path, [str(1000 + i) for i in range(40)])
    assert f"q_age: it has 40 different whole numbers in 40 answers: if they are ids, {useless}" in capsys.readouterr().out
    asked(tmp_path, [str(20 + i % 30) for i in range(40)])
    assert useless not in capsys.readouterr().out


@pytest.mark.parametrize("odd", [">80", "12 months", "forty", "inf"])
def test_an_answer_that_is_no_number_among_numbers_is_refused_with_its_line(tmp_path, odd):
    with pytest.raises(SourceError, match=f"line 5, column q_age: '{odd}' is no number, and 19 of 20 answers are"):
        asked(tmp_path, [*AGES[:3], odd, *AGES[4:]])


def test_a_choice_with_numbers_in_it_or_with_nearly_as_many_answers_as_rows_is_said(tmp_path, capsys):
    question, _ = asked(tmp_path, ["0", "1", "2", "3+"] * 3)
    assert question.choices == ("0", "1", "2", "3+")
    assert "q_age: 3 of 12 answers are no numbers (lines 5, 9, 13), so it is a choice" in capsys.readouterr().out
    assert asked(tmp_path, [f"{i} years" for i in range(12)])[0].kind == "choice"
    assert (
        "q_age: it has 12 different answers in 12: it tells the network nothing, and a name without q_ leaves it out"
        in capsys.readouterr().out
    )


def test_none_may_be_an_answer_and_several_answers_are_joined_each(tmp_path, capsys):
    assert asked(tmp_path, ["none", "mild", "none", "NA"])[0].choices == ("mild", "none")
    question, answers = asked(tmp_path, ["arm;Leg", "leg", "leg; arm", ";"])
    assert (question.kind, question.choices) == ("multi", ("arm", "leg"))
    assert answers.tolist() == [("arm", "leg"), ("leg",), ("arm", "leg"), ()]
    assert "q_age: 1 spelling is joined with a commoner one: 'Leg' as 'leg', 1 row" in capsys.readouterr().out


def test_a_question_without_a_name_is_refused_and_one_without_an_answer_is_left_out_and_said(tmp_path, capsys):
    rows = [(*row, "", ("NA", ";")[i % 2]) for i, row in enumerate(ROWS)]
    listing = scan(source(tmp_path, table_of("image,label,patient_id,q_age,q_sex", rows)))
    assert listing.questions == ()
    assert not any(name.startswith("q_") for name in listing.manifest)
    said = capsys.readouterr().out
    assert "q_age: no row has an answer, so the column is left out" in said
    assert "q_sex: no row has an answer, so the column is left out" in said
    with pytest.raises(SourceError, match="a column is named 'q_', and not what is asked"):
        scan(source(tmp_path, table_of("image,label,patient_id,q_,q_sex", rows)))
