"""The rule: what is concluded from which answers."""

import pandas as pd
import pytest
from readers import answer, write_answers

from dermlab.data.classes import CANNOT_TELL
from dermlab.data.readers import number_of
from dermlab.data.reviews import read_answers
from dermlab.review.conclude import Conclusion, conclude
from dermlab.review.opinions import probabilities_of_flags
from dermlab.review.params import ReviewParams


@pytest.fixture
def concluded(world):
    """`concluded({"t0001": ["tinea", "acne"]}, rule="majority")`: what readers 1, 2 ... said of each photo, None for one not asked."""

    def from_said(said: dict[str, list[str | None]], by_hand: set[str] = frozenset(), third: dict[str, str] | None = None, **params):
        lines = [
            answer(world.classes, image, vote, reader, place, confidence="" if vote in ("drop", CANNOT_TELL) else "likely")
            for place, (image, votes) in enumerate(said.items(), start=1)
            for reader, vote in enumerate(votes, start=1)
            if vote
        ]
        lines += [answer(world.classes, image, vote, 9, n, mode="adjudication") for n, (image, vote) in enumerate((third or {}).items(), 1)]
        answers = read_answers(write_answers("answers.csv", *lines))
        return conclude(answers, world.catalog, world.flags, world.classes, by_hand, ReviewParams(**params))

    return from_said


def decided(found: Conclusion) -> dict[str, str]:
    return found.ledger.set_index("image_id")["to_label"].to_dict()


def test_a_majority_is_more_than_half_of_those_who_were_asked(concluded):
    found = concluded(
        {"t0001": ["tinea", "tinea", "acne"], "t0002": ["acne", "tinea"], "t0003": ["acne"], "t0004": ["drop", "drop", "acne"]}
    )
    assert decided(found) == {"t0001": "tinea", "t0004": "drop"}
    assert (found.disputed, found.waiting) == (("t0002",), ("t0003",))
    assert found.ledger["reason"].tolist() == ["2 of 3 readers", "2 of 3 readers"]


def test_who_cannot_tell_counts_among_the_readers_and_for_no_class(concluded):
    found = concluded({"t0001": ["tinea", CANNOT_TELL], "t0002": [CANNOT_TELL, CANNOT_TELL], "t0003": ["acne", "acne", CANNOT_TELL]})
    assert decided(found) == {"t0003": "acne"}
    assert found.disputed == ("t0001", "t0002")


def test_unanimous_is_everybody(concluded):
    said = {"t0001": ["tinea", "tinea", "acne"], "t0002": ["acne", "acne"], "t0003": ["acne", "acne", CANNOT_TELL]}
    assert decided(concluded(said, rule="unanimous")) == {"t0002": "acne"}


def test_of_an_answer_of_several_classes_the_first_is_the_opinion(concluded):
    assert decided(concluded({"t0001": ["tinea > acne", "tinea"], "t0002": ["acne > tinea", "tinea > acne"]})) == {"t0001": "tinea"}


def test_the_last_answer_of_a_reader_counts(world, concluded):
    lines = [answer(world.classes, "t0001", vote, reader, place) for place, vote in ((1, "acne"), (2, "tinea")) for reader in (1, 2)]
    answers = read_answers(write_answers("answers.csv", *lines))
    assert decided(conclude(answers, world.catalog, None, world.classes, set(), ReviewParams())) == {"t0001": "tinea"}


def test_the_adjudicator_decides_what_is_disputed_and_who_cannot_tell_decides_nothing(concluded):
    said = {"t0001": ["tinea", "acne"], "t0002": ["tinea", "acne"], "t0003": ["acne", "acne"]}
    found = concluded(said, third={"t0001": "eczema", "t0002": CANNOT_TELL})
    assert decided(found) == {"t0001": "eczema", "t0003": "acne"}
    assert found.disputed == ("t0002",)
    assert found.ledger["reason"].tolist() == ["0 of 2 readers, adjudicated", "2 of 2 readers"]


def adjudications(world, *words: tuple[str, int, str], image: str = "t0001", of_readers=("tinea", "acne")) -> pd.DataFrame:
    """Readers 1, 2 ... answered on the first of March; words: (answer, number, date) of each adjudicator, in the order of the lines."""
    lines = [answer(world.classes, image, vote, reader) for reader, vote in enumerate(of_readers, 1)]
    for vote, number, day in words:
        sure = "" if vote == CANNOT_TELL else "sure"
        lines.append(answer(world.classes, image, vote, number, mode="adjudication", date=day, confidence=sure))
    return read_answers(write_answers("answers.csv", *lines))


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ([("tinea", 8, "2026-03-02"), (CANNOT_TELL, 9, "2026-03-03")], "tinea"),  # who cannot tell takes no word back but his own
        ([("tinea", 8, "2026-03-02"), ("acne", 9, "2026-03-03")], "acne"),
        ([("acne", 9, "2026-03-03"), ("tinea", 8, "2026-03-02")], "acne"),
        ([("tinea", 8, "2026-03-02"), (CANNOT_TELL, 8, "2026-03-03")], None),
    ],
)
def test_the_last_adjudicator_who_could_tell_decides(world, words, label):
    found = conclude(adjudications(world, *words), world.catalog, None, world.classes, set(), ReviewParams())
    assert decided(found).get("t0001") == label


def test_an_adjudicator_decides_no_photo_on_which_the_readers_had_agreed(world, concluded):
    said = {"t0001": ["tinea", "tinea"], "t0006": ["tinea", "acne"]}
    found = concluded(said, third={"t0001": "eczema", "t0006": "eczema"})
    assert decided(found) == {"t0001": "tinea", "t0006": "eczema"}
    assert found.ledger["reason"].tolist() == ["2 of 2 readers", "0 of 2 readers, adjudicated"]


def test_a_word_stands_whatever_readers_say_later(world):
    said = adjudications(world, ("eczema", 9, "2026-03-02"))
    later = read_answers(write_answers("later.csv", answer(world.classes, "t0001", "tinea", 3, date="2026-03-03")))
    found = conclude(pd.concat([said, later]), world.catalog, None, world.classes, set(), ReviewParams())
    assert decided(found) == {"t0001": "eczema"}


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_the_last_answer_goes_by_day_and_place_whatever_the_order_of_the_lines(world, order):
    lines = [answer(world.classes, "t0001", vote, reader, place) for place, vote in ((1, "acne"), (12, "tinea")) for reader in (1, 2)]
    lines += [
        answer(world.classes, "t0002", vote, 1, 3, asked=day, date=day) for day, vote in (("2026-03-04", "acne"), ("2026-03-02", "tinea"))
    ]
    answers = read_answers(write_answers("answers.csv", *lines[order]))
    assert decided(conclude(answers, world.catalog, None, world.classes, set(), ReviewParams(readers=1))) == {
        "t0001": "tinea",
        "t0002": "acne",
    }


def test_so_many_readers_as_the_params_ask(concluded):
    said = {"t0001": ["tinea", "tinea"], "t0002": ["acne", "acne", "acne"]}
    assert decided(concluded(said, readers=3)) == {"t0002": "acne"}
    assert decided(concluded({"t0001": ["tinea"]}, readers=1)) == {"t0001": "tinea"}


def test_what_a_person_settled_by_hand_is_not_concluded(concluded):
    found = concluded({"t0001": ["tinea", "tinea"], "t0002": ["acne"]}, by_hand={"t0001", "t0002"})
    assert (decided(found), found.by_hand, found.waiting) == ({}, 2, ())


def test_the_model_breaks_a_tie_for_the_reader_who_is_mostly_right_and_majority_does_not(world, concluded):
    """Readers 1 and 2 agree on all but t0011, reader 3 with nobody; the flags hold nothing against 1."""
    labels = world.catalog.set_index("image_id")["label"]
    wrong = {"eczema": "acne", "psoriasis": "acne", "tinea": "acne", "acne": "tinea", "post-inflammatory hyperpigmentation": "acne"}
    images = [f"t{n:04d}" for n in range(11)]
    said = {image: [labels[image], labels[image], wrong[labels[image]]] for image in images}
    said["t0011"] = [labels["t0011"], None, wrong[labels["t0011"]]]
    world.flags["quality"] = 0.9
    world.flags["suggested_prob"] = 0.05
    assert "t0011" in concluded(said).disputed
    found = concluded(said, rule="model")
    assert decided(found)["t0011"] == labels["t0011"]
    assert found.ledger.set_index("image_id").at["t0011", "reason"] == "1 of 2 readers, with the flags"


def test_the_model_leaves_to_the_majority_what_has_no_class_and_what_nobody_answered_twice(concluded):
    assert decided(concluded({"t0001": ["drop", "drop", "tinea"]}, rule="model")) == {"t0001": "drop"}
    assert decided(concluded({"t0001": ["tinea"], "t0002": [None, "acne"]}, rule="model")) == {}


def test_the_model_concludes_nothing_that_no_reader_said(world, concluded):
    world.flags["quality"], world.flags["suggested_prob"] = 0.97, 0.01  # the flags are sure of the label, psoriasis
    found = concluded({"t0001": ["tinea", "acne"], "t0006": ["psoriasis", "acne"]}, rule="model")
    assert decided(found) == {"t0006": "psoriasis"}
    assert found.disputed == ("t0001",)


def test_what_the_flags_hold_of_each_class_sums_to_one(world):
    world.flags.loc[1, ["quality", "suggested_prob"]] = [0.9, 0.83]  # of plain cleanlab these are no shares of one
    probs = probabilities_of_flags(world.flags, pd.Index(["t0000", "t0001"]), world.classes)
    assert probs.sum(axis=1) == pytest.approx([1, 1])
    assert (probs > 0).all()
    assert probs[0] == pytest.approx([0.2 / 1.03 / 1.01, 0.83 / 1.03 / 1.01, *[0.01 / 4 / 1.01] * 4], abs=1e-6)


def test_numbers_are_given_once(world):
    assert number_of(["Ben"]) == number_of(["Ben"]) == {"Ben": 1}
