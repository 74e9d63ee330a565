"""The tables of a run for a paper, each as CSV, with the numbers as they are, and as LaTeX, rounded, for the package booktabs. They hold
classes, groups, counts and scores alone: no image and no patient.

All are made of data/predictions.parquet and metrics/evaluate.json; the same run gives the same bytes.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dermlab.report.gaps import worst
from dermlab.report.groups import rows as group_rows
from dermlab.report.render import SCORE_LABELS, no_formula
from dermlab.report.scored import Scored
from dermlab.run.files import write_text

Row = Mapping[str, Any]
ABSENT = "--"
SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "[": "{[}", "*": "{*}",  # after the end of a line they would be its arguments
}  # fmt: skip


def write_tables(found: Scored, metrics: Mapping[str, Any], folder: Path) -> list[Path]:
    """The files written; a table without rows, as of groups of classes where there are none, is left out. metrics: of
    metrics/evaluate.json."""
    written = []
    for name, rows in tables(found, metrics).items():
        for kind, text in (("csv", as_csv), ("tex", as_latex)) if rows else ():
            written.append(folder / f"{name}.{kind}")
            write_text(written[-1], text(rows))
    return written


def tables(found: Scored, metrics: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Name -> rows, each column -> value, None where there is none. metrics: of metrics/evaluate.json."""
    sets = metrics.get("sets") or {"classes": [], "all": None}
    return {
        "headline": [_with_bounds({"score": SCORE_LABELS[name]}, "value", *scored) for name, scored in found.headline.items()],
        "classes": [
            _with_bounds(
                {"class": row.name, "rare": "yes" if row.rare else "", "photos": row.support, "patients": row.patients}
                | ({"precision": row.precision, "recall": row.recall} if row.support else {"precision": None, "recall": None}),
                "F1",
                row.f1 if row.support else None,
                row.f1_bounds,
            )
            for row in sorted(found.classes, key=lambda row: (-row.support, row.name))
        ],
        "groups-of-classes": [_group(row) for row in group_rows(metrics.get("groups", {}))],
        "sets": [_set(row, name) for name, row in [("all", sets["all"]), *((row["group"], row) for row in sets["classes"])] if row],
        "gaps": [
            _with_bounds(
                {"by": row["by"], "group": row["group"], "photos": row["images"], "patients": row["patients"]},
                "gap",
                row["gap"],
                row["interval"],
            )
            for row in worst(metrics.get("gaps", {}))
        ],
    }


def as_csv(rows: Sequence[Row]) -> str:
    """The first line names the columns. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    with io.StringIO() as buffer:
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(rows[0])
        writer.writerows([[_cell_of_csv(value) for value in row.values()] for row in rows])
        return buffer.getvalue()


def as_latex(rows: Sequence[Row]) -> str:
    """A tabular; text to the left, numbers to the right, rounded to three digits, the ends of an interval in one column."""
    header = [name for name in rows[0] if not name.endswith(" high")]
    aligned = "".join("l" if any(isinstance(row[name], str) for row in rows) else "r" for name in header)
    titles = [name.replace(" low", ", 95 % interval") for name in header]
    lines = [[_cell(row, name) for name in header] for row in rows]
    body = [" & ".join(line) + r" \\" for line in ([_latex(title) for title in titles], *lines)]
    return "\n".join(
        [rf"\begin{{tabular}}{{{aligned}}}", r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule", r"\end{tabular}", ""]
    )


def _group(row: Row) -> dict[str, Any]:
    found: dict[str, Any] = {"group": row["group"], "by": row["by"], "of it": row["rows"], "patients": row["patients"]}
    for name, key in (("sensitivity", "sensitivity"), ("specificity", "specificity"), ("AUROC", "auroc")):
        found = _with_bounds(found, name, row.get(key), row.get(f"{key}_interval"))
    return found


def _set(row: Row, name: str) -> dict[str, Any]:
    found = {"test photos": name, "photos": row["rows"], "patients": row["patients"]}
    covered = row["coverage"] if row["interval"] else None
    return {**_with_bounds(found, "hold the right class", covered, row["interval"]), "classes in a set": row["size"]}


def _with_bounds(row: dict[str, Any], name: str, value: float | None, bounds: Sequence[float] | None) -> dict[str, Any]:
    low, high = bounds or (None, None)
    return {**row, name: value, f"{name} low": low, f"{name} high": high}


def _cell(row: Row, name: str) -> str:
    value = row[name]
    if value is None:
        return ABSENT
    if name.endswith(" low"):
        return f"{value:.3f} to {row[name.removesuffix(' low') + ' high']:.3f}"
    return f"{value:.3f}" if isinstance(value, float) else _latex(str(value))


def _latex(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in text)


def _cell_of_csv(value: Any) -> Any:
    return "" if value is None else no_formula(value) if isinstance(value, str) else value
