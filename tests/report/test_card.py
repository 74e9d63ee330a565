"""A run's report: what it says is what the files hold, and what must not leave them does not."""

import re

from dermlab.data.json_files import read_json
from dermlab.data.tables import MANIFEST, read_table
from dermlab.report.card import card
from dermlab.report.contents import contents
from dermlab.report.inputs import read_inputs
from dermlab.report.params import Params
from dermlab.report.render import render
from dermlab.run import paths
from dermlab.run.params import read_params


def test_the_model_card_says_what_the_files_tell_and_that_the_rest_is_not_recorded(world):
    inputs = read_inputs(read_params(Params))
    found = contents(inputs)
    text = render("model-card.md.j2", card=card(found, inputs))
    assert text.startswith("---\nvariant: cleaned\nloss: ce\nbackbone: lite0\nseed: 17\n---\n")  # `dermlab predict` reads the variant
    for heading in ("Use", "Data", "Model", "Performance", "Groups of patients", "Where it fails", "Limits", "Licence"):
        assert f"## {heading}\n" in text
    rows = world.catalog
    for split in ("train", "val", "test"):
        mine = rows[rows["split"] == split]
        images, patients, other = len(mine), mine["patient_id"].nunique(), (mine["label"] == "other").sum()
        assert re.search(rf"\| {split} +\| +{images} \| +{patients} \| +{other} \|", text)
    assert f"{100 * rows['q_sex'].isna().mean():.1f} %" in text
    assert f"histo {100 * (rows['note_dx_type'] == 'histo').mean():.1f} %" in text
    headline = read_json(paths.HEADLINE)
    assert f"{headline['top1']:.3f}" in text
    assert "EfficientNet-Lite0" in text
    assert text.count("Not recorded") >= 4
    left_out = rows["split"].eq("train").sum() - read_table(paths.MANIFEST, MANIFEST)["split"].eq("train").sum()
    assert f"{left_out} images of the training split were not trained on" in text
    for secret in ("secret-patient", "secret-note", "case1", *rows["image_id"].head(50), str(world.folder)):
        assert secret not in text


def test_a_model_card_invents_no_origin_of_weights_that_it_does_not_know(world):
    params = world.folder / "params.yaml"
    params.write_text(params.read_text().replace("backbone: lite0", "backbone: timm:resnet18", 1))
    inputs = read_inputs(read_params(Params))
    text = render("model-card.md.j2", card=card(contents(inputs), inputs))
    assert "**Initial weights:** timm:resnet18. Not recorded." in text
