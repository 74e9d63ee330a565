"""Which photos resemble those that a model was validated on."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from dermlab.calibrate.familiarity import LEAST, MOST, choose_familiarity
from dermlab.scores.familiarity import NEAREST, Familiarity, nearest

REFUSED = 0.01


def cloud(n: int, seed: int, centre: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(centre, 0.5, (n, 16)) * np.repeat([1, -1], 8)


def test_similarity_is_the_mean_cosine_to_the_nearest():
    familiarity = choose_familiarity(cloud(200, 0), np.arange(200), REFUSED, seed=1)
    new = cloud(7, 1)
    expected = np.sort(cosine_similarity(new, cloud(200, 0)), axis=1)[:, -NEAREST:].mean(1)
    np.testing.assert_allclose(familiarity.similarity(new), expected, atol=2e-3)


def test_the_stated_share_of_photos_like_these_is_refused_and_what_is_unlike_them_is_not_known():
    familiarity = choose_familiarity(cloud(1_000, 0), np.arange(1_000), REFUSED, seed=1)
    assert np.mean(~familiarity.knows(cloud(5_000, 2))) == pytest.approx(REFUSED, abs=0.008)
    assert not familiarity.knows(cloud(50, 3, centre=-1.0)).any()


def test_copies_of_one_patient_do_not_make_the_threshold_stricter():
    once = cloud(300, 0)
    four = np.repeat(once, 4, axis=0)
    alone = choose_familiarity(once, np.arange(300), REFUSED, seed=1)
    copied = choose_familiarity(four, np.repeat(np.arange(300), 4), REFUSED, seed=1)
    careless = choose_familiarity(four, np.arange(1_200), REFUSED, seed=1)
    assert careless.threshold > alone.threshold + 0.01
    assert copied.threshold < careless.threshold


@pytest.mark.parametrize("of_first", [55, 45, 41])
def test_a_patient_with_most_photos_does_not_lower_the_threshold(of_first):
    alike = cloud(60, 0)
    patients = np.repeat(["first", "second"], [of_first, 60 - of_first])
    cosine = cosine_similarity(alike)
    of_others = [np.sort(cosine[i, patients != patients[i]])[-NEAREST:].mean() for i in range(60)]
    familiarity = choose_familiarity(alike, patients, REFUSED, seed=1)
    assert familiarity.threshold == pytest.approx(np.quantile(of_others, REFUSED), abs=2e-3)
    assert familiarity.threshold > 0.5


def test_validation_of_one_patient_says_nothing_of_others():
    familiarity = choose_familiarity(cloud(60, 0), np.repeat("only", 60), REFUSED, seed=1)
    assert len(familiarity.reference) == 0
    assert familiarity.knows(-cloud(5, 1)).all()


def test_with_enough_photos_of_others_the_threshold_is_that_of_the_nearest_of_all():
    features, patients = cloud(300, 0), np.arange(300) // 3
    familiarity = choose_familiarity(features, patients, REFUSED, seed=1)
    rows = familiarity.reference.astype(np.float32)
    similarity = rows @ rows.T
    similarity[patients[:, None] == patients] = -1
    assert familiarity.threshold == float(np.quantile(nearest(similarity), REFUSED))


def test_with_too_few_validation_photos_everything_is_familiar():
    familiarity = choose_familiarity(cloud(LEAST - 1, 0), np.arange(LEAST - 1), REFUSED, seed=1)
    assert familiarity.knows(-cloud(5, 1)).all()
    assert Familiarity().knows(cloud(3, 0)).all()


def test_no_more_than_a_bounded_number_is_kept_the_same_each_time():
    many = cloud(MOST + 500, 0)
    first, second = (choose_familiarity(many, np.arange(len(many)), REFUSED, seed=1) for _ in range(2))
    assert first.reference.shape == (MOST, 16)
    np.testing.assert_array_equal(first.reference, second.reference)
