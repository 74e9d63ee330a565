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
        known |= {"Sets that hold the diagnosis"}
        assert item.where == NOT_KNOWN or first in sections | lines | known, item
        assert item.tripod or item.claim or item.stard
        assert item.topic in page


def test_all_items_of_the_numbered_lists_are_there(world):
    items = checklist(contents(read_inputs(read_params(Params))), True)

    def numbers(column: str) -> set[int]:
        found = set()
        for item in items:
            for part in filter(None, getattr(item, column).split(", ")):
                first, _, last = re.sub(r"[a-z]", "", part).partition("-")
                found |= set(range(int(first), int(last or first) + 1))
        return found

    assert numbers("tripod") == set(range(1, 28))
    assert numbers("claim") == set(range(1, 45))


def test_what_a_run_does_not_have_is_not_known(world):
    inputs = read_inputs(read_params(Params))
    before = {item.topic: item.where for item in checklist(contents(inputs), False)}
    assert before["Clinical usefulness: net benefit"] == NOT_KNOWN
    path = paths.metrics_of("evaluate")
    group = {"group": "malignant", "classes": ["wart"], "promise": 0.95, "threshold": 0.1, "rows": 0, "patients": 0, "others": 9}
    write_json(path, read_json(path) | {"groups": {"photo": [group | {"other_patients": 9}]}})
    after = {item.topic: item.where for item in checklist(contents(read_inputs(read_params(Params))), False)}
    assert after["Clinical usefulness: net benefit"].startswith("The report")
