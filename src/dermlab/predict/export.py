"""A saved model as one ONNX file that needs no torch: uint8 images and encoded answers in, calibrated probabilities out."""

import json
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dermlab.data.questionnaire import as_json
from dermlab.model.questionnaire import width_of
from dermlab.model.saved import TrainedModel, load_model
from dermlab.run.errors import ContractError
from dermlab.run.files import atomic_path

TOLERANCE = 1e-3  # of a probability
SETS = (
    "A class is in the set where the probabilities of all classes that are likelier sum to at most its threshold, in the order of "
    "`classes`; the set holds the right one with the chance `coverage`, of a new patient of a clinic like validation's"
)
CHECKED = 5  # images of noise on which both are run; not the number that the export was traced with


class _Calibrated(nn.Module):
    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        chosen = model.calibration
        self.module, self.temperature = model.module, chosen.temperature
        self.register_buffer("taken_out", torch.from_numpy(chosen.tau * np.log(model.prior)).float())  # of the prior; zeros for tau 0

    def forward(self, images: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """As `TrainedModel.probabilities` of the logits."""
        return torch.softmax((self.module(images, answers) - self.taken_out) / self.temperature, dim=1)


def export_onnx(folder: Path, out: Path) -> float:
    """Writes `out`, whole or not at all: `images` uint8 [B, 3, S, S] and `answers` float32 [B, Q] to `probabilities` float32 [B, K+1], any
    B. Classes, questionnaire, sizes, thresholds and how sets are made of them are in its metadata, as JSON under `dermlab`. Returns the
    largest difference to torch over noise. Raises ContractError where that is more than TOLERANCE."""
    import onnx

    model = load_model(folder)
    network = _Calibrated(model).eval()
    batch = torch.export.Dim("batch", min=1, max=4096)
    with atomic_path(out) as unfinished, tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        exported = torch.onnx.export(
            network, _noise(model, 2), dynamo=True, verbose=False, input_names=["images", "answers"], output_names=["probabilities"],
            dynamic_shapes={"images": {0: batch}, "answers": {0: batch}},
        )  # fmt: skip
        whole = Path(scratch) / "model.onnx"
        exported.save(whole)
        graph = onnx.load(whole)
        graph.metadata_props.add(key="dermlab", value=json.dumps(_description(model), ensure_ascii=False))
        onnx.save(graph, unfinished)
        difference = _difference(network, unfinished, _noise(model, CHECKED))
        if not difference <= TOLERANCE:  # so that NaN is too much
            raise ContractError(f"{out}: its probabilities differ by up to {difference:.1e} from the model's. It was not written.")
    return difference


def _description(model: TrainedModel) -> dict:
    return {
        "classes": list(model.classes.names),
        "questionnaire": as_json(model.questions),
        "image_size": model.image_size,
        "stored_side": model.stored_side,
        "tiers": asdict(model.calibration.tiers),
        "sets": model.calibration.sets and {**asdict(model.calibration.sets), "how": SETS},
        "groups": [asdict(group) for group in model.calibration.groups],
        "cases": {**asdict(model.calibration.pooling), "tiers": asdict(model.calibration.case_tiers or model.calibration.tiers)},
        "prior": model.prior.tolist(),
        "temperature": model.calibration.temperature,
        "tau": model.calibration.tau,
    }


def _noise(model: TrainedModel, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(count)
    side = model.image_size
    images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=random)
    return images, torch.randint(0, 2, (count, width_of(model.questions)), generator=random).float()


def _difference(network: nn.Module, path: Path, seen: tuple[torch.Tensor, torch.Tensor]) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = {entry.name for entry in session.get_inputs()}  # a model without a questionnaire has no answers
    given = {name: tensor.numpy() for name, tensor in zip(("images", "answers"), seen, strict=True) if name in wanted}
    (found,) = session.run(None, given)
    with torch.inference_mode():
        return float(np.abs(found - network(*seen).numpy()).max())
