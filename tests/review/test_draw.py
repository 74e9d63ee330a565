"""What each reader is asked."""

import numpy as np
import pandas as pd
import pytest

from dermlab.data.reviews import ADJUDICATION, BLIND, OPEN
from dermlab.review.draw import SURE, TWICE, Cases, answered_by, draw, queue_of, said_of, sure_of

QUEUE, UNDOUBTED = [f"d{n:03d}" for n in range(300)], [f"s{n:03d}" for n in range(300)]


def rows_of(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """(image, case, label) of training rows."""
    return pd.DataFrame(rows, columns=["image_id", "case_id", "label"]).assign(split="train")


def test_the_photos_of_a_case_are_one_card_as_long_as_they_bear_one_label_and_are_few():
    many = [(f"m{n}", "many", "acne") for n in range(7)]
    cases = Cases.of(rows_of(("b", "one", "acne"), ("a", "one", "acne"), ("c", "one", "tinea"), ("d", "two", "acne"), *many))
    assert cases.images["a"] == ("a", "b")
    assert cases.of_image["b"] == "a"
    assert (cases.images["c"], cases.images["d"], cases.images["m3"]) == (("c",), ("d",), ("m3",))


def test_only_training_rows_are_asked_about():
    rows = rows_of(("a", "one", "acne"), ("b", "two", "acne"))
    rows.loc[1, "split"] = "test"
    assert list(Cases.of(rows).images) == ["a"]


def test_the_queue_is_in_the_order_of_the_most_doubtful_photo_of_each_case_without_what_is_settled():
    cases = Cases.of(rows_of(("a", "one", "acne"), ("b", "one", "acne"), ("c", "two", "acne"), ("d", "three", "acne")))
    images = ["b", "c", "a", "d"]
    assert queue_of(cases, images, set()) == ["a", "c", "d"]
    assert queue_of(cases, images, {"c"}) == ["a", "d"]
    assert queue_of(cases, images, {"b"}) == ["c", "d"]


def test_a_card_is_sure_if_no_photo_of_it_is_doubted():
    cases = Cases.of(rows_of(("a", "one", "acne"), ("b", "one", "acne"), ("c", "two", "acne"), ("d", "three", "acne")))
    flags = pd.DataFrame(
        {"image_id": ["a", "b", "c", "d"], "issue": ["none", "hard", "none", "leak"], "review_rank": [np.nan, 1, np.nan, np.nan]}
    )
    assert sure_of(cases, flags) == ["c"]


def test_a_blind_page_mixes_sure_cards_in_and_shows_some_twice_in_an_order_that_tells_nothing():
    (sheet,) = draw([1], QUEUE, UNDOUBTED, {}, 100, 1.0, BLIND)
    once = list(dict.fromkeys(sheet.cards))
    sure = [card for card in once if card.startswith("s")]
    assert (len(once), len(sure), len(sheet.cards)) == (100, round(100 * SURE), 100 + round(100 * TWICE))
    assert {card for card in once if card.startswith("d")} == set(QUEUE[:75])
    assert sheet.later == 225
    place = np.mean([once.index(card) for card in sure])
    assert 35 < place < 65
    assert [int(card[1:]) for card in once if card.startswith("d")] != sorted(int(card[1:]) for card in once if card.startswith("d"))
    for card in {card for card in sheet.cards if sheet.cards.count(card) == 2}:
        first, second = (place for place, other in enumerate(sheet.cards) if other == card)
        assert second - first > 16
        assert second >= 66


def test_the_same_call_gives_the_same_page_and_another_reader_another_order():
    one, again, other = (draw([reader], QUEUE, UNDOUBTED, {}, 40, 1.0, BLIND)[0].cards for reader in (1, 1, 2))
    assert one == again != other
    assert set(one) == set(other)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 1.0])
def test_several_readers_share_as_much_as_is_asked_and_part_the_rest(overlap):
    sheets = draw([1, 2, 3], QUEUE, [], {}, 40, overlap, OPEN)
    hands = [set(sheet.cards) for sheet in sheets]
    assert [len(hand) for hand in hands] == [40, 40, 40]
    shared = set.intersection(*hands)
    assert shared == set(QUEUE[: round(40 * overlap)])
    assert len(set.union(*hands)) == len(shared) + 3 * (40 - len(shared))
    assert all((one & other) == shared for one in hands for other in hands if one is not other)


def test_an_open_page_asks_the_doubtful_alone_in_their_order():
    (sheet,) = draw([1], QUEUE, UNDOUBTED, {}, 10, 1.0, OPEN)
    assert sheet.cards == tuple(QUEUE[:10])


def test_nobody_is_asked_what_he_answered_before():
    sheets = draw([1, 2], QUEUE[:6], [], {1: {"d000", "d001"}}, 4, 1.0, ADJUDICATION)
    assert [sheet.cards for sheet in sheets] == [("d002", "d003", "d004", "d005"), ("d000", "d001", "d002", "d003")]
    assert [sheet.later for sheet in sheets] == [0, 2]


def test_a_short_queue_makes_a_short_page():
    (sheet,) = draw([1], QUEUE[:3], UNDOUBTED[:1], {}, 100, 1.0, BLIND)
    assert sorted(sheet.cards) == ["d000", "d001", "d002", "s000"]


def test_what_readers_said_of_a_case_names_nobody():
    cases = Cases.of(rows_of(("a", "one", "acne"), ("b", "one", "acne"), ("c", "two", "acne")))
    answers = pd.DataFrame(
        [("a", "acne", "sure", "blind", "Anna"), ("b", "acne", "sure", "blind", "Anna"), ("b", "tinea > acne", "unsure", "blind", "Ben"),
         ("a", "wart", "sure", "adjudication", "Cleo"), ("gone", "acne", "sure", "blind", "Anna")],
        columns=["image_id", "answer", "confidence", "mode", "reviewer"],
    )  # fmt: skip
    assert sorted(said_of(answers, cases)["a"]) == [("acne", "sure"), ("tinea > acne", "unsure")]
    assert answered_by(answers, cases) == {"Anna": {"a"}, "Ben": {"a"}, "Cleo": {"a"}}
