"""What is asked: the ranked rows, in the order of their ranks, that nobody has settled yet."""

import pandas as pd
import pytest
from elsewhere import dermlab
from typer.testing import CliRunner

from dermlab.cli import app
from dermlab.data.ledger import HEADER
from dermlab.review import queue
from dermlab.review.queue import read_queue
from dermlab.run import paths
from dermlab.run.errors import ContractError


def settle(*lines: str) -> None:
    with open(paths.RELABELS, "a") as file:
        file.write("\n".join(lines) + "\n")


def test_the_order_is_that_of_the_ranks_and_nothing_else(world):
    world.flags["review_rank"] = pd.array([None, 3, 1, None, 2, *[None] * 7], dtype="Int32")
    world.flags["quality"] = [0.9, 0.1, 0.8, 0.0, 0.7, *[0.0] * 7]
    assert [card.image_id for card in world.queue().cards] == ["t0002", "t0004", "t0001"]


def test_a_planted_scanned_page_and_a_planted_conflict_stand_first(world):
    cards = world.queue().cards
    assert [card.issue for card in cards[:3]] == ["garbage", "conflict", "conflict"]
    assert cards[1].copies == ("t0002",)
    assert cards[2].copies == ("t0001",)


def test_a_card_holds_what_a_person_needs(world):
    queue = world.queue()
    card = queue.cards[4]
    assert (card.given, card.suggested, card.issue, card.rare) == ("post-inflammatory hyperpigmentation", "eczema", "mislabeled", True)
    assert card.suggested_prob == pytest.approx(0.83)
    assert card.neighbours == ("t0008", "t0009", "t0010")
    assert [queue.photos[image].label for image in card.neighbours] == ["acne", "post-inflammatory hyperpigmentation", "eczema"]
    assert card.answers == (("age group", "age 30 to 39"), ("textures", "flat, raised or bumpy"), ("itch level", "7 (of 0 to 10)"))


def test_unanswered_questions_are_left_out(world):
    assert world.queue().cards[1].answers == ()


def test_a_copy_in_a_frozen_split_is_told_and_not_shown(world):
    queue = world.queue()
    assert queue.cards[3].copy_in_val_or_test
    assert queue.cards[3].copies == ()
    assert not {"x-test-1", "x-test-2"} & set(queue.photos)


def test_what_the_ledger_settles_is_not_asked_again_and_shows_beside_others(world):
    settle("t0001,psoriasis,eczema,why,ada,2026-03-01", "t0004,post-inflammatory hyperpigmentation,drop,why,ada,2026-03-01")
    queue = world.queue()
    assert [card.image_id for card in queue.cards] == ["t0000", "t0002", "t0003", "t0005", "t0006", "t0007"]
    assert (queue.reviewed, queue.later) == (2, 0)
    assert (queue.photos["t0001"].label, queue.photos["t0004"].label) == ("eczema", "drop")


def test_a_page_of_a_large_set_asks_300_photos_and_says_how_many_are_left_for_later(make, monkeypatch, capsys):
    world = make(train=350, ranked=340)
    monkeypatch.setattr(queue, "FIRST", 0.95)  # as of a set fifty times as large
    assert len(read_queue().cards) == 300
    assert len(read_queue(limit=320).cards) == 320
    world.page(limit=None, pixels=64)
    said = capsys.readouterr().out
    assert "review: 300 photos to look at, 0 reviewed before; 40 more on later pages, after a merge (--limit asks more at once)" in said
    assert "shown as they are stored, small" in said


def test_a_limit_leaves_the_rest_for_later(world):
    queue = world.queue(limit=3)
    assert (len(queue.cards), queue.later) == (3, 5)


def test_another_queue_has_another_digest(world):
    first = world.queue()
    assert first.digest == world.queue().digest
    assert first.digest != world.queue(limit=3).digest
    world.flags.loc[5, "suggested"] = "tinea"
    assert first.digest != world.queue().digest


def test_without_flags_the_stage_to_run_is_named(world):
    paths.FLAGS.unlink()
    with pytest.raises(ContractError, match="nothing to review yet. Run `dvc repro flag`"):
        read_queue(2000)


@pytest.mark.parametrize("change", [{"label": "acne"}, {"split": "val"}])
def test_flags_of_another_catalog_are_refused(world, change):
    world.catalog.loc[5, list(change)] = list(change.values())
    with pytest.raises(ContractError, match="'t0005' .* Run `dvc repro flag`"):
        world.queue()


def test_a_neighbour_outside_the_training_set_is_refused(world):
    world.flags.at[5, "neighbours"] = ("x-test-1",)
    with pytest.raises(ContractError, match="'x-test-1'"):
        world.queue()


def test_nothing_left_to_review_is_said_and_writes_no_page(world, capsys):
    world.flags["review_rank"] = pd.array([None] * 12, dtype="Int32")
    world.write()
    world.page()
    assert "review: nothing to review" in capsys.readouterr().out
    assert not paths.REVIEW.exists()


def test_the_page_is_written_and_its_decisions_are_merged_in_a_project_that_has_no_dvc(world, tmp_path):
    assert "8 photos to look at" in dermlab(tmp_path, "review", "--reviewer", "ada")
    assert (tmp_path / paths.REVIEW).exists()
    decisions = tmp_path / "decisions.csv"
    decisions.write_text(",".join(HEADER) + "\nt0004,post-inflammatory hyperpigmentation,eczema,seen,ada,2026-03-01\n")
    assert "1 decisions added" in dermlab(tmp_path, "review", "--merge", str(decisions))
    assert "t0004" in paths.RELABELS.read_text()


def test_where_nothing_was_flagged_the_command_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["review"])
    assert "data/flags.parquet does not exist, so there is nothing to review yet" in str(shown.exception)
