import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import tensor

from dermlab.train import params as knobs
from dermlab.train.losses import LOSSES, EarlyLearning

COUNTS = tensor([90, 9, 1])


KNOBS = {"label_smoothing": 0.0, "focal_gamma": 2.0, "logit_tau": 1.0, "gce_q": 0.5, "elr_lambda": 3.0, "elr_beta": 0.75}


def params(**changed) -> SimpleNamespace:
    return SimpleNamespace(**(KNOBS | changed))


def one_hot(labels) -> torch.Tensor:
    return torch.eye(3)[tensor(labels)]


def loss(name: str, logits, labels, counts=COUNTS, **changed) -> float:
    return mean_loss(name, tensor(logits), one_hot(labels), counts, params(**changed)).item()


def mean_loss(name: str, *given) -> torch.Tensor:
    return LOSSES[name](*given).mean()


QUARTER = [[math.log(1.0), math.log(2.0), math.log(1.0)]]  # softmax: 1/4, 1/2, 1/4


def test_every_name_that_params_know_has_its_loss():
    assert tuple(LOSSES) == knobs.LOSSES


def test_cross_entropy_is_the_negative_log_probability_of_the_label():
    assert loss("ce", QUARTER, [0]) == pytest.approx(math.log(4))


def test_cross_entropy_with_smoothing_is_torchs():
    logits, labels = torch.randn(5, 3), [0, 1, 2, 1, 0]
    ours = mean_loss("ce", logits, one_hot(labels), COUNTS, params(label_smoothing=0.1))
    torch.testing.assert_close(ours, F.cross_entropy(logits, tensor(labels), label_smoothing=0.1))


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


def test_generalised_cross_entropy_runs_from_cross_entropy_to_the_mean_absolute_error():
    assert loss("gce", QUARTER, [1], gce_q=1e-4) == pytest.approx(loss("ce", QUARTER, [1]), rel=1e-3)
    assert loss("gce", QUARTER, [1], gce_q=1.0) == pytest.approx(1 / 2)
    smoothed = 2 * (0.9 * (1 - 0.25**0.5) + 0.1 * (1 - 0.5**0.5))  # two classes of 1/4 have 0.8 and 0.1
    assert loss("gce", QUARTER, [0], label_smoothing=0.3) == pytest.approx(smoothed)


def test_early_learning_holds_a_row_to_the_average_of_what_was_predicted_of_it():
    """Rows 2 and 0 of three. Row 2 was predicted as half of class 1 before, row 0 never."""
    early = EarlyLearning(tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25]]), params())
    logits, rows = tensor(QUARTER * 2, requires_grad=True), tensor([2, 0])
    first, never = (3 / 8, 1 / 4 * 3 / 8)  # <m, p> of m = p, and of a quarter of p
    value = early(logits, rows)
    assert value.item() == pytest.approx(3 * (math.log(1 - first) + math.log(1 - never)) / 2)
    value.backward()
    # of one row of `first`: the average is no function of the logits, so d/dz_k = -3 p_k (m_k - <m, p>) / (1 - <m, p>)
    torch.testing.assert_close(logits.grad[0], tensor([-3 * p * (p - first) / (1 - first) / 2 for p in (1 / 4, 1 / 2, 1 / 4)]))
    before = early.means.clone()
    early(logits, rows)
    assert torch.equal(early.means, before)  # a pass of a batch does not change what the next one sees
    early.remember(logits.detach(), rows)
    torch.testing.assert_close(early.means, tensor([[1 / 16, 1 / 8, 1 / 16], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25]]))


def test_a_row_drawn_twice_in_a_step_is_remembered_by_the_mean_in_whatever_order():
    other = [[math.log(2.0), 0.0, math.log(5.0)]]  # softmax: 2/8, 1/8, 5/8
    after = []
    for logits in (QUARTER + other, other + QUARTER):
        early = EarlyLearning(torch.zeros(1, 3), params(elr_beta=0.0))
        early.remember(tensor(logits), tensor([0, 0]))
        after.append(early.means)
    torch.testing.assert_close(after[0], tensor([[1 / 4, 5 / 16, 7 / 16]]))
    torch.testing.assert_close(*after)


def test_early_learning_of_what_is_certain_has_a_finite_gradient():
    logits = tensor([[300.0, -300.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    value = EarlyLearning(one_hot([0]), params(elr_beta=0.99))(logits, tensor([0]))
    value.backward()
    assert value.dtype == torch.float32
    assert math.isfinite(value.item())
    assert torch.isfinite(logits.grad).all()


# Of the logits QUARTER with label 0, counts 90, 9 and 1. A loss without its line here fails.
CLOSED_FORM = {
    "ce": math.log(4),
    "focal": (3 / 4) ** 2 * math.log(4),
    "bce": math.log(2) + math.log(3) + math.log(2),  # sigmoids 1/2, 2/3, 1/2
    "balanced_softmax": -math.log(90 / (90 + 2 * 9 + 1)),
    "logit_adjusted": -math.log(90 / (90 + 2 * 9 + 1)),
    "gce": 2 * (1 - 1 / 2),  # q = 1/2
    "elr": math.log(4),  # and what `EarlyLearning` adds
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_its_closed_form(name):
    assert loss(name, QUARTER, [0]) == pytest.approx(CLOSED_FORM[name], rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_class_without_training_rows_gives_finite_losses_and_gradients(name):
    logits = torch.randn(6, 3, requires_grad=True)
    value = mean_loss(name, logits, one_hot([0, 1, 2, 0, 1, 2]), tensor([90, 9, 0]), params(label_smoothing=0.1, focal_gamma=0.5))
    value.backward()
    assert math.isfinite(value.item())
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_in_bfloat16_give_finite_float32_losses_and_gradients(name):
    logits = tensor([[300.0, -300.0, 0.0], [-300.0, 300.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    value = mean_loss(name, logits, one_hot([0, 0]), COUNTS, params(focal_gamma=0.5))
    value.backward()
    assert value.dtype == torch.float32
    assert math.isfinite(value.item())
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", LOSSES)
def test_smoothing_makes_certainty_costly(name):
    certain = [[40.0, -40.0, -40.0]]
    cost = 0.1 * 2 / 3 / KNOBS["gce_q"] - 1e-6 if name == "gce" else 1  # it is bounded
    assert loss(name, certain, [0], label_smoothing=0.1) > loss(name, certain, [0]) + cost


def test_a_batch_is_the_mean_of_its_rows():
    rows = [loss("focal", QUARTER, [label]) for label in (0, 1)]
    assert loss("focal", QUARTER * 2, [0, 1]) == pytest.approx(np.mean(rows))


SOFT = tensor([[0.75, 0.25, 0.0], [0.0, 0.125, 0.875], [1.0, 0.0, 0.0], [0.5, 0.0, 0.5]])
HARD = [[0, 1], [1, 2], [0, 0], [0, 2]]  # the labels of each row of SOFT, whose shares are those of the second
SHARES = [0.25, 0.875, 0.0, 0.5]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", LOSSES)
def test_a_row_of_two_labels_costs_and_teaches_what_they_would_in_their_proportion(name, smoothing):
    asked, logits = params(label_smoothing=smoothing), torch.randn(4, 3)

    def of(targets):
        own = logits.clone().requires_grad_()
        value = mean_loss(name, own, targets, COUNTS, asked)
        value.backward()
        return value.detach(), own.grad

    soft, gradient = of(SOFT)
    alone = [
        [mean_loss(name, logits[i : i + 1], one_hot([label]), COUNTS, asked).item() for label in labels] for i, labels in enumerate(HARD)
    ]
    assert soft.item() == pytest.approx(np.mean([(1 - s) * a + s * b for (a, b), s in zip(alone, SHARES, strict=True)]), rel=1e-5)
    (_, first), (_, second) = (of(one_hot([labels[k] for labels in HARD])) for k in (0, 1))
    share = tensor(SHARES)[:, None]
    torch.testing.assert_close(gradient, (1 - share) * first + share * second)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropies_of_two_labels_are_torchs_of_their_distribution(smoothing):
    logits, asked = torch.randn(4, 3), params(label_smoothing=smoothing, logit_tau=0.5)
    prior = (COUNTS / COUNTS.sum()).log()
    for name, moved in {"ce": logits, "balanced_softmax": logits + prior, "logit_adjusted": logits + 0.5 * prior}.items():
        torch.testing.assert_close(mean_loss(name, logits, SOFT, COUNTS, asked), F.cross_entropy(moved, SOFT, label_smoothing=smoothing))


def test_focal_and_binary_cross_entropy_of_two_labels_in_closed_form():
    third = tensor([[2 / 3, 0.0, 1 / 3]])
    odd = [[math.log(1.0), math.log(2.0), math.log(5.0)]]  # softmax: 1/8, 2/8, 5/8; sigmoids: 1/2, 2/3, 5/6
    focal = mean_loss("focal", tensor(odd), third, COUNTS, params()).item()
    assert focal == pytest.approx(2 / 3 * (7 / 8) ** 2 * math.log(8) + 1 / 3 * (3 / 8) ** 2 * math.log(8 / 5))
    bce = mean_loss("bce", tensor(odd), third, COUNTS, params()).item()
    expected = math.log(2) + math.log(3) - 1 / 3 * math.log(5 / 6) - 2 / 3 * math.log(1 / 6)
    assert bce == pytest.approx(expected)
