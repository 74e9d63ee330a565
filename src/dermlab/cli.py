"""`dermlab <verb>`: the commands that are no stage. Each is thin: params in, one library call, a line of result."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dermlab.data import paths
from dermlab.data.command import run_command
from dermlab.data.errors import SourceError
from dermlab.data.machine import read_machine
from dermlab.data.params import check_params, read_params
from dermlab.data.progress import say

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)

RECIPES = Path("recipes")


class Page(StrEnum):
    report = "report"
    comparison = "comparison"
    review = "review"
    pairs = "pairs"


PAGES = {  # with what writes them
    Page.report: (paths.REPORT_HTML, "dvc exp run"),
    Page.comparison: (paths.COMPARISON, "dermlab compare BASELINE OTHER"),
    Page.review: (paths.REVIEW, "dermlab review"),
    Page.pairs: (paths.PAIRS, "dermlab pairs"),
}


@app.command()
def lock(
    source: Annotated[str, typer.Argument(help="phantom | folder:PATH | s3://BUCKET/PREFIX | ham10000:PATH | scin:PATH")],
    images: Annotated[int, typer.Option(help="phantom: photos to simulate", min=200)] = 4800,
    seed: Annotated[int, typer.Option(help="phantom: of the simulation", min=0)] = 17,
    labels: Annotated[str | None, typer.Option(help="folder, s3: the table of labels where there are several")] = None,
    image_column: Annotated[str | None, typer.Option(help="its column of image paths; like the next, found by the usual names")] = None,
    label_column: Annotated[str | None, typer.Option(help="of labels")] = None,
    patient_column: Annotated[str | None, typer.Option(help="of patients")] = None,
    case_column: Annotated[str | None, typer.Option(help="of cases; may be absent")] = None,
    split_column: Annotated[str | None, typer.Option(help="of train, val and test; may be absent")] = None,
    no_patients: Annotated[bool, typer.Option("--no-patients", help="each photo is of another person, or nobody knows")] = False,
    ignore_splits: Annotated[bool, typer.Option("--ignore-splits", help="let dermlab split by patient")] = False,
    skip_missing: Annotated[bool, typer.Option("--skip-missing", help="leave rows out whose image is not there")] = False,
    min_class_count: Annotated[int, typer.Option(help="diagnoses with fewer images join `other`", min=1)] = 20,
    endpoint_url: Annotated[str | None, typer.Option(help="s3: a server that is not Amazon's", envvar="AWS_ENDPOINT_URL")] = None,
    pseudonymise: Annotated[bool, typer.Option("--pseudonymise", help="patients and cases as digests keyed by DERMLAB_KEY")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be pinned, and write nothing")] = False,
) -> None:
    """Pin what will be pulled: writes data/source/ and tracks it with DVC."""
    import logging

    from dvc.repo import Repo

    from dermlab.lock.lock import lock as pin_source
    from dermlab.lock.preview import preview
    from dermlab.lock.sources import Options

    options = Options(
        images, seed, labels, image_column, label_column, patient_column, case_column, split_column, no_patients, ignore_splits,
        skip_missing, min_class_count, endpoint_url, pseudonymise,
    )  # fmt: skip
    if dry_run:
        preview(source, options)
        return
    pin = pin_source(source, options)
    logging.getLogger("dvc").setLevel(logging.WARNING)  # its advice on `git add` is what the last line here says
    with Repo() as repo:
        repo.add(str(paths.SOURCE))
    say(f"lock: {len(pin.manifest)} images, {len(pin.classes.targets)} classes, {len(pin.questions)} questions in {paths.SOURCE}")
    if no_patients:
        say("      patients are not known: photos of one person may lie on both sides of the split, and scores be too good")
    say(f"      digest {pin.digest[:16]}; commit {paths.SOURCE}.dvc")


@app.command()
def check() -> None:
    """Read params.yaml and say whether it is valid, before any stage spends time."""
    params = check_params()
    read_machine()
    say("params.yaml is valid: " + " ".join(f"{key}={params[key]}" for key in ("variant", "loss", "backbone", "seed")))


@app.command()
def where(image_id: Annotated[str, typer.Argument(help="as it stands in a table, a page or an error")]) -> None:
    """Say which object an image is. For you alone: the path may name a person, which is why no page and no log shows it."""
    from dermlab.data.pin import read_pin

    manifest = read_pin().manifest
    found = manifest[manifest["image_id"] == image_id]
    if found.empty:
        raise SourceError(f"data/source has no image {image_id!r}. Copy the id whole: 16 hex digits.")
    print(found["key"].iat[0])


@app.command()
def study(
    recipe: Annotated[str, typer.Argument(help="a name in recipes/, or a path")] = "demo",
    replace: Annotated[bool, typer.Option(help="also experiments of these names that have other params")] = False,
    share: Annotated[bool, typer.Option("--share", help="pull what other machines have run, push what this one runs")] = False,
    seeds: Annotated[str, typer.Option(help="17,18,19 or 17-24, instead of the recipe's; those that have run are kept")] = "",
    at_once: Annotated[int, typer.Option(help="experiments at a time, each on a GPU of its own", min=1)] = 1,
) -> None:
    """Run every experiment of a recipe as a real `dvc exp run`, then compare them. Run again to go on after a stop."""
    from dermlab.study.recipe import read_recipe, read_seeds
    from dermlab.study.run import run_study

    planned = read_recipe(_recipe_file(recipe), read_seeds(seeds) if seeds else ())
    run_study(planned, replace, share, at_once)
    baseline, *others = [experiment.name for experiment in planned]
    compare(baseline, others)


@app.command()
def recipe(name: Annotated[str, typer.Argument(help="a name in recipes/, or a path")]) -> None:
    """Print a recipe's first experiment as `-S` options: dvc exp run $(dermlab recipe medsiglip-h100)."""
    from dermlab.study.recipe import read_recipe

    first, *_ = read_recipe(_recipe_file(name))
    print(" ".join(f"-S {key}={value}" for key, value in first.overrides.items()))


@app.command()
def preflight(
    recipe: Annotated[str, typer.Argument(help="a name in recipes/, or a path")],
    images: Annotated[int | None, typer.Option(help="training images, of data that is not pinned here")] = None,
    originals_gb: Annotated[float | None, typer.Option(help="their size")] = None,
    disk_gb: Annotated[float | None, typer.Option(help="the disk of the machine to be rented")] = None,
    epoch_seconds: Annotated[float | None, typer.Option(help="what an epoch of fine-tuning takes there")] = None,
    usd_per_hour: Annotated[float | None, typer.Option(help="what it costs; else machine.usd_per_hour")] = None,
) -> None:
    """Say whether a recipe can run here and what it will cost. Exit code 1: it cannot."""
    from rich.console import Console
    from rich.table import Table

    from dermlab.data.pin import read_pin
    from dermlab.preflight.run import is_go
    from dermlab.preflight.run import preflight as look
    from dermlab.study.recipe import read_recipe

    machine = read_machine()
    if usd_per_hour is not None:
        machine = machine.model_copy(update={"usd_per_hour": usd_per_hour})
    pin = read_pin() if images is None and (paths.SOURCE / "source.json").exists() else None
    text = paths.PARAMS.read_text(encoding="utf-8")
    checks = look(read_recipe(_recipe_file(recipe)), text, machine, pin, images, originals_gb, disk_gb, epoch_seconds)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for check in checks:
        table.add_row(check.what, check.result, check.said)
    Console(width=None if Console().is_terminal else 130).print(table)
    say("go" if is_go(checks) else "no-go: what stands at NO comes first")
    if not is_go(checks):
        raise typer.Exit(1)


@app.command()
def cost() -> None:
    """Say what training cost by experiment: hours, images a second, waiting, memory, use of the GPU, dollars."""
    from rich.console import Console

    from dermlab.study.cost import as_table, read_costs

    Console(width=None if Console().is_terminal else 130).print(as_table(read_costs()))


@app.command()
def predict(
    path: Annotated[Path, typer.Argument(help="a photo, or a folder of photos")],
    answers: Annotated[Path | None, typer.Option(help="CSV: a column `image`, and one a question")] = None,
    model: Annotated[Path, typer.Option(help="the model's folder")] = paths.MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="a JSON object a line, with every class")] = False,
) -> None:
    """Say what a model takes photos for: the three likeliest diagnoses, calibrated, and whether it should answer at all."""
    import json
    import sys
    from contextlib import redirect_stdout
    from dataclasses import asdict

    from rich.console import Console

    from dermlab.data.progress import progress
    from dermlab.predict.predictor import Predictor, photos_in, read_answers
    from dermlab.predict.table import as_table

    with redirect_stdout(sys.stderr):  # what it says of the machine is no JSON
        predictor = Predictor(model)
    photos = photos_in(path)
    given = read_answers(answers, predictor.model.questions) if answers else {}
    by_photo = {str(photo): given.get(str(photo)) or given.get(photo.name) or {} for photo in photos}
    if strangers := set(given) - {str(photo) for photo in photos} - {photo.name for photo in photos}:
        raise SourceError(f"{answers} answers for {sorted(strangers)[0]!r}, which is no photo of {path}.")
    found = []
    with progress("Predicting", len(photos)) as meter:
        for prediction in meter.track(predictor(photos, by_photo)):
            found.append(prediction)
    if as_json:
        for prediction in found:
            print(json.dumps(asdict(prediction), ensure_ascii=False))
    else:
        Console(width=None if Console().is_terminal else 130).print(as_table(found, path))
        say("No diagnosis. A model's output for research: see models/model and `dermlab compare` for what it gets wrong")
    if any(prediction.error for prediction in found):
        raise typer.Exit(1)


@app.command()
def export(
    model: Annotated[Path, typer.Option(help="the model's folder")] = paths.MODEL,
    out: Annotated[Path, typer.Option(help="the file")] = Path("models/model.onnx"),
) -> None:
    """Write a model as ONNX, with its classes and questionnaire, and check that it gives the same probabilities."""
    from dermlab.predict.export import export_onnx

    difference = export_onnx(model, out)
    say(f"export: {out}, {out.stat().st_size / 1e6:.1f} MB; over noise its probabilities are within {difference:.0e} of the model's")


def _recipe_file(name: str) -> Path:
    return Path(name) if name.endswith(".yaml") else RECIPES / f"{name}.yaml"


@app.command()
def reset() -> None:
    """Put params.yaml and results back to what is committed, also after a run that was killed. Code and ledger stay as they are."""
    from dermlab.study.workspace import reset as reset_workspace

    reset_workspace()


@app.command()
def apply(experiment: Annotated[str, typer.Argument(help="its name in `dvc exp show`")]) -> None:
    """Bring an experiment's params and results into the workspace, as `dvc exp apply`, but keep the ledger's lines of today."""
    from dermlab.study.workspace import apply as apply_experiment

    apply_experiment(experiment, keep=[str(paths.RELABELS), str(paths.NOT_COPIES)])
    say(f"params.yaml and results are those of {experiment}; {paths.RELABELS} is as it was")


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
    from dermlab.report.params import Params

    runs = [comparing.load_run(name) for name in (baseline, *others)]
    comparison = comparing.compare(runs[0], runs[1:], read_params(Params).report.bootstrap)
    comparing.write_html(comparison, page)
    comparing.write_json(comparison, page.with_suffix(".json"))
    if markdown:
        print(comparing.as_markdown(comparison))
        return
    console = Console(width=None if Console().is_terminal else 130)
    for line in comparing.as_text(comparison):
        console.print(line, highlight=False)
    console.print(comparing.as_table(comparison))
    if not comparison.is_study:  # a column a run is for a few runs; the page has them all
        console.print(comparing.per_class_table(comparison))
    for note in comparison.notes:
        console.print(note)
    say(f"Comparison: {page.resolve()}")
    say(f"This run's report: {paths.REPORT_HTML.resolve()}")


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Option(help="Parquet: image_id, patient_id, diagnosis, label, and prob_CLASS of every class")],
    out: Annotated[Path | None, typer.Option(help="also as JSON, with confusion and calibration")] = None,
) -> None:
    """Score any model's probabilities of a test split: headline and classes with intervals over patients. Trains and changes nothing."""
    from rich.console import Console

    from dermlab.data.files import write_json
    from dermlab.report.evaluation import as_json, as_tables, evaluate_predictions, notes
    from dermlab.report.params import Params

    params = read_params(Params)
    found = evaluate_predictions(predictions, params.evaluate.ece_bins, params.report.bootstrap)
    console = Console(width=None if Console().is_terminal else 130)
    for shown in as_tables(found):
        console.print(shown)
    for note in notes(found):
        say(note)
    if out is not None:
        write_json(out, as_json(found, params.evaluate.ece_bins))
        say(f"JSON: {out.resolve()}")
    say(f"Against a run: dermlab compare baseline {predictions}")


@app.command()
def table(
    experiments: Annotated[list[str] | None, typer.Argument(help="the baseline first; else all that start from HEAD")] = None,
    md: Annotated[bool, typer.Option("--md", help="as Markdown")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="as CSV")] = False,
) -> None:
    """Print a row a recipe: what differs, seeds, headline, verdict. Fits 120 columns, where `dvc exp show` has a column a param."""
    from rich.console import Console

    from dermlab.report import compare as comparing
    from dermlab.report import table as narrow
    from dermlab.report.params import Params
    from dermlab.study.dvc import experiments as of_head

    names = experiments or sorted(of_head(), key=lambda name: (name != "baseline", name))
    if not names:
        say("No experiment starts from this commit. `dermlab runs` lists those of others, `dermlab study demo` runs some")
        raise typer.Exit(1)
    baseline, *others = [comparing.load_run(name) for name in names]
    comparison = comparing.compare(baseline, others, read_params(Params).report.bootstrap)
    if md or csv:
        print(narrow.as_markdown(comparison) if md else narrow.as_csv(comparison), end="" if csv else "\n")
        return
    Console(width=None if Console().is_terminal else 120).print(narrow.as_table(comparison))


@app.command()
def runs() -> None:
    """List every experiment, whatever commit it started from; those of one letter were tested alike and may be compared."""
    from rich.console import Console

    from dermlab.study.listing import as_table, list_runs

    Console(width=None if Console().is_terminal else 120).print(as_table(list_runs()))


@app.command("open")
def open_page(
    what: Annotated[Page, typer.Argument(help="which page")] = Page.report,
) -> None:
    """Open a page in the browser; on a machine without a screen, print where it lies."""
    import webbrowser

    path, made_by = PAGES[what]
    if not path.exists():
        raise SourceError(f"{path} is not there yet. `{made_by}` writes it.")
    if not _has_screen() or not webbrowser.open(path.resolve().as_uri()):
        say(str(path.resolve()))


def _has_screen() -> bool:
    import os
    import sys

    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@app.command()
def comment(
    base: Annotated[str, typer.Argument(help="the branch or commit that the pull request is to join, such as origin/main")],
    out: Annotated[Path | None, typer.Option(help="a file instead of standard output")] = None,
) -> None:
    """Write a pull request's comment: the verdict of HEAD against BASE, per class, and what differs in metrics and params."""
    from dermlab.comment.body import comment_body
    from dermlab.data.files import write_text
    from dermlab.report.params import Params

    text = comment_body(base, read_params(Params).report.bootstrap)
    if out is None:
        print(text)
    else:
        write_text(out, text)


@app.command()
def review(
    merge: Annotated[Path | None, typer.Option(help="the exported decisions to write into the ledger")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="most photos to ask about; else 2 % of the training rows, 50 or more")] = None,
    out: Annotated[Path, typer.Option(help="where the HTML page is written")] = paths.REVIEW,
    reviewer: Annotated[str, typer.Option(help="who decides; else the page asks")] = "",
    pixels: Annotated[int, typer.Option(min=64, help="longer side of the photos asked about")] = 480,
) -> None:
    """Write a page on which a person reviews doubtful labels, or merge the decisions it exported into data/relabels.csv."""
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
    write_page(out, queue, Shards(), reviewer, pixels, larger)
    say(f"review: {len(queue.cards)} photos to look at, {queue.reviewed} reviewed before, {queue.later} more on later pages (--limit)")
    if len(larger) < len(queue.cards):
        say(f"      {len(queue.cards) - len(larger)} are shown as they are stored, small: the source does not have them here")
    say(f"Page: {out.resolve()}")


@app.command()
def pairs(
    merge: Annotated[Path | None, typer.Option(help="the exported pairs to write into data/not-copies.csv")] = None,
    limit: Annotated[int, typer.Option(min=1, help="most pairs to ask about")] = 200,
    out: Annotated[Path, typer.Option(help="where the HTML page is written")] = paths.PAIRS,
    reviewer: Annotated[str, typer.Option(help="who decides; else the page asks")] = "",
    pixels: Annotated[int, typer.Option(min=64, help="longer side of the photos")] = 480,
) -> None:
    """Write a page of photos that look like copies, side by side, or merge what a person said are none into data/not-copies.csv."""
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
    write_pairs(out, asked, Shards(), reviewer, pixels, larger)
    across = sum(pair.first.split != pair.second.split for pair in found)
    say(f"pairs: {len(asked)} of {len(found)} to look at, {across} of them in two splits; the least alike come first")
    say(f"Page: {out.resolve()}")


def main() -> None:
    run_command(app)
