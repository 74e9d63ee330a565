"""The appendix of the model card: each item has a place that exists, or is not known."""

import re

from dermlab.data.json_files import read_json, write_json
from dermlab.report.card import card
from dermlab.report.checklist import NOT_KNOWN, checklist
from dermlab.report.contents import contents
from dermlab.report.inputs import read_inputs
from dermlab.report.params import Params
from dermlab.report.render import render
from dermlab.run import paths
from dermlab.run.params import read_params


def test_every_item_is_answered_at_a_place_that_the_card_has_or_not_known(world):
    inputs = read_inputs(read_params(Params))
    report = contents(inputs)
    page = render("model-card.md.j2", card=card(report, inputs))
    sections = set(re.findall(r"^## (.+)$", page, re.MULTILINE))
    lines = set(re.findall(r"\*\*(.+?):\*\*", page))
    for item in checklist(report, True):
        first = re.split(r"[,;:]", item.where)[0].strip()
        known = {"The report", "params.yaml", "models/model/", "Every setting", "Photos unlike those it knows"}
        known |= {"Sets that hold the diagnosis", "data/predictions.parquet"}
        assert item.where == NOT_KNOWN or first in sections | lines | known, item
        assert item.tripod or item.claim or item.stard
        assert item.topic in page


TRIPOD = "1 2 3abc 4 5ab 6abc 7 8abc 9abc 10 11 12abcdefg 13 14 15 16 17 18abcdef 19 20abc 21 22 23ab 24 25 26 27abc"
STARD = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15abcd 16abc 17ab 18 19 20 21 22 23 24 25 26ab 27 28 29 30 31 32 33 34 35 36 37 38 39 40ab"


def test_all_items_of_the_three_lists_are_there(world):
    items = checklist(contents(read_inputs(read_params(Params))), True)

    def named(column: str) -> set[str]:
        return {number for item in items for number in filter(None, getattr(item, column).split(", "))}

    def spelt(text: str) -> set[str]:
        return {number + letter for number, letters in re.findall(r"(\d+)(\w*)", text) for letter in letters or [""]}

    assert named("tripod") == spelt(TRIPOD)
    assert named("claim") == {str(number) for number in range(1, 45)}
    assert named("stard") == spelt(STARD)


def test_how_far_raters_agree_is_answered_where_they_are_known(world):
    def agreement() -> str:
        found = checklist(contents(read_inputs(read_params(Params))), False)
        return next(item.where for item in found if item.claim == "18")

    assert agreement() == NOT_KNOWN
    path = paths.metrics_of("evaluate")
    write_json(path, read_json(path) | {"raters": {"cases": 9, "several": 3, "disputed": 1, "alpha": {"value": 0.6, "interval": None}}})
    assert agreement().startswith("The report")


def test_what_a_run_does_not_have_is_not_known(world):
    inputs = read_inputs(read_params(Params))
    before = {item.topic: item.where for item in checklist(contents(inputs), False)}
    assert before["Clinical usefulness: net benefit"] == NOT_KNOWN
    path = paths.metrics_of("evaluate")
    group = {"group": "malignant", "classes": ["wart"], "promise": 0.95, "threshold": 0.1, "rows": 0, "patients": 0, "others": 9}
    write_json(path, read_json(path) | {"groups": {"photo": [group | {"other_patients": 9}]}})
    after = {item.topic: item.where for item in checklist(contents(read_inputs(read_params(Params))), False)}
    assert after["Clinical usefulness: net benefit"].startswith("The report")
