import pytest

from dermlab.data.questionnaire import Question, chosen, read_questionnaire, write_questionnaire
from dermlab.run.errors import ParamsError


def test_the_range_of_a_number_is_kept_as_it_is(tmp_path):
    asked = (Question(name="dose", kind="number", low=0.00001, high=1 / 3), Question(name="itching", kind="choice", choices=("no", "yes")))
    write_questionnaire(tmp_path / "questionnaire.json", asked)
    assert read_questionnaire(tmp_path / "questionnaire.json") == asked


def test_a_subset_keeps_the_order_of_the_schema_and_an_unknown_name_is_refused():
    asked = tuple(Question(name=name, kind="number") for name in ("age", "itching", "dose"))
    assert chosen(asked, "all") == asked
    assert chosen(asked, "none") == ()
    assert [question.name for question in chosen(asked, "dose | age")] == ["age", "dose"]
    with pytest.raises(
        ParamsError, match=r"train.questions: 'itchin' is not valid \(did you mean itching\?\).*Valid: all, none, .*age, itching"
    ):
        chosen(asked, "age|itchin")
