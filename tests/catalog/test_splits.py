import numpy as np
import pandas as pd
import pytest

from dermlab.catalog.splits import assign_splits
from dermlab.data.stable import joined_groups, ranked

ORDER = ("other", "a", "b", "c")


def clinic(patients: int = 900, rows: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    label = rng.choice(["other", "a", "b", "c"], patients, p=[0.1, 0.8, 0.09, 0.01])
    who = rng.integers(0, patients, rows)
    return pd.DataFrame({"patient_id": [f"p{i}" for i in who], "etag": [f"e{i}" for i in range(rows)], "label": label[who]})


def split(table: pd.DataFrame, seed: int = 1) -> pd.Series:
    return pd.Series(assign_splits(table["patient_id"], table["etag"], table["label"], ORDER, 0.2, 0.1, seed), index=table.index)


def test_splits_keep_patients_together_and_every_label_in_every_split():
    table = clinic()
    splits = split(table)
    assert splits.groupby(table["patient_id"]).nunique().max() == 1
    assert (pd.crosstab(table["label"], splits).to_numpy() > 0).all()
    share = table["patient_id"].groupby(splits).nunique() / table["patient_id"].nunique()
    assert share["test"] == pytest.approx(0.2, abs=0.005)
    assert (split(table) == splits).all()
    assert (split(table, seed=2) != splits).any()


def test_the_order_of_rows_says_nothing():
    table = clinic()
    shuffled = table.sample(frac=1, random_state=0)
    assert (split(shuffled).sort_index() == split(table)).all()


@pytest.mark.parametrize("label", ORDER)
def test_a_patient_more_or_less_moves_at_most_the_two_borders_of_one_stratum(label):
    table = clinic()
    newcomer = pd.DataFrame({"patient_id": ["new"], "etag": ["new"], "label": [label]})
    before, after = split(table), split(pd.concat([table, newcomer], ignore_index=True)).iloc[:-1]
    moved = table.loc[(before != after.to_numpy()).to_numpy()]
    assert moved["patient_id"].nunique() <= 2
    assert set(moved["label"]) <= {label}


def test_patients_who_share_a_byte_identical_file_go_together_and_missing_etags_join_nobody():
    table = pd.DataFrame({"patient_id": [f"p{i}" for i in range(40)], "etag": None, "label": ["a", "b"] * 20})
    assert split(table).nunique() == 3
    table["etag"] = [f"e{i % 20}" for i in range(40)]
    splits = split(table)
    assert (splits.iloc[:20].to_numpy() == splits.iloc[20:].to_numpy()).all()


def test_where_the_source_has_a_test_split_only_val_is_drawn():
    table = clinic()
    splits = pd.Series(assign_splits(table["patient_id"], table["etag"], table["label"], ORDER, 0, 0.1, 1))
    assert set(splits) == {"train", "val"}
    assert splits.groupby(table["patient_id"]).nunique().max() == 1
    assert (pd.crosstab(table["label"], splits).to_numpy() > 0).all()
    share = table["patient_id"].groupby(splits).nunique() / table["patient_id"].nunique()
    assert share["val"] == pytest.approx(0.1, abs=0.005)


def test_groups_are_joined_through_any_column_and_any_chain():
    patient, copy = np.array(["p", "q", "r", "s"]), np.array([1, 1, None, None], dtype=object)
    assert joined_groups(patient, copy).tolist() == [0, 0, 1, 2]
    assert len(set(joined_groups(np.array(["p", "q", "p"]), np.array([1, 2, 2])))) == 1


def test_a_name_keeps_its_place_among_the_others_whoever_joins():
    names = [f"p{i}" for i in range(50)]
    order = ranked(names, 1, "split")
    assert [name for name in ranked([*names, "new"], 1, "split") if name != "new"] == order
    assert ranked(names, 2, "split") != order
    assert ranked(names, 1, "fold") != order
