import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from trained_files import files_of

from dermlab.data.rows import read_rows
from dermlab.data.shards import Shards
from dermlab.data.tables import LEARNT, MANIFEST, read_table, write_table
from dermlab.evaluate.outputs import predict_logits
from dermlab.model.network import load_network
from dermlab.run.errors import ContractError, DermlabError, ParamsError
from dermlab.train import phases
from dermlab.train import run as training
from dermlab.train.checkpoint import checkpoint_folder
from dermlab.train.inputs import drawn_counts
from dermlab.train.losses import LOSSES
from dermlab.train.objective import Objective
from dermlab.train.phases import finetune_phase
from dermlab.train.run import run
from dermlab.train.validation import validate


def test_the_saved_model_scores_on_validation_rows_what_the_metrics_say(clinic, finished):
    folder, metrics = finished
    model = load_network(folder / "model")
    known = read_rows(clinic.folder / "catalog.parquet", clinic.folder / "images.parquet")
    rows = known[known["split"] == "val"]
    judged = validate(predict_logits(model, rows, Shards(clinic.folder / "shards")), model.classes.encode(rows["label"]))
    assert judged.top1 == metrics["val_top1"]
    assert judged.macro_f1 == pytest.approx(metrics["val_macro_f1"])
    assert judged.nll == pytest.approx(metrics["val_nll"], abs=0.02)  # cached features are float16
    assert (metrics["train_rows"], metrics["val_rows"], metrics["epochs"]) == (41, 13, 5)


def test_colours_as_plain_as_these_are_learnt(finished):
    assert finished[1]["val_top1"] >= 0.8


def test_equal_seeds_leave_equal_bytes_and_other_seeds_others(clinic, finished, tmp_path):
    again = clinic.train(tmp_path / "again", clinic.params())
    assert again == finished[1]
    assert files_of(tmp_path / "again") == files_of(finished[0])
    other = clinic.params().model_copy(update={"seed": 4})
    assert clinic.train(tmp_path / "other", other)["train_loss"] != again["train_loss"]


def test_a_batch_in_several_passes_teaches_what_the_batch_teaches(clinic, tmp_path, monkeypatch):
    params = clinic.params(dropout=0.0).model_copy(update={"loss": "elr"})
    whole = clinic.train(tmp_path / "whole", params)
    monkeypatch.setattr(phases, "fit_to_memory", lambda *_: 2)
    assert clinic.train(tmp_path / "passes", params) == pytest.approx(whole, abs=1e-4)
    assert losses_of(tmp_path / "passes") == pytest.approx(losses_of(tmp_path / "whole"), abs=1e-3)


def test_an_average_of_the_weights_is_what_is_judged_and_kept(clinic, finished, tmp_path):
    params = clinic.params(ema=0.9, frozen_epochs=0)
    metrics = clinic.train(tmp_path, params)
    assert metrics["val_nll"] != clinic.train(tmp_path / "last", clinic.params(frozen_epochs=0))["val_nll"]
    model = load_network(tmp_path / "model")
    known = read_rows(clinic.folder / "catalog.parquet", clinic.folder / "images.parquet")
    rows = known[known["split"] == "val"]
    judged = validate(predict_logits(model, rows, Shards(clinic.folder / "shards")), model.classes.encode(rows["label"]))
    assert judged.nll == pytest.approx(metrics["val_nll"], abs=1e-3)


def test_the_log_tells_what_every_epoch_cost(clinic, tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("DVC_EXP_NAME", "focal")
    clinic.train(tmp_path, clinic.params(), usd_per_hour=3600.0)
    rows = [json.loads(line) for line in (tmp_path / "data" / "train-log.jsonl").read_text().splitlines()]
    assert [(row["phase"], row["epoch"]) for row in rows] == [("frozen", 1), ("frozen", 2), ("frozen", 3), ("finetune", 1), ("finetune", 2)]
    for row in rows:
        assert (row["experiment"], row["images"], row["device"], row["processes"]) == ("focal", 40, "cpu", 1)
        assert 0 <= row["waiting_seconds"] <= row["training_seconds"] <= row["seconds"] + 0.01
        assert row["usd"] == pytest.approx(row["seconds"], abs=0.011)
        assert "memory_gb" not in row
        assert "flop_utilisation" not in row


def test_checkpoints_are_gone_when_the_run_has_ended_well(finished):
    assert not (finished[0] / ".checkpoints").exists()


def test_another_recipe_or_other_rows_never_resume_what_this_run_left(clinic, tmp_path):
    params = clinic.params()
    write_table(tmp_path / "manifest.parquet", clinic.manifest.iloc[1:], MANIFEST)
    folders = {
        checkpoint_folder(params, clinic.inputs(params)),
        checkpoint_folder(clinic.params(lr=0.002), clinic.inputs(params)),
        checkpoint_folder(params.model_copy(update={"loss": "focal"}), clinic.inputs(params)),
        checkpoint_folder(params, clinic.inputs(params, tmp_path / "manifest.parquet")),
    }
    assert len(folders) == 4
    assert checkpoint_folder(params, clinic.inputs(params)) in folders


def test_checkpoints_lie_in_dvcs_root_where_dvc_runs_the_stage(clinic, tmp_path, monkeypatch):
    params = clinic.params()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert checkpoint_folder(params, clinic.inputs(params)).parent == tmp_path / ".checkpoints"


def test_a_checkpoint_that_cannot_be_read_is_left_aside(clinic, finished, tmp_path, capsys):
    params = clinic.params()
    folder = checkpoint_folder(params, clinic.inputs(params), tmp_path)
    folder.mkdir(parents=True)
    (folder / "state.pt").write_bytes(b"half a file")
    assert clinic.train(tmp_path, params) == finished[1]
    assert "cannot be read" in capsys.readouterr().out


def test_what_was_predicted_of_each_training_row_is_told_by_epoch(clinic, finished):
    learnt = read_table(finished[0] / "data" / "learnt.parquet", LEARNT)
    epochs = ["frozen_1", "frozen_2", "frozen_3", "finetune_1", "finetune_2"]
    assert learnt.columns.tolist() == ["image_id", *epochs]
    labels = clinic.manifest.set_index("image_id").loc[learnt["image_id"], "label"].to_numpy()
    assert clinic.manifest.loc[clinic.manifest["split"] == "train", "image_id"].tolist() == learnt["image_id"].tolist()
    assert learnt[epochs].notna().sum().tolist() == [40] * 5  # five batches of eight; one row of 41 is not drawn
    right = [(learnt[epoch] == labels).sum() / 40 for epoch in epochs]
    assert right[0] < 0.8 < right[2]


def losses_of(folder: Path) -> list[float]:
    """Of every epoch of both phases, the best and the others."""
    return pd.read_csv(folder / "curves" / "plots" / "metrics" / "train_loss.tsv", sep="\t")["train_loss"].tolist()


def test_curves_hold_steps_and_values_and_no_times(finished):
    curves = finished[0] / "curves"
    plots = sorted(path.name for path in (curves / "plots" / "metrics").iterdir())
    assert plots == ["train_loss.tsv", "val_macro_f1.tsv", "val_nll.tsv", "val_top1.tsv"]
    table = pd.read_csv(curves / "plots" / "metrics" / "train_loss.tsv", sep="\t")
    assert table.columns.tolist() == ["step", "train_loss"]
    assert table["step"].tolist() == [0, 1, 2, 3, 4]
    assert set(json.loads((curves / "metrics.json").read_text())) == {"step", "train_loss", "val_macro_f1", "val_nll", "val_top1"}
    assert not list(finished[0].rglob("dvc.yaml"))


def test_the_backbone_stays_as_it_came_where_fine_tuning_is_off_or_to_no_avail(clinic, tmp_path):
    pristine = clinic.create().state_dict()
    for name, params in {"off": clinic.params(finetune_epochs=0), "ruinous": clinic.params(lr=0.3, finetune_epochs=1)}.items():
        assert clinic.train(tmp_path / name, params)["best_phase"] == "frozen"
        kept = load_network(tmp_path / name / "model").module.backbone.state_dict()
        assert all(torch.equal(kept[key], pristine[key]) for key in pristine)


def test_without_a_frozen_phase_the_network_is_trained_from_its_first_step(clinic, tmp_path):
    metrics = clinic.train(tmp_path, clinic.params(frozen_epochs=0, finetune_epochs=1))
    assert (metrics["best_phase"], metrics["best_epoch"], metrics["epochs"]) == ("finetune", 1, 1)


def test_fine_tuning_standardises_by_all_cached_training_features_from_its_first_step_to_what_is_kept(clinic, tmp_path, monkeypatch):
    params = clinic.params(frozen_epochs=1, head_lr=1e-6, lr=0.003)
    seen = {}

    def phase_two(module, *args):
        phase = finetune_phase(module, *args)
        seen.update({name: buffer.clone() for name, buffer in module.head.standardise.named_buffers()})
        return phase

    monkeypatch.setattr(training, "finetune_phase", phase_two)
    assert clinic.train(tmp_path, params)["best_phase"] == "finetune"
    kept, features = load_network(tmp_path / "model").module.head.standardise, clinic.inputs(params).train.features.astype(np.float32)
    assert torch.equal(kept.running_mean, seen["running_mean"])
    assert torch.equal(kept.running_var, seen["running_var"])
    np.testing.assert_allclose(kept.running_mean, features.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(kept.running_var, features.var(axis=0, ddof=1), rtol=1e-3)


def test_only_the_blocks_asked_for_are_fine_tuned(clinic, tmp_path):
    clinic.train(tmp_path, clinic.params(frozen_epochs=0, finetune_epochs=1, trainable_blocks=1))
    kept, pristine = load_network(tmp_path / "model").module.backbone.state_dict(), clinic.create().state_dict()
    changed = {key.removeprefix("trunk.").split(".")[0] for key in pristine if not torch.equal(kept[key], pristine[key])}
    moved = {key for key in pristine if key.startswith("trunk.blocks") and not torch.equal(kept[key], pristine[key])}
    assert changed <= {"blocks", "conv_head", "bn2"}
    assert {key.split(".")[2] for key in moved} == {"4"}


@pytest.mark.parametrize("train", [{"finetune_epochs": 0}, {"frozen_epochs": 0}])
def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_rows_of_the_batch(clinic, tmp_path, monkeypatch, train):
    monkeypatch.setitem(LOSSES, "ce", lambda logits, labels, counts, params: logits.sum() * float("nan"))
    with pytest.raises(DermlabError, match=r"epoch 1, step 1: the loss is nan.*(photo-\d\d, ){7}photo-\d\d") as error:
        clinic.train(tmp_path, clinic.params(**train))
    train_ids = set(clinic.manifest.loc[clinic.manifest["split"] == "train", "image_id"])
    assert set(str(error.value).rstrip(".").split(": ")[-1].split(", ")) <= train_ids


def test_class_counts_are_those_of_the_manifests_training_rows(clinic):
    inputs = clinic.inputs(clinic.params())
    train = clinic.manifest[clinic.manifest["split"] == "train"]
    assert inputs.counts.tolist() == [(train["label"] == name).sum() for name in ("red", "green", "other")]


def test_class_counts_are_those_of_the_draw_so_that_rebalanced_is_not_corrected_twice(clinic):
    targets = np.eye(3)[[0] * 6 + [1] * 2]
    assert drawn_counts(targets, np.ones(8)).tolist() == [6, 2, 0]
    balanced = np.array([1 / 6] * 6 + [1 / 2] * 2, dtype=np.float32)
    assert drawn_counts(targets, balanced) == pytest.approx([4, 4, 0], rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_where_other_has_no_rows_and_rows_have_weights(clinic, tmp_path, loss):
    manifest = clinic.manifest[clinic.manifest["label"] != "other"]
    manifest = manifest.assign(weight=np.where(manifest["label"] == "red", 0.5, 2.0))
    write_table(tmp_path / "manifest.parquet", manifest, MANIFEST)
    params = clinic.params(finetune_epochs=0, label_smoothing=0.1).model_copy(update={"loss": loss})
    metrics = clinic.train(tmp_path, params, tmp_path / "manifest.parquet")
    assert all(np.isfinite(value) for value in metrics.values() if not isinstance(value, str))


def test_the_questionnaire_is_hidden_from_the_share_of_rows_asked_for(clinic):
    params = clinic.params(question_dropout=0.25)
    inputs = clinic.inputs(params)
    objective = Objective(params, inputs.counts, inputs.questions, torch.device("cpu"))
    torch.manual_seed(0)
    answers = torch.tensor([0.0, 1.0, 0.0]).repeat(4000, 1)
    seen = objective.hide(answers, torch.rand(4000))
    hidden = (seen == torch.tensor([0.0, 0.0, 1.0])).all(1)
    assert hidden.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(seen[~hidden], answers[~hidden])


def test_files_that_do_not_fit_each_other_are_told_before_training(clinic, tmp_path):
    with pytest.raises(ContractError, match="made by timm:test_efficientnet, not lite0.*dvc repro embed"):
        clinic.inputs(clinic.params().model_copy(update={"backbone": "lite0"}))
    write_table(tmp_path / "stray.parquet", clinic.manifest.replace({"image_id": {"photo-00": "stray"}}), MANIFEST)
    with pytest.raises(ContractError, match="the image 'stray'"):
        clinic.inputs(clinic.params(), tmp_path / "stray.parquet")
    write_table(tmp_path / "few.parquet", clinic.manifest.iloc[30:], MANIFEST)
    with pytest.raises(ParamsError, match="11 training and 13 validation rows.*batch_size is 32"):
        clinic.inputs(clinic.params(batch_size=32), tmp_path / "few.parquet")


@pytest.mark.parametrize(
    ("which", "at_once"), [("clinic", 4), ("clinic", 2), ("clinic_of_vit", 2)] if "DERMLAB_KILLS" in os.environ else [("clinic", 2)]
)
def test_two_processes_train_the_model_that_one_trains(request, tmp_path, which, at_once):
    """torchrun on gloo; each process takes half of every batch, or a quarter in each of two passes. Batch norms, weighted draws,
    adapters and what a loss remembers of the rows are included, dropout is not: its masks are each process's own."""
    clinic = request.getfixturevalue(which)
    weights = np.where(clinic.manifest["label"] == "red", 0.5, 2.0)
    write_table(tmp_path / "manifest.parquet", clinic.manifest.assign(weight=weights), MANIFEST)
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import importlib.util, json, pathlib, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
spec = importlib.util.spec_from_file_location("clinic_setup", {str(Path(__file__).with_name("conftest.py"))!r})
setup = importlib.util.module_from_spec(spec); spec.loader.exec_module(setup)
from dermlab.train import phases
from dermlab.train import run as training
phases.fit_to_memory = lambda *_: {at_once}
clinic = setup.{type(clinic).__name__}(pathlib.Path({str(clinic.folder)!r}), None, {clinic.embeddings!r})
into = pathlib.Path({str(tmp_path)!r})
params = clinic.params(dropout=0.0).model_copy(update={{"loss": "elr"}})
metrics = clinic.train(into, params, into / "manifest.parquet")
if metrics: print("METRICS", json.dumps(metrics))
"""
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("METRICS") == 1
    together = json.loads(done.stdout.split("METRICS")[1])
    params = clinic.params(dropout=0.0).model_copy(update={"loss": "elr"})
    alone = clinic.train(tmp_path / "alone", params, tmp_path / "manifest.parquet")
    assert together == pytest.approx(alone, abs=1e-3)
    assert losses_of(tmp_path) == pytest.approx(losses_of(tmp_path / "alone"), abs=2e-3)
    learnt = [read_table(folder / "data" / "learnt.parquet", LEARNT) for folder in (tmp_path, tmp_path / "alone")]
    assert (learnt[0].isna() == learnt[1].isna()).all(axis=None)
    assert (learnt[0] == learnt[1]).mean(axis=None) == pytest.approx((~learnt[0].isna()).mean(axis=None), abs=0.02)
    rows = read_rows(clinic.folder / "catalog.parquet", clinic.folder / "images.parquet")
    logits = [
        predict_logits(load_network(folder / "model"), rows, Shards(clinic.folder / "shards")) for folder in (tmp_path, tmp_path / "alone")
    ]
    np.testing.assert_allclose(*logits, atol=2e-2)


def test_features_of_other_weights_are_refused(clinic, tmp_path):
    inputs = replace(clinic.inputs(clinic.params()), weights="of another network")
    with pytest.raises(ContractError, match="are not those that made data/embeddings"):
        run(
            clinic.params(),
            inputs,
            tmp_path / "model",
            tmp_path / "validation",
            tmp_path / "curves",
            checkpoint_root=tmp_path,
            create=clinic.create,
        )
