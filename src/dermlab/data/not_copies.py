"""data/not-copies.csv: pairs of photos that look like copies, and of which a person said that they are not."""

from pathlib import Path

import pandas as pd

from dermlab.data.lines import LAST, as_table, read_lines
from dermlab.run import paths
from dermlab.run.errors import ContractError

HEADER = ("image_id", "other_id", *LAST)
NOTHING_SAID = pd.DataFrame(columns=list(HEADER), dtype=str)


def read_not_copies(path: Path = paths.NOT_COPIES) -> pd.DataFrame:
    """The checked pairs: columns HEADER, in the file's order, image_id < other_id; the index is the line in the file.

    Images that the source has no more are no error: their pair can't come up. Raises ContractError naming the line: what `read_lines`
    refuses, an id that is missing or stands on both sides, a pair that is named twice.
    """
    lines = read_lines(Path(path), HEADER)
    seen: dict[tuple[str, str], int] = {}
    for number, line in lines:
        first, second = sorted((line["image_id"], line["other_id"]))
        where = f"{path}, line {number}, images {first!r} and {second!r}"
        if not first or first == second:
            raise ContractError(f"{where}: must be two ids. Export the pair again (`dermlab pairs`) or remove the line.")
        if (first, second) in seen:
            raise ContractError(f"{where}: stand already on line {seen[first, second]}. Remove one of the lines.")
        seen[first, second] = number
        line["image_id"], line["other_id"] = first, second
    return as_table(lines, HEADER)
