"""Verbs of the source: what is pinned, and which file an image is."""

from typing import Annotated

import typer

from dermlab.cli.app import app
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.progress import say


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

    from dermlab.lock.listing import Options
    from dermlab.lock.lock import lock as pin_source
    from dermlab.lock.preview import preview

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
def where(image_id: Annotated[str, typer.Argument(help="as it stands in a table, a page or an error")]) -> None:
    """Say which object an image is. For you alone: the path may name a person, which is why no page and no log shows it."""
    from dermlab.data.pin import read_pin

    manifest = read_pin().manifest
    found = manifest[manifest["image_id"] == image_id]
    if found.empty:
        raise SourceError(f"data/source has no image {image_id!r}. Copy the id whole: 16 hex digits.")
    print(found["key"].iat[0])
