import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import tensor

from dermlab.train.losses import LOSSES

COUNTS = tensor([90, 9, 1])


def params(**changed) -> SimpleNamespace:
    return SimpleNamespace(**({"label_smoothing": 0.0, "focal_gamma": 2.0, "logit_tau": 1.0} | changed))


def loss(name: str, logits, labels, counts=COUNTS, **changed) -> float:
    return LOSSES[name](tensor(logits), tensor(labels), counts, params(**changed)).item()


QUARTER = [[math.log(1.0), math.log(2.0), math.log(1.0)]]  # softmax: 1/4, 1/2, 1/4


def test_cross_entropy_is_the_negative_log_probability_of_the_label():
    assert loss("ce", QUARTER, [0]) == pytest.approx(math.log(4))


def test_cross_entropy_with_smoothing_is_torchs():
    logits, labels = torch.randn(5, 3), tensor([0, 1, 2, 1, 0])
    ours = LOSSES["ce"](logits, labels, COUNTS, params(label_smoothing=0.1))
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, label_smoothing=0.1))


def test_focal_weighs_by_what_is_left_to_learn():
    assert loss("focal", QUARTER, [0]) == pytest.approx((3 / 4) ** 2 * math.log(4))
    assert loss("focal", QUARTER, [1], focal_gamma=1.0) == pytest.approx(1 / 2 * math.log(2))


def test_focal_without_gamma_is_cross_entropy():
    assert loss("focal", QUARTER, [2], focal_gamma=0.0) == pytest.approx(loss("ce", QUARTER, [2]))


def test_focal_smoothing_spreads_the_target_over_the_classes():
    e = 0.3
    terms = [(3 / 4) ** 2 * math.log(4), (1 / 2) ** 2 * math.log(2), (3 / 4) ** 2 * math.log(4)]
    expected = (1 - e) * terms[0] + e / 3 * sum(terms)
    assert loss("focal", QUARTER, [0], label_smoothing=e) == pytest.approx(expected)


def test_binary_cross_entropy_asks_one_question_a_class():
    assert loss("bce", [[0.0, 0.0, 0.0]], [1]) == pytest.approx(3 * math.log(2))
    odds = math.log(3)  # sigmoid: 3/4
    assert loss("bce", [[odds, odds, -odds]], [0]) == pytest.approx(-math.log(3 / 4) - math.log(1 / 4) - math.log(3 / 4))


def test_balanced_softmax_puts_the_class_counts_into_the_softmax():
    assert loss("balanced_softmax", [[0.0, 0.0, 0.0]], [2]) == pytest.approx(math.log(100))
    assert loss("balanced_softmax", QUARTER, [1]) == pytest.approx(-math.log(2 * 9 / (90 + 2 * 9 + 1)))


def test_logit_adjustment_interpolates_from_cross_entropy_to_balanced_softmax():
    assert loss("logit_adjusted", QUARTER, [1], logit_tau=0.0) == pytest.approx(loss("ce", QUARTER, [1]))
    assert loss("logit_adjusted", QUARTER, [1]) == pytest.approx(loss("balanced_softmax", QUARTER, [1]))
    half = [90**0.5, 2 * 9**0.5, 1]
    assert loss("logit_adjusted", QUARTER, [1], logit_tau=0.5) == pytest.approx(-math.log(half[1] / sum(half)), rel=1e-5)


# Of the logits QUARTER with label 0, counts 90, 9 and 1. A loss without its line here fails.
CLOSED_FORM = {
    "ce": math.log(4),
    "focal": (3 / 4) ** 2 * math.log(4),
    "bce": math.log(2) + math.log(3) + math.log(2),  # sigmoids 1/2, 2/3, 1/2
    "balanced_softmax": -math.log(90 / (90 + 2 * 9 + 1)),
    "logit_adjusted": -math.log(90 / (90 + 2 * 9 + 1)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_its_closed_form(name):
    assert loss(name, QUARTER, [0]) == pytest.approx(CLOSED_FORM[name], rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_class_without_training_rows_gives_finite_losses_and_gradients(name):
    logits = torch.randn(6, 3, requires_grad=True)
    value = LOSSES[name](logits, tensor([0, 1, 2, 0, 1, 2]), tensor([90, 9, 0]), params(label_smoothing=0.1, focal_gamma=0.5))
    value.backward()
    assert math.isfinite(value.item())
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_in_bfloat16_give_finite_float32_losses_and_gradients(name):
    logits = tensor([[300.0, -300.0, 0.0], [-300.0, 300.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    value = LOSSES[name](logits, tensor([0, 0]), COUNTS, params(focal_gamma=0.5))
    value.backward()
    assert value.dtype == torch.float32
    assert math.isfinite(value.item())
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_smoothing_makes_certainty_costly(name):
    certain = [[40.0, -40.0, -40.0]]
    assert loss(name, certain, [0], label_smoothing=0.1) > loss(name, certain, [0]) + 1


def test_a_batch_is_the_mean_of_its_rows():
    rows = [loss("focal", QUARTER, [label]) for label in (0, 1)]
    assert loss("focal", QUARTER * 2, [0, 1]) == pytest.approx(np.mean(rows))
