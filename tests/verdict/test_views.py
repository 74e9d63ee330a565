"""Terminal, Markdown, CSV, page and JSON say what was judged, and nothing else."""

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from browser import barriers
from made_runs import BASE, TARGETS, judged, run
from rich.console import Console

from dermlab.scores.headline import HEADLINE
from dermlab.verdict import card
from dermlab.verdict.tested import Run
from dermlab.verdict.views import as_markdown, as_text, classes_table, scores_table, write_html, write_json


@pytest.fixture(scope="module")
def verdict():
    others = [run("base-18", 1.5, 11, seed=18), run("rebalanced-and-cleaned", 0.8, 4, variant="cleaned+rebalanced", loss="bce")]
    return judged(BASE, *others, run("focal [x]", 3.0, 5, loss="focal"), run("focal-18", 3.0, 6, loss="focal", seed=18))


def printed(*shown, width: int = 120) -> str:
    with io.StringIO() as out:
        console = Console(file=out, width=width)
        for each in shown:
            console.print(each)
        return out.getvalue()


def test_the_card_fits_a_terminal_and_shows_every_recipe_with_its_interval_and_advice(verdict):
    text = printed(card.as_table(verdict))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 120
    assert "…" not in text
    assert "focal [x]" in text  # not read as markup
    assert "focal-18" not in text  # a seed of it
    assert "differs in more than one param" in text
    focal = verdict.judged[1]
    top1 = focal.differences["top1"]
    assert f"[+{100 * top1.bounds[0]:.1f}, +{100 * top1.bounds[1]:.1f}]" in text
    assert focal.advice.word in " ".join(text.split())


def test_tables_of_all_scores_and_classes_fit_too(verdict):
    text = printed(scores_table(verdict), classes_table(verdict))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 120
    assert "post-inflammatory hyperpigmentation *" in text
    for label in ("balanced accuracy", "sink ratio", "Brier", "NLL"):
        assert label in text


def test_what_is_no_share_differs_in_its_own_unit(verdict, tmp_path):
    write_html(verdict, tmp_path / "page.html")
    focal = verdict.judged[1]
    for name in ("nll", "brier", "sink_ratio"):
        d = focal.differences[name]
        told = f"{d.delta:+.3f}".replace("-", "−")
        assert told in printed(scores_table(verdict))
        assert told in as_markdown(verdict)
        assert told in (tmp_path / "page.html").read_text()
    assert f"{100 * focal.differences['balanced_accuracy'].delta:+.1f}".replace("-", "−") in printed(scores_table(verdict))


def test_an_interval_is_drawn_where_it_lies_with_patients_thick_and_trainings_thin():
    one = judged(BASE, run("other", 1.6, 4, loss="focal")).judged[0].differences["top1"]
    d = replace(one, baseline=0.5, value=0.54, bounds=(-0.02, 0.1), of_patients=(0.02, 0.06))
    line = card.strip(d, 0.1, width=21)
    assert len(line) == 21
    assert line.index("●") == 14
    assert [line[8], line[10], line[12], line[16], line[20]] == ["─", "┼", "━", "━", "─"]
    assert line[:8].strip() == ""


def test_the_words_stand_first_in_the_terminal_the_pull_request_and_the_page(verdict, tmp_path):
    sentences = [recipe.advice.sentence for recipe in verdict.judged]
    markdown = as_markdown(verdict)
    write_html(verdict, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    for sentence in sentences:
        assert sentence in map(str, as_text(verdict))
        assert markdown.index(sentence) < markdown.index("| recipe")
        assert page.index(sentence) < page.index("<table")
    write_json(verdict, tmp_path / "page.json")
    written = json.loads((tmp_path / "page.json").read_text())
    assert [recipe["advice"]["sentence"] for recipe in written["recipes"][1:]] == sentences
    assert written["recipes"][1]["differences"]["top1"]["value"] == pytest.approx(verdict.judged[0].differences["top1"].value)


def test_csv_holds_numbers_and_markdown_the_cells_of_the_card_and_neither_a_formula(verdict):
    header, rows = card.rows_of(verdict)
    written = list(csv.DictReader(io.StringIO(card.as_csv(verdict))))
    assert [(row["recipe"], row["seeds"], row["advice"]) for row in written] == [(row[0], row[2], row[-1]) for row in rows]
    top1 = verdict.judged[1].differences["top1"]
    told = [float(written[2][f"top1 {part}"]) for part in ("difference", "low", "high")]
    assert told == pytest.approx([top1.delta, *top1.bounds])
    assert len(set(written[0])) == len(written[0])
    assert header[-1] == "advice"
    assert (rows[0][0], rows[0][-1], rows[0][2]) == ("base", "baseline", "2")
    assert rows[2][1] == "loss=focal (ce)"
    assert rows[1][1].endswith("†")
    assert card.NOTE in card.as_markdown(verdict)
    named = judged(run("=cmd()", 1.5, 1), run("@x", 1.6, 2, loss="focal"))
    assert [row[0] for row in csv.reader(io.StringIO(card.as_csv(named)))][1:] == ["'=cmd()", "'@x"]


def test_markdown_tables_are_aligned(verdict):
    text = as_markdown(verdict)
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(blocks) == 3
    for block in blocks:
        lines = block.splitlines()
        assert len({len(line) for line in lines}) == 1
        assert len({tuple(i for i, c in enumerate(line) if c == "|") for line in lines}) == 1
    assert all(note in text for note in verdict.notes)


def test_the_page_fetches_nothing_and_names_no_patient(verdict, tmp_path):
    write_html(verdict, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Brier and NLL are better when lower" in page
    assert "ECE" not in page
    assert not re.search(r"https?:|//[a-z]|src=|<link|<script|@import|url\(", page)
    assert not re.search(r"\bp\d+\b", page)
    assert page.count('class="strip"') == 2 * (len(HEADLINE) + len(TARGETS))  # each score and each class of a recipe once
    assert "None" not in page
    assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", page)


def test_names_are_shown_as_they_are_and_json_is_json(tmp_path):
    """Not read as markup, and without the NaN that JSON does not know."""
    frame = BASE.predictions.rename(columns={"prob_wart": "prob_wart [/mild]"}).replace({"label": {"wart": "wart [/mild]"}})
    few = frame.drop(frame.index[frame["label"] == TARGETS[-1]][3:]).reset_index(drop=True)
    base = replace(BASE, predictions=few, train_counts={})
    found = judged(replace(base, name="base [/x]"), replace(base, name="m [v2]", params={**BASE.params, "loss": "focal"}))
    assert "wart [/mild]" in printed(classes_table(found))
    assert "m [v2]" in printed(card.as_table(found))
    write_json(found, tmp_path / "page.json")
    assert "NaN" not in (tmp_path / "page.json").read_text()
    assert json.loads((tmp_path / "page.json").read_text())["recipes"][1]["differences"]["top1"]["delta"] == 0


def test_a_study_of_four_hundred_classes_is_a_comment_that_can_be_taken():
    names = [f"class {c:03d} of a long name" for c in range(400)]

    def many(name: str, **params) -> Run:
        labels = pd.Series([names[i % 400] for i in range(400)])
        who = BASE.predictions[["image_id", "patient_id"]].assign(diagnosis=labels, label=labels)
        probs = pd.DataFrame(np.eye(400, 401), columns=[f"prob_{each}" for each in (*names, "other")])
        return replace(BASE, name=name, predictions=pd.concat([who, probs], axis=1), params={**BASE.params, **params})

    text = as_markdown(judged(many("base"), many("focal", loss="focal"), many("bce", loss="bce")))
    assert len(text) < 60_000
    assert "340 classes more, with fewer images, stand on the page" in text


def test_where_nobody_knows_the_patients_every_view_begins_with_that(tmp_path):
    def alone(of: Run) -> Run:
        return replace(of, predictions=of.predictions.assign(patient_id=of.predictions["image_id"]))

    found = judged(alone(BASE), alone(run("other", 1.6, 4, loss="focal")))
    assert found.warning.startswith("Nobody knows which photos are of one patient")
    assert str(as_text(found)[0]) == found.warning
    assert as_markdown(found).index(found.warning) < as_markdown(found).index("other:")
    write_html(found, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.index("Nobody knows which photos") < page.index('class="verdict"')
    assert judged(BASE, run("other", 1.6, 4, loss="focal")).warning == ""


def test_the_page_keeps_nobody_out_and_fits_a_phone(verdict, tmp_path, chromium):
    write_html(verdict, tmp_path / "page.html")
    for width, scheme in ((390, "light"), (1280, "dark")):
        page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.goto((tmp_path / "page.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert barriers(page) == []
        page.close()
