"""The tables for a paper: the numbers of the run, as CSV and as LaTeX, and no more than they show."""

import csv
import io
import re
from pathlib import Path

import pytest

from dermlab.data.json_files import read_json, write_json
from dermlab.data.tables import PREDICTIONS, read_table
from dermlab.predict.figures import FIGURES, write_figures
from dermlab.predict.harm_figures import decision
from dermlab.predict.tables import as_csv, as_latex, tables
from dermlab.report.scored import score_predictions
from dermlab.run import paths

CURVE = [
    {"threshold": t / 100, "net_benefit": 0.1 - t / 1000, "treat_all": 0.1 - t / 100, "interval": [0.02, 0.12], "worth_more": t > 5}
    for t in range(1, 51)
]
GROUPS = {
    "photo": [
        {
            "group": "malignant", "classes": ["wart"], "promise": 0.95, "threshold": 0.1, "rows": 12, "patients": 11, "others": 100,
            "other_patients": 80, "sensitivity": 0.91666, "sensitivity_interval": [0.62, 0.99], "specificity": 0.7,
            "specificity_interval": None, "missed": 1, "auroc": 0.9, "auroc_interval": [0.8, 0.95], "curve": CURVE,
        }
    ]
}  # fmt: skip
GAPS = {
    "groups": [
        {"by": "skin_tone", "group": "dark & deep", "images": 40, "patients": 20, "gap": 0.1, "interval": [0.02, 0.18], "left_out": 0},
        {"by": "sex", "group": "other", "images": 4, "patients": 2, "gap": None, "interval": None, "left_out": 0},
    ],
    "alike": [],
    "texts": [],
}


@pytest.fixture
def run(world):
    path = paths.metrics_of("evaluate")
    write_json(path, read_json(path) | {"groups": GROUPS, "gaps": GAPS})
    return world


def test_each_table_is_a_csv_and_a_latex_file_and_the_same_again(run):
    written = write_figures(Path("paper"))
    names = {path.name for path in written}
    assert {f"{name}.{kind}" for name in (*FIGURES, "decision", "gaps") for kind in ("pdf", "svg")} <= names
    assert {f"{name}.{kind}" for name in ("headline", "classes", "groups-of-classes", "gaps") for kind in ("csv", "tex")} <= names
    assert "sets.csv" not in names  # validation chose none
    before = {path.name: path.read_bytes() for path in written}
    assert {path.name: path.read_bytes() for path in write_figures(Path("again"))} == before
    for path in written:
        if path.suffix in (".csv", ".tex"):
            assert not re.search(r"secret|img0|case\d", path.read_text())


def test_numbers_are_those_of_the_run(run):
    found = score_predictions(read_table(paths.PREDICTIONS, PREDICTIONS), {}, 200, 17)
    rows = tables(found, read_json(paths.metrics_of("evaluate")))
    headline = list(csv.DictReader(io.StringIO(as_csv(rows["headline"]))))
    assert headline[0]["score"] == "top-1"
    assert float(headline[0]["value"]) == found.headline["top1"][0]
    assert float(headline[0]["value low"]) == found.headline["top1"][1][0]
    (group,) = csv.DictReader(io.StringIO(as_csv(rows["groups-of-classes"])))
    assert group["sensitivity"] == "0.9167"
    assert group["specificity"] == group["specificity low"] == ""  # no number without an interval
    gaps = list(csv.DictReader(io.StringIO(as_csv(rows["gaps"]))))
    assert gaps[1]["gap"] == gaps[1]["gap low"] == ""


def test_latex_is_a_whole_tabular_with_special_letters_escaped():
    empty = {"group": "[=x*|", "photos": 9, "gap": None, "gap low": None, "gap high": None}
    text = as_latex([{"group": "dark & deep_50%", "photos": 7, "gap": 0.1, "gap low": 0.02, "gap high": 0.18}, empty])
    assert text == "\n".join([
        r"\begin{tabular}{lrrr}", r"\toprule", r"group & photos & gap & gap, 95 \% interval \\", r"\midrule",
        r"dark \& deep\_50\% & 7 & 0.100 & 0.020 to 0.180 \\", r"{[}=x{*}\textbar{} & 9 & -- & -- \\", r"\bottomrule", r"\end{tabular}", "",
    ])  # fmt: skip


@pytest.mark.parametrize("name", ["=cmd()", "-2+3+cmd|' /C calc'!A0", "＝cmd()", "@sum(A1)"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(name):
    (row,) = csv.DictReader(io.StringIO(as_csv([{"class": name, "F1": -0.5}])))
    assert row == {"class": f"'{name}", "F1": "-0.5"}
    assert as_csv([{"class": "-2.5"}]).splitlines()[1] == "-2.5"


def test_a_decision_curve_that_gains_nothing_is_drawn_all_the_same(recwarn):
    nothing = [point | {"net_benefit": -0.001, "interval": None} for point in CURVE]
    figure = decision({"groups": {"photo": [GROUPS["photo"][0] | {"curve": nothing}]}})
    assert figure.axes[0].get_ylim()[1] > 0
    assert not recwarn.list
