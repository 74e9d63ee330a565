"""Verbs of results: scores, comparisons and pages."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dermlab.cli.app import verbs_of
from dermlab.cli.options import JsonOut, Markdown, PageOut
from dermlab.run import paths
from dermlab.run.errors import DermlabError, SourceError
from dermlab.run.progress import console, say

if TYPE_CHECKING:  # a terminal that asks for help does not wait for it
    from dermlab.verdict.judge import Verdict

verb = verbs_of("Results")


class Page(StrEnum):
    report = "report"
    comparison = "comparison"
    review = "review"
    agreement = "agreement"
    pairs = "pairs"


PAGES = {  # with what writes them
    Page.report: (paths.REPORT_HTML, "dvc exp run"),
    Page.comparison: (paths.COMPARISON, "dermlab compare BASELINE OTHER"),
    Page.review: (paths.REVIEW, "dermlab review"),
    Page.agreement: (paths.AGREEMENT, "dermlab review --conclude"),
    Page.pairs: (paths.PAIRS, "dermlab pairs"),
}


@verb()
def table(
    experiments: Annotated[list[str] | None, typer.Argument(help="the baseline first; without names all that start from HEAD")] = None,
    markdown: Markdown = False,
    csv: Annotated[bool, typer.Option("--csv", help="print CSV, for a spreadsheet")] = False,
) -> None:
    """Print the decision card: a row a recipe, with the advice.

    Fits 120 columns, where `dvc exp show` has a column a param."""
    from dermlab.study.dvc import experiments as of_head
    from dermlab.verdict import card
    from dermlab.verdict.runs import UNFINISHED

    names = experiments or [name for name in of_head() if not name.endswith(UNFINISHED)]
    if not names:
        say("No experiment starts from this commit: a study run again takes what ran before from the cache. `dermlab runs` lists all;")
        say("`dermlab table NAME NAME` shows those that are named")
        raise typer.Exit(1)
    verdict = judged(names)
    if csv:
        print(card.as_csv(verdict), end="")
        return
    if markdown:
        print("\n\n".join([*([verdict.warning] if verdict.warning else []), card.asked_for(verdict.question), card.as_markdown(verdict)]))
        return
    shown = console(120)
    if verdict.warning:
        shown.print(verdict.warning)
    shown.print(card.asked_for(verdict.question))
    shown.print(card.as_table(verdict))


@verb()
def compare(
    baseline: Annotated[str, typer.Argument(help="an experiment's name, a git revision, a predictions FILE.parquet or `workspace`")],
    others: Annotated[list[str], typer.Argument(help="what to compare with it; each is taken with all its seeds")],
    markdown: Markdown = False,
    out: PageOut = paths.COMPARISON,
) -> None:
    """Compare recipes with a baseline, in words and on a page.

    A name stands for all seeds of its recipe. Intervals are over patients and trainings."""
    from dermlab.verdict import card, views

    verdict = judged([baseline, *others])
    if not verdict.judged:
        raise DermlabError(
            f"{', '.join(verdict.baseline.runs)} are one recipe: they differ in nothing but the seed. Name another beside it."
        )
    views.write_html(verdict, out)
    views.write_json(verdict, out.with_suffix(".json"))
    if markdown:
        print(views.as_markdown(verdict))
        return
    shown = console(120)
    for line in views.as_text(verdict):
        shown.print(line)
    shown.print(card.as_table(verdict))
    if len(verdict.judged) <= 4:  # a column a recipe; the page has them all
        shown.print(views.scores_table(verdict))
        shown.print(views.classes_table(verdict))
    for note in verdict.notes:
        shown.print(note)
    say(f"Comparison: {out.resolve()}")
    if paths.REPORT_HTML.exists():
        say(f"This run's report: {paths.REPORT_HTML.resolve()}")


def judged(names: Sequence[str]) -> "Verdict":
    """Of recipes by the name of an experiment, the baseline first."""
    from dermlab.verdict.judge import judge
    from dermlab.verdict.question import asked
    from dermlab.verdict.runs import load_runs

    runs, others = load_runs(names)
    return judge(runs, asked(), others)


@verb("score")
def score_predictions(
    predictions: Annotated[Path, typer.Argument(help="Parquet: image_id, patient_id, diagnosis, label, and prob_CLASS of every class")],
    out: JsonOut = None,
) -> None:
    """Score any model's probabilities of a test split.

    Headline and classes, with intervals over patients. Trains and changes nothing."""
    from dermlab.data.json_files import write_json
    from dermlab.verdict.score import as_json, as_tables, notes, score_file
    from dermlab.verdict.settings import scoring

    settings = scoring()
    found = score_file(predictions, settings.bootstrap)
    for table in as_tables(found):
        console(130).print(table)
    for note in notes(found):
        say(note)
    if out is not None:
        write_json(out, as_json(found, settings.ece_bins))
        say(f"JSON: {out.resolve()}")
    say(f"Against a run: dermlab compare baseline {predictions}")


@verb("open")
def open_page(
    what: Annotated[Page, typer.Argument(help="which page")] = Page.report,
) -> None:
    """Open a page in the browser.

    On a machine without a screen, print where it lies."""
    import webbrowser

    path, made_by = PAGES[what]
    if not path.exists():
        raise SourceError(f"{path} is not there yet. `{made_by}` writes it.")
    if not _has_screen() or not webbrowser.open(path.resolve().as_uri()):
        say(str(path.resolve()))


@verb()
def comment(
    base: Annotated[str, typer.Argument(help="the branch or commit that the pull request is to join, such as origin/main")],
    out: Annotated[Path | None, typer.Option(help="the file that is written, in place of standard output")] = None,
) -> None:
    """Write a pull request's comment.

    The verdict of HEAD against BASE, per class, and what differs in metrics and params."""
    from dermlab.comment.body import comment_body
    from dermlab.run.files import write_text

    text = comment_body(base)
    if out is None:
        print(text)
    else:
        write_text(out, text)


def _has_screen() -> bool:
    import os
    import sys

    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
