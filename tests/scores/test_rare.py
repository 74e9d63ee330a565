import numpy as np

from dermlab.scores.rare import commonest, rarest_third, rows_per_class


def test_the_rarest_third_is_at_least_one_class_the_rarest_first_and_ties_go_by_label():
    assert rarest_third(np.array([9, 5, 1, 5, 7, 8, 2])).tolist() == [2, 6]
    assert rarest_third(np.array([9, 5, 5, 5, 8, 7])).tolist() == [1, 2]
    assert rarest_third(np.array([4, 3])).tolist() == [1]


def test_the_commonest_class_is_the_one_named_first_of_those_with_the_most_rows():
    assert commonest(np.array([3, 8, 8, 1])) == 1


def test_rows_of_other_are_not_counted_and_a_class_may_have_none():
    assert rows_per_class(np.array([0, 0, 2, 3, 3, 3]), 3).tolist() == [2, 0, 1]
    assert rows_per_class(np.array([], dtype=int), 2).tolist() == [0, 0]
