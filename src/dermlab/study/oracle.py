"""A reviewer who is always right, for studies: what would a review of the first rows of the queue have been worth?

Answers come from the truth table, which only the rooms report and study may read.
"""

import csv
import io
from pathlib import Path

import pandas as pd

from dermlab.data.classes import DROP
from dermlab.data.ledger import HEADER
from dermlab.data.tables import FLAGS, TRUTH, read_table
from dermlab.report.truth import GARBAGE
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.files import write_text

REVIEWER, DATE = "oracle", "1970-01-01"  # not a person, and no day on which anybody looked


def oracle_ledger(flags: pd.DataFrame, truth: pd.DataFrame, budget: float) -> pd.DataFrame:
    """Columns HEADER: the decisions on the first `budget` (a share of the training rows) of the queue, in its order.

    Garbage is dropped, a wrong label replaced, a right one confirmed. Raises ContractError where the truth is not known.
    """
    asked = flags[flags["review_rank"].notna()].sort_values("review_rank").head(round(budget * len(flags)))
    rows = asked.merge(truth, on="image_id", how="left", validate="one_to_one")
    if truth.empty or rows["true_label"].isna().any():
        raise ContractError(
            "This source does not know the truth, so a simulated review has no answers. Use the phantom, or give labels noise "
            "(-S catalog.noise_rate=0.1)."
        )
    to_label = rows["true_label"].where(~rows["kind"].isin(GARBAGE), DROP)
    reason = rows["kind"].where(rows["kind"].isin(GARBAGE), "wrong label").where(to_label != rows["given"], "confirmed")
    return pd.DataFrame(
        {
            "image_id": rows["image_id"], "from_label": rows["given"], "to_label": to_label, "reason": "simulated review: " + reason,
            "reviewer": REVIEWER, "date": DATE,
        }
    )[list(HEADER)]  # fmt: skip


def write_oracle_ledger(budget: float, path: Path) -> int:
    """Writes the ledger from the flags and the truth of the workspace; returns its lines."""
    ledger = oracle_ledger(read_table(paths.FLAGS, FLAGS), read_table(paths.TRUTH, TRUTH), budget)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([HEADER, *ledger.itertuples(index=False)])
    write_text(path, text.getvalue())
    return len(ledger)
