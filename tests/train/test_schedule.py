from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dermlab.train.schedule import adamw, epoch_order, peak_rates, rate_at, set_rate


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine():
    rates = [rate_at(step, 100, 0.1) for step in range(100)]
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10)
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[99] < 0.001


def test_without_warm_up_the_first_step_is_taken_at_the_peak():
    assert rate_at(0, 10, 0.0) == 1.0


def test_the_fields_rows_make_its_steps_and_rates():
    """118,785 rows at batch 64, six epochs: the figures of the field's run."""
    order = epoch_order(np.ones(118_785, np.float32), 64, (17, 2, 0))
    steps = len(order) // 64
    assert (len(order), steps) == (118_784, 1_856)
    total, rising = 6 * steps, 1_114  # a tenth of 11,136 steps
    assert rate_at(0, total, 0.1) == pytest.approx(1 / rising)
    assert rate_at(rising, total, 0.1) == 1.0
    assert rate_at(rising + (total - rising) // 2, total, 0.1) == pytest.approx(0.5, abs=1e-3)


def test_biases_and_norms_do_not_decay_and_the_head_learns_at_its_own_rate():
    model = torch.nn.ModuleDict(
        {
            "backbone": torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Conv2d(4, 4, 3, bias=False)),
            "head": torch.nn.Linear(4, 2),
        }
    )
    model["backbone"][2].weight.requires_grad_(False)
    optimizer = adamw(model, SimpleNamespace(lr=0.1, head_lr=0.2, layer_decay=1.0, weight_decay=0.3))
    found = {(g["lr"], g["weight_decay"]): sum(p.numel() for p in g["params"]) for g in optimizer.param_groups}
    assert found == {(0.1, 0.3): 108, (0.1, 0.0): 4 + 8, (0.2, 0.3): 8, (0.2, 0.0): 2}
    set_rate(optimizer, 0.5)
    assert sorted(g["lr"] for g in optimizer.param_groups) == [0.05, 0.05, 0.1, 0.1]


def test_equal_weights_show_every_row_once_and_drop_the_last_batch_that_is_not_whole():
    order = epoch_order(np.ones(103, np.float32), 10, (17, 1, 0))
    assert len(order) == 100
    assert len(set(order)) == 100
    assert not np.array_equal(order, np.sort(order))


def test_unequal_weights_draw_rows_in_their_proportion():
    weights = np.repeat(np.array([1, 3, 0], np.float32), 4000)
    drawn = np.bincount(epoch_order(weights, 10, (17, 1, 0)) // 4000, minlength=3) / 12_000
    np.testing.assert_allclose(drawn, [0.25, 0.75, 0], atol=0.015)


def test_an_epoch_has_its_own_order_which_repeats_for_the_same_seed():
    weights = np.ones(50, np.float32)
    assert np.array_equal(epoch_order(weights, 5, (17, 1, 3)), epoch_order(weights, 5, (17, 1, 3)))
    for other in ((17, 1, 4), (18, 1, 3), (17, 2, 3)):
        assert not np.array_equal(epoch_order(weights, 5, (17, 1, 3)), epoch_order(weights, 5, other))


def test_the_projection_behind_the_blocks_learns_as_the_last_of_them_though_it_is_listed_first():
    params = SimpleNamespace(lr=1e-3, head_lr=7.0, layer_decay=0.5)
    names = ["backbone.trunk.proj", "backbone.trunk.conv1.weight", "backbone.trunk.blocks.0.w", "backbone.trunk.blocks.1.w"]
    rates = peak_rates(names, params, ["backbone.trunk.blocks.0", "backbone.trunk.blocks.1"])
    assert [rates[name] for name in names] == [1e-3, 0.25e-3, 0.5e-3, 1e-3]


def test_each_block_learns_slower_than_the_one_after_it():
    names = ["stem.weight", "blocks.0.weight", "blocks.1.weight", "blocks.1.bias", "blocks.10.weight", "norm.weight", "head.linear.weight"]
    rates = peak_rates(names, SimpleNamespace(lr=1.0, head_lr=7.0, layer_decay=0.5), ["blocks.0", "blocks.1", "blocks.10"])
    assert list(rates.values()) == [0.125, 0.25, 0.5, 0.5, 1.0, 1.0, 7.0]
