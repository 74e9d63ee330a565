"""Verbs of the source: what is pinned, and which file an image is."""

from typing import Annotated

import typer

from dermlab.cli.app import verbs_of
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.progress import say

verb = verbs_of("Source")


@verb()
def lock(
    source: Annotated[str, typer.Argument(help="phantom | folder:PATH | s3://BUCKET/PREFIX | ham10000:PATH | scin:PATH")],
    images: Annotated[int, typer.Option(help="of the phantom: how many photos are simulated", min=200)] = 4800,
    seed: Annotated[int, typer.Option(help="of the phantom: seed of the simulation", min=0)] = 17,
    raters: Annotated[int, typer.Option(help="of the phantom: how many dermatologists label each case", min=1, max=9)] = 1,
    labels: Annotated[str | None, typer.Option(help="the table of labels, where the folder or bucket holds several")] = None,
    image_column: Annotated[str | None, typer.Option(help="column of image paths; else found by its usual names, as the next")] = None,
    label_column: Annotated[str | None, typer.Option(help="column of labels")] = None,
    patient_column: Annotated[str | None, typer.Option(help="column of patients")] = None,
    case_column: Annotated[str | None, typer.Option(help="column of cases (the photos sent at once); may be absent")] = None,
    split_column: Annotated[str | None, typer.Option(help="column that says train, val or test; may be absent")] = None,
    rater_column: Annotated[str | None, typer.Option(help="column of who gave the label, where photos have a row a rater")] = None,
    no_patients: Annotated[bool, typer.Option("--no-patients", help="each photo is of another person, or nobody knows of whom")] = False,
    ignore_splits: Annotated[bool, typer.Option("--ignore-splits", help="split by patient anew, whatever the table says")] = False,
    skip_missing: Annotated[bool, typer.Option("--skip-missing", help="leave out rows whose image is not there")] = False,
    min_class_count: Annotated[int, typer.Option(help="a diagnosis with fewer images joins `other`", min=1)] = 20,
    endpoint_url: Annotated[str | None, typer.Option(help="an S3 server that is not Amazon's", envvar="AWS_ENDPOINT_URL")] = None,
    pseudonymise: Annotated[
        bool, typer.Option("--pseudonymise", help="patients, cases and paths become digests, keyed by DERMLAB_KEY")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be pinned, and write nothing")] = False,
) -> None:
    """Pin what will be pulled in data/source/, and track it with DVC."""
    import logging

    from dvc.repo import Repo

    from dermlab.data.known_groups import follow_source
    from dermlab.lock.listing import Options
    from dermlab.lock.lock import lock as pin_source
    from dermlab.lock.preview import preview

    options = Options(
        images, seed, raters, labels, image_column, label_column, patient_column, case_column, split_column, rater_column, no_patients,
        ignore_splits, skip_missing, min_class_count, endpoint_url, pseudonymise,
    )  # fmt: skip
    if dry_run:
        preview(source, options)
        return
    pin = pin_source(source, options)
    logging.getLogger("dvc").setLevel(logging.WARNING)  # its advice on `git add` is what the last line here says
    with Repo() as repo:
        repo.add(str(paths.SOURCE))
    say(f"lock: {len(pin.manifest)} images, {len(pin.classes.targets)} classes, {len(pin.questions)} questions in {paths.SOURCE}")
    said = follow_source(pin.classes)
    if said:
        say(f"      {said}")
    say(f"      digest {pin.digest[:16]}; commit {paths.SOURCE}.dvc{f' and {paths.GROUPS}' if said else ''}")


@verb()
def where(image_id: Annotated[str, typer.Argument(help="as it stands in a table, a page or an error")]) -> None:
    """Say which object an image is.

    For you alone: the path may name a person, which is why no page and no log shows it."""
    import sys

    from dermlab.data.pin import read_pin
    from dermlab.run.location import read_location
    from dermlab.run.objects.pseudonyms import Pseudonyms

    manifest = read_pin().manifest
    found = manifest[manifest["image_id"] == image_id]
    if found.empty:
        raise SourceError(f"data/source has no image {image_id!r}. Copy the id whole: 16 hex digits.")
    location, _ = read_location()
    print(Pseudonyms().key(found["key"].iat[0]))
    print(f"in {location}, where the objects are looked for on this machine", file=sys.stderr)
