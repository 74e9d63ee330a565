"""For whom it is worse, in the report: a finding with its interval, or that none is told."""

from dermlab.data.json_files import read_json, write_json
from dermlab.report.card import card
from dermlab.report.contents import contents
from dermlab.report.gaps import lead, refused, spread, told, worst
from dermlab.report.inputs import read_inputs
from dermlab.report.params import Params
from dermlab.report.render import render
from dermlab.run import paths
from dermlab.run.params import read_params


def group(by: str, name: str, gap: float | None, interval: list | None, patients: int = 40) -> dict:
    return {"by": by, "group": name, "images": 2 * patients, "patients": patients, "gap": gap, "interval": interval, "left_out": 0}


DARK, LIGHT = group("skin_tone", "9", 0.123, [0.04, 0.206]), group("skin_tone", "2", -0.05, [-0.11, 0.01])
FEMALE, MALE = group("sex", "female", 0.02, [-0.03, 0.07]), group("sex", "male", -0.02, [-0.07, 0.03])
FEW = group("camera", "old", None, None, 6)
FOUND = {"groups": [LIGHT, DARK, FEMALE, MALE, FEW], "alike": ["site"], "texts": ["country"]}


def test_of_each_attribute_the_worst_group_is_shown_the_widest_gap_first():
    assert worst(FOUND) == [DARK, FEMALE, FEW]
    assert worst({}) == []


def test_a_gap_is_told_with_its_interval_and_its_absence_with_what_is_not_ruled_out():
    assert lead(FOUND) == (
        "Served worse than all others with the same diagnoses, of 4 groups that were compared: skin tone 9 by +12.3 points [+4.0, +20.6]. "
        "One value or none, and so no gap: site. Too many values for groups, and so no gap: country."
    )
    assert lead({"groups": [FEMALE, MALE], "alike": [], "texts": []}) == (
        "No group of patients is told to be served worse than all others with the same diagnoses, of 2 that were compared. The widest gap "
        "is that of sex female, +2.0 points [−3.0, +7.0]: one of 7 points is not ruled out."
    )
    assert lead({"groups": [FEW], "alike": [], "texts": []}).startswith("No group of patients has enough of them to tell")
    assert lead({}) == ""


def test_the_section_stands_on_page_markdown_and_card_and_names_no_bare_number(world):
    path = paths.metrics_of("evaluate")
    refusals = [{"by": "skin_tone", "group": "9", "images": 80, "patients": 40, "share": 0.05, "interval": [0.02, 0.12]}]
    write_json(path, read_json(path) | {"gaps": FOUND, "unfamiliar_by_group": refusals})
    inputs = read_inputs(read_params(Params))
    report = contents(inputs)
    page = render("report.html.j2", report=report)
    section = page[page.index("For whom it is worse") : page.index("Groups of patients")]
    assert "skin tone 9 by +12.3 points" in section
    assert section.index("skin tone: 9") < section.index("sex: female") < section.index("camera: old")
    assert (
        "Most often refused as unfamiliar: skin tone 9, 5.0 % of the photos (95 % interval 2.0 % to 12.0 %) against 3.1 % of all" in section
    )
    assert "skin tone 9 by +12.3 points" in render("report.md.j2", report=report)
    assert "skin tone 9 by +12.3 points" in render("model-card.md.j2", card=card(report, inputs))


def test_where_nobody_is_refused_that_is_said():
    nobody = {"by": "sex", "group": "female", "images": 9, "patients": 40, "share": 0.0, "interval": [0.0, 0.1]}
    assert refused([nobody], 0.0) == "Of no group of patients with enough of them was a photo refused as unfamiliar."
    assert refused([nobody | {"share": None, "interval": None}], 0.0) == ""


def test_between_which_groups_the_score_lies_is_said_of_those_with_an_interval():
    rows = [
        {"by": "sex", "group": name, "top1": value, "top3": 0.9, "interval": [value - 0.1, value + 0.1] if value > 0.4 else None}
        for name, value in (("female", 0.7), ("male", 0.6), ("diverse", 0.0), ("not answered", 0.8))
    ]
    assert spread(rows) == (
        "Of 3 groups top-1 is lowest with 0.600 (sex male, 95 % interval 0.50 to 0.70) and highest with 0.800 (sex not answered, 95 % "
        "interval 0.70 to 0.90)."
    )
    assert spread(rows[1:3]) == ""
    assert [row["top1"] for row in told(rows)] == [0.7, 0.6, None, 0.8]
