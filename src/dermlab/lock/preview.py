"""`dermlab lock SOURCE --dry-run`: what would be pinned, for a person to look at before it is."""

import base64
import html
import tempfile
from pathlib import Path

import pandas as pd
from rich.table import Table

from dermlab.data.classes import OTHER
from dermlab.data.pin import Pin
from dermlab.lock.listing import Options
from dermlab.lock.lock import lock
from dermlab.pull.develop import BrokenImageError, develop
from dermlab.run import paths
from dermlab.run.errors import SourceError
from dermlab.run.files import write_text
from dermlab.run.location import read_location
from dermlab.run.objects.keys import Objects
from dermlab.run.objects.opening import open_objects
from dermlab.run.progress import console, say, some

SHOWN = 10  # photos on the page
SIDE, MAX_PIXELS = 200, 100_000_000

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>What would be pinned</title><style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 24px; color-scheme: light dark; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 16px; }} figure {{ margin: 0; }}
img {{ width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 6px; }}</style></head>
<body><h1>{images:,} images, {classes} classes</h1><p>{shown} of them, of as many classes as there are. Does each look like its label?</p>
<main>{figures}</main></body></html>
"""


def preview(uri: str, options: Options, page: Path | None = None) -> Path:
    """Prints what `lock` would pin and writes `page` (a temporary file unless given) with some photos. Raises SourceError as `lock` does;
    nothing else is written."""
    page = page or Path(tempfile.mkdtemp(prefix="dermlab-")) / "preview.html"
    with tempfile.TemporaryDirectory() as folder:
        pin = lock(uri, options, Path(folder) / "source", Path(folder) / "location")
        location, endpoint_url = read_location(Path(folder) / "location")
        objects = open_objects(location, endpoint_url, keys=Path(folder) / paths.KEYS.name).some(pin.manifest["key"].tolist())
    labels = pin.manifest["diagnosis"].map(pin.classes.label_of)
    counts, patients = labels.value_counts(), pin.manifest.groupby(labels)["patient_id"].nunique()
    known = (pin.manifest["patient_id"] != pin.manifest["image_id"]).any()  # where nobody knows them `lock` takes each photo for one
    table = Table("class", "images", *(["patients"] if known else []), box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in (*pin.classes.targets, *([OTHER] if OTHER in counts else [])):
        table.add_row(name, f"{counts.get(name, 0):,}", *([f"{patients.get(name, 0):,}"] if known else []))
    console(100).print(table)
    size, given = pin.manifest["size"].sum(), pin.manifest["split"].value_counts()
    people = some(pin.manifest["patient_id"].nunique(), "patient", "patients") if known else "patients not known"
    images, questions = some(len(pin.manifest), "image", "images"), some(len(pin.questions), "question", "questions")
    say(f"{images} ({size / 1e6:,.0f} MB), {people}, {questions}")
    splits = [f"{name} {count:,}" for name, count in given.items()] or ["none given; dermlab splits by patient"]
    say(f"splits: {', '.join(splits)}{'; val is taken out of train, by patient' if len(given) and 'val' not in given else ''}")
    _write_page(page, pin, labels, objects)
    say(f"Some of the photos: {page}")
    say("Nothing was written in this repository. Without --dry-run this becomes data/source.")
    return page


def _write_page(page: Path, pin: Pin, labels: pd.Series, objects: Objects) -> None:
    turn = labels.groupby(labels).cumcount()  # one of each class, then a second of each
    chosen = pin.manifest.assign(label=labels, turn=turn).sort_values(["turn", "label"], kind="stable").head(SHOWN)
    figures = []
    for row in chosen.itertuples():
        try:
            ((data, _),) = objects.read_many([row.key])
            photo = base64.b64encode(develop(data, SIDE, MAX_PIXELS).jpeg).decode()
            shown = f'<img alt="" src="data:image/jpeg;base64,{photo}">'
        except (BrokenImageError, SourceError) as error:
            shown = f"<p>Cannot be used: {html.escape(str(error))}</p>"
        figures.append(f"<figure>{shown}<figcaption>{html.escape(row.label)}</figcaption></figure>")
    text = PAGE.format(images=len(pin.manifest), classes=len(pin.classes.targets), shown=len(figures), figures="".join(figures))
    write_text(page, text)
