"""train: a head on cached features, then the network end to end; the epoch that validates best is kept.

Reads   data/manifest.parquet, data/catalog.parquet, data/images.parquet, data/shards/, data/embeddings/, data/source/ (classes,
        questionnaire)
Writes  models/model/, data/validation/, data/learnt.parquet, metrics/train.json, metrics/train/ (curves)
Run     dvc repro train        (on every GPU there is, or on machine.gpus of them; tiny: -S train.frozen_epochs=1
        -S train.finetune_epochs=0)
"""

from dermlab.data.json_files import write_json
from dermlab.run import paths
from dermlab.run.command import run_command
from dermlab.run.machine import read_machine
from dermlab.run.params import read_params
from dermlab.run.progress import say
from dermlab.train.inputs import read_inputs
from dermlab.train.params import Params
from dermlab.train.run import run


def main() -> None:
    params, machine = read_params(Params), read_machine()
    inputs = read_inputs(params, loaders=machine.loaders)
    kept = {"checkpoint_minutes": machine.checkpoint_minutes, "checkpoint_mirror": machine.checkpoint_mirror}
    metrics = run(params, inputs, tracker=machine.tracker, usd_per_hour=machine.usd_per_hour, **kept)
    if not metrics:  # a process that is not the first writes nothing
        return
    write_json(paths.metrics_of("train"), metrics)
    say(
        f"train: best epoch {metrics['best_epoch']} of phase {metrics['best_phase']}, validation top-1 {metrics['val_top1']:.4f}, "
        f"macro F1 {metrics['val_macro_f1']:.4f}, on {metrics['train_rows']} rows"
    )
    if params.train.finetune_epochs and metrics["best_phase"] == "frozen":
        say("       the frozen head was kept: fine-tuning did not win on validation")


if __name__ == "__main__":
    run_command(main, shared=True)
