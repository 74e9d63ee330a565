"""A simulated review answers the first questions of the queue from the truth."""

import pandas as pd
import pytest

from dermlab.run.errors import ContractError
from dermlab.study.oracle import oracle_ledger

FLAGS_ROWS = pd.DataFrame(
    {
        "image_id": ["a", "b", "c", "d", "e"],
        "given": ["eczema", "eczema", "acne", "acne", "eczema"],
        "review_rank": pd.Series([3, 1, 2, None, 4], dtype="Int32"),
    }
)
TRUTH_ROWS = pd.DataFrame(
    {
        "image_id": ["e", "d", "c", "b", "a"],
        "true_label": ["eczema", "acne", "acne", "acne", "eczema"],
        "kind": ["clean", "clean", "document", "mislabeled", "hard"],
    }
)


def test_the_first_questions_are_answered_from_the_truth_in_the_order_of_the_queue():
    ledger = oracle_ledger(FLAGS_ROWS, TRUTH_ROWS, budget=0.6)
    assert ledger["image_id"].tolist() == ["b", "c", "a"]
    assert ledger["to_label"].tolist() == ["acne", "drop", "eczema"]
    assert ledger["reason"].tolist() == [f"simulated review: {why}" for why in ("wrong label", "document", "confirmed")]


def test_a_budget_beyond_the_queue_asks_what_there_is():
    assert len(oracle_ledger(FLAGS_ROWS, TRUTH_ROWS, budget=1.0)) == 4


def test_without_a_truth_there_are_no_answers():
    with pytest.raises(ContractError, match="-S catalog.noise_rate=0.1"):
        oracle_ledger(FLAGS_ROWS, TRUTH_ROWS.head(0), budget=0.5)
