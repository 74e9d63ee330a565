"""A model as ONNX answers as the model does, and says what its answers mean."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from model_folder import CLASSES, QUESTIONS
from typer.testing import CliRunner

from dermlab.cli import app
from dermlab.data.classes import Classes
from dermlab.model.backbones import create_backbone
from dermlab.model.classifier import FusedClassifier
from dermlab.model.questionnaire import unanswered
from dermlab.model.saved import TrainedModel, save_model
from dermlab.predict.cases import by_case
from dermlab.predict.export import export_onnx
from dermlab.predict.predictor import Predictor
from dermlab.run.errors import ContractError


def test_an_onnx_file_gives_the_same_probabilities_and_holds_what_they_mean(folder):
    shown = CliRunner().invoke(app, ["export", "--model", str(folder / "model"), "--out", str(folder / "model.onnx")])
    assert shown.exit_code == 0, shown.output
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    described = json.loads(session.get_modelmeta().custom_metadata_map["dermlab"])
    assert described["classes"] == list(CLASSES.names)
    assert [question["name"] for question in described["questionnaire"]] == [question.name for question in QUESTIONS]
    predictor = Predictor(folder / "model")
    photos = [folder / "in" / f"{i}.jpg" for i in range(3)]
    images = np.stack([predictor.view(photo.read_bytes()).transpose(2, 0, 1) for photo in photos])
    answers = np.repeat(unanswered(QUESTIONS)[None], 3, axis=0)
    (found,) = session.run(None, {"images": images, "answers": answers})
    for row, prediction in zip(found, predictor(photos), strict=True):
        assert [prediction.probs[name] for name in CLASSES.names] == pytest.approx(row.tolist(), abs=5e-3)
    of_case = described["cases"]
    assert of_case["how"] == "logmean"
    logs = np.log(found.astype(float)).mean(axis=0) * len(found) ** of_case["independence"]
    together = np.exp(logs) / np.exp(logs).sum()
    said = list(predictor(photos))
    (case,) = by_case(said, {prediction.photo: "one" for prediction in said}, predictor.model)
    assert case.probs == pytest.approx(dict(zip(CLASSES.names, together.tolist(), strict=True)), abs=1e-2)


def test_a_tower_without_a_questionnaire_is_exported_too(tmp_path):
    vision = {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 4, "image_size": 32, "patch_size": 16, "layer_norm_eps": 1e-6}
    backbone = create_backbone("medsiglip", 32, False, {"vision": vision, "mean": [0.5] * 3, "std": [0.5] * 3})
    module = FusedClassifier(backbone, 0, 3).eval()
    save_model(TrainedModel(module, Classes(("acne", "wart")), (), 32, "medsiglip", np.ones(3) / 3), tmp_path / "model")
    assert export_onnx(tmp_path / "model", tmp_path / "model.onnx") < 1e-4


def test_an_export_that_is_not_the_same_is_not_written(folder, monkeypatch):
    export, made = torch.onnx.export, []

    def once(*args, **kwargs):  # it takes long, and of one folder it is the same
        made.extend([] if made else [export(*args, **kwargs)])
        return made[0]

    monkeypatch.setattr("torch.onnx.export", once)
    for least in (-1.0, float("nan")):
        monkeypatch.setattr("dermlab.predict.export.TOLERANCE", least)
        with pytest.raises(ContractError, match="differ by up to"):
            export_onnx(folder / "model", folder / "model.onnx")
    assert not (folder / "model.onnx").exists()
