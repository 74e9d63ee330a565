"""`dermlab <verb>`: the commands that are no stage. Each is thin: params in, one library call, a line of result."""

from pathlib import Path
from typing import Annotated

import typer

from dermlab.data import paths
from dermlab.data.params import read_params
from dermlab.data.progress import say
from dermlab.data.stage import run_stage

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

RECIPES = Path("recipes")


@app.command()
def lock(source: Annotated[str, typer.Argument(help="phantom | folder:PATH | ham10000:PATH | scin:PATH")]) -> None:
    """Pin what will be pulled: writes data/source/ and tracks it with DVC."""
    from dermlab.pull.lock import lock as pin_source

    pin = pin_source(source, read_params().pull)
    from dvc.repo import Repo

    with Repo() as repo:
        repo.add(str(paths.SOURCE))
    say(f"lock: {len(pin.manifest)} images, {len(pin.classes.targets)} classes, {len(pin.questions)} questions in {paths.SOURCE}")
    say(f"      digest {pin.digest[:16]}; commit {paths.SOURCE}.dvc")


@app.command()
def check() -> None:
    """Read params.yaml and say whether it is valid, before any stage spends time."""
    params = read_params()
    say(f"params.yaml is valid: variant={params.variant} loss={params.loss} backbone={params.backbone} seed={params.seed}")


@app.command()
def study(recipe: Annotated[str, typer.Argument(help="a name in recipes/, or a path")] = "demo") -> None:
    """Run every experiment of a recipe as a real `dvc exp run`, then compare them. Run again to go on after a stop."""
    from dermlab.report.study import read_recipe, run_study

    path = Path(recipe) if recipe.endswith(".yaml") else RECIPES / f"{recipe}.yaml"
    read_params()
    experiments = read_recipe(path)
    run_study(experiments)
    baseline, *others = experiments
    compare(baseline, others)


@app.command()
def compare(
    baseline: Annotated[str, typer.Argument(help="an experiment's name, a git revision, or `workspace`")],
    others: Annotated[list[str], typer.Argument(help="what to compare with it")],
    markdown: Annotated[bool, typer.Option(help="print Markdown, for a pull request")] = False,
    page: Annotated[Path, typer.Option(help="where the HTML page is written")] = paths.COMPARISON,
) -> None:
    """Headline and per-class F1 against a baseline, with patient-clustered bootstrap intervals on every difference."""
    from rich.console import Console

    from dermlab.report import compare as comparing

    runs = [comparing.load_run(name) for name in (baseline, *others)]
    comparison = comparing.compare(runs[0], runs[1:], read_params().report.bootstrap)
    comparing.write_html(comparison, page)
    if markdown:
        print(comparing.as_markdown(comparison))
        return
    console = Console(width=None if Console().is_terminal else 130)
    console.print(comparing.as_table(comparison))
    if not comparison.is_study:  # a column a run is for a few runs; the page has them all
        console.print(comparing.per_class_table(comparison))
    for note in comparison.notes:
        console.print(note)
    say(f"Comparison: {page.resolve()}")
    say(f"This run's report: {paths.REPORT_HTML.resolve()}")


@app.command()
def review(
    merge: Annotated[Path | None, typer.Option(help="the exported decisions to write into the ledger")] = None,
    limit: Annotated[int, typer.Option(min=1, help="most photos to ask about")] = 2000,
    out: Annotated[Path, typer.Option(help="where the HTML page is written")] = paths.REVIEW,
    reviewer: Annotated[str, typer.Option(help="who decides; else the page asks")] = "",
    pixels: Annotated[int, typer.Option(min=64, help="longer side of the photos asked about")] = 320,
) -> None:
    """Write a page on which a person reviews doubtful labels, or merge the decisions it exported into data/relabels.csv."""
    from dermlab.data.classes import read_classes
    from dermlab.data.shards import Shards
    from dermlab.data.tables import CATALOG, read_table
    from dermlab.review.merge import merge_decisions
    from dermlab.review.page import write_page
    from dermlab.review.queue import read_queue

    if merge is not None:
        merged = merge_decisions(merge, read_table(paths.CATALOG, CATALOG), read_classes())
        say(
            f"review: {merged.added} decisions added to {paths.RELABELS} ({merged.confirmed} confirmed, {merged.relabelled} relabelled, "
            f"{merged.dropped} dropped), {merged.already_there} already there"
        )
        say(f"Next: commit {paths.RELABELS}, then dvc exp run -S variant=relabeled; dermlab review asks what is left")
        return
    queue = read_queue(limit)
    if not queue.cards:
        say(f"review: nothing to review; {queue.reviewed} doubtful labels are settled in {paths.RELABELS}")
        return
    write_page(out, queue, Shards(), reviewer, pixels)
    say(f"review: {len(queue.cards)} photos to look at, {queue.reviewed} reviewed before, {queue.later} beyond the limit of {limit}")
    say(f"Page: {out.resolve()}")


def main() -> None:
    run_stage(app)
