"""The ledger data/relabels.csv: what people decided about single training images, readable in a diff."""

from pathlib import Path

import pandas as pd

from dermlab.data.classes import DROP, Classes
from dermlab.data.lines import LAST, READERS, as_table, mended_id, read_lines
from dermlab.run.errors import ContractError

HEADER = ("image_id", "from_label", "to_label", "reason", *LAST)
CONCLUDE = "Conclude it anew: `dermlab review --conclude`."


def read_ledger(path: Path, catalog: pd.DataFrame, classes: Classes, by_hand: bool = False) -> pd.DataFrame:
    """The checked ledger: columns HEADER, one row an image, in the file's order; the index is the line in the file.
    `by_hand`: only what a person wrote, and not what was concluded from readers' answers.

    `to_label` is a class, `other`, `drop`, or the label the image has: then a person confirmed it. Raises ContractError naming
    the line: a wrong header, an unknown image, an image of val or test (their labels are frozen), a from_label that is not the
    catalog's, an unknown to_label, no reason, no reviewer, a date that is not YYYY-MM-DD, an image named twice.
    """
    lines = [(number, line) for number, line in read_lines(Path(path), HEADER) if not (by_hand and line["reviewer"] == READERS)]
    known = catalog.set_index("image_id")[["label", "split"]]
    labels, splits = known["label"].to_dict(), known["split"].to_dict()
    valid = (*classes.names, DROP)
    seen: dict[str, int] = {}
    for number, line in lines:
        image, where = line["image_id"], f"{path}, line {number}, image {line['image_id']!r}"
        if image not in labels:
            raise ContractError(f"{where}: is not in the catalog. {_mend(line) or mended_id(image, labels)}")
        if splits[image] != "train":
            raise ContractError(f"{where}: is a {splits[image]} image. Only training labels may change; remove the line.")
        if line["from_label"] != labels[image]:
            raise ContractError(
                f"{where}: from_label is {line['from_label']!r}, but the catalog says {labels[image]!r}. "
                f"{_mend(line) or 'Review the image again.'}"
            )
        if line["to_label"] not in valid:
            raise ContractError(f"{where}: to_label {line['to_label']!r} is not one of {', '.join(valid)}.")
        if not line["reason"]:
            raise ContractError(f"{where}: has no reason. Say in a few words why.")
        if image in seen:
            raise ContractError(f"{where}: stands already on line {seen[image]}. {_mend(line) or 'Keep the line that holds.'}")
        seen[image] = number
    return as_table(lines, HEADER)


def _mend(line: dict[str, str]) -> str:
    """What was concluded is made again, not edited."""
    return CONCLUDE if line["reviewer"] == READERS else ""
