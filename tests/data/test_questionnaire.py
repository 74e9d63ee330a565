from dermlab.data.questionnaire import Question, read_questionnaire, write_questionnaire


def test_the_range_of_a_number_is_kept_as_it_is(tmp_path):
    asked = (Question(name="dose", kind="number", low=0.00001, high=1 / 3), Question(name="itching", kind="choice", choices=("no", "yes")))
    write_questionnaire(tmp_path / "questionnaire.json", asked)
    assert read_questionnaire(tmp_path / "questionnaire.json") == asked
