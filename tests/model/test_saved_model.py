import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from dermlab.data.classes import Classes
from dermlab.data.questionnaire import Question
from dermlab.data.shards import Shards, shard_name, write_shard
from dermlab.evaluate.outputs import outputs_of, predict_logits
from dermlab.model.backbones import create_backbone
from dermlab.model.calibration import Calibration, save_calibration
from dermlab.model.classifier import Dropout, FusedClassifier, Head
from dermlab.model.forward import VIEWS
from dermlab.model.questionnaire import width_of
from dermlab.model.saved import TrainedModel, load_model, save_model
from dermlab.run.errors import ContractError, DermlabError
from dermlab.scores.familiarity import Familiarity
from dermlab.scores.groups import Group
from dermlab.scores.probabilities import probabilities
from dermlab.scores.sets import Sets
from dermlab.scores.tiers import Tiers

QUESTIONS = (Question(name="sex", kind="choice", choices=("female", "male")), Question(name="age", kind="number", low=0, high=90))


TIERS = Tiers(0.8, None)


@pytest.fixture
def model() -> TrainedModel:
    torch.manual_seed(0)
    backbone = create_backbone("timm:test_efficientnet", 32, pretrained=False)
    classes = Classes(("acne", "eczema", "wart"))
    module = FusedClassifier(backbone, width_of(QUESTIONS), len(classes.names), dropout=0.5).eval()
    recipe = {"train": {"lr": 3e-05}}
    familiarity = Familiarity(np.eye(3, backbone.features, dtype=np.float16), 0.25)
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    chosen = Calibration(1.25, 0.5, 0.7, TIERS, familiarity)
    return TrainedModel(module, classes, QUESTIONS, 32, "timm:test_efficientnet", prior, 160, recipe, chosen)


@pytest.fixture
def rows(tmp_path) -> pd.DataFrame:
    random, jpegs = np.random.default_rng(0), []
    for _ in range(5):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (40, 44, 3), np.uint8)).resize((44, 40)).save(file, "JPEG")
        jpegs.append(file.getvalue())
    write_shard(tmp_path / shard_name(0), list("abcde"), jpegs)
    return pd.DataFrame(
        {"image_id": list("abcde"), "shard": 0, "row": range(5), "q_sex": ["male", None, "female", None, "male"], "q_age": 40.0}
    )


def test_a_saved_model_predicts_the_same_elsewhere(model, rows, tmp_path):
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert (again.classes, again.questions, again.stored_side) == (model.classes, QUESTIONS, 160)
    assert (again.image_size, again.backbone, again.recipe) == (32, "timm:test_efficientnet", {"train": {"lr": 3e-05}})
    chosen = again.calibration
    assert (chosen.temperature, chosen.tau, chosen.chosen_tau, chosen.tiers) == (1.25, 0.5, 0.7, TIERS)
    assert chosen.familiarity.threshold == 0.25
    np.testing.assert_array_equal(chosen.familiarity.reference, model.calibration.familiarity.reference)
    assert again.prior.tolist() == [0.4, 0.3, 0.2, 0.1]
    before, after = (predict_logits(m, rows, Shards(tmp_path), batch_size=2) for m in (model, again))
    assert before.shape == (5, 4)
    assert before.dtype == np.float32
    np.testing.assert_array_equal(before, after)


def test_a_photo_alone_is_predicted_beside_the_photo_with_its_answers(model, rows, tmp_path):
    found, _ = outputs_of(model, rows, rows[:0], Shards(tmp_path), 2, 0, "flip", "", None)
    both, alone = found.logits, found.hidden
    np.testing.assert_allclose(both, predict_logits(model, rows, Shards(tmp_path), batch_size=2, tta="flip"), atol=1e-2)
    silent = rows.drop(columns=["q_sex", "q_age"])
    np.testing.assert_allclose(alone, predict_logits(model, silent, Shards(tmp_path), batch_size=2, tta="flip"), atol=1e-2)
    assert np.abs(both - alone).max() > 0.05
    assert found.similarity.shape == (5,)
    assert np.abs(found.similarity).max() <= 1


def test_the_same_model_is_saved_as_the_same_bytes(model, tmp_path):
    for name in ("one", "two"):
        save_model(model, tmp_path / name)
    for file in ("model.safetensors", "model.json", "calibration.json", "familiarity.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_weights_that_do_not_fit_their_description_are_an_error_with_the_way_back(model, tmp_path):
    save_model(model, tmp_path / "model")
    description = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps(description | {"classes": ["acne", "eczema"]}))
    with pytest.raises(ContractError, match="does not fit model.json.*dvc checkout"):
        load_model(tmp_path / "model")
    (tmp_path / "model" / "model.json").write_text(json.dumps(description))
    (tmp_path / "model" / "model.safetensors").write_bytes(b"half")
    with pytest.raises(ContractError, match="truncated"):
        load_model(tmp_path / "model")


def edited(folder, file: str, where: tuple, value) -> None:
    """`value` None: the key goes."""
    said = json.loads((folder / file).read_text())
    *into, last = where
    part = said
    for key in into:
        part = part[key]
    part[last] = value
    if value is None:
        del part[last]
    (folder / file).write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("file", "where", "value", "says"),
    [
        ("model.json", ("format",), 6, "has format 6; this version reads 4 and 5"),
        ("model.json", ("format",), "5", "has format '5'"),
        ("model.json", ("image_size",), 1_000_000, "image_size: 1000000 is not valid"),
        ("model.json", ("image_size",), 0, "image_size: 0 is not valid"),
        ("model.json", ("image_size",), "32", "image_size: '32' is not valid"),
        ("model.json", ("image_size",), 32.5, "image_size: 32.5 is not valid"),
        ("model.json", ("stored_side",), -3, "stored_side: -3 is not valid"),
        ("model.json", ("classes",), None, "classes: Field required"),
        ("model.json", ("classes",), "abc", "classes: 'abc' is not valid"),
        ("model.json", ("classes",), ["acne"] * 3, "two or more different names"),
        ("model.json", ("classes", 0), 3, "classes.0: 3 is not valid"),
        ("model.json", ("classes", 0), "\x1b[2J", "classes.0: .* is not valid"),
        ("model.json", ("backbone", "name"), "resnet", "backbone.name: 'resnet' is not a backbone"),
        ("model.json", ("backbone", "name"), "timm:../../x", "timm .* has no '../../x'"),
        ("model.json", ("backbone", "name"), "hf:../../etc", "its configuration was not stored"),
        ("model.json", ("backbone", "name"), "timm:vit_7b_patch16_dinov3", "does not fit model.json .* tensors are others"),
        ("model.json", ("backbone", "name"), "open_clip:EVA02-E-14-plus/any", "does not fit model.json .* tensors are others"),
        ("model.json", ("backbone", "config"), [1], "backbone.config: .1. is not valid"),
        ("model.json", ("backbone", "config"), {"auto_map": {"AutoModel": "evil.py"}}, "auto_map: .* would run code of others"),
        ("model.json", ("backbone", "config"), {"vision": {"hidden_size": 10**9}}, "hidden_size: 1000000000 is nothing that a network has"),
        ("model.json", ("backbone", "config"), {"vision": {"num_hidden_layers": 10**4}}, "num_hidden_layers: 10000 is nothing"),
        ("model.json", ("backbone", "config"), {"std": [0.5, 0, 0.5]}, "std: 0 is nothing"),
        ("model.json", ("questionnaire", 0, "kind"), "evil", "questionnaire.0.kind: 'evil' is not valid"),
        ("model.json", ("questionnaire", 0, "choices"), [str(n) for n in range(99)], "does not fit model.json .*head.questions.0.weight"),
        ("model.json", ("questionnaire", 1, "name"), "sex", "two questions have one name"),
        ("model.json", ("questionnaire", 1, "low"), float("nan"), "age: its range is none"),
        ("model.json", ("prior",), [0.5], "a prior of 1 shares does not fit model.json of 4 classes"),
        ("model.json", ("prior",), [0.9] * 4, "the shares sum to 3.6, not to 1"),
        ("model.json", ("prior", 0), float("nan"), "prior.0: nan is not valid"),
        ("model.json", ("recipe",), 3, "recipe: 3 is not valid"),
        ("model.json", ("colour",), "red", "colour: 'red' is not valid"),
        ("calibration.json", ("temperature",), 0, "calibration.json: temperature: 0 is not valid"),
        ("calibration.json", ("temperature",), float("nan"), "temperature: nan is not valid"),
        ("calibration.json", ("temperature",), -1, "temperature: -1 is not valid"),
        ("calibration.json", ("temperature",), None, "temperature: Field required"),
        ("calibration.json", ("tau",), float("inf"), "tau: inf is not valid"),
        ("calibration.json", ("tiers", "answer"), "often", "tiers.answer: 'often' is not valid"),
        ("calibration.json", ("tiers", "colour"), 1, "tiers.colour: 1 is not valid"),
        ("calibration.json", ("familiarity",), "x", "familiarity: 'x' is not valid"),
    ],
)  # fmt: skip
def test_what_no_training_wrote_is_refused_with_file_and_key_before_it_takes_memory(model, tmp_path, file, where, value, says):
    save_model(model, tmp_path)
    edited(tmp_path, file, where, value)
    with pytest.raises(DermlabError, match=says):
        load_model(tmp_path)


@pytest.mark.parametrize("file", ["model.json", "calibration.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"[" * 100_000, b'{"a": "\xe9"}', b" " * (2**24 + 1)])
def test_a_description_that_is_none_is_refused(model, tmp_path, file, content):
    save_model(model, tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ContractError, match=f"{file}.*dvc checkout"):
        load_model(tmp_path)


@pytest.mark.parametrize("file", ["model.safetensors", "familiarity.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"x" * 100, (2**63).to_bytes(8, "little") + b"{}", b"\x80\x04\x95", "half"])
def test_tensors_that_are_none_are_refused(model, tmp_path, file, content):
    save_model(model, tmp_path)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(ContractError, match=f"{file} is missing, truncated or does not fit"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "reference", [np.eye(3, 7, dtype=np.float16), np.full((3, 7), np.nan, np.float16), np.zeros(3, np.float16), np.eye(3, dtype=int)]
)
def test_photos_to_be_like_that_are_of_another_backbone_are_refused(model, tmp_path, reference):
    save_model(model, tmp_path)
    save_file({"reference": np.ascontiguousarray(reference)}, tmp_path / "familiarity.safetensors")
    with pytest.raises(ContractError, match="familiarity.safetensors .* does not fit"):
        load_model(tmp_path)


def test_a_model_with_an_attention_tower_comes_back_from_its_folder_alone(tmp_path):
    vision = {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    vision |= {"num_attention_heads": 4, "image_size": 32, "patch_size": 16, "layer_norm_eps": 1e-6}
    backbone = create_backbone("medsiglip", 32, False, {"vision": vision, "mean": [0.5] * 3, "std": [0.5] * 3})
    module = FusedClassifier(backbone, 0, 3).eval()
    save_model(TrainedModel(module, Classes(("acne", "wart")), (), 32, "medsiglip", np.ones(3) / 3), tmp_path)
    images = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    torch.testing.assert_close(load_model(tmp_path).module(images, torch.zeros(2, 0)), module(images, torch.zeros(2, 0)))


def test_logits_do_not_depend_on_the_batch_and_follow_the_order_of_the_rows(model, rows, tmp_path):
    whole = predict_logits(model, rows, Shards(tmp_path), batch_size=5)
    by_one = predict_logits(model, rows.iloc[::-1], Shards(tmp_path), batch_size=1)
    np.testing.assert_allclose(by_one[::-1], whole, atol=0.05)  # bfloat16 where the CPU has it


def test_flipping_averages_an_image_and_its_mirror_image(model, rows, tmp_path):
    mirrored = [Shards(tmp_path).image(0, i).transpose(Image.Transpose.FLIP_LEFT_RIGHT) for i in range(5)]
    files = [io.BytesIO() for _ in mirrored]
    for image, file in zip(mirrored, files, strict=True):
        image.save(file, "JPEG", quality=100, subsampling=0)
    (tmp_path / "mirrored").mkdir()
    write_shard(tmp_path / "mirrored" / shard_name(0), list("abcde"), [f.getvalue() for f in files])
    plain, mirror = (predict_logits(model, rows, Shards(folder)) for folder in (tmp_path, tmp_path / "mirrored"))
    np.testing.assert_allclose(predict_logits(model, rows, Shards(tmp_path), tta="flip"), (plain + mirror) / 2, atol=0.05)


def test_ten_views_of_an_image_reach_into_its_corners_and_weigh_the_same(model, rows, tmp_path):
    image = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    image[:, :, :14, :14] = 200  # bright in one corner, so that each view shows another share of it
    views = [view(image) for view in VIEWS["crops"]]
    assert len(views) == 10
    assert all(view.shape == image.shape and view.dtype == torch.uint8 for view in views)
    near, *_, far = [view.float().mean().item() for view in views[2:6]]
    assert near > image.float().mean().item() > far
    assert torch.equal(views[7], views[3].flip(3))
    each = [model.module(view(torch.zeros(1, 3, 32, 32, dtype=torch.uint8) + 90), torch.zeros(1, 5)) for view in VIEWS["crops"]]
    torch.testing.assert_close(each[0], each[5], atol=1e-4, rtol=0)  # of one colour, all views are alike
    mean = np.mean([_logits_of(model, rows, tmp_path, view) for view in VIEWS["crops"]], axis=0)
    np.testing.assert_allclose(predict_logits(model, rows, Shards(tmp_path), tta="crops"), mean, atol=0.05)


def _logits_of(model, rows, folder, view) -> np.ndarray:
    whole = VIEWS["none"]
    VIEWS["none"] = [view]
    try:
        return predict_logits(model, rows, Shards(folder))
    finally:
        VIEWS["none"] = whole


def test_probabilities_are_the_softmax_of_logits_over_the_temperature():
    probs = probabilities(np.log(np.array([[1.0, 4.0, 16.0]])), temperature=2.0)
    np.testing.assert_allclose(probs, [[1 / 7, 2 / 7, 4 / 7]], rtol=1e-6)
    assert np.isfinite(probabilities(np.array([[1e4, -1e4]], np.float32))).all()


def test_the_head_alone_on_cached_features_is_the_whole_network_on_images(model):
    images, answers = torch.randint(0, 255, (3, 3, 32, 32), dtype=torch.uint8), torch.rand(3, width_of(QUESTIONS))
    with torch.inference_mode():
        features = model.module.backbone(images)
        torch.testing.assert_close(model.module.head(features, answers), model.module(images, answers))


def test_the_head_standardises_features_of_any_scale():
    torch.manual_seed(0)
    head = Head(8, 0, 3, dropout=0.0).train()
    features = torch.randn(64, 8)
    torch.testing.assert_close(head(features * 1000 + 500, torch.zeros(64, 0)), head(features, torch.zeros(64, 0)), atol=1e-3, rtol=1e-3)


def test_dropout_keeps_its_share_and_the_mean_and_does_nothing_when_asked_for_a_prediction():
    torch.manual_seed(0)
    values, dropout = torch.full((400, 500), 2.0), Dropout(0.4)
    dropped = dropout(values)
    assert dropped.unique().tolist() == pytest.approx([0, 2 / 0.6])
    assert (dropped == 0).float().mean().item() == pytest.approx(0.4, abs=0.005)
    assert dropped.mean().item() == pytest.approx(2, abs=0.02)
    assert torch.equal(dropout.eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)


SEEDED = """
import torch
from dermlab.model.runtime import seed_everything
before = len(torch.cuda._queued_calls)
seed_everything(1, 2, 3)
first = torch.rand(3)
seed_everything(1, 2, 3)
assert torch.equal(torch.rand(3), first)
assert len(torch.cuda._queued_calls) == before
"""


def test_seeding_a_step_notes_nothing_for_devices_that_are_not_there():
    """In a process that sees no GPU, whether the machine has one or not: with one the seed is set at once."""
    done = subprocess.run([sys.executable, "-c", SEEDED], env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_what_was_chosen_for_other_classes_is_no_calibration_of_this_network(model, tmp_path):
    save_model(model, tmp_path)
    for chosen in (
        {"sets": Sets(0.9, (0.5,), ("own",))},
        {"case_sets": Sets(0.9, (0.5,) * 9, ("own",) * 9)},
        {"groups": (Group("malignant", ("melanoma",), 0.95),)},
    ):
        save_calibration(replace(model.calibration, **chosen), tmp_path)
        with pytest.raises(ContractError, match="does not fit"):
            load_model(tmp_path)
    names = model.classes.names
    fitting = replace(
        model.calibration,
        sets=Sets(0.9, (0.5,) * len(names), ("own",) * len(names)),
        groups=(Group("urgent", names[:1], 0.95, 0.25, None),),
    )
    save_calibration(fitting, tmp_path)
    assert load_model(tmp_path).calibration.sets == fitting.sets
    assert load_model(tmp_path).calibration.groups == fitting.groups
