"""Verbs of a trained model: use it, hand it on."""

from pathlib import Path
from typing import Annotated

import typer

from dermlab.cli.app import verbs_of
from dermlab.cli.options import ModelFolder
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.progress import say

verb = verbs_of("Model")


@verb()
def predict(
    paths_: Annotated[list[Path], typer.Argument(metavar="PATH...", help="photos, or folders of photos")],
    answers: Annotated[Path | None, typer.Option(help="answers of the patients, as CSV: a column `image`, and one a question")] = None,
    case: Annotated[
        bool, typer.Option("--case", help="one answer for all photos; for each case, where the answers have a column `case_id`")
    ] = False,
    model: ModelFolder = paths.MODEL,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, an object a line and photo, with every class")] = False,
) -> None:
    """Say what a model takes photos for.

    The three likeliest diagnoses, calibrated, and whether the model should answer at all."""
    import json
    import sys
    from contextlib import redirect_stdout
    from dataclasses import asdict

    from dermlab.predict.photos import CASE, answers_by_photo, photos_of, read_answers

    photos, path = photos_of(paths_), paths_[0]  # before the imports below, which take two seconds

    from dermlab.predict.cases import by_case
    from dermlab.predict.predictor import Predictor
    from dermlab.predict.table import as_case_table, as_table
    from dermlab.run.progress import console, progress

    with redirect_stdout(sys.stderr):  # what it says of the machine is no JSON
        predictor = Predictor(model)
        if as_json:
            say(f"Model: {predictor.described}")
    given = read_answers(answers, predictor.model.questions) if answers else {}
    if strangers := set(given) - {str(photo) for photo in photos} - {photo.name for photo in photos}:
        raise SourceError(f"{answers} answers for {sorted(strangers)[0]!r}, which is no photo of {', '.join(map(str, paths_))}.")
    by_photo = answers_by_photo(photos, given)
    case_of = {name: said.pop(CASE, "") for name, said in by_photo.items()}
    if case and any(case_of.values()) and (without := next((name for name, its in case_of.items() if not its), None)):
        raise SourceError(f"{answers}: {without} has no {CASE}, and other photos have. Give each one.")
    found = []
    with progress("Predicting", len(photos)) as meter:
        for prediction in meter.track(predictor(photos, by_photo)):
            found.append(prediction)
    below = path if len(paths_) == 1 else Path()
    cases = by_case(found, {name: its or "case" for name, its in case_of.items()}, predictor.model) if case else []
    if as_json:
        for prediction in cases or found:
            print(json.dumps(asdict(prediction), ensure_ascii=False))
    else:
        chosen = predictor.model.calibration
        sets = chosen.case_sets or chosen.sets if case else chosen.sets
        coverage = sets.coverage if sets else None
        console(130).print(as_case_table(cases, below, coverage) if case else as_table(found, below, coverage))
        say(f"Model: {predictor.described}")
        card = f"{model / 'README.md'} says" if (model / "README.md").is_file() else "`dermlab compare` shows"
        say(f"No diagnosis. A model's output for research: {card} what it gets wrong")
    if unread := [prediction for prediction in found if prediction.error]:
        if len(unread) == len(found):
            first = f"{unread[0].photo}: {unread[0].error}."
            raise SourceError(
                first if len(found) == 1 else f"None of the {len(found)} photos of {', '.join(map(str, paths_))} could be read. {first}"
            )
        print(f"{len(unread)} of {len(found)} photos could not be read", file=sys.stderr)
        raise typer.Exit(1)


@verb()
def export(
    model: ModelFolder = paths.MODEL,
    out: Annotated[Path, typer.Option(help="the ONNX file that is written")] = Path("models/model.onnx"),
    figures: Annotated[
        Path | None, typer.Option(help="write a paper's figures and tables of the run to this folder; needs no model")
    ] = None,
) -> None:
    """Write a model as ONNX.

    With its classes and questionnaire; it is checked that it gives the same probabilities."""
    if figures is not None:
        from dermlab.predict.figures import write_figures

        written = write_figures(figures)
        say(f"export: {len(written)} figures and tables in {figures}: {', '.join(path.name for path in written)}")
        if model == paths.MODEL and not model.exists():
            return
    from dermlab.predict.export import export_onnx

    difference = export_onnx(model, out)
    say(f"export: {out}, {out.stat().st_size / 1e6:.1f} MB; over noise its probabilities are within {difference:.0e} of the model's")
