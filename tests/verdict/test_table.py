"""The narrow table of recipes."""

import csv
import io

from made_runs import BASE, run
from rich.console import Console

from dermlab.verdict.compare import compare
from dermlab.verdict.table import HEADER, NOTE, as_csv, as_markdown, as_table, rows_of


def study():
    others = [run("base-s18", 1.5, 11, seed=18), run("focal", 2.2, 2, loss="focal"), run("focal-s18", 2.2, 12, seed=18, loss="focal")]
    return compare(BASE, [*others, run("mixed", 1.4, 3, loss="focal", variant="cleaned")], 200)


def test_a_row_is_a_recipe_with_its_spread_and_its_verdict():
    rows = {row[0]: dict(zip(HEADER, row, strict=True)) for row in rows_of(study())}
    assert list(rows) == ["base", "focal", "mixed"]
    assert rows["base"]["seeds"] == rows["focal"]["seeds"] == "2"
    assert "±" in rows["focal"]["top-1"]
    assert "[" in rows["focal"]["Δ top-1, points"]
    assert rows["focal"]["what differs"] == "loss=focal (ce)"
    assert (rows["base"]["verdict"], rows["mixed"]["verdict"]) == ("baseline", "one seed")
    assert "†" in rows["mixed"]["what differs"]


def test_without_seeds_a_row_is_a_run():
    comparison = compare(BASE, [run("focal", 2.2, 2, loss="focal")], 200)
    baseline, focal = rows_of(comparison)
    assert baseline[-1] == "baseline"
    assert focal[-1] == comparison.rows[0].headline["top1"].verdict


def test_it_fits_a_terminal_and_says_what_the_dagger_means():
    with io.StringIO() as out:
        Console(file=out, width=120).print(as_table(study()))
        text = out.getvalue()
    assert max(len(line) for line in text.splitlines()) <= 120
    assert "differs in more than one param" in text
    assert NOTE in as_markdown(study())


def test_csv_holds_the_same_cells_and_no_formula():
    comparison = study()
    read = list(csv.reader(io.StringIO(as_csv(comparison))))
    assert read == [list(HEADER), *rows_of(comparison)]
    named = compare(run("=cmd()", 1.5, 1), [run("@x", 1.6, 2, loss="focal")], 200)
    cells = [row[0] for row in csv.reader(io.StringIO(as_csv(named)))]
    assert cells[1:] == ["'=cmd()", "'@x"]
