"""Verbs of labels: what a person decides."""

from typing import Annotated

import typer

from dermlab.cli.app import verbs_of
from dermlab.cli.options import Merge, PageOut, Pixels, Reviewer
from dermlab.run import paths
from dermlab.run.progress import say

verb = verbs_of("Labels")


@verb()
def review(
    merge: Merge = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="ask about so many photos at most; without it 2 % of the training rows, 50 to 300")
    ] = None,
    out: PageOut = paths.REVIEW,
    reviewer: Reviewer = "",
    pixels: Pixels = 480,
) -> None:
    """Write a page on which a person reviews doubtful labels.

    Or merge the decisions that it exported into data/relabels.csv."""
    from dermlab.data.classes import read_classes
    from dermlab.data.lines import lines_only_in_commit
    from dermlab.data.rows import read_rows
    from dermlab.data.shards import Shards
    from dermlab.review.merge import merge_decisions
    from dermlab.review.originals import originals
    from dermlab.review.page import write_page
    from dermlab.review.queue import read_queue

    if merge is not None:
        merged = merge_decisions(merge, read_rows(), read_classes())
        say(
            f"review: {merged.added} decisions added to {paths.RELABELS} ({merged.confirmed} confirmed, {merged.relabelled} relabelled, "
            f"{merged.dropped} dropped), {merged.already_there} already there"
        )
        say(f"Next: commit {paths.RELABELS}, then dvc exp run -S variant=relabeled; dermlab review asks what is left")
        return
    if missing := lines_only_in_commit(paths.RELABELS):
        say(f"review: {paths.RELABELS} lacks {missing} lines of the last commit; `git checkout {paths.RELABELS}` brings them back")
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
