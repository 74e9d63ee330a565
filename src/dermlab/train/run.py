"""One training, from what the stages before wrote to a model that predicts elsewhere."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from dermlab.data.validation import Validation, write_validation
from dermlab.model.backbones import Backbone, create_backbone, weights_digest
from dermlab.model.classifier import FusedClassifier
from dermlab.model.kernels import peak_flops, training_flops
from dermlab.model.network import Network, save_network
from dermlab.model.questionnaire import width_of
from dermlab.model.runtime import seed_everything, set_up
from dermlab.run import paths
from dermlab.run.errors import ContractError
from dermlab.run.mirror import Mirror
from dermlab.run.progress import say
from dermlab.run.telemetry import TrainLog
from dermlab.run.tracker import Tracker
from dermlab.run.watch import Watch
from dermlab.train.adapters import adapt
from dermlab.train.checkpoint import checkpoint_folder, recipe_of, remove_checkpoint
from dermlab.train.convex import solve_head
from dermlab.train.curves import Curves, shown
from dermlab.train.inputs import Inputs, prior_of
from dermlab.train.learnt import restore
from dermlab.train.loop import Keeper, run_phase
from dermlab.train.objective import Objective
from dermlab.train.params import Params
from dermlab.train.phases import finetune_phase, head_phase
from dermlab.train.predicted import write_learnt
from dermlab.train.state import State, resumed


def run(
    params: Params,
    inputs: Inputs,
    model_folder: Path = paths.MODEL,
    validation_folder: Path = paths.VALIDATION,
    live_folder: Path = paths.METRICS / "train",
    learnt: Path = paths.LEARNT,
    checkpoint_root: Path | None = None,
    create: Callable[[str, int], Backbone] = create_backbone,
    checkpoint_minutes: float = 0,
    checkpoint_mirror: str = "none",
    tracker: str = "none",
    usd_per_hour: float = 0,
) -> dict[str, Any]:
    """Trains, keeps the best epoch of both phases, writes the network, what it makes of the validation split, what it predicted of the
    training rows by epoch, and the curves.

    Returns the metrics. A run that was killed goes on after its last checkpoint and ends with the same numbers. Checkpoints are written
    after each epoch, every `checkpoint_minutes` (0: not), and on SIGTERM and SIGINT, which then end the process; `checkpoint_mirror`, an
    s3:// folder, gets a copy of each. `tracker`: see `Tracker`.
    """
    knobs = params.train
    runtime = set_up(knobs.precision)
    mixed = "bf16" if runtime.train_dtype == torch.bfloat16 else "no"
    accelerator = Accelerator(mixed_precision=mixed, cpu=runtime.device.type == "cpu")
    first = accelerator.is_main_process
    folder = checkpoint_folder(params, inputs, checkpoint_root)
    mirror = Mirror(checkpoint_mirror if first else "none", folder)
    mirror.fetch()
    state = _shared(resumed(folder) if first else None, accelerator)
    if (state.epoch or state.step) and first:
        within = f", step {state.step} of the next" if state.step else ""
        say(f"train: goes on after epoch {state.epoch} of phase {state.phase}{within}")

    seed_everything(params.seed)
    with accelerator.main_process_first():
        backbone = create(params.backbone, inputs.image_size)
    _check_weights(backbone, inputs)
    module = FusedClassifier(backbone, width_of(inputs.questions), len(inputs.classes.names), knobs.dropout)
    if knobs.finetune_epochs:  # before the head learns: what this network does not have is told at once
        as_plain = adapt(backbone, params, inputs.image_size)
    curves = Curves(Path(live_folder), state.history) if first else None

    watch = Watch(checkpoint_minutes, first)
    tracked = Tracker(tracker if first else "none", params.model_dump(), folder.name[:8])

    def write() -> None:
        state.write(folder)
        mirror.send(wait=watch.asked is not None)
        watch.written()

    log = TrainLog(folder.name, runtime.device, accelerator.num_processes, usd_per_hour)

    def tell() -> None:
        curves.log(state.history[-1])
        tracked.log(shown(state.history[-1]))

    keeper = Keeper(write, tell, watch, log)
    objective = Objective(params, inputs.counts, inputs.questions, runtime.device, len(inputs.train), state.means)
    train = partial(run_phase, inputs=inputs, objective=objective, params=params, state=state, keeper=keeper)
    with watch:
        if state.phase == "frozen":
            if first:
                if knobs.frozen_solver == "lbfgs":
                    solve_head(module.head, inputs, params, objective, state, keeper)
                else:
                    train(head_phase(module.head, inputs, knobs, runtime, state))
                if state.best:
                    module.head.load_state_dict(state.best["weights"])
            state.begin("finetune")
        if state.epoch < knobs.finetune_epochs:
            phase = finetune_phase(module, inputs, params, runtime, accelerator, state)
            if peak := peak_flops(runtime.device):
                log.flops, log.peak = training_flops(backbone, inputs.image_size, runtime.device), peak * accelerator.num_processes
            train(phase)
    if not first:
        return {}
    curves.end()
    tracked.end()
    if state.best["phase"] == "frozen":
        module.backbone = create(params.backbone, inputs.image_size)  # fine-tuning changed it, and to no avail
        module.head.load_state_dict(state.best["weights"])
    else:
        restore(module, state.best["weights"])
        as_plain()
    write_learnt(Path(learnt), inputs, state.history, state.predicted)
    metrics = _keep(module, params, inputs, state, Path(model_folder), Path(validation_folder))
    mirror.remove()
    remove_checkpoint(folder)
    return metrics


def _check_weights(backbone: Backbone, inputs: Inputs) -> None:
    """A head that was fitted to the features of one network is worth nothing on another."""
    if (found := weights_digest(backbone)) != inputs.weights:
        raise ContractError(
            f"The weights of {backbone.name} on this machine ({found}) are not those that made {paths.EMBEDDINGS} ({inputs.weights}). "
            "Install what requirements.lock pins, or name the revision (hf:<name>@<revision>), and run `dvc repro embed`."
        )


def _keep(
    module: FusedClassifier, params: Params, inputs: Inputs, state: State, model_folder: Path, validation_folder: Path
) -> dict[str, Any]:
    best = state.best
    module.eval()
    network = Network(
        module, inputs.classes, inputs.questions, inputs.image_size, params.backbone, prior_of(inputs.counts), inputs.stored_side,
        recipe_of(params),
    )  # fmt: skip
    save_network(network, model_folder)
    image_ids = inputs.val.table["image_id"].to_numpy(str)
    write_validation(Validation(image_ids, inputs.val.labels, best["logits"].numpy(), best["features"].numpy()), validation_folder)
    return {
        "best_phase": best["phase"],
        "best_epoch": best["epoch"],
        "epochs": len(state.history),
        "train_loss": best["train_loss"],
        "val_top1": best["top1"],
        "val_macro_f1": best["macro_f1"],
        "val_nll": best["nll"],
        "train_rows": len(inputs.train),
        "val_rows": len(inputs.val),
        **({"frozen_l2": state.history[0]["l2"]} if "l2" in state.history[0] else {}),
    }


def _shared(state: State | None, accelerator: Accelerator) -> State:
    """Only the first process reads the checkpoint: the others may not see its disk."""
    if accelerator.num_processes == 1:
        return state
    return broadcast_object_list([state])[0]
