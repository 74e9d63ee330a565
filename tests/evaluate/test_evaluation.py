import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from dermlab.data.classes import Classes
from dermlab.data.json_files import write_json
from dermlab.data.tables import PREDICTIONS, read_table, write_table
from dermlab.evaluate.build import curve, evaluate, frozen_test_rows, held_out_fold_rows, predictions_table, rare_and_sink
from dermlab.evaluate.photo_alone import photo_alone
from dermlab.evaluate.tiers import tiers_on_test
from dermlab.model.saved import TrainedModel
from dermlab.run.errors import ContractError
from dermlab.scores.adjustment import TAUS
from dermlab.scores.tiers import Tiers

CLASSES = Classes(("eczema", "psoriasis", "scabies", "tinea", "acne", "wart"))
TRAIN_COUNTS = {"eczema": 50, "psoriasis": 20, "scabies": 3, "tinea": 9, "acne": 10, "wart": 2, "other": 99}
TRAIN = pd.Series([name for name, rows in TRAIN_COUNTS.items() for _ in range(rows)])


def predicted_rows(rows: int = 500, without: tuple[str, ...] = (), seed: int = 0) -> tuple[pd.Series, np.ndarray]:
    """Labels of the test rows and probabilities of K+1 classes; acne is never predicted."""
    rng = np.random.default_rng(seed)
    names = [name for name in CLASSES.names if name not in without]
    labels = pd.Series(rng.choice(names, rows))
    logits = rng.normal(size=(rows, 7)) + 1.5 * np.eye(7)[CLASSES.encode(labels)]
    logits[:, 4] = -9
    probs = np.exp(logits)
    return labels, (probs / probs.sum(1, keepdims=True)).astype(np.float32)


def test_the_headline_equals_scikit_learns_on_the_target_rows():
    labels, probs = predicted_rows()
    result = evaluate(labels, probs, TRAIN, CLASSES, 15)
    encoded = CLASSES.encode(labels)
    target = encoded < 6
    true, ranked = encoded[target], probs[target, :6].astype(float)
    ranked /= ranked.sum(1, keepdims=True)
    predicted = ranked.argmax(1)
    assert list(result.headline) == ["top1", "top3", "macro_f1", "balanced_accuracy", "rare_recall", "sink_ratio", "brier", "nll"]
    assert result.headline["top1"] == pytest.approx(metrics.accuracy_score(true, predicted), abs=5e-5)
    assert result.headline["top3"] == pytest.approx(metrics.top_k_accuracy_score(true, ranked, k=3), abs=5e-5)
    assert result.headline["macro_f1"] == pytest.approx(metrics.f1_score(true, predicted, average="macro", zero_division=0), abs=5e-5)
    assert result.headline["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(true, predicted), abs=5e-5)
    recall = metrics.recall_score(true, predicted, labels=range(6), average=None, zero_division=0)
    assert result.headline["rare_recall"] == pytest.approx(recall[[5, 2]].mean(), abs=5e-5)  # wart and scabies
    assert result.headline["sink_ratio"] == pytest.approx((predicted == 0).sum() / (true == 0).sum(), abs=5e-5)
    assert result.details["other_auroc"] == pytest.approx(metrics.roc_auc_score(~target, probs[:, 6]))
    assert result.details["rare_classes"] == ["wart", "scabies"]
    assert result.details["sink_class"] == "eczema"
    assert list(result.f1) == list(CLASSES.targets)
    assert result.f1["acne"] == 0


def test_a_mean_over_classes_leaves_out_those_without_test_rows_and_lists_them():
    labels, probs = predicted_rows(without=("wart", "psoriasis"))
    result = evaluate(labels, probs, TRAIN, CLASSES, 15)
    encoded = CLASSES.encode(labels)
    true, predicted = encoded[encoded < 6], probs[encoded < 6, :6].argmax(1)
    present = sorted(set(true.tolist()))
    expected = metrics.f1_score(true, predicted, labels=present, average="macro", zero_division=0)
    assert result.headline["macro_f1"] == pytest.approx(expected, abs=5e-5)
    assert result.headline["rare_recall"] == pytest.approx((predicted[true == 2] == 2).mean(), abs=5e-5)
    assert result.details["classes_without_test_rows"] == ["psoriasis", "wart"]


def test_scores_are_given_with_and_without_the_rows_the_model_doubts():
    labels, probs = predicted_rows()
    result = evaluate(labels, probs, TRAIN, CLASSES, 15)
    unflagged = result.details["unflagged"]
    assert unflagged["flagged"] + unflagged["rows"] == result.details["rows"]["targets"]
    assert unflagged["flagged"] > 0
    assert unflagged["top1"] > result.headline["top1"]


def test_without_other_rows_there_is_no_auroc():
    result = evaluate(*predicted_rows(without=("other",)), TRAIN, CLASSES, 15)
    assert "other_auroc" not in result.details
    assert result.details["rows"] == {"test": 500, "targets": 500, "other": 0}


def test_the_numbers_are_valid_json_and_the_same_each_time(tmp_path):
    labels, probs = predicted_rows(40)
    for name in ("one", "two"):
        result = evaluate(labels, probs, TRAIN, CLASSES, 15)
        write_json(tmp_path / name, [result.headline, result.f1, result.details])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_no_target_rows_and_broken_probabilities_are_errors():
    labels, probs = predicted_rows(20)
    with pytest.raises(ContractError, match="no row of a target class"):
        evaluate(pd.Series(["other"] * 20), probs, TRAIN, CLASSES, 15)
    probs[3, 1] = np.nan
    with pytest.raises(ContractError, match="not finite"):
        evaluate(labels, probs, TRAIN, CLASSES, 15)


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    catalog = pd.DataFrame(
        {
            "image_id": ["d", "a", "b", "c"],
            "patient_id": ["p4", "p1", "p2", "p3"],
            "case_id": ["c4", "c1", "c2", "c3"],
            "diagnosis": ["wart", "eczema", "lupus", "acne"],
            "label": ["wart", "eczema", "other", "acne"],
            "split": ["test", "test", "test", "train"],
        }
    )
    return catalog, catalog[["image_id", "label", "split"]].assign(weight=np.float32(1), origin="kept")


def test_the_test_rows_are_all_of_the_catalogs_in_order():
    assert frozen_test_rows(*tables())["image_id"].tolist() == ["a", "b", "d"]


@pytest.mark.parametrize(("column", "value"), [("label", "psoriasis"), ("weight", 2.0), ("split", "train")])
def test_a_test_row_that_was_touched_is_an_error(column, value):
    catalog, manifest = tables()
    manifest.loc[manifest["image_id"] == "b", column] = value
    with pytest.raises(ContractError, match=r"1 test row\(s\) are not as in the catalog \(first: 'b'\)"):
        frozen_test_rows(catalog, manifest)


def test_a_row_slipped_into_the_test_split_is_an_error():
    catalog, manifest = tables()
    manifest["split"] = "test"
    with pytest.raises(ContractError, match="first: 'c'"):
        frozen_test_rows(catalog, manifest)


def test_predictions_name_a_probability_column_a_class(tmp_path):
    rows = frozen_test_rows(*tables())
    probs = np.full((3, 7), 1 / 7)
    write_table(tmp_path / "predictions.parquet", predictions_table(rows, probs, CLASSES), PREDICTIONS)
    table = read_table(tmp_path / "predictions.parquet", PREDICTIONS)
    assert list(table.columns) == ["image_id", "patient_id", "diagnosis", "label", "case_id", *(f"prob_{name}" for name in CLASSES.names)]
    assert table["prob_wart"].tolist() == pytest.approx([1 / 7] * 3)


def test_what_the_answers_are_worth_comes_with_an_interval():
    labels, probs = predicted_rows(600)
    rows = pd.DataFrame({"image_id": [f"i{i:03d}" for i in range(600)], "patient_id": [f"p{i // 3:03d}" for i in range(600)]})
    rows["diagnosis"] = rows["label"] = labels.to_numpy()
    rows["case_id"] = rows["patient_id"]
    shuffled = probs.copy()
    shuffled[::4] = probs[np.random.default_rng(0).permutation(600)][::4]
    rare, sink = rare_and_sink(TRAIN, CLASSES)
    found = photo_alone(rows, probs, shuffled, CLASSES, rare, sink)
    for column, table in (("with", probs), ("without", shuffled)):
        expected = evaluate(labels, table, TRAIN, CLASSES, 15).headline
        assert {name: scores[column] for name, scores in found.items()} == pytest.approx({k: expected[k] for k in found}, abs=1e-4)
    low, high = found["top1"]["interval"]
    assert low < found["top1"]["difference"] < high < 0
    assert found["top1"]["verdict"] == "worse"
    same = photo_alone(rows, probs, probs, CLASSES, rare, sink)
    assert same["macro_f1"]["interval"] == [0, 0]
    few = photo_alone(rows[:9], probs[:9], probs[:9], CLASSES, rare, sink)
    assert few["top1"]["interval"] is None


def test_the_tiers_are_counted_on_all_test_rows():
    labels, probs = predicted_rows(900)
    rows = pd.DataFrame({"label": labels, "patient_id": [f"p{i // 3:03d}" for i in range(900)]})
    tiers = Tiers(0.6, 0.8)
    found = tiers_on_test(rows, probs, tiers, CLASSES, 2000)
    encoded, given = CLASSES.encode(labels), tiers.of(probs)
    ranked = np.argsort(-probs, axis=1)
    for row in found["tiers"]:
        of = given == row["tier"]
        hit = (ranked[:, :3] == encoded[:, None]).any(1) if row["tier"] == "top-3" else ranked[:, 0] == encoded
        assert row["rows"] == of.sum()
        assert row["right"] == pytest.approx(hit[of].mean())
        assert row["interval"][0] < row["right"] < row["interval"][1]
    assert sum(row["share"] for row in found["tiers"]) == pytest.approx(1)
    assert found["curve"][-1]["accuracy"] == pytest.approx(metrics.accuracy_score(encoded, ranked[:, 0]))


def test_the_curve_runs_from_the_plain_model_towards_balance():
    labels, probs = predicted_rows(3000)
    prior = np.array([50, 20, 3, 9, 10, 2, 99]) / 193
    model = TrainedModel(None, CLASSES, (), 32, "lite0", prior)
    points = curve(labels, probs, model)
    assert [point["tau"] for point in points] == list(TAUS)
    plain = evaluate(labels, probs, TRAIN, CLASSES, 15).headline
    assert points[0]["top1"] == pytest.approx(plain["top1"], abs=1e-4)
    assert points[0]["balanced_accuracy"] == pytest.approx(plain["balanced_accuracy"], abs=1e-4)
    assert len({point["top1"] for point in points}) > 5
    assert curve(pd.Series(["other"]), probs[:1], model) == []


def test_rows_that_are_held_out_are_those_of_the_manifest_with_the_catalogs_labels():
    catalog, manifest = tables()
    assert held_out_fold_rows(catalog, manifest).empty
    manifest.loc[manifest["image_id"] == "c", ["split", "label"]] = ["held_out", "eczema"]
    rows = held_out_fold_rows(catalog, manifest)
    assert rows[["image_id", "label"]].to_numpy().tolist() == [["c", "acne"]]


def test_predictions_of_no_row_are_a_table_too(tmp_path):
    rows = held_out_fold_rows(*tables())
    write_table(tmp_path / "held-out.parquet", predictions_table(rows, np.zeros((0, 7)), CLASSES), PREDICTIONS)
    assert len(read_table(tmp_path / "held-out.parquet", PREDICTIONS)) == 0
