"""The page of a reader: cases one after the other, one answer each. What of the label it shows depends on its mode."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from dermlab.data.classes import CANNOT_TELL, DROP, THEN, Classes
from dermlab.data.questionnaire import Questionnaire
from dermlab.data.reviews import ADJUDICATION, CONFIDENCE, HEADER, OPEN, page_name, question_name
from dermlab.data.shards import Shards
from dermlab.review.draw import Cases, Sheet
from dermlab.review.html import in_page, render
from dermlab.review.queue import answers_in_words
from dermlab.review.synonyms import synonyms
from dermlab.run.files import write_text
from dermlab.run.progress import progress


def write_sheet(
    path: Path,
    sheet: Sheet,
    reviewer: str,
    mode: str,
    cases: Cases,
    rows: pd.DataFrame,
    flags: pd.DataFrame,
    said: Mapping[str, list[tuple[str, str]]],
    classes: Classes,
    questions: Questionnaire,
    shards: Shards,
    side: int = 480,
    originals: Mapping[str, bytes] | None = None,
) -> None:
    """Writes the page atomically. reviewer: as answers name the reader (`Readers.called`); said: by card, what readers said, for
    adjudication; side: pixels of the longer side of a photo, never enlarged; originals: JPEGs of those that are to be had larger than they
    are stored."""
    train, judged = rows.set_index("image_id"), flags.set_index("image_id")
    asked = [_card(card, mode, cases, train, judged, said, questions) for card in sheet.cards]
    images = sorted({image for card in asked for image in card["images"]})
    photos = {}
    with progress("review", len(images)) as meter:
        for image in meter.track(images):
            jpeg = (originals or {}).get(image) or shards.jpeg(int(train.at[image, "shard"]), int(train.at[image, "row"]))
            photos[image] = in_page(jpeg, side)
    shown = ", ".join(
        " ".join(card["images"]) for card in asked
    )  # every photo, or answers to a card drawn anew would be taken for this one's
    page = page_name(classes, f"{reviewer} {mode} {shown}")
    for place, card in enumerate(asked, start=1):
        card["questions"] = [question_name(page, place, image) for image in card["images"]]
    content = {
        "page": page,
        "reader": sheet.reader,
        "reviewer": reviewer,
        "mode": mode,
        "header": HEADER,
        "classes": classes.names,
        "synonyms": synonyms(classes, rows["diagnosis"]),
        "cannotTell": CANNOT_TELL,
        "drop": DROP,
        "then": THEN,
        "confidence": CONFIDENCE,
        "cards": asked,
        "photos": photos,
    }
    scripts = ("shared.js", "session.js", "zoom.js", "reading.js")
    write_text(path, render("reading.html.j2", content, scripts, ("review.css", "reading.css"), mode=mode, reader=sheet.reader))


def _card(
    card: str, mode: str, cases: Cases, train: pd.DataFrame, flags: pd.DataFrame, said: Mapping[str, list], questions: Questionnaire
) -> dict:
    """What a blind page shows is photos and the patient's answers, and nothing else is in it."""
    shown = {"images": cases.images[card], "answers": answers_in_words(train.loc[card], questions)}
    if mode == OPEN:
        flag = flags.loc[card]
        shown["hints"] = [["Label given", flag["given"]]]
        if flag["suggested"] != flag["given"]:
            shown["hints"].append([f"Suggestion, {100 * flag['suggested_prob']:.0f} %", flag["suggested"]])
    if mode == ADJUDICATION:
        shown["hints"] = [[f"A reader said{f', {how}' if how else ''}", answer] for answer, how in said.get(card, ())]
    return shown
