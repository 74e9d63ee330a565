"""Pages for readers, from the files of this repository: what is left to ask, drawn and written, a page a reader."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dermlab.data.classes import Classes, read_classes
from dermlab.data.current import read_current_rows
from dermlab.data.ledger import read_ledger
from dermlab.data.lines import READERS
from dermlab.data.questionnaire import read_questionnaire
from dermlab.data.readers import number_of, read_readers
from dermlab.data.reviews import ADJUDICATION, Record, read_record
from dermlab.data.shards import Shards
from dermlab.review.ask import SETTLED, certainty, next_to_ask
from dermlab.review.draw import Cases, Sheet, answered_by, draw, queue_of, said_of, sure_of
from dermlab.review.opinions import opinions_of
from dermlab.review.originals import originals
from dermlab.review.params import read_review
from dermlab.review.queue import check_fresh, read_flags, size_of_a_page
from dermlab.review.reading import write_sheet
from dermlab.review.record import concluded
from dermlab.review.sample import cards_of, sample_of
from dermlab.run import paths


@dataclass(frozen=True)
class Written:
    sheet: Sheet
    photos: int
    path: Path | None  # None: there was nothing to ask this reader
    said: str  # which photos are shown small or not at all


def write_sheets(
    readers: Sequence[str], mode: str, limit: int | None, overlap: float, out: Path, pixels: int, sample: int | None = None
) -> list[Written]:
    """One page a reader, `out` with the reader's number in its name. limit: cards a page; None: as many as a page of one reviewer has.
    sample: ask of so many rows that are drawn by chance (`sample_of`), all of them, and of no others. Raises ContractError, also where
    no flags were raised yet."""
    flags, rows, classes, questions = read_flags(), read_current_rows(), read_classes(), read_questionnaire()
    check_fresh(flags, rows)
    record, ledger = read_record(rows, classes), read_ledger(paths.RELABELS, rows, classes)
    numbers = number_of(readers)
    known = read_readers()
    reviewers = {number: known.called(name) for name, number in numbers.items()}
    cases = Cases.of(rows)
    by_name = answered_by(record.answers, cases)
    seen = {number: by_name.get(name, set()) for name, number in numbers.items()}
    if sample is None:
        queue, sure, said = _to_ask(mode, cases, flags, rows, ledger, record, classes)
        limit = limit or size_of_a_page(len(flags))
    else:
        queue, sure, said = cards_of(sample_of(flags, sample), cases, ledger), [], {}
        limit = len(queue)
    sheets = draw(list(numbers.values()), queue, sure, seen, limit, overlap, mode)
    shards, written = Shards(), []
    for sheet in sheets:
        if not sheet.cards:
            written.append(Written(sheet, 0, None, ""))
            continue
        images = [image for card in dict.fromkeys(sheet.cards) for image in cases.images[card]]
        larger = originals(images, pixels)
        path = out.with_name(f"{out.stem}-reader-{sheet.reader}{out.suffix}")
        write_sheet(path, sheet, reviewers[sheet.reader], mode, cases, rows, flags, said, classes, questions, shards, pixels, larger.jpegs)
        written.append(Written(sheet, len(images), path, larger.said))
    return written


def _to_ask(
    mode: str, cases: Cases, flags: pd.DataFrame, rows: pd.DataFrame, ledger: pd.DataFrame, record: Record, classes: Classes
) -> tuple[list[str], list[str], dict[str, list[tuple[str, str]]]]:
    """(cards in the order in which they are asked, cards that nobody doubts, what readers said of a card)."""
    if mode == ADJUDICATION:
        disputed = set(concluded(record, rows, classes, read_review()).disputed)
        queue = [card for card, images in cases.images.items() if disputed.intersection(images)]
        return queue, [], said_of(record.answers, cases)
    opinions = opinions_of(record.answers)
    opinions = opinions[opinions.index.isin(flags["image_id"])]
    ranks = flags.set_index("image_id")["review_rank"].dropna().sort_values()
    order = next_to_ask(ranks.index.tolist(), opinions, flags, classes)
    settled = set(ledger["image_id"]) - _open_to_more(ledger, opinions, flags, classes)
    sure = [card for card in sure_of(cases, flags) if not settled.intersection(cases.images[card])]
    return queue_of(cases, order, settled), sure, {}


def _open_to_more(ledger: pd.DataFrame, opinions: pd.DataFrame, flags: pd.DataFrame, classes: Classes) -> set[str]:
    """Photos of which `model` concluded what it is not sure of: another reader may be worth more than a first one elsewhere. The other
    rules conclude for good."""
    if read_review().rule != "model":
        return set()
    sure = certainty(opinions, flags, classes)
    by_model = ledger[(ledger["reviewer"] == READERS) & ~ledger["reason"].str.contains("adjudicated")]
    return set(by_model["image_id"]) & set(sure.index[sure < SETTLED])
