"""What a person is asked, in the order of `review_rank`: the ranked rows that the ledger has not settled yet."""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dermlab.data.classes import Classes, read_classes
from dermlab.data.current import read_current_rows
from dermlab.data.ledger import read_ledger
from dermlab.data.questionnaire import Question, Questionnaire, read_questionnaire
from dermlab.data.tables import FLAGS, read_table
from dermlab.run import paths
from dermlab.run.errors import ContractError

NEIGHBOURS = 3  # shown of each photo


@dataclass(frozen=True)
class Card:
    """One question."""

    image_id: str
    given: str
    suggested: str
    suggested_prob: float  # 0..1
    issue: str
    rare: bool  # of the rarest third of the classes
    neighbours: tuple[str, ...]  # image ids, nearest first
    copies: tuple[str, ...]  # image ids of the photo's other copies in the training set
    copy_in_val_or_test: bool  # val or test has one too, not to be shown
    answers: tuple[tuple[str, str], ...]  # (question, answer) in words, those that were answered


@dataclass(frozen=True)
class Shown:
    """A photo on the page: its label, by the ledger where that says something, and where its pixels lie."""

    label: str
    shard: int
    row: int


@dataclass(frozen=True)
class Queue:
    cards: tuple[Card, ...]
    photos: dict[str, Shown]  # by image id, all that the cards name
    reviewed: int  # ranked rows that the ledger has settled
    later: int  # ranked rows beyond the limit
    classes: tuple[str, ...]  # what a photo may be relabelled to

    @property
    def digest(self) -> str:
        """Hex, of the questions and their order: decisions kept in a browser under it are never taken for those of another queue."""
        asked = [[card.image_id, card.given, card.suggested] for card in self.cards]
        return hashlib.sha256(json.dumps([self.classes, asked]).encode()).hexdigest()[:16]


# What a page asks by default: the most valuable share of the training rows. A person tires, and 300 photos make a page of some 18 MB.
FIRST, AT_LEAST, AT_MOST = 0.02, 50, 300


def read_queue(limit: int | None = None) -> Queue:
    """The queue of the files in this repository; None: the first 2 % of the training rows, AT_LEAST to AT_MOST. Raises ContractError, also
    where the flags have not been raised yet."""
    flags, rows, classes = read_flags(), read_current_rows(), read_classes()
    limit = limit or size_of_a_page(len(flags))
    return build_queue(flags, rows, read_ledger(paths.RELABELS, rows, classes), classes, read_questionnaire(), limit)


def read_flags() -> pd.DataFrame:
    """Raises ContractError where none have been raised yet."""
    if not paths.FLAGS.exists():
        raise ContractError(f"{paths.FLAGS} does not exist, so there is nothing to review yet. Run `dvc repro flag`.")
    return read_table(paths.FLAGS, FLAGS)


def check_fresh(flags: pd.DataFrame, rows: pd.DataFrame) -> None:
    """That the flags are of these labels and this split. Raises ContractError."""
    labels = rows.loc[rows["split"] == "train"].set_index("image_id")["label"]
    other = flags.loc[labels.reindex(flags["image_id"]).to_numpy() != flags["given"].to_numpy(), "image_id"]
    if len(other):
        raise _stale(other.iloc[0])


def size_of_a_page(rows: int) -> int:
    """What a page asks where nobody says how much: the most valuable share of the training rows."""
    return min(max(AT_LEAST, round(FIRST * rows)), AT_MOST)


def build_queue(
    flags: pd.DataFrame, catalog: pd.DataFrame, ledger: pd.DataFrame, classes: Classes, questions: Questionnaire, limit: int
) -> Queue:
    """At most `limit` cards. Raises ContractError where the flags are not of this catalog."""
    settled = ledger.set_index("image_id")["to_label"].to_dict()
    ranked = flags[flags["review_rank"].notna()].sort_values("review_rank")
    asked = ranked[~ranked["image_id"].isin(settled)]
    train = catalog[catalog["split"] == "train"].set_index("image_id")
    labels = train["label"].to_dict()
    copies = _copies(flags)
    cards = []
    for row in asked.head(limit).itertuples():
        if labels.get(row.image_id) != row.given:
            raise _stale(row.image_id)
        cards.append(
            Card(
                row.image_id,
                row.given,
                row.suggested,
                float(row.suggested_prob),
                row.issue,
                bool(row.protected),
                neighbours=row.neighbours[:NEIGHBOURS],
                copies=tuple(image for image in copies[_original(row)] if image != row.image_id and image in labels),
                copy_in_val_or_test=bool(row.leak),
                answers=tuple(answers_in_words(train.loc[row.image_id], questions)),
            )
        )
    shown = sorted({image for card in cards for image in (card.image_id, *card.neighbours, *card.copies)})
    if unknown := [image for image in shown if image not in labels]:
        raise _stale(unknown[0])
    places = train.loc[shown, ["shard", "row"]]
    return Queue(
        tuple(cards),
        {image: Shown(settled.get(image, labels[image]), shard, row) for image, shard, row in places.itertuples()},
        reviewed=len(ranked) - len(asked),
        later=len(asked) - len(cards),
        classes=classes.names,
    )


def _original(row: Any) -> str:
    return row.image_id if pd.isna(row.duplicate_of) else row.duplicate_of


def _copies(flags: pd.DataFrame) -> dict[str, list[str]]:
    """First image of a group of copies -> all ids of the group, itself first. It may lie in val or test, and then is no training image."""
    groups: dict[str, list[str]] = defaultdict(list)
    for row in flags[flags["duplicate_of"].notna()].itertuples():
        groups[row.duplicate_of] = [*(groups[row.duplicate_of] or [row.duplicate_of]), row.image_id]
    return groups


def answers_in_words(row: pd.Series, questions: Questionnaire) -> list[tuple[str, str]]:
    """(question, answer) of what was answered."""
    said = ((question, row.get(question.column)) for question in questions)
    return [(_words(question.name), _answer(question, value)) for question, value in said if _is_answered(value)]


def _is_answered(value: Any) -> bool:
    return bool(value) if isinstance(value, tuple) else not pd.isna(value)


def _answer(question: Question, value: Any) -> str:
    if question.kind == "multi":
        return ", ".join(_words(choice) for choice in value)
    if question.kind == "number":
        return f"{value:g} (of {question.low:g} to {question.high:g})"
    return _words(value)


def _words(name: str) -> str:
    """`AGE_30_TO_39` -> `age 30 to 39`."""
    words = str(name).replace("_", " ")
    return words.lower() if words.isupper() else words


def _stale(image: str) -> ContractError:
    return ContractError(
        f"{paths.FLAGS} names image {image!r} with a label or split that {paths.CATALOG} does not give it: the flags are of "
        "another catalog. Run `dvc repro flag`."
    )
