"""The report in a real Chromium, with all that it can hold: nothing is cut off, however long a class is called, and nobody is kept out."""

import numpy as np
from browser import barriers
from playwright.sync_api import Browser
from world import TARGETS, World, make_world

from dermlab.data.classes import Classes
from dermlab.data.json_files import read_json, write_json
from dermlab.data.tables import CASE
from dermlab.evaluate.gaps import gaps_on_test, unfamiliar_by_group
from dermlab.evaluate.groups import groups_on_test
from dermlab.evaluate.sets import sets_on_test
from dermlab.report.contents import contents
from dermlab.report.inputs import read_inputs
from dermlab.report.params import Params
from dermlab.report.render import render
from dermlab.run import paths
from dermlab.run.files import write_text
from dermlab.run.params import read_params
from dermlab.scores.cases import Pooling
from dermlab.scores.familiarity import Familiarity
from dermlab.scores.groups import Group
from dermlab.scores.sets import OWN, Sets

LONG = (*TARGETS[:4], "Lichen" + "oides" * 16, "hyperpigmentation, post-inflammatory, of the back of the left hand & 50 % of <all> others")


def write_page(world: World, targets: tuple[str, ...]) -> str:
    """Where it lies."""
    rows = world.catalog[world.catalog["split"] == "test"].sort_values("image_id", ignore_index=True)
    predictions, classes = world.predictions.sort_values("image_id", ignore_index=True), Classes(targets)
    probs = predictions[[f"prob_{name}" for name in classes.names]].to_numpy()
    train = world.catalog.loc[world.catalog["split"] == "train", "label"]
    groups = [Group("malignant", targets[3:], 0.95, 0.3), Group("urgent", targets[:2], 0.95)]
    familiar = np.linspace(0, 1, len(rows)), Familiarity(np.ones((1, 3), np.float16), 0.1)
    found = {
        "groups": groups_on_test(predictions.assign(**{CASE: predictions["image_id"]}), groups, Pooling()),
        "sets": sets_on_test(rows, probs, Sets(0.9, (0.9,) * len(classes.names), (OWN,) * len(classes.names)), train, classes),
        "gaps": gaps_on_test(rows, probs, classes),
        "unfamiliar_by_group": unfamiliar_by_group(rows, *familiar),
    }
    path = paths.metrics_of("evaluate")
    write_json(path, read_json(path) | found)
    write_text(paths.REPORT_HTML, render("report.html.j2", report=contents(read_inputs(read_params(Params)))))
    return paths.REPORT_HTML.resolve().as_uri()


def test_nothing_keeps_people_out_and_no_name_is_cut(tmp_path, monkeypatch, chromium: Browser):
    monkeypatch.chdir(tmp_path)
    address = write_page(make_world(tmp_path, targets=LONG), LONG)
    for width, scheme in ((390, "light"), (1280, "dark")):
        page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert barriers(page) == []
        confusion = page.locator("svg[aria-label^=Confusion]").bounding_box()
        assert confusion["height"] < 700  # names of ninety letters stand in two lines, and the whole where the pointer rests
        assert page.locator("svg[aria-label^=Confusion] title", has_text=LONG[-1]).count()
        page.close()


def test_what_is_folded_is_printed(world, chromium: Browser):
    page = chromium.new_page()
    page.goto(write_page(world, TARGETS))
    folded = page.locator("details:not([open]) table")
    assert folded.count() >= 3
    assert not any(table.is_visible() for table in folded.all())
    page.emulate_media(media="print")
    assert all(table.is_visible() for table in folded.all())
    page.close()
