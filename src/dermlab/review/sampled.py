"""How many labels are wrong, by what was concluded of the rows of data/sample.csv: an estimate as these readers see it, who err as well."""

from dataclasses import dataclass

import pandas as pd

from dermlab.data.classes import CANNOT_TELL, DROP
from dermlab.review.opinions import opinions_of
from dermlab.review.sample import STRATA
from dermlab.scores.strata import stratified_share

UNTOLD = ""


@dataclass(frozen=True)
class Found:
    """What is known of the rows that were drawn of one stratum."""

    stratum: str
    rows: int  # of the stratum
    drawn: int
    told: int  # of them: what the label should be is known
    wrong: int  # of these


@dataclass(frozen=True)
class Sampled:
    strata: tuple[Found, ...]
    gone: int  # rows drawn that are no training rows any more
    waiting: int  # rows drawn that nobody answered
    untold: int  # which nobody could tell, or on which readers differ
    of_no_use: int  # of the wrong ones: photos that no label fits
    share: tuple[float, float, float] | None  # of all training labels, with its 95 % interval; None while a stratum has no answer

    @property
    def estimate(self) -> tuple[float, float, float] | None:
        """The share once nobody waits: rows answered before, for being doubtful, are no sample of their stratum, and come first."""
        return None if self.waiting else self.share


def said_of_rows(images: pd.Series, answers: pd.DataFrame, ledger: pd.DataFrame) -> pd.Series:
    """What the label of each image should be: the ledger's word; else what all say who answered; UNTOLD where they differ or cannot tell;
    NaN where nobody was asked. Index as `images`. answers: of `Record`."""
    opinions = opinions_of(answers)

    def of_readers(image: str) -> str | float:
        said = set(opinions.loc[image].dropna()) if image in opinions.index else set()
        if not said:
            return float("nan")
        return said.pop() if len(said) == 1 and CANNOT_TELL not in said else UNTOLD

    settled = ledger.set_index("image_id")["to_label"]
    return images.map(settled).astype(object).where(images.isin(settled.index), images.map(of_readers))


def sampled(sample: pd.DataFrame, rows: pd.DataFrame, answers: pd.DataFrame, ledger: pd.DataFrame) -> Sampled:
    """sample: as `read_sample`; rows: image_id, label and split, as they are now, for it is their labels that are asked for. A label is
    wrong where something else was concluded, `drop` too. Rows that are untold, wait or are no training rows any more count as not drawn."""
    labels = sample["image_id"].map(rows[rows["split"] == "train"].set_index("image_id")["label"])
    said = said_of_rows(sample["image_id"], answers, ledger)
    gone = labels.isna()
    told = said.notna() & (said != UNTOLD) & ~gone
    wrong = told & (said != labels)
    strata = [(name, sample["stratum"] == name) for name in STRATA if (sample["stratum"] == name).any()]
    found = tuple(
        Found(name, int(sample.loc[of, "rows"].iloc[0]), int(of.sum()), int(told[of].sum()), int(wrong[of].sum())) for name, of in strata
    )
    share = stratified_share(*([getattr(of, column) for of in found] for column in ("rows", "told", "wrong")))
    waiting, untold, of_no_use = said.isna() & ~gone, (said == UNTOLD) & ~gone, wrong & (said == DROP)
    return Sampled(found, *(int(of.sum()) for of in (gone, waiting, untold, of_no_use)), share)


def lines_of(found: Sampled) -> list[str]:
    """For the terminal: what was found, and the param that it sets."""
    drawn, told = (sum(getattr(of, column) for of in found.strata) for column in ("drawn", "told"))
    why = ((found.untold, "cannot be told or are disputed"), (found.waiting, "wait"), (found.gone, "are no training rows any more"))
    left = ", ".join(f"{rows} {what}" for rows, what in why if rows)
    by_stratum = "; ".join(f"{of.wrong} of {of.told} {of.stratum} (of {of.rows:,} rows)" for of in found.strata)
    lines = [f"sample: of {drawn} rows drawn {told} are told{f' ({left})' if left else ''}; wrong: {by_stratum}"]
    if found.share is None:
        nothing = ", ".join(of.stratum for of in found.strata if not of.told)
        return [*lines, f"      no estimate yet: what is right is told of no row that is {nothing}"]
    share, low, high = found.share
    if not found.estimate:
        return [
            *lines,
            "      no estimate while a row waits: what was answered before the draw was asked for being doubtful, and is wrong more often",
        ]
    of_no_use = f", {found.of_no_use} photos of no use among those found" if found.of_no_use else ""
    lines.append(
        f"      as these readers see it {share:.1%} of the training labels are wrong (95 % interval {low:.1%} to {high:.1%}){of_no_use}"
    )
    believed = round(share, 3)
    if 0 < believed < 0.5:
        return [
            *lines,
            f"      dvc exp run -S flag.expected_noise={believed} tells it to `flag`, whose method `posterior` reckons by it",
        ]
    return [*lines, "      flag.expected_noise takes what lies between 0 and 0.5: leave it at auto"]
