"""A step of fine-tuning a ViT-S/16 at 224 px in batches of 16: LoRA of rank 8 in all blocks against all weights, without the reading of
photos, which is the same for both.

Both as `train` runs them, on random weights and images, which cost what trained ones and photos do. Each in a process of its own, whose
peak memory is resident on a CPU and the allocator's on a GPU. Beside them LoRA in the last half of the blocks, before which nothing has to
be kept for a backward pass. Goal: a step in 60 % of the time, at 50 % of the peak memory.
"""

import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from harness import apart, contestant, median_of, record

from dermlab.data.classes import Classes
from dermlab.data.shards import Shards
from dermlab.model.backbones import create_backbone
from dermlab.model.classifier import FusedClassifier
from dermlab.model.runtime import set_up
from dermlab.run.params import read_params
from dermlab.run.telemetry import TrainLog
from dermlab.run.watch import Watch
from dermlab.train.adapters import adapt
from dermlab.train.inputs import Inputs, Rows
from dermlab.train.loop import Keeper, run_phase
from dermlab.train.objective import Objective
from dermlab.train.params import Params
from dermlab.train.phases import Batches, finetune_phase
from dermlab.train.state import State

PARAMS = Path(__file__).parents[1] / "params.yaml"
NAMES, STEPS, BATCH = 26, 4, 16
TIME, MEMORY = 0.6, 0.5  # goals: shares of what full fine-tuning takes


def params_of(batch: int, how: str, blocks: int) -> Params:
    params = read_params(Params, PARAMS)
    knobs = {"frozen_epochs": 0, "finetune_epochs": 2, "batch_size": batch, "lr": 1e-4, "layer_decay": 1.0, "ema": 0.0, "lora_rank": 8}
    train = params.train.model_copy(update=knobs | {"adapt": how, "trainable_blocks": blocks})
    return params.model_copy(update={"loss": "ce", "train": train})


def steps_of(quick: bool, how: str, share: float = 1.0) -> dict:
    """Seconds a step in the second epoch; the first warms up. `share`: of the blocks, the last ones, that learn."""
    name, side, batch, steps = ("timm:test_vit", 160, 4, 2) if quick else ("timm:vit_small_patch16_224", 224, BATCH, STEPS)
    backbone, runtime = create_backbone(name, side, pretrained=False), set_up()
    params = params_of(batch, how, 0 if share == 1 else round(share * len(backbone.blocks())))
    labels = np.arange(steps * batch) % NAMES
    features = np.random.default_rng(17).normal(size=(len(labels), backbone.features)).astype(np.float16)
    table = pd.DataFrame({"image_id": [f"{i:04d}" for i in range(len(labels))]})
    nothing = np.zeros((len(labels), 0), np.float32)
    rows = Rows(table, labels, np.ones(len(labels), np.float32), nothing, features, np.eye(NAMES, dtype=np.float32)[labels])
    classes, counts = Classes(tuple(f"c{k}" for k in range(NAMES - 1))), np.bincount(labels, minlength=NAMES).astype(float)
    images = torch.randint(0, 255, (batch, 3, side, side), dtype=torch.uint8, device=runtime.device)

    def batches(epoch: int, order: np.ndarray, step: int) -> Batches:
        for positions in order.reshape(-1, batch)[step:]:
            yield positions, images

    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(rows, rows, classes, (), Shards(Path(folder)), side, counts, {}, "none", side)
        module, state, log = FusedClassifier(backbone, 0, NAMES), State(), TrainLog("", runtime.device, path=Path(folder) / "log.jsonl")
        state.begin("finetune")
        adapt(backbone, params, side)
        mixed = "bf16" if runtime.train_dtype == torch.bfloat16 else "no"
        accelerator = Accelerator(mixed_precision=mixed, cpu=runtime.device.type == "cpu")
        phase = finetune_phase(module, inputs, params, runtime, accelerator, state)
        unscored = np.zeros((len(labels), NAMES), np.float32), features.astype(np.float32)
        phase = replace(phase, batches=batches, validate=lambda module: unscored)
        keeper = Keeper(lambda: None, lambda: None, Watch(0), log)
        run_phase(phase, inputs, Objective(params, counts, (), runtime.device), params, state, keeper)
        last = json.loads(log.path.read_text().splitlines()[-1])
    learning = sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
    result = {"seconds": last["training_seconds"] / steps, "weights": learning}
    return result | ({"gpu_gb": torch.cuda.max_memory_allocated() / 1e9} if runtime.device.type == "cuda" else {})


CONTESTANTS = {
    "lora": partial(steps_of, how="lora"),
    "full": partial(steps_of, how="full"),
    "lora, last half": partial(steps_of, how="lora", share=0.5),
}


def main() -> None:
    options = contestant(__doc__, CONTESTANTS)
    if options is None:
        return
    results = apart(__file__, list(CONTESTANTS), options)
    took = {name: median_of(rounds, "seconds") for name, rounds in results.items()}
    where = "gpu_gb" if "gpu_gb" in results["full"][0] else "peak_gb"
    peak = {name: median_of(rounds, where) for name, rounds in results.items()}
    share = peak["lora"] / peak["full"]
    record(
        "adapt", took["lora"], {"full": took["full"]}, "s a step", round(1 / TIME, 2), ("torch", "peft", "timm"),
        ratio=took["full"] / took["lora"], keep=not options.quick, last_half_seconds=round(took["lora, last half"], 3), peak_gb=peak,
        memory_share=round(share, 2), memory_goal=MEMORY, memory_met=share <= MEMORY,
        weights={name: rounds[0]["weights"] for name, rounds in results.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
