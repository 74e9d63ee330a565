"""The head by a convex solver, on made features."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from trained_files import files_of

from dermlab.data.classes import Classes
from dermlab.data.shards import Shards
from dermlab.model import logistic
from dermlab.model.classifier import Head
from dermlab.model.network import load_network
from dermlab.run.errors import DermlabError
from dermlab.run.watch import Watch
from dermlab.train import convex, state
from dermlab.train.checkpoint import write_checkpoint
from dermlab.train.convex import solve_head
from dermlab.train.inputs import Inputs, Rows, drawn_counts
from dermlab.train.loop import Keeper
from dermlab.train.objective import Objective
from dermlab.train.params import CONVEX, LOSSES, Params
from dermlab.train.state import State

WIDTH, UNITS = 20, 3


def made_inputs(clinic, weights=(1.0, 1.0, 1.0), rows: int = 300, noise: float = 0.2) -> Inputs:
    """Three classes, a share `noise` of whose labels is any; of the training rows each weighs as its class does."""
    rng = np.random.default_rng(0)
    truth, answers = rng.integers(0, 3, 2 * rows), np.eye(UNITS, dtype=np.float32)[rng.integers(0, UNITS, 2 * rows)]
    features = (rng.normal(size=(3, WIDTH))[truth] + 2 * rng.normal(size=(2 * rows, WIDTH))) * rng.lognormal(size=WIDTH) + 5
    labels = np.where(rng.random(2 * rows) < noise, rng.integers(0, 3, 2 * rows), truth)
    targets = 0.8 * np.eye(3, dtype=np.float32)[labels] + 0.2 * np.eye(3, dtype=np.float32)[truth]

    def side(of: slice) -> Rows:
        table, weight = pd.DataFrame({"image_id": range(rows)}), np.array(weights, np.float32)[labels[of]]
        return Rows(table, labels[of], weight, answers[of], features[of].astype(np.float16), targets[of])

    train, val = side(slice(rows)), side(slice(rows, None))
    counts = drawn_counts(train.targets, train.weights)
    return Inputs(train, val, Classes(("red", "green")), clinic.questions, Shards(), 32, counts, {}, "none", 32)


def solved(clinic, inputs: Inputs, loss: str = "ce", **train) -> tuple[Head, State, Objective]:
    params = clinic.params(frozen_solver="lbfgs", **train).model_copy(update={"loss": loss})
    torch.manual_seed(0)
    head, ended = Head(WIDTH, UNITS, 3, 0.4), State()
    objective = Objective(params, inputs.counts, inputs.questions, torch.device("cpu"))
    log = SimpleNamespace(epoch=lambda *_: None)
    solve_head(head, inputs, params, objective, ended, Keeper(lambda: None, lambda: None, Watch(0), log))
    return head, ended, objective


@pytest.mark.parametrize("loss", CONVEX)
def test_no_step_makes_the_expected_loss_and_its_penalty_less(clinic, loss):
    """The gradient by autograd, in double precision, of the loss as `loop` has it of all batches there could be."""
    inputs = made_inputs(clinic, weights=(0.5, 1.0, 3.0))
    head, ended, objective = solved(clinic, inputs, loss, question_dropout=0.3, label_smoothing=0.1)
    train, l2 = inputs.train, ended.best["l2"]
    features, answers, targets = (torch.from_numpy(of).double() for of in (train.features, train.answers, train.targets))
    units = [head.questions(of.float()).double().detach() for of in (answers, objective.blank.expand(len(train), -1))]
    seen = [(features - head.standardise.running_mean) / (head.standardise.running_var + head.standardise.eps).sqrt(), units[0]]
    spread = torch.cat([seen[0].std(0, unbiased=False), torch.ones(64)])  # the units' scale is that of standardised answers
    weight, bias = head.linear.weight.detach().double().requires_grad_(), head.linear.bias.detach().double().requires_grad_()
    total = (l2 / 2 * (weight * spread) ** 2).sum()
    for share, of in zip((0.7, 0.3), units, strict=True):
        rows = objective.of_rows(torch.cat([seen[0], of], dim=1) @ weight.T + bias, targets)
        total = total + (share * torch.from_numpy(train.weights / train.weights.mean()) * rows).sum()
    of_weight, of_bias = torch.autograd.grad(total / len(train), [weight, bias])
    assert max(of_weight[:, : WIDTH + UNITS].abs().max(), of_bias.abs().max()) < 1e-4
    assert (head.linear.weight[:, WIDTH + UNITS :] == 0).all()
    assert (head.linear.weight.abs() > 0.01).any()


def test_the_questionnaires_layer_hands_the_answers_on():
    torch.manual_seed(0)
    answers, blank = torch.randn(200, 80) @ torch.randn(80, 80), torch.zeros(80)
    answers[:, 7] = 3
    for width, left in ((50, 14), (80, 0)):
        layer = torch.nn.Linear(width, 64)
        drawn = layer.weight[64 - left :].clone()
        with torch.no_grad():
            used = convex.hand_answers_on(layer, answers[:, :width], blank[:width])
            units = torch.relu(layer(answers[:, :width]))[:, :used]
        assert used == 64 - left
        assert torch.equal(layer.weight[used:], drawn)
        given = torch.cat([units, torch.ones(200, 1)], dim=1).double()
        fitted = given @ torch.linalg.lstsq(given, answers[:, :width].double(), driver="gelsd").solution
        unexplained = ((answers[:, :width] - fitted) ** 2).sum() / ((answers[:, :width] - answers[:, :width].mean(0)) ** 2).sum()
        assert unexplained < (1e-8 if width == 50 else 0.05)
        assert (layer(blank[None, :width]) >= -1e-4)[:, :used].all()


def test_the_penalty_of_the_least_validation_loss_is_chosen(clinic, monkeypatch):
    inputs = made_inputs(clinic)
    chosen = solved(clinic, inputs)[1].best
    losses = {}
    for l2 in convex.PENALTIES:
        monkeypatch.setattr(logistic, "PENALTIES", (l2,))
        losses[l2] = solved(clinic, inputs)[1].best["nll"]
    assert chosen["l2"] == min(losses, key=losses.get)
    assert min(losses) < chosen["l2"] < max(losses)
    assert chosen["nll"] == pytest.approx(losses[chosen["l2"]], abs=1e-4)


def test_validation_counts_its_classes_as_training_draws_them(clinic):
    inputs = made_inputs(clinic, weights=(0.5, 1.0, 3.0))
    drawn = convex.weights_like_drawn(inputs)
    shares = inputs.counts / inputs.train.targets.sum(axis=0)
    np.testing.assert_allclose(drawn, inputs.val.targets @ shares, rtol=1e-6)
    assert shares[2] > 2 * shares[0]
    np.testing.assert_allclose(convex.weights_like_drawn(made_inputs(clinic)), 1, rtol=1e-5)


def test_features_as_bfloat16_make_nearly_the_same_head_and_fp32_forbids_them(clinic, monkeypatch):
    monkeypatch.setattr(logistic, "TOLERANCE_IF_LARGE", logistic.TOLERANCE)
    inputs = made_inputs(clinic)
    exact = solved(clinic, inputs)[1].best
    monkeypatch.setattr(logistic, "LARGE", 0)
    monkeypatch.setattr(logistic, "multiplies_bfloat16", lambda: True)
    fast = solved(clinic, inputs)[1].best
    assert 0 < (fast["logits"] - exact["logits"]).abs().max() < 0.05
    assert torch.equal(solved(clinic, inputs, precision="fp32")[1].best["logits"], exact["logits"])


def test_a_loss_that_is_not_convex_is_refused_with_what_to_do(clinic):
    asked = clinic.params(frozen_solver="lbfgs").model_dump()
    assert set(CONVEX) <= set(LOSSES)
    for loss in set(LOSSES) - set(CONVEX):
        with pytest.raises(ValidationError, match=f"convex in the logits, and {loss} is not. Valid with it: adamw; or choose.*: ce, bce"):
            Params.model_validate(asked | {"loss": loss})


def test_features_that_are_no_numbers_are_told(clinic):
    inputs = made_inputs(clinic)
    inputs.train.features[3, 4] = np.nan
    with pytest.raises(DermlabError, match="1 rows have features that are no numbers .first: 3.*dvc repro embed"):
        solved(clinic, inputs)


@pytest.mark.parametrize("frozen_epochs", [0, 1])
def test_a_run_that_solves_its_head_and_is_killed_behind_it_ends_with_the_bytes_of_one_left_alone(
    clinic, tmp_path, monkeypatch, capsys, frozen_epochs
):
    params = clinic.params(frozen_solver="lbfgs", frozen_epochs=frozen_epochs, finetune_epochs=1)
    metrics = clinic.train(tmp_path / "whole", params)
    assert metrics["epochs"] == frozen_epochs + 1
    assert metrics.get("frozen_l2", 0) in (convex.PENALTIES if frozen_epochs else (0,))

    def write_and_die(folder, content):
        write_checkpoint(folder, content)
        raise KeyboardInterrupt

    monkeypatch.setattr(state, "write_checkpoint", write_and_die)
    with pytest.raises(KeyboardInterrupt):
        clinic.train(tmp_path / "killed", params)
    monkeypatch.setattr(state, "write_checkpoint", write_checkpoint)
    monkeypatch.setattr(convex, "fit", None)  # it is not needed again
    capsys.readouterr()
    assert clinic.train(tmp_path / "killed", params) == metrics
    assert f"train: goes on after epoch 1 of phase {'frozen' if frozen_epochs else 'finetune'}" in capsys.readouterr().out
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    if frozen_epochs:
        assert load_network(tmp_path / "whole" / "model").module.head.linear.weight.abs().max() > 0.01
