"""What each reader is asked: cases whose label is doubtful, on blind pages among some that nobody doubts, in an order of the reader's own.

A card is a case: its photos, one answer. Of a blind page a share of the cards is sure, so that nobody guesses from being asked that a label
is doubtful and a reader's own slips can be counted; and a share is shown twice, so that it is known how far a reader agrees with himself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from dermlab.data.reviews import ADJUDICATION, BLIND
from dermlab.data.stable import keyed_hash, ranked

SURE = 0.25  # share of the cards of a blind page whose label nobody doubts
TWICE = 0.1  # share of the cards of a blind page that come a second time, in its last third
MOST_PHOTOS = 6  # of a case on one card; where a source knows no cases, all photos of a patient are called one
SEED = 17


@dataclass(frozen=True)
class Cases:
    """The training rows as cards: photos of one case that bear one label."""

    of_image: dict[str, str]  # image id -> its card, which is called by the first of its photos
    images: dict[str, tuple[str, ...]]  # card -> its photos

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Cases":
        """rows: image_id, case_id, label, split."""
        train = rows[rows["split"] == "train"].sort_values("image_id")
        groups = train.groupby(["case_id", "label"])["image_id"].agg(tuple)
        cards = [card for group in groups for card in ([group] if len(group) <= MOST_PHOTOS else [(image,) for image in group])]
        return cls({image: card[0] for card in cards for image in card}, {card[0]: card for card in cards})


@dataclass(frozen=True)
class Sheet:
    """What one page asks."""

    reader: int
    cards: tuple[str, ...]  # in order; some are there twice
    later: int  # doubtful cards that this reader was not asked about yet and that are not here


def queue_of(cases: Cases, images: Sequence[str], settled: set[str]) -> list[str]:
    """Cards in the order of the first of their photos, but those of which a photo is settled. images: those to ask, in order."""
    order = dict.fromkeys(cases.of_image[image] for image in images)
    return [card for card in order if not any(image in settled for image in cases.images[card])]


def sure_of(cases: Cases, flags: pd.DataFrame) -> list[str]:
    """Cards of which the flags doubt no photo, in an order of chance."""
    rows = flags.set_index("image_id")
    undoubted = set(rows.index[(rows["issue"] == "none") & rows["review_rank"].isna()])
    return ranked([card for card, images in cases.images.items() if undoubted.issuperset(images)], SEED, "sure")


def draw(
    readers: Sequence[int], queue: Sequence[str], sure: Sequence[str], seen: dict[int, set[str]], limit: int, overlap: float, mode: str
) -> list[Sheet]:
    """A sheet a reader, of at most `limit` cards and those that come twice.

    Of each reader's cards the share `overlap` is put to all of them, the first of the queue; what follows is dealt in turn. seen: by
    reader, the cards that he answered before, which he is not asked again. The order on a page depends on the reader and on its cards
    alone, so that the same call gives the same page.
    """
    of_sure = min(round(SURE * limit), len(sure)) if mode == BLIND else 0
    dealt = {reader: [] for reader in readers}
    for cards, each in ((queue, limit - of_sure), (sure, of_sure)):
        for reader, hand in deal(readers, cards, seen, each, overlap).items():
            dealt[reader] += hand
    left = {reader: sum(card not in seen.get(reader, ()) for card in queue) for reader in readers}
    sheets = []
    for reader, hand in dealt.items():
        asked = len(set(hand) & set(queue))
        order = hand if mode != BLIND else _with_doubles(ranked(hand, SEED, f"page of {reader}"), reader)
        sheets.append(Sheet(reader, tuple(order), left[reader] - asked))
    return sheets


def deal(readers: Sequence[int], cards: Sequence[str], seen: dict[int, set[str]], each: int, overlap: float) -> dict[int, list[str]]:
    """`each` cards a reader, as far as there are so many."""
    left_to_share, hands = round(overlap * each), {reader: [] for reader in readers}
    for card in cards:
        open_to = [reader for reader in readers if card not in seen.get(reader, ()) and len(hands[reader]) < each]
        if left_to_share and open_to:
            left_to_share -= 1
        else:  # to one: whose hand is the smallest; of equals the first
            open_to = [min(open_to, key=lambda reader: len(hands[reader]))] if open_to else []
        for reader in open_to:
            hands[reader].append(card)
    return hands


def _with_doubles(cards: list[str], reader: int) -> list[str]:
    """Some of the first half once more, scattered over the last third."""
    again = ranked(cards[: len(cards) // 2], SEED, f"twice of {reader}")[: round(TWICE * len(cards))]
    begin = 2 * len(cards) // 3
    tail = [(keyed_hash(SEED, f"tail of {reader}", card), card) for card in cards[begin:]]
    tail += [(keyed_hash(SEED, f"tail again of {reader}", card), card) for card in again]
    return [*cards[:begin], *(card for _, card in sorted(tail))]


def answered_by(answers: pd.DataFrame, cases: Cases) -> dict[str, set[str]]:
    """Reader -> the cards of which he answered a photo, as a reader or as adjudicator."""
    known = answers[answers["image_id"].isin(list(cases.of_image))]
    return known.assign(card=known["image_id"].map(cases.of_image)).groupby("reviewer")["card"].agg(set).to_dict()


def said_of(answers: pd.DataFrame, cases: Cases) -> dict[str, list[tuple[str, str]]]:
    """Card -> (answer, confidence) of each reader's last reading of it, in an order that tells nobody from another."""
    read = answers[(answers["mode"] != ADJUDICATION) & answers["image_id"].isin(list(cases.of_image))]
    read = read.assign(card=read["image_id"].map(cases.of_image)).drop_duplicates(["card", "reviewer"], keep="last")
    said = {card: list(zip(of["answer"], of["confidence"], strict=True)) for card, of in read.groupby("card")}
    return {card: sorted(of, key=lambda one: keyed_hash(SEED, f"said of {card}", " ".join(one))) for card, of in said.items()}
