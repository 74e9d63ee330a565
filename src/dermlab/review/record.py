"""Readers' answers, from the files that their pages exported into the record data/reviews.csv, and what is concluded: all or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dermlab.data.classes import Classes
from dermlab.data.ledger import read_ledger
from dermlab.data.lines import check_new, with_lines
from dermlab.data.readers import CALLED, Readers, as_known, check_name, read_readers
from dermlab.data.reviews import (
    HEADER,
    QUESTION,
    Record,
    check_as_exported,
    check_one_answer_a_day,
    check_one_reader_a_page,
    last_answers,
    read_answers,
    read_record,
    read_said,
    record_of,
    unfit,
)
from dermlab.data.tables import FLAGS, read_table
from dermlab.review.conclude import Conclusion, check_classes_remain, conclude, with_conclusion, with_every_class
from dermlab.review.params import ReviewParams, read_review
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import alone_in, write_together

NAMED = 5  # wrong lines an error names


@dataclass(frozen=True)
class Merged:
    added: int  # answers
    corrections: int  # of them: to questions that were answered before
    already_there: int
    record: Record
    conclusion: Conclusion
    params: ReviewParams  # by which it was concluded
    gone: int  # photos of which the ledger had a conclusion, and has none now


def is_of_readers(path: Path) -> bool:
    """Whether a file holds readers' answers, and not one person's decisions. Whatever is neither is for the reader of decisions to
    refuse, who names what belongs there."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return "answer" in file.readline().replace("\0", "")  # of UTF-16 every second byte
    except OSError:
        return False


@alone_in(paths.REVIEWS.parent)
def merge_answers(files: Sequence[Path], catalog: pd.DataFrame, classes: Classes) -> Merged:
    """Appends the new answers to the record in their order, and concludes the ledger anew.

    An answer that is there already is passed over, so merging twice is merging once. What the same page answers otherwise, be it in the
    remark alone, is a correction: a line more, and the last counts. Who merges meanwhile waits, or the ledger would be concluded without
    what the other adds.

    Raises ContractError, with nothing written, where a line breaks a rule (`read_answers`), says nothing of this catalog (`unfit`), holds
    what is no plain text (`check_new`), is of a reader who has no number, answers what another reader was asked, or answers otherwise
    than another of these files does of the same day.
    """
    before, readers = read_said(), read_readers()
    found = [(path, _named(path, read_answers(path), readers)) for path in files]
    people = as_known((name for _, answers in found for name in answers["reviewer"].unique()), readers)
    found = [(path, answers.assign(reviewer=answers["reviewer"].map(people))) for path, answers in found]
    for path, answers in found:
        if wrong := unfit(answers, catalog, classes):
            lines = [f"line {line}, image {answers.at[line, 'image_id']!r}: {why}" for line, why in list(wrong.items())[:NAMED]]
            more = f" And {len(wrong) - NAMED} more lines." if len(wrong) > NAMED else ""
            raise ContractError(f"{path}, {' '.join(lines)}{more} Nothing was merged.")
        check_as_exported(path, answers)
        check_new(path, answers)
    check_one_reader_a_page([(paths.REVIEWS, before), *found])
    check_one_answer_a_day(found)
    new = _written(pd.concat([answers for _, answers in found]))
    new = new[~new.duplicated()]
    there = _is_there(new, before)
    added = new[~there]
    asked = pd.concat([before, added])[QUESTION]
    corrections = len(added) - (len(asked.drop_duplicates()) - len(before[QUESTION].drop_duplicates()))
    lines = pd.RangeIndex(len(added)) + max(before.index, default=1) + 1
    known = record_of(pd.concat([before, added.set_axis(lines)]).astype({"seconds": float, "place": int}), catalog, classes)
    params = read_review()
    conclusion = concluded(known, catalog, classes, params)
    ledger, gone = with_conclusion(conclusion, paths.RELABELS)
    everybody = readers.with_names(added["reviewer"].unique())
    others = {paths.READERS: everybody.text()} if everybody != readers else {}
    write_together({**others, paths.REVIEWS: with_lines(paths.REVIEWS, added[list(HEADER)], HEADER), paths.RELABELS: ledger})
    return Merged(len(added), corrections, int(there.sum()), known, conclusion, params, gone)


def _written(answers: pd.DataFrame) -> pd.DataFrame:
    """As the record writes them."""
    return answers.assign(seconds=answers["seconds"].map("{:g}".format))[list(HEADER)]


def _is_there(new: pd.DataFrame, before: pd.DataFrame) -> np.ndarray:
    """bool, a value a line of `new`: the record holds this line, or says the same in the answer that counts. What an old file says is not
    taken for a new change of mind."""
    same = [*QUESTION, "answer", "confidence", "reason"]
    holds = pd.MultiIndex.from_frame(new).isin(pd.MultiIndex.from_frame(_written(before)))
    return holds | pd.MultiIndex.from_frame(new[same]).isin(pd.MultiIndex.from_frame(last_answers(before)[same]))


def _named(path: Path, answers: pd.DataFrame, readers: Readers) -> pd.DataFrame:
    """`reader 2 kqvzmtrb` as the person's name. A record of another clone has names already."""
    names = {}
    for line, said in answers["reviewer"].drop_duplicates().items():
        names[said] = readers.named(said) or said
        if names[said] == said and (found := CALLED.fullmatch(said)):
            another = int(found[1]) in readers.numbers.values()
            raise ContractError(
                f"{path}, line {line}: {said} has no name in {paths.READERS}"
                f"{', where that number is another reader: two clones each gave it' if another else ''}. Merge where the page was made, or "
                "bring that file here (`git pull`). Nothing was merged."
            )
        check_name(names[said], f"{path}, line {line}")
    return answers.assign(reviewer=answers["reviewer"].map(names))


def concluded(record: Record, catalog: pd.DataFrame, classes: Classes, params: ReviewParams) -> Conclusion:
    """What the record says, but what would leave a class without a training row. Raises ContractError where a person's own lines do."""
    own = read_ledger(paths.RELABELS, catalog, classes, by_hand=True)
    found = conclude(record.answers, catalog, flags_if_there(), classes, set(own["image_id"]), params)
    conclusion = with_every_class(found, own, catalog, classes)
    both = pd.concat([own, conclusion.ledger])
    check_classes_remain(str(paths.RELABELS), catalog, classes, both["image_id"], both["to_label"])
    return conclusion


@alone_in(paths.REVIEWS.parent)
def conclude_anew(catalog: pd.DataFrame, classes: Classes) -> Merged:
    """As after a merge, without one: where the rule, the record or the catalog changed. Raises ContractError."""
    record, params = read_record(catalog, classes), read_review()
    conclusion = concluded(record, catalog, classes, params)
    ledger, gone = with_conclusion(conclusion, paths.RELABELS)
    write_together({paths.RELABELS: ledger})
    return Merged(0, 0, 0, record, conclusion, params, gone)


def flags_if_there() -> pd.DataFrame | None:
    """What readers say can be merged where no stage was run."""
    return read_table(paths.FLAGS, FLAGS) if paths.FLAGS.exists() else None
