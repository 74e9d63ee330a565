"""Verbs of labels: what a person decides."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermlab.cli.app import verbs_of
from dermlab.cli.options import Merge, PageOut, Pixels, Reviewer, leave_out, said
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.progress import say

if TYPE_CHECKING:
    from dermlab.review.record import Merged

verb = verbs_of("Labels")


@verb()
def review(
    merge: Annotated[
        list[Path] | None, typer.Option("--merge", help="take over what is in this file, which a page exported; may be said again")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="ask about so many photos at most; without it 2 % of the training rows, 50 to 300")
    ] = None,
    out: PageOut = paths.REVIEW,
    reviewer: Reviewer = "",
    pixels: Pixels = 480,
    reader: Annotated[
        list[str] | None, typer.Option("--reader", help="write a page for this reader, whose answers are one opinion; may be said again")
    ] = None,
    blind: Annotated[bool, typer.Option("--blind", help="of readers: show neither label nor suggestion")] = False,
    overlap: Annotated[
        float, typer.Option("--overlap", min=0, max=1, help="of several readers: share of each page that is put to all of them")
    ] = 1.0,
    adjudicate: Annotated[bool, typer.Option("--adjudicate", help="ask a reader about what others dispute; the answer decides")] = False,
    sample: Annotated[
        int | None,
        typer.Option("--sample", min=30, help="of readers, blind: ask about so many rows drawn by chance; says how many labels are wrong"),
    ] = None,
    conclude: Annotated[bool, typer.Option("--conclude", help="conclude data/relabels.csv anew from what readers said")] = False,
) -> None:
    """Write a page on which a person reviews doubtful labels.

    With --reader a page for each of several readers, who answer cases without knowing of one another. Or merge what was exported: one
    person's decisions into data/relabels.csv; readers' answers into data/reviews.csv, from which data/relabels.csv is concluded."""
    from dermlab.data.classes import read_classes
    from dermlab.data.lines import lost_lines
    from dermlab.data.rows import read_rows
    from dermlab.data.shards import Shards
    from dermlab.review.originals import originals
    from dermlab.review.page import write_page
    from dermlab.review.queue import read_queue
    from dermlab.review.record import conclude_anew, is_of_readers

    _check_together("--merge" if merge else "--conclude" if conclude else "", reader or [])
    of_readers = reader or conclude or (merge and all(map(is_of_readers, merge)))
    if lost := lost_lines(paths.REVIEWS if of_readers else paths.RELABELS):
        say(f"review: {lost}")
    if merge:
        _merge(merge)
        return
    if conclude:
        _conclude(conclude_anew(read_rows(), read_classes()))
        return
    if reader:
        _ask(reader, limit, out, pixels, overlap, adjudicate, blind, sample)
        return
    queue = read_queue(limit)
    if not queue.cards:
        say(f"review: nothing to review; {queue.reviewed} doubtful labels are settled in {paths.RELABELS}")
        return
    larger = originals([card.image_id for card in queue.cards], pixels)
    write_page(out, queue, Shards(), reviewer, pixels, larger.jpegs)
    later = f"; {queue.later:,} more on later pages, after a merge (--limit asks more at once)" if queue.later else ""
    say(f"review: {len(queue.cards)} photos to look at, {queue.reviewed} reviewed before{later}")
    if larger.said:
        say(f"      {larger.said}")
    say(f"Page: {out.resolve()}")


def _check_together(alone: str, readers: list[str]) -> None:
    """That no option is there that would change nothing. alone: one that asks nobody. Raises BadParameter."""
    from dermlab.data.readers import same_person

    given = said()
    if alone:
        leave_out(given - {alone}, f"{alone} goes by itself")
    elif not readers and (theirs := sorted(given & {"--adjudicate", "--blind", "--overlap", "--sample"})):
        raise typer.BadParameter(f"say whom to ask, --reader NAME, beside {' and '.join(theirs)}")
    elif readers:
        leave_out(given & {"--reviewer"}, "--reader says who reads")
        leave_out(given & {"--adjudicate", "--limit"} if "--sample" in given else set(), "--sample says what is asked")
        leave_out(given & {"--blind"} if "--adjudicate" in given else set(), "--adjudicate shows what readers said")
        leave_out(given & {"--overlap"} if len(set(map(same_person, readers))) < 2 else set(), "one reader shares his page with nobody")


def _ask(
    readers: list[str], limit: int | None, out: Path, pixels: int, overlap: float, adjudicate: bool, blind: bool, sample: int | None
) -> None:
    from dermlab.data.reviews import ADJUDICATION, BLIND, OPEN
    from dermlab.review.readers import write_sheets

    mode = ADJUDICATION if adjudicate else BLIND if blind or sample else OPEN
    what = "disputed" if adjudicate else "drawn" if sample else "doubtful"
    written = write_sheets(readers, mode, limit, overlap, out, pixels, sample)
    for page in written:
        sheet = page.sheet
        if page.path is None:
            say(f"review: nothing to ask reader {sheet.reader}: all that is {what} was answered")
            continue
        again = len(sheet.cards) - len(set(sheet.cards))
        later = f"; {sheet.later:,} more on later pages" if sheet.later else ""
        say(f"review: reader {sheet.reader}: {len(sheet.cards)} cards, {again} of them shown twice, {page.photos} photos{later}")
        if page.said:
            say(f"      {page.said}")
        say(f"Page: {page.path.resolve()}")
    if sample:
        say(f"review: {paths.SAMPLE} says which rows were drawn, by which probability; commit it")
    if any(page.path for page in written):
        say(f"Next: send each page to its reader ({paths.READERS} says who that is), then dermlab review --merge FILE for what it exports")


def _merge(files: list[Path]) -> None:
    """One person's decisions, or the answers of readers; without a file, the answers as they stand are concluded anew."""
    from dermlab.data.classes import read_classes
    from dermlab.data.rows import read_rows
    from dermlab.review.merge import merge_decisions
    from dermlab.review.record import is_of_readers, merge_answers

    of_readers = [is_of_readers(path) for path in files]
    if all(of_readers):
        _conclude(merge_answers(files, read_rows(), read_classes()))
        return
    if len(files) > 1:
        raise ContractError(f"{files[of_readers.index(False)]} holds no readers' answers. One person's decisions are merged file by file.")
    merged = merge_decisions(files[0], read_rows(), read_classes())
    say(
        f"review: {merged.added} decisions added to {paths.RELABELS} ({merged.confirmed} confirmed, {merged.relabelled} relabelled, "
        f"{merged.dropped} dropped), {merged.already_there} already there"
    )
    say(f"Next: commit {paths.RELABELS}, then dvc exp run -S variant=relabeled; dermlab review asks what is left")


def _conclude(merged: "Merged") -> None:
    """Says what was merged and concluded, and writes the page of agreement."""
    from dermlab.data.classes import read_classes
    from dermlab.data.ledger import read_ledger
    from dermlab.data.readers import read_readers
    from dermlab.data.rows import read_rows
    from dermlab.review.agreement import agreement
    from dermlab.review.agreement_page import write_agreement
    from dermlab.review.record import flags_if_there
    from dermlab.review.sample import read_sample
    from dermlab.review.sampled import lines_of, sampled

    found, rule = merged.conclusion, merged.params
    if merged.added or merged.already_there:
        corrected = f" ({merged.corrections} correct an answer that stood there)" if merged.corrections else ""
        say(f"review: {merged.added} answers added to {paths.REVIEWS}{corrected}, {merged.already_there} already there")
    if merged.record.set_aside:
        say(f"      {len(merged.record.set_aside)} lines say nothing of this catalog (first: {merged.record.set_aside[0]})")
    relabelled, confirmed, dropped = found.counts()
    say(
        f"review: {paths.RELABELS} by {rule.rule} of {rule.readers} readers or more: {relabelled} relabelled, {confirmed} confirmed, "
        f"{dropped} dropped; {len(found.disputed)} disputed, {len(found.waiting)} wait for another reader"
    )
    if merged.gone:
        say(f"      {merged.gone} photos had a line of readers in {paths.RELABELS} and have none now (`git diff {paths.RELABELS}`)")
    for name, photos in found.held_back.items():
        say(f"      {photos} photos keep the label {name}, whatever readers say: it would lose its last training row")
    if found.by_hand:
        say(f"      {found.by_hand} photos were settled by one person's line in {paths.RELABELS}, which stands")
    flags = flags_if_there()
    if flags is not None and (without := len(set(merged.record.answers["image_id"]) - set(flags["image_id"]))):
        say(f"      {without} of the photos answered have no flags, and are left out where flags are asked (`dvc repro flag`)")
    agreed = agreement(merged.record.answers, read_rows(), flags, read_classes(), read_readers().numbers)
    write_agreement(paths.AGREEMENT, agreed, found, rule, len(merged.record.set_aside))
    say(f"Page: {paths.AGREEMENT.resolve()}")
    if (sample := read_sample()) is not None:
        rows = read_rows()
        settled = read_ledger(paths.RELABELS, rows, read_classes())
        for line in lines_of(sampled(sample, rows, merged.record.answers, settled)):
            say(line)
    third = "dermlab review --adjudicate --reader NAME asks a third; " if found.disputed else ""
    files = [*([paths.SAMPLE] if sample is not None else []), paths.REVIEWS, paths.READERS]
    then = ", then dvc exp run -S variant=relabeled" if relabelled or dropped else ""
    say(f"Next: {third}commit {', '.join(map(str, files))} and {paths.RELABELS}{then}")


@verb()
def pairs(
    merge: Merge = None,
    limit: Annotated[int, typer.Option(min=1, help="ask about so many pairs at most")] = 150,
    out: PageOut = paths.PAIRS,
    reviewer: Reviewer = "",
    pixels: Pixels = 480,
) -> None:
    """Write a page of photos that look like copies, side by side.

    Or merge what a person said are none into data/not-copies.csv."""
    from dermlab.data.shards import Shards
    from dermlab.review.originals import originals
    from dermlab.review.pairs import merge_pairs, read_pairs, write_pairs

    if merge is not None:
        leave_out(said() - {"--merge"}, "--merge goes by itself")
        added, there = merge_pairs(merge)
        say(f"pairs: {added} added to {paths.NOT_COPIES}, {there} already there")
        say(f"Next: commit {paths.NOT_COPIES}, then run again what stopped; `flag` tells these photos apart from now on")
        return
    found = read_pairs()
    if not found:
        say("pairs: no two photos look like copies but those of the same bytes, or those that are told apart already")
        return
    asked = found[:limit]
    larger = originals([photo.image_id for pair in asked for photo in (pair.first, pair.second)], pixels)
    write_pairs(out, asked, Shards(), reviewer, pixels, larger.jpegs)
    across = sum(pair.first.split != pair.second.split for pair in found)
    later = len(found) - len(asked)
    more = f"; {later:,} more on a longer page (--limit)" if later else ""
    say(f"pairs: {len(asked)} of {len(found)} to look at, {across} of all in two splits; the least alike come first{more}")
    if larger.said:
        say(f"      {larger.said}")
    say(f"Page: {out.resolve()}")
