"""A reader's page, drawn and answered in a browser."""

import csv
import json
import re
from pathlib import Path

from dermlab.cli import app


def page_of(*options: str, reader: int = 1) -> str:
    """Runs `dermlab review` for readers and returns the address of the page of one."""
    app(["review", "--reader", "Anna", *options], standalone_mode=False)
    return Path(f"data/review-reader-{reader}.html").resolve().as_uri()


def content_of(reader: int = 1) -> dict:
    text = Path(f"data/review-reader-{reader}.html").read_text()
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.S)[1])


def drawn_as(name: str) -> None:
    """Draws the page anew under a name that it bore before."""
    page_of()
    page = Path("data/review-reader-1.html")
    page.write_text(page.read_text().replace(content_of()["page"], name))


def press(tab, *keys: str) -> None:
    """Keys one after the other, none before the card that the one before brought may have been seen."""
    for key in keys:
        settle(tab)
        tab.keyboard.press(key)


def settle(tab) -> None:
    """As if what the page shows had stood there for long."""
    tab.evaluate("cardAt = listAt = -Infinity")


def nothing_settles(tab) -> None:
    """What comes on the pages of this tab is too new to be meant until `settle`: a slow machine takes long from one tap to the next."""
    tab.add_init_script("performance.now = () => Infinity")


def export(tab, name: str = "answers-reader-1.csv", keys: str = "Control+s") -> list[dict[str, str]]:
    with tab.expect_download() as download:
        tab.keyboard.press(keys)
    assert download.value.suggested_filename == name
    download.value.save_as(name)
    return list(csv.DictReader(Path(name).read_text().splitlines()))
