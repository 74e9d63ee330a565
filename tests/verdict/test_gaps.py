"""Did the change widen a gap between groups of patients?"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_runs import judged, run

from dermlab.scores.differences import NOT_APART, WORSE
from dermlab.verdict.groups import widest_gaps
from dermlab.verdict.tested import Run
from dermlab.verdict.views import write_html, write_json

ROWS = 3000


def with_answers(of: Run) -> Run:
    """Of each patient: a third of them dark, the others light, and a camera that all have."""
    patients = of.predictions["patient_id"].str[1:].astype(int)
    answers = pd.DataFrame({"note_skin_tone": np.where(patients % 3 == 0, "dark", "light"), "note_camera": "one"})
    return replace(of, answers=answers.set_axis(of.predictions["image_id"]))


def worse_for_dark(of: Run, name: str) -> Run:
    frame = of.predictions.copy()
    dark = (of.answers["note_skin_tone"] == "dark").to_numpy() & (np.arange(len(frame)) % 3 == 0)
    is_eczema = (frame["label"] == "eczema").to_numpy()
    frame["prob_eczema"] += (2 * (dark & ~is_eczema)).astype(np.float32)
    frame["prob_acne"] += (2 * (dark & is_eczema)).astype(np.float32)
    return replace(of, name=name, predictions=frame, params={**of.params, "loss": "focal"})


@pytest.fixture(scope="module")
def base() -> Run:
    return with_answers(run("base", 2.0, 1, rows=ROWS))


def test_a_wider_gap_is_told_with_its_interval_on_card_and_page(base, tmp_path):
    verdict = judged(base, worse_for_dark(base, "narrow-minded"))
    (recipe,) = verdict.judged
    d = recipe.gap_differences["skin_tone: dark"]
    assert d.verdict == WORSE
    assert d.bounds[0] > 0
    assert abs(d.baseline) < 0.1
    (said,) = [reason for reason in recipe.advice.reasons if reason.startswith("For whom it is worse: a gap became wider")]
    assert "skin tone: dark" in said
    assert set(recipe.gap_differences) == {"skin_tone: dark", "skin_tone: light"}
    assert len(widest_gaps(verdict)) == 1
    write_html(verdict, tmp_path / "page.html")
    write_json(verdict, tmp_path / "page.json")
    page = (tmp_path / "page.html").read_text()
    assert "For whom it is worse" in page
    assert "skin tone: " in page[page.index("<h2>For whom it is worse") :]


def test_where_none_is_wider_the_widest_of_the_baseline_is_told(base):
    (recipe,) = judged(base, with_answers(run("other", 2.0, 2, rows=ROWS, loss="focal"))).judged
    assert all(d.verdict == NOT_APART for d in recipe.gap_differences.values())
    assert any("of 2 gaps between groups of patients none is told to be wider" in reason for reason in recipe.advice.reasons)


def test_without_answers_nothing_is_said_of_gaps(base):
    (recipe,) = judged(replace(base, answers=None), worse_for_dark(base, "other")).judged
    assert recipe.gap_differences == {}
    assert not any("For whom" in reason for reason in recipe.advice.reasons)
