"""Groups of classes in the report: the finding first, and nothing where there is none."""

import numpy as np
import pytest

from dermlab.data.json_files import read_json, write_json
from dermlab.report.card import card
from dermlab.report.contents import contents
from dermlab.report.groups import findings
from dermlab.report.inputs import read_inputs
from dermlab.report.params import JUDGED, NOT_JUDGED, Params
from dermlab.report.render import render
from dermlab.run import paths
from dermlab.run.errors import ParamsError
from dermlab.run.params import read_params
from dermlab.scores.decisions import decision_curve
from dermlab.scores.headline import HEADLINE

RNG = np.random.default_rng(0)
OWN = RNG.random(600) < 0.2
CURVE = decision_curve(OWN, np.where(OWN, RNG.beta(8, 4, 600), RNG.beta(2, 8, 600)), np.arange(600))
FOUND = {
    "group": "malignant", "classes": ["wart", "tinea"], "promise": 0.95, "threshold": 0.1, "rows": 120, "patients": 40, "others": 480,
    "other_patients": 150, "sensitivity": 0.9333, "sensitivity_interval": [0.87, 0.97], "specificity": 0.71,
    "specificity_interval": [0.68, 0.74], "missed": 8, "auroc": 0.94, "auroc_interval": [0.9, 0.96], "curve": CURVE,
}  # fmt: skip
UNSET = {key: value for key, value in FOUND.items() if "tivity" not in key and "ficity" not in key} | {"group": "urgent", "threshold": None}
ABSENT = {
    "group": "infectious", "classes": ["acne"], "promise": 0.95, "threshold": 0.2, "rows": 0, "patients": 0, "others": 600,
    "other_patients": 90,
}  # fmt: skip


def put(groups: dict) -> None:
    path = paths.metrics_of("evaluate")
    write_json(path, read_json(path) | {"groups": groups})


def test_the_finding_of_each_group_begins_its_section_and_its_rows_follow(world):
    put({"photo": [FOUND, UNSET, ABSENT], "case": [FOUND | {"sensitivity": 0.95}, UNSET, ABSENT]})
    inputs = read_inputs(read_params(Params))
    report = contents(inputs)
    first, second, third = report.groups_found
    assert first.startswith(
        "malignant: the model finds 93.3 % of its photos (95 % interval 87.0 % to 97.0 %) at the point where validation found 95 %; 8 of "
        "120 are missed. Of the others it calls 29.0 % so, in vain. Acting on it is worth more than acting on everybody or on nobody from "
    )
    assert second.startswith("urgent: validation has too few patients of it")
    assert third == "infectious: no test photo is of it, so nothing is known of it."
    for name, values in (("report.html.j2", {"report": report}), ("report.md.j2", {"report": report})):
        page = render(name, **values)
        assert page.index("Groups of classes") < page.index("the model finds 93.3 %") < page.index("The commonest class of the test split")
    assert 'aria-label="Net benefit over the threshold"' in render("report.html.j2", report=report)
    assert [(row["group"], row["by"]) for row in report.groups][:2] == [("malignant", "photo"), ("malignant", "case")]
    assert "the model finds 93.3 %" in render("model-card.md.j2", card=card(report, inputs))


def test_no_share_is_said_without_an_interval(world):
    few = FOUND | {"patients": 3, "curve": [], "sensitivity": 1.0, "sensitivity_interval": None, "auroc_interval": None}
    alone = FOUND | {"other_patients": 9, "specificity_interval": None, "auroc_interval": None}
    perfect = UNSET | {"auroc": 1.0, "auroc_interval": None}
    assert findings({"photo": [few]})[0].startswith("malignant: 3 test patients are of it, too few")
    assert findings({"photo": [alone]})[0].startswith("malignant: 9 test patients are of others, too few")
    assert "with an AUROC of 1.000, of which there is no interval." in findings({"photo": [perfect]})[0]
    put({"photo": [few]})
    report = contents(read_inputs(read_params(Params)))
    assert "1.000" not in render("groups.html.j2", report=report)
    assert not any(name == "malignant found" for name, *_ in report.glance)


def test_without_groups_the_page_says_nothing_of_them(world):
    report = contents(read_inputs(read_params(Params)))
    assert report.groups == report.groups_found == []
    assert "Groups of classes" not in render("report.html.j2", report=report)


def test_a_curve_whose_intervals_tell_nothing_says_so():
    nothing = [point | {"worth_more": False} for point in CURVE]
    (said,) = findings({"photo": [FOUND | {"curve": nothing}]})
    assert said.endswith(
        "At no threshold up to 50 % do the intervals tell that acting on it is worth more than acting on everybody or on nobody."
    )


def test_what_is_guarded_is_a_score_or_a_group_of_the_file(world):
    text = paths.PARAMS.read_text()
    paths.PARAMS.write_text(text.replace("guarded: rare_recall", "guarded: malignent"))
    paths.GROUPS.write_text("group,class\nmalignant,wart\n")
    with pytest.raises(
        ParamsError, match=r"report.guarded: 'malignent' is not valid \(did you mean malignant\?\).*or a group of data/groups.csv"
    ):
        read_params(Params)
    paths.PARAMS.write_text(text.replace("guarded: rare_recall", "guarded: malignant"))
    assert read_params(Params).report.guarded == "malignant"
    paths.PARAMS.write_text(text.replace("guarded: rare_recall", "guarded: brier"))
    paths.GROUPS.write_text("group,class\nbrier,wart\n")
    with pytest.raises(ParamsError, match=r"report.guarded: 'brier' is a score and a group of data/groups.csv"):
        read_params(Params)


def test_no_score_of_the_headline_is_taken_for_a_group():
    assert {*JUDGED, *NOT_JUDGED} == set(HEADLINE)
