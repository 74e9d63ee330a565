"""What is concluded from readers' answers: lines of the ledger data/relabels.csv, by the rule that params.yaml states."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.classes import CANNOT_TELL, DROP, Classes
from dermlab.data.ledger import HEADER
from dermlab.data.lines import READERS, read_lines
from dermlab.review.opinions import adjudicated, encoded, is_flagged, opinions_of, probabilities_of_flags, said_drop
from dermlab.review.params import ReviewParams
from dermlab.review.posterior import posterior
from dermlab.run.errors import ContractError

UNDECIDED = ""


@dataclass(frozen=True)
class Conclusion:
    ledger: pd.DataFrame  # columns of the ledger, a row a photo that is decided, sorted by image_id
    disputed: tuple[str, ...]  # image ids: enough readers, and the rule decides nothing
    waiting: tuple[str, ...]  # image ids: fewer readers than `review.readers`
    by_hand: int  # photos that one person settled in the ledger, whose line stands whatever readers say
    held_back: dict[str, int] = field(default_factory=dict)  # class -> photos that keep its label, or it would have no training row

    def counts(self) -> tuple[int, int, int]:
        """(relabelled, confirmed, dropped)."""
        dropped = int((self.ledger["to_label"] == DROP).sum())
        confirmed = int((self.ledger["to_label"] == self.ledger["from_label"]).sum())
        return len(self.ledger) - dropped - confirmed, confirmed, dropped


def conclude(
    answers: pd.DataFrame, catalog: pd.DataFrame, flags: pd.DataFrame | None, classes: Classes, by_hand: set[str], params: ReviewParams
) -> Conclusion:
    """answers: of `Record`. flags: for the rule `model` alone. by_hand: images that a person's own line of the ledger settles."""
    opinions, words = opinions_of(answers), _words(answers, flags, classes, params)
    enough = opinions[(_asked_enough(opinions, params) | opinions.index.isin(words.index)) & ~opinions.index.isin(by_hand)]
    decided = RULES[params.rule](enough, opinions, flags, classes)
    decided.update(words[words.index.isin(enough.index)])
    labels = catalog.set_index("image_id")["label"]
    lines = decided[decided != UNDECIDED].sort_index()
    dates = answers.groupby("image_id")["date"].max()
    reasons = [_reason(opinions.loc[image], to, image in words.index) for image, to in lines.items()]
    ledger = pd.DataFrame(
        {
            "image_id": lines.index, "from_label": labels.reindex(lines.index).to_numpy(), "to_label": lines.to_numpy(), "reason": reasons,
            "reviewer": READERS, "date": dates.reindex(lines.index).to_numpy(),
        },
        columns=list(HEADER),
    )  # fmt: skip
    waiting = opinions.index[~opinions.index.isin([*enough.index, *by_hand])]
    return Conclusion(
        ledger, tuple(decided.index[decided == UNDECIDED].sort_values()), tuple(waiting), int(opinions.index.isin(by_hand).sum())
    )


def _asked_enough(opinions: pd.DataFrame, params: ReviewParams) -> pd.Series:
    return opinions.notna().sum(axis=1) >= params.readers


def _words(answers: pd.DataFrame, flags: pd.DataFrame | None, classes: Classes, params: ReviewParams) -> pd.Series:
    """image_id -> what an adjudicator said of it, where the readers until that day left it open: who is shown a card of several photos
    answers for those too of which they had agreed."""
    words = adjudicated(answers)
    if words.empty:
        return words["verdict"]
    until = answers["image_id"].map(words["date"])
    opinions = opinions_of(answers[answers["date"] <= until])
    decided = RULES[params.rule](opinions[_asked_enough(opinions, params)], opinions, flags, classes)
    return words.loc[~words.index.isin(decided.index[decided != UNDECIDED]), "verdict"]


def _reason(votes: pd.Series, to: str, adjudicated: bool) -> str:
    """In the words that the report counts: how many of how many readers had said it."""
    votes = votes.dropna()
    said = f"{(votes == to).sum()} of {len(votes)} readers"
    if adjudicated:
        return f"{said}, adjudicated"
    return said if (votes == to).sum() * 2 > len(votes) else f"{said}, with the flags"


def _of_votes(share: Callable[[np.ndarray], np.ndarray]) -> Callable[..., pd.Series]:
    """A rule by which wins what more readers say than `share` of how many were asked."""

    def rule(enough: pd.DataFrame, opinions: pd.DataFrame, flags: pd.DataFrame | None, classes: Classes) -> pd.Series:
        if enough.empty:
            return pd.Series(index=enough.index, dtype=object)
        told = enough.where(enough != CANNOT_TELL)  # says nothing for a class, and counts among the readers
        codes, names = pd.factorize(told.to_numpy(dtype=object).ravel())
        codes = codes.reshape(told.shape)
        times = (codes[:, :, None] == codes[:, None, :]).sum(axis=2) * (codes >= 0)  # how many say what this reader says
        wins = times.max(axis=1) > share(enough.notna().sum(axis=1).to_numpy())
        winner = codes[np.arange(len(codes)), times.argmax(axis=1)]
        return pd.Series(np.where(wins, np.append(names, UNDECIDED)[winner], UNDECIDED), enough.index, dtype=object)

    return rule


majority = _of_votes(lambda readers: readers / 2)
unanimous = _of_votes(lambda readers: readers - 0.5)


def model(enough: pd.DataFrame, opinions: pd.DataFrame, flags: pd.DataFrame | None, classes: Classes) -> pd.Series:
    """The class that the flags and the readers together hold for more likely than not (`posterior`), if a reader said it. It knows classes
    alone: a photo that somebody would drop, of which nobody names a class, or that has no flags, is decided by the majority."""
    decided = majority(enough, opinions, flags, classes)
    named = opinions[~said_drop(opinions)]
    labels = encoded(named, classes)
    known = np.isfinite(labels).any(axis=1)
    if not len(enough) or not known.any():
        return decided
    if flags is None:
        raise ContractError("The rule `model` needs data/flags.parquet. Run `dvc repro flag`, or set `review.rule` to majority.")
    known &= is_flagged(named.index, flags)
    if not known.any():
        return decided
    images = named.index[known]
    together, _ = posterior(labels[known], probabilities_of_flags(flags, images, classes))
    likeliest = pd.Series(np.array(classes.names, dtype=object)[together.argmax(axis=1)], index=images)
    likeliest[together.max(axis=1) <= 0.5] = UNDECIDED
    likeliest[~opinions.loc[images].eq(likeliest, axis=0).any(axis=1)] = UNDECIDED  # a person decides, not the flags against all who looked
    decided.update(likeliest[likeliest.index.isin(enough.index)])
    return decided


RULES: dict[str, Callable[..., pd.Series]] = {"majority": majority, "unanimous": unanimous, "model": model}


def check_classes_remain(where: str, catalog: pd.DataFrame, classes: Classes, images: pd.Series, labels: pd.Series) -> None:
    """That a class keeps a training row once these images bear these labels: better said now than after the commit. Raises
    ContractError."""
    if emptied := _emptied(catalog, classes, images, labels):
        raise ContractError(
            f"{where} would take the last training row of: {', '.join(emptied)}. Nothing was merged. Leave one in, or lock the source "
            "again so that the class joins `other` (--min-class-count)."
        )


def _emptied(catalog: pd.DataFrame, classes: Classes, images: pd.Series, labels: pd.Series) -> list[str]:
    """The classes that have a training row, and none once these images bear these labels."""
    train = catalog[catalog["split"] == "train"].set_index("image_id")["label"]
    after = train.copy()
    after.loc[images.to_numpy()] = labels.to_numpy()
    return [name for name in classes.targets if (train == name).any() and not (after == name).any()]


def with_every_class(conclusion: Conclusion, own: pd.DataFrame, catalog: pd.DataFrame, classes: Classes) -> Conclusion:
    """Without the lines that would take the last training rows of a class, all of them: which one might stay is nobody's guess. As a photo
    that keeps its label is missing elsewhere, this may empty another class, and goes on until none is. own: one person's lines."""
    held: dict[str, int] = {}
    ledger = conclusion.ledger
    while True:
        both = pd.concat([own, ledger])
        emptied = _emptied(catalog, classes, both["image_id"], both["to_label"])
        takes = ledger["from_label"].isin(emptied)
        if not takes.any():
            return replace(conclusion, ledger=ledger, held_back=held)
        for name, photos in ledger.loc[takes, "from_label"].value_counts(sort=False).items():
            held[name] = held.get(name, 0) + int(photos)
        ledger = ledger[~takes]


def with_conclusion(conclusion: Conclusion, ledger: Path) -> tuple[str, int]:
    """(the ledger with the concluded lines in place of those that were concluded before, where a person's own lines keep their bytes and
    their order; how many photos had a conclusion and have none now)."""
    before = ledger.read_bytes().decode("utf-8")
    raw = list(io.StringIO(before, newline=""))
    kept, done, concluded = [raw[0]], 1, set()
    for number, line in read_lines(ledger, HEADER):
        if line["reviewer"] != READERS:
            kept += raw[done:number]
        else:
            concluded.add(line["image_id"])
        done = number
    if not concluded and conclusion.ledger.empty:
        return before, 0
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows(conclusion.ledger[list(HEADER)].itertuples(index=False))
    after = "".join(kept).rstrip("\r\n") + "\n" + lines.getvalue()
    return after, len(concluded.difference(conclusion.ledger["image_id"]))
