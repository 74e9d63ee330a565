"""Groups of classes in a comparison: what is guarded, and whether a recipe loses the dangerous ones."""

from dataclasses import replace

import numpy as np
import pytest
from made_runs import BASE, judged, run

from dermlab.run.errors import ContractError
from dermlab.scores.differences import NOT_APART, WORSE
from dermlab.scores.group_scores import Told
from dermlab.scores.groups import Group
from dermlab.scores.predictions import scored_rows
from dermlab.verdict.advice import LEAVE
from dermlab.verdict.groups import answers
from dermlab.verdict.judge import judge
from dermlab.verdict.question import Question
from dermlab.verdict.tested import Run
from dermlab.verdict.views import as_markdown, as_text, write_html, write_json

DANGEROUS = Group("dangerous", ("psoriasis", "wart"), 0.9)


def with_point(of: Run, *groups: Group) -> Run:
    """Each group with the point that keeps its promise on the run's own rows."""
    scored = scored_rows(of.predictions)
    pointed = []
    for group in groups or (DANGEROUS,):
        told = Told.of(scored, group)
        pointed.append(replace(group, threshold=float(np.quantile(told.score[told.own], 1 - group.promise))))
    return replace(of, groups=tuple(pointed))


def blind(of: Run, name: str) -> Run:
    """As good as before but for what is dangerous, which it takes for eczema."""
    frame = of.predictions.copy()
    lost = frame["label"].isin(DANGEROUS.classes)
    for group in DANGEROUS.classes:
        frame.loc[lost, "prob_eczema"] += 0.7 * frame.loc[lost, f"prob_{group}"]
        frame.loc[lost, f"prob_{group}"] *= 0.3
    return replace(of, name=name, predictions=frame, params={**of.params, "loss": "focal"})


@pytest.fixture(scope="module")
def base() -> Run:
    return with_point(run("base", 1.5, 1, rows=1500))


def test_a_recipe_that_loses_the_dangerous_ones_is_left_and_the_first_line_says_so(base, tmp_path):
    verdict = judged(base, blind(base, "blind"), guarded="dangerous")
    (recipe,) = verdict.judged
    d = recipe.differences["dangerous"]
    assert d.verdict == WORSE
    assert d is recipe.group_differences["dangerous"]["sensitivity"]
    assert recipe.advice.word == LEAVE
    assert "sensitivity of dangerous −" in recipe.advice.sentence
    (answer,) = answers(verdict)
    assert answer.startswith("Does it lose dangerous? Yes, sensitivity −")
    assert as_markdown(verdict).lstrip().startswith(f"**{answer.split('[')[0]}")
    assert str(as_text(verdict)[0]) == answer
    write_html(verdict, tmp_path / "page.html")
    write_json(verdict, tmp_path / "page.json")
    page = (tmp_path / "page.html").read_text()
    assert answer in page
    assert "Groups of classes" in page


def test_a_loss_that_is_not_ruled_out_is_no_no(base):
    same = with_point(run("other", 1.5, 2, rows=1500, loss="focal"))
    verdict = judged(base, same)
    d = verdict.judged[0].group_differences["dangerous"]["sensitivity"]
    assert d.verdict == NOT_APART
    assert answers(verdict)[0].startswith("Does it lose dangerous? Not known, sensitivity ")
    assert "is not ruled out" in answers(verdict)[0]
    wide = judged(base, same, margin=0.3)
    assert "No, sensitivity" in answers(wide)[0]
    assert "a loss of more than 30 points is ruled out" in answers(wide)[0]


def test_groups_change_nothing_of_what_is_said_of_scores_and_classes(base):
    other = run("other", 1.8, 2, rows=1500, loss="focal")
    plain, grouped = judged(replace(base, groups=()), other), judged(base, with_point(other))
    assert grouped.judged[0].differences == plain.judged[0].differences
    assert grouped.judged[0].class_differences == plain.judged[0].class_differences
    assert grouped.judged[0].advice == plain.judged[0].advice
    assert plain.judged[0].group_differences == {}
    assert answers(plain) == []


def test_what_validation_could_not_choose_is_not_known_and_never_taken(base):
    pointless = replace(with_point(run("other", 3.0, 2, rows=1500, loss="focal")), groups=(DANGEROUS,))
    verdict = judged(base, pointless, guarded="dangerous")
    assert verdict.judged[0].advice.word not in ("take it", "as good as")
    assert "validation has too few patients" in " ".join(verdict.judged[0].advice.reasons)
    assert answers(verdict) == [
        "Does it lose dangerous? Not known, for validation could not choose from which probability on to call a photo so."
    ]
    renamed = with_point(run("other", 1.5, 2, rows=1500, loss="focal"), Group("dangerous", ("wart",), 0.9))
    assert answers(judged(base, renamed)) == answers(verdict)


def test_a_group_that_nobody_ran_with_cannot_be_guarded():
    with pytest.raises(ContractError, match=r"report.guarded is malignant, no group of classes that base was run with"):
        judged(BASE, run("other", 1.5, 2, loss="focal"), guarded="malignant")


def test_runs_that_know_no_point_take_it_from_no_others(base):
    """Neither a third recipe nor older runs that only tell how far runs lie apart."""
    other = with_point(run("other", 1.8, 2, rows=1500, loss="focal"))
    again = with_point(run("again", 1.8, 3, rows=1500, loss="focal", seed=18))
    pointless = [replace(with_point(run(f"old{seed}", 1.5, seed, rows=1500, loss="bce", seed=seed)), groups=()) for seed in (5, 6)]
    alone = judged(base, other, again).judged[0].group_differences["dangerous"]["sensitivity"]
    beside = judge([base, other, again, *pointless], Question())
    told = beside.judged[0].group_differences["dangerous"]["sensitivity"]
    assert (told.bounds is None, told.delta) == (False, alone.delta)
    assert beside.judged[1].group_differences["dangerous"]["sensitivity"].bounds is None
    with_others = judge([base, other, again], Question(), pointless).judged[0].group_differences["dangerous"]["sensitivity"]
    assert with_others.bounds is not None
    assert np.isfinite(with_others.bounds).all()
