"""Agreement against scikit-learn, closed forms and simulated readers of known error."""

import numpy as np
import pandas as pd
import pytest
from browser import barriers
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from dermlab.data.classes import Classes
from dermlab.review.agreement import Estimate, agreement
from dermlab.review.agreement_page import write_agreement
from dermlab.review.conclude import conclude
from dermlab.review.params import ReviewParams
from dermlab.scores.agreement import alpha, alpha_sums

CLASSES = Classes(("acne", "eczema", "psoriasis"))


def answers_of(votes: dict[str, list[str]], catalog: pd.DataFrame, **more: object) -> pd.DataFrame:
    """A reader -> an answer a photo of the catalog, on one page."""
    rows = [
        {"image_id": image, "answer": said, "confidence": "sure", "seconds": 10.0, "mode": "blind", "page": f"of {reader}", "place": place,
         "reason": "", "reviewer": reader, "date": "2026-03-01"} | more
        for reader, of_reader in votes.items()
        for place, (image, said) in enumerate(zip(catalog["image_id"], of_reader, strict=True), start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def world_of(photos: int, seed: int = 0, per_patient: int = 1) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Catalog, flags of which every second row is doubtful, and true labels."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(np.array(CLASSES.targets, dtype=object), photos)
    ids = [f"t{n:04d}" for n in range(photos)]
    catalog = pd.DataFrame(
        {"image_id": ids, "patient_id": [f"p{n // per_patient}" for n in range(photos)], "label": labels, "split": "train"}
    )
    suggested = ["eczema" if label == "acne" else "acne" for label in labels]
    doubtful = np.arange(photos) % 2 == 0
    flags = pd.DataFrame(
        {"image_id": ids, "given": labels, "suggested": suggested, "quality": 0.6, "suggested_prob": 0.3,
         "issue": np.where(doubtful, "mislabeled", "none"), "review_rank": pd.array([n if n % 2 == 0 else None for n in range(photos)])}
    )  # fmt: skip
    return catalog, flags, labels


def noisy(labels: np.ndarray, error: float, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    others = {name: [other for other in CLASSES.targets if other != name] for name in CLASSES.targets}
    return [str(rng.choice(others[label])) if rng.random() < error else label for label in labels]


def test_readers_of_known_error_are_told_apart(tmp_path):
    catalog, flags, labels = world_of(300)
    votes = {"Anna": noisy(labels, 0.05, 1), "Ben": noisy(labels, 0.1, 2), "Cleo": noisy(labels, 0.4, 3)}
    found = agreement(answers_of(votes, catalog), catalog, flags, CLASSES, {"Anna": 1, "Ben": 2, "Cleo": 3})
    anna, ben, cleo = found.readers
    assert found.cards == 300
    counts = pd.crosstab(np.tile(np.arange(300), 3), np.concatenate(list(votes.values()))).to_numpy(float)
    assert found.alpha.value == pytest.approx(float(alpha(alpha_sums(counts).sum(axis=0))))
    assert found.alpha.interval[0] < found.alpha.value < found.alpha.interval[1]
    pair = found.pairs[0]
    assert (pair.first, pair.second) == (1, 2)
    assert pair.kappa.value == pytest.approx(cohen_kappa_score(votes["Anna"], votes["Ben"]))
    assert pair.same == np.mean([one == other for one, other in zip(votes["Anna"], votes["Ben"], strict=True)])
    assert anna.kappa.interval[0] > cleo.kappa.interval[1]
    assert min(anna.quality.value, ben.quality.value) > cleo.quality.value + 0.1
    wrong = np.mean([said != label for said, label in list(zip(votes["Cleo"], labels, strict=True))[1::2]])
    assert cleo.undoubted.value == pytest.approx(wrong)
    assert cleo.undoubted.interval[0] < 0.4 < cleo.undoubted.interval[1]
    assert cleo.undoubted.rows == 150
    assert sum(confusion.times for confusion in found.confusions) == sum(round(p.kappa.rows * (1 - p.same)) for p in found.pairs)


def test_the_interval_is_by_patient():
    """Ten photos a patient, on which the readers agree altogether or not at all."""
    alone, _, _ = world_of(400)
    grouped, _, _ = world_of(400, per_patient=10)
    first = ["acne", "eczema"] * 200
    second = [said if n // 10 % 2 else {"acne": "eczema", "eczema": "acne"}[said] for n, said in enumerate(first)]
    of_photos, of_patients = (
        agreement(answers_of({"Anna": first, "Ben": second}, catalog), catalog, None, CLASSES, {"Anna": 1, "Ben": 2}).pairs[0].kappa
        for catalog in (alone, grouped)
    )
    assert of_photos.value == of_patients.value == pytest.approx(0, abs=1e-9)
    widths = [estimate.interval[1] - estimate.interval[0] for estimate in (of_photos, of_patients)]
    assert widths[1] > 2.5 * widths[0]


def test_fewer_than_ten_patients_have_no_interval():
    catalog, flags, labels = world_of(9)
    votes = {"Anna": list(labels), "Ben": noisy(labels, 0.3, 4)}
    found = agreement(answers_of(votes, catalog), catalog, flags, CLASSES, {"Anna": 1, "Ben": 2})
    assert found.pairs[0].kappa.interval is None
    assert found.alpha.interval is None


def test_doubles_say_how_far_a_reader_agrees_with_himself_and_only_the_last_is_his_opinion():
    catalog, flags, labels = world_of(20)
    first = answers_of({"Anna": list(labels), "Ben": list(labels)}, catalog)
    again = answers_of({"Anna": noisy(labels, 1.0, 5)[:4]}, catalog[:4]).assign(place=lambda rows: rows["place"] + 20)
    found = agreement(pd.concat([first, again]), catalog, flags, CLASSES, {"Anna": 1, "Ben": 2})
    assert found.readers[0].itself == Estimate(0.0, None, 4)
    assert found.readers[0].cards == 24
    assert found.readers[1].itself == Estimate(None, None, 0)
    assert found.pairs[0].same == 16 / 20


def test_a_card_of_several_photos_is_one_row_and_a_useless_photo_of_it_no_answer():
    catalog, flags, _ = world_of(40)
    answers = answers_of({"Anna": ["acne"] * 40, "Ben": ["acne"] * 40}, catalog)
    answers["place"] = (answers["place"] + 1) // 2  # two photos a card
    answers.loc[(answers["reviewer"] == "Ben") & (answers["image_id"] == "t0000"), "answer"] = "drop"
    found = agreement(answers, catalog, flags, CLASSES, {"Anna": 1, "Ben": 2})
    assert (found.cards, found.readers[0].cards, found.readers[0].photos, found.readers[0].seconds) == (20, 20, 40, 20.0)
    assert found.pairs[0].same == 1


def test_who_cannot_tell_neither_agrees_nor_errs_and_adjudicators_are_no_readers():
    catalog, flags, labels = world_of(12)
    votes = {"Anna": ["cannot tell", "cannot tell", *["acne"] * 10], "Ben": ["cannot tell", *["acne"] * 10, "eczema"]}
    third = answers_of({"Cleo": ["psoriasis"] * 12}, catalog, mode="adjudication")
    found = agreement(pd.concat([answers_of(votes, catalog), third]), catalog, flags, CLASSES, {"Anna": 1, "Ben": 2, "Cleo": 3})
    assert (found.cards, found.pairs[0].same, found.pairs[0].kappa.rows) == (10, 9 / 10, 10)
    assert [reader.number for reader in found.readers] == [1, 2]
    assert [reader.cannot_tell for reader in found.readers] == [2, 1]
    undoubted = labels[1::2][1:]  # of the second photo Anna could not tell
    assert found.readers[0].undoubted == Estimate(float((undoubted != "acne").mean()), None, 5)


def test_one_reader_alone_has_a_page_that_says_so(tmp_path, chromium):
    catalog, flags, labels = world_of(12)
    answers = answers_of({"Anna": list(labels)}, catalog)
    found = agreement(answers, catalog, flags, CLASSES, {"Anna": 1})
    conclusion = conclude(answers, catalog, flags, CLASSES, set(), ReviewParams())
    write_agreement(tmp_path / "agreement.html", found, conclusion, ReviewParams(), 0)
    page = (tmp_path / "agreement.html").read_text()
    assert "There is no card yet on which two readers could tell" in page
    assert "Anna" not in page
    assert "<script" not in page
    shown = chromium.new_page(viewport={"width": 390, "height": 800})
    shown.goto((tmp_path / "agreement.html").as_uri())
    assert barriers(shown) == []
    shown.close()


def test_the_interval_of_kappa_is_that_of_resampled_scikit_learn():
    catalog, flags, labels = world_of(200)
    one, other = np.array(labels, dtype=object), np.array(noisy(labels, 0.2, 6), dtype=object)
    votes = {"Anna": list(one), "Ben": list(other)}
    found = agreement(answers_of(votes, catalog), catalog, flags, CLASSES, {"Anna": 1, "Ben": 2}).pairs[0].kappa
    rng = np.random.default_rng(0)
    samples = [cohen_kappa_score(one[drawn], other[drawn]) for drawn in rng.integers(200, size=(500, 200))]
    assert found.interval == pytest.approx(tuple(np.quantile(samples, [0.025, 0.975])), abs=0.02)


def test_where_all_agree_the_interval_is_exact_or_none():
    catalog, flags, labels = world_of(40)
    found = agreement(answers_of({"Anna": list(labels), "Ben": list(labels)}, catalog), catalog, flags, CLASSES, {"Anna": 1, "Ben": 2})
    assert found.pairs[0].kappa == Estimate(1.0, None, 40)
    undoubted = found.readers[0].undoubted
    assert undoubted.value == 0
    assert undoubted.interval == pytest.approx(tuple(binomtest(0, 20).proportion_ci(method="exact")))
