"""The field's recipe end to end through a real `dvc exp run`, every value of it honoured, with a SigLIP of its architecture that is small
enough for a CPU."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from clones import Clone, clone_of_working_tree, leave_out
from ruamel.yaml import YAML

from dermlab.model.torchvision_shim import declare_missing_operators


def save_small_siglip(folder: Path) -> None:
    """Random weights in the files of a published SigLIP: 64 patches of a 448 px image, two layers."""
    declare_missing_operators()
    from transformers import SiglipConfig, SiglipModel

    vision = {"num_hidden_layers": 2, "image_size": 448, "patch_size": 56}
    text = {"num_hidden_layers": 1, "vocab_size": 10}
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_attention_heads": 4}
    torch.manual_seed(0)
    SiglipModel(SiglipConfig(text_config=text | sizes, vision_config=vision | sizes)).save_pretrained(folder)
    pixels = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "image_processor_type": "SiglipImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))


@pytest.fixture(scope="module")
def recipe_and_clone(tmp_path_factory) -> tuple[dict, Clone]:
    """The recipe's `set` with the small weights, and a clone in which its first experiment has run."""
    weights = tmp_path_factory.mktemp("weights")
    save_small_siglip(weights)
    clone = clone_of_working_tree(tmp_path_factory.mktemp("field"), "phantom", "--images", "200")
    leave_out(clone, ["report"])
    clone.commit("without a report")
    path = clone.folder / "recipes" / "medsiglip-h100.yaml"
    recipe = YAML(typ="safe").load(path.read_text())
    # But for the weights, prompts, which need a tokenizer, and epochs, which are alike.
    recipe["set"] |= {"backbone": f"hf:{weights}", "flag.garbage": "distance", "train.finetune_epochs": 1}
    with path.open("w") as file:
        YAML().dump(recipe, file)
    options = clone.run("dermlab", "recipe", "medsiglip-h100").stdout.split()
    clone.run("dvc", "exp", "run", "--name", "baseline", *options)
    return recipe["set"], clone


def read(clone: Clone, path: str) -> dict:
    return json.loads((clone.folder / path).read_text())


def test_every_value_is_what_ran(recipe_and_clone):
    wanted, clone = recipe_and_clone
    lock = YAML(typ="safe").load((clone.folder / "dvc.lock").read_text())["stages"]
    ran = {}
    for stage in lock.values():
        ran |= stage["params"]["params.yaml"]
    for key, value in wanted.items():
        block, _, name = key.partition(".")
        assert (ran[block][name] if name else ran[block]) == value, key


def test_every_epoch_saw_the_whole_batches_of_its_rows(recipe_and_clone):
    wanted, clone = recipe_and_clone
    rows = read(clone, "metrics/train.json")["train_rows"]
    manifest = pd.read_parquet(clone.folder / "data" / "manifest.parquet")
    assert rows == (manifest["split"] == "train").sum()
    epochs = [json.loads(line) for line in (clone.folder / "data" / "train-log.jsonl").read_text().splitlines()]
    phases = ["frozen"] * wanted["train.frozen_epochs"] + ["finetune"] * wanted["train.finetune_epochs"]
    assert [epoch["phase"] for epoch in epochs] == phases
    assert {epoch["images"] for epoch in epochs} == {rows // 64 * 64}
    assert {epoch["experiment"] for epoch in epochs} == {"baseline"}


def test_the_model_carries_its_size_its_questionnaire_and_its_recipe(recipe_and_clone):
    wanted, clone = recipe_and_clone
    model = read(clone, "models/model/model.json")
    assert model["image_size"] == 448
    assert model["backbone"]["name"] == wanted["backbone"]
    assert [question["name"] for question in model["questionnaire"]] == [
        question["name"] for question in read(clone, "data/source/questionnaire.json")
    ]
    assert model["recipe"]["train"]["lr"] == wanted["train.lr"]
    assert read(clone, "metrics/embed.json") == {"images": read(clone, "metrics/embed.json")["images"], "features": 48, "image_size": 448}


def test_the_answers_were_part_of_it(recipe_and_clone):
    _, clone = recipe_and_clone
    alone = read(clone, "metrics/evaluate.json")["photo_alone"]
    assert set(alone) == {"top1", "top3", "macro_f1", "balanced_accuracy"}
    assert alone["top1"]["difference"] == pytest.approx(alone["top1"]["without"] - alone["top1"]["with"])
