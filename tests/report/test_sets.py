"""Prediction sets in the report: what they hold, and what is not promised."""

from dermlab.data.json_files import read_json, write_json
from dermlab.report.contents import contents
from dermlab.report.inputs import read_inputs
from dermlab.report.params import Params
from dermlab.report.render import render
from dermlab.report.sets import lead
from dermlab.run import paths
from dermlab.run.params import read_params

ROW = {"rows": 955, "patients": 323, "coverage": 0.913, "interval": [0.88, 0.935], "size": 3.94, "single": 0.28}
FOUND = {
    "promised": 0.9, "own_thresholds": 2, "all": ROW,
    "classes": [
        ROW | {"group": "commonest third"},
        ROW | {"group": "rarest third", "coverage": 0.86, "interval": [0.7, 0.95]},
        ROW | {"group": "other", "coverage": 1.0, "interval": None, "patients": 4},
    ],
    "groups": [ROW | {"by": "skin_tone", "group": "10", "coverage": 0.7, "interval": [0.6, 0.8]}],
}  # fmt: skip


def test_the_section_begins_with_what_sets_hold_and_says_what_is_not_promised(world):
    path = paths.metrics_of("evaluate")
    write_json(path, read_json(path) | {"sets": FOUND})
    report = contents(read_inputs(read_params(Params)))
    assert report.sets_lead == (
        "A set of classes in place of one answer holds the right one in 91.3 % (95 % interval 88.0 % to 93.5 %) of the test photos, where "
        "90 % are promised. It has 3.9 classes on average, and one alone for 28 % of the photos. Of the rarest third of the classes it is "
        "86.0 % (95 % interval 70.0 % to 95.0 %)."
    )
    page = render("report.html.j2", report=report)
    assert page.index("Sets that hold the diagnosis") < page.index("A set of classes in place of one answer") < page.index("Not promised")
    assert "nor for another clinic" in page
    assert "skin tone" in page[page.index("Sets by group of patients") :]
    assert "100.0 %" not in page[page.index("Sets that hold the diagnosis") : page.index("Sets by group")], "a share without an interval"
    assert "A set of classes in place of one answer" in render("report.md.j2", report=report)


def test_a_broken_promise_is_said_by_the_interval():
    assert "promised; fewer than that, by the interval." in lead(FOUND | {"all": ROW | {"coverage": 0.8, "interval": [0.76, 0.84]}})
    assert "promised; more than that, by the interval." in lead(FOUND | {"all": ROW | {"coverage": 0.95, "interval": [0.93, 0.97]}})
    assert "(too few patients for an interval)" in lead(FOUND | {"all": ROW | {"interval": None}})
    assert lead({}) == ""
