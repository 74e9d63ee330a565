"""A frame of rows in use, written as the two tables that `read_rows` joins."""

from pathlib import Path

import pandas as pd

from dermlab.data.questionnaire import Questionnaire
from dermlab.data.tables import CATALOG, IMAGES, write_table
from dermlab.run import paths


def write_rows(rows: pd.DataFrame, questions: Questionnaire = (), catalog: Path = paths.CATALOG, images: Path = paths.IMAGES) -> None:
    """`rows`: the columns of both tables."""
    pixels = [name for name in IMAGES.names if name != "image_id"]
    write_table(catalog, rows.drop(columns=pixels), CATALOG, questions)
    write_table(images, rows[IMAGES.names].astype({"phash": "uint64"}), IMAGES)
