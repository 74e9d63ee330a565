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
        wait_until_settled(tab)
        tab.keyboard.press(key)


def wait_until_settled(tab) -> None:
    left = tab.evaluate("Math.max(0, Math.max(cardAt, listAt) + SETTLING - performance.now())")
    if left:
        tab.wait_for_timeout(left + 20)


def export(tab, name: str = "answers-reader-1.csv", keys: str = "Control+s") -> list[dict[str, str]]:
    with tab.expect_download() as download:
        tab.keyboard.press(keys)
    assert download.value.suggested_filename == name
    download.value.save_as(name)
    return list(csv.DictReader(Path(name).read_text().splitlines()))
