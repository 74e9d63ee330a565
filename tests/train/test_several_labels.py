"""Rows that are trained towards several labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from trained_files import files_of

from dermlab.data.shares import shares_of
from dermlab.data.tables import MANIFEST, read_table, write_table
from dermlab.train import inputs
from dermlab.train.inputs import drawn_counts
from dermlab.train.losses import LOSSES


def test_class_counts_take_several_labels_by_their_shares():
    targets = np.eye(3)[[0] * 6 + [1] * 2]
    targets[0], targets[1], targets[6] = [0.75, 0.25, 0], [0.5, 0, 0.5], [0.75, 0.25, 0]
    assert drawn_counts(targets, np.ones(8)).tolist() == [6 - 0.75 + 0.75, 2 - 0.75 + 0.25, 0.5]
    thrice = np.array([3.0] + [1.0] * 7)  # mean 10 / 8
    assert drawn_counts(targets, thrice) == pytest.approx([0.8 * (8 - 1.25 + 0.75), 0.8 * (2 - 0.75 + 0.75), 0.8 * 0.5])


def softened(clinic, folder: Path, share: float) -> Path:
    """The manifest in which every third training row, if it is red, is trained towards green with this share; of all rows alike."""
    soft = (clinic.manifest["split"] == "train") & (clinic.manifest["label"] == "red") & (np.arange(len(clinic.manifest)) % 3 == 0)
    labels = [shares_of({"red": 1 - share, "green": share}) if towards else None for towards in soft]
    write_table(folder / "softened.parquet", clinic.manifest.assign(labels=labels), MANIFEST)
    return folder / "softened.parquet"


def test_rows_are_trained_towards_the_labels_and_shares_of_the_manifest(clinic, tmp_path):
    train = clinic.inputs(clinic.params(), softened(clinic, tmp_path, 0.25)).train
    targets = train.targets
    assert targets.dtype == np.float32
    soft = (train.labels == 0) & (train.table["image_id"].str[-2:].astype(int) % 3 == 0)
    assert 0 < soft.sum() < (train.labels == 0).sum()
    assert (targets[soft] == [0.75, 0.25, 0]).all()
    assert (targets[~soft] == np.eye(3)[train.labels[~soft]]).all()


@pytest.mark.parametrize("loss", ["ce", "balanced_softmax"])
def test_a_row_that_gives_all_of_itself_away_is_trained_as_one_of_the_other_label(clinic, tmp_path, loss):
    """Both phases, to the byte: what is trained depends on the distribution alone, not on how the manifest writes it."""
    params = clinic.params().model_copy(update={"loss": loss})
    wholly = softened(clinic, tmp_path, 1.0)
    clinic.train(tmp_path / "softened", params, wholly)
    soft = read_table(wholly, MANIFEST)
    write_table(tmp_path / "changed.parquet", soft.assign(label=soft["label"].where(soft["labels"].isna(), "green"), labels=None), MANIFEST)
    clinic.train(tmp_path / "changed", params, tmp_path / "changed.parquet")
    assert files_of(tmp_path / "softened") == files_of(tmp_path / "changed")
    clinic.train(tmp_path / "baseline", params)
    assert files_of(tmp_path / "baseline") != files_of(tmp_path / "changed")


@pytest.mark.parametrize("train", [{"finetune_epochs": 0}, {"frozen_epochs": 0, "finetune_epochs": 1}])
def test_a_share_changes_what_is_learnt(clinic, tmp_path, train):
    params = clinic.params(**train)
    losses = [clinic.train(tmp_path / str(share), params, softened(clinic, tmp_path, share))["train_loss"] for share in (0.01, 0.5)]
    assert losses[0] != losses[1]
    assert losses[0] != clinic.train(tmp_path / "hard", params)["train_loss"]


def focal_by_label(logits, targets, prior):
    log_p = F.log_softmax(logits, dim=1)
    return -(targets * (-torch.expm1(log_p)).clamp(min=1e-8) ** 2.0 * log_p).sum(1).mean()


# The losses as they were before rows had more than one label.
BY_LABEL = {
    "ce": lambda logits, targets, prior: -(targets * F.log_softmax(logits, dim=1)).sum(1).mean(),
    "focal": focal_by_label,
    "bce": lambda logits, targets, prior: F.binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(1).mean(),
    "balanced_softmax": lambda logits, targets, prior: -(targets * F.log_softmax(logits + prior, dim=1)).sum(1).mean(),
    "logit_adjusted": lambda logits, targets, prior: -(targets * F.log_softmax(logits + 1.0 * prior, dim=1)).sum(1).mean(),
    "gce": lambda logits, targets, prior: -(targets * torch.expm1(0.7 * F.log_softmax(logits, dim=1))).sum(1).mean() / 0.7,
    "elr": lambda logits, targets, prior: -(targets * F.log_softmax(logits, dim=1)).sum(1).mean(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_of_one_label_are_trained_to_the_byte_as_before_there_were_more(clinic, tmp_path, monkeypatch, loss):
    weights = np.where(clinic.manifest["label"] == "red", 0.37, 2.1)
    write_table(tmp_path / "manifest.parquet", clinic.manifest.assign(weight=weights), MANIFEST)
    params = clinic.params(label_smoothing=0.1, finetune_epochs=0).model_copy(update={"loss": loss})
    clinic.train(tmp_path / "now", params, tmp_path / "manifest.parquet")

    def by_label(logits, labels, counts, knobs):
        prior = counts.float().clamp(min=1)
        targets = F.one_hot(labels, 3).float() * (1 - knobs.label_smoothing) + knobs.label_smoothing / 3
        return BY_LABEL[loss](logits.float(), targets, (prior / prior.sum()).log())

    def counted(targets, weights):
        weights = weights.astype(np.float64)
        return np.bincount(targets, weights * (len(weights) / weights.sum()), minlength=3)

    read = inputs._rows
    monkeypatch.setattr(inputs, "_rows", lambda *given: replace(rows := read(*given), targets=rows.labels))
    monkeypatch.setattr(inputs, "drawn_counts", counted)
    monkeypatch.setitem(LOSSES, loss, by_label)
    clinic.train(tmp_path / "before", params, tmp_path / "manifest.parquet")
    assert files_of(tmp_path / "now") == files_of(tmp_path / "before")
