import numpy as np
import pandas as pd
import pytest

from dermlab.manifest.pool import draw_order, keep_pool, pool_size


def rows(targets: int, other: int) -> pd.DataFrame:
    labels = ["eczema"] * targets + ["other"] * other
    return pd.DataFrame({"image_id": [f"i{n:06d}" for n in range(targets + other)], "label": labels})


@pytest.mark.parametrize(("targets", "kept", "total"), [(112_846, 5_939, 118_785), (15_124, 796, 15_920)])
def test_the_pool_has_the_size_known_from_the_field(targets, kept, total):
    assert pool_size(targets, 0.05) == kept
    table = rows(targets, 9_000)
    assert len(keep_pool(table, 0.05, draw_order(table["image_id"], 17, 0))) == total


def test_ratio_zero_keeps_no_other_and_too_few_are_all_kept():
    table = rows(100, 3)
    order = draw_order(table["image_id"], 17, 0)
    assert set(keep_pool(table, 0.0, order)["label"]) == {"eczema"}
    assert len(keep_pool(table, 0.5, order)) == 103


def test_the_seed_decides_which_rows_are_kept():
    table = rows(1000, 500)
    kept = [set(keep_pool(table, 0.05, draw_order(table["image_id"], seed, 0))["image_id"]) for seed in (17, 17, 18)]
    assert kept[0] == kept[1] != kept[2]


def test_a_smaller_pool_is_part_of_a_larger_one_of_the_same_seed():
    table = rows(1000, 500)
    order = draw_order(table["image_id"], 17, 0)
    fewer = table.drop(index=np.arange(0, 400))
    assert set(keep_pool(fewer, 0.05, order).query("label == 'other'")["image_id"]) < set(keep_pool(table, 0.05, order)["image_id"])
