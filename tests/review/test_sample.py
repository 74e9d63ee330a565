"""How many labels are wrong, from rows drawn by chance."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from readers import answer, write_answers

from dermlab.cli import app
from dermlab.data.ledger import HEADER as OF_LEDGER
from dermlab.data.reviews import HEADER as OF_RECORD
from dermlab.review.sample import HEADER, draw_sample, read_sample, sample_of, strata_of
from dermlab.review.sampled import lines_of, said_of_rows, sampled
from dermlab.run import paths
from dermlab.run.errors import ContractError


def flags_of(mislabeled: int = 20, doubtful: int = 60, sure: int = 400) -> pd.DataFrame:
    count = mislabeled + doubtful + sure
    place = pd.Series(range(count))
    return pd.DataFrame(
        {
            "image_id": [f"i{n:04d}" for n in range(count)], "given": "acne", "label_issue": place < mislabeled,
            "quality": [0.1] * mislabeled + [0.6] * doubtful + [0.98] * sure,
            "review_rank": (place + 1).where(place < mislabeled + doubtful).astype("Int32"),
        }
    )  # fmt: skip


def answers_of(*said: tuple[str, str, str]) -> pd.DataFrame:
    """(image, answer, reader)."""
    lines = [(image, to, "sure", 1.0, "blind", f"page of {who}", n, "", who, "2026-03-01") for n, (image, to, who) in enumerate(said)]
    return pd.DataFrame(lines, columns=list(OF_RECORD))


def rows_of(sample: pd.DataFrame) -> pd.DataFrame:
    return sample[["image_id", "label"]].assign(split="train")


def ledger_of(*lines: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame([(image, "acne", to, "why", "Ada", "2026-03-01") for image, to in lines], columns=list(OF_LEDGER))


def test_each_row_lies_in_one_stratum_by_what_the_flags_say_of_it():
    assert strata_of(flags_of(1, 2, 3)).tolist() == ["mislabeled", "doubtful", "doubtful", "sure", "sure", "sure"]


def test_a_sample_says_of_each_row_how_likely_it_was_and_holds_a_smaller_one():
    small, large = draw_sample(flags_of(), 60), draw_sample(flags_of(), 120)
    assert (len(small), len(large)) == (60, 120)
    assert set(small["image_id"]) < set(large["image_id"])
    assert large.groupby("stratum")["rows"].first().to_dict() == {"mislabeled": 20, "doubtful": 60, "sure": 400}
    assert (large["drawn"] == large.groupby("stratum")["image_id"].transform("size")).all()
    assert small["drawn"].min() >= 10


def test_a_sample_is_kept_enlarged_by_the_same_flags_and_by_no_others(tmp_path):
    path = tmp_path / "sample.csv"
    first = sample_of(flags_of(), 40, path)
    before = path.read_bytes()
    assert sample_of(flags_of(30), 40, path).equals(first)  # what was drawn stays, whatever the flags say now
    with pytest.raises(ContractError, match="drawn by other flags, 40 rows"):
        sample_of(flags_of(30), 80, path)
    assert path.read_bytes() == before
    assert set(first["image_id"]) < set(sample_of(flags_of(), 80, path)["image_id"])
    assert len(read_sample(path)) == 80


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.rsplit("\n", 2)[0] + "\n",
        lambda text: text.replace("stratum", "s"),
        lambda text: "",
        lambda text: text.partition("\n")[0] + "\n",
        lambda text: text + text.splitlines()[-1] + "\n",
        lambda text: text.replace(",sure,", ",Sure,"),
        lambda text: text.replace(",400,", ",40,", 1),
        lambda text: text.replace(",20,", ",1,"),
    ],
)
def test_a_sample_that_lost_a_line_or_was_edited_is_no_sample(tmp_path, change):
    path = tmp_path / "sample.csv"
    sample_of(flags_of(), 40, path)
    path.write_text(change(path.read_text()))
    with pytest.raises(ContractError, match="not as it was written"):
        read_sample(path)


def test_the_ledgers_word_counts_then_what_all_readers_say():
    images = pd.Series(["ledger", "one", "two", "differ", "cannot", "nobody"])
    answers = answers_of(
        ("ledger", "tinea", "Anna"), ("one", "tinea > acne", "Anna"), ("two", "acne", "Anna"), ("two", "acne > wart", "Ben"),
        ("differ", "acne", "Anna"), ("differ", "tinea", "Ben"), ("cannot", "cannot tell", "Anna"),
    )  # fmt: skip
    said = said_of_rows(images, answers, ledger_of(("ledger", "drop")))
    assert said.tolist()[:5] == ["drop", "tinea", "acne", "", ""]
    assert pd.isna(said.iloc[5])


def test_the_estimate_weighs_strata_and_leaves_out_what_nobody_could_tell():
    sample = pd.DataFrame(
        [(f"m{n}", "acne", "mislabeled", 20, 4, "f") for n in range(4)] + [(f"s{n}", "acne", "sure", 180, 6, "f") for n in range(6)],
        columns=list(HEADER),
    )
    answers = answers_of(
        *[(f"m{n}", "tinea", "Anna") for n in range(3)], ("m3", "acne", "Anna"), *[(f"s{n}", "acne", "Anna") for n in range(3)],
        ("s3", "drop", "Anna"), ("s4", "cannot tell", "Anna"),
    )  # fmt: skip
    rows = rows_of(sample).query("image_id != 's5'")
    found = sampled(sample, rows, answers, ledger_of())
    assert [(of.told, of.wrong) for of in found.strata] == [(4, 3), (4, 1)]
    assert (found.gone, found.waiting, found.untold, found.of_no_use) == (1, 0, 1, 1)
    assert found.share[0] == pytest.approx(0.1 * 3 / 4 + 0.9 * 1 / 4)
    said = "\n".join(lines_of(found))
    assert "of 10 rows drawn 8 are told (1 cannot be told or are disputed, 1 are no training rows any more)" in said
    assert "as these readers see it 30.0% of the training labels are wrong (95 % interval" in said
    assert "flag.expected_noise=0.3 tells it to" in said
    now = sampled(sample, rows.assign(label=rows["label"].where(rows["image_id"] != "m0", "tinea")), answers, ledger_of())
    assert [of.wrong for of in now.strata] == [2, 1], "a label that the source put right since"
    one = sampled(sample, rows, answers_of(("m0", "tinea", "Anna"), ("s0", "cannot tell", "Anna")), ledger_of())
    assert lines_of(one)[-1] == "      no estimate yet: what is right is told of no row that is sure"


def test_while_a_row_waits_what_was_answered_before_for_being_doubtful_is_no_estimate():
    """Ten of 100 labels are wrong, all of them first in the queue. Whoever read that before the draw has answered just these rows."""
    sample = pd.DataFrame([(f"s{n}", "acne", "doubtful", 100, 40, "f") for n in range(40)], columns=list(HEADER))
    before = [(f"s{n}", "tinea", "Anna") for n in range(4)]
    early = sampled(sample, rows_of(sample), answers_of(*before), ledger_of())
    assert (early.share[0], early.estimate, early.waiting) == (1.0, None, 36)
    assert lines_of(early)[-1].strip().startswith("no estimate while a row waits")
    assert "100.0%" not in " ".join(lines_of(early))
    assert "flag.expected_noise" not in " ".join(lines_of(early))
    late = sampled(sample, rows_of(sample), answers_of(*before, *[(f"s{n}", "acne", "Anna") for n in range(4, 40)]), ledger_of())
    assert late.estimate == late.share
    assert late.share[0] == pytest.approx(0.1)


def test_a_sample_of_another_source_is_no_sample_of_this_one(tmp_path):
    path = tmp_path / "sample.csv"
    sample_of(flags_of(), 40, path)
    with pytest.raises(ContractError, match="drawn of another source: none of its 40 rows"):
        sample_of(flags_of().assign(image_id=lambda rows: "x" + rows["image_id"]), 40, path)


@pytest.mark.parametrize("said", ["acne", "tinea"])
def test_a_share_that_is_no_rate_for_the_flags_is_told_without_a_command(said):
    sample = pd.DataFrame([(f"s{n}", "acne", "sure", 180, 6, "f") for n in range(6)], columns=list(HEADER))
    answers = answers_of(*[(f"s{n}", said, "Anna") for n in range(6)])
    lines = lines_of(sampled(sample, rows_of(sample), answers, ledger_of()))
    assert f"{'0.0' if said == 'acne' else '100.0'}% of the training labels are wrong" in lines[-2]
    assert lines[-1].endswith("leave it at auto")


def test_from_the_draw_over_a_blind_page_to_the_param(make, capsys):
    world = make(train=60, ranked=15)
    world.flags["label_issue"] = [n < 6 for n in range(60)]
    world.catalog["case_id"] = world.catalog["image_id"]
    world.write()
    app(["review", "--sample", "40", "--reader", "Anna"], standalone_mode=False)
    sample = read_sample()
    assert "data/sample.csv" in capsys.readouterr().out
    page = Path("data/review-reader-1.html").read_text()
    content = json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', page, re.S)[1])
    cards = [card["images"][0] for card in content["cards"]]
    assert set(cards) == set(sample["image_id"])
    assert len(set(cards)) == 40
    assert {key for card in content["cards"] for key in card} == {"images", "answers", "questions"}
    right = sample.set_index("image_id")["label"].to_dict()
    wrong = sample.loc[sample["stratum"] == "mislabeled", "image_id"].tolist()
    lines = [
        answer(world.classes, image, "acne" if image in wrong and right[image] != "acne" else right[image], place=place)
        for place, image in enumerate(right, start=1)
    ]
    app(["review", "--merge", str(write_answers("a.csv", *lines))], standalone_mode=False)
    out = " ".join(capsys.readouterr().out.split())
    assert "of 40 rows drawn 40 are told" in out
    assert "of 6 mislabeled (of 6 rows); 0 of" in out
    assert "-S flag.expected_noise=0." in out
    assert out.endswith("Next: commit data/sample.csv, data/reviews.csv, data/readers.csv and data/relabels.csv")  # nothing was concluded
    app(["review", "--sample", "40", "--reader", "Anna"], standalone_mode=False)
    out = capsys.readouterr().out
    assert "nothing to ask reader 1: all that is drawn was answered" in out
    assert "Next: send each page" not in out
    Path("params.yaml").write_text("review:\n  readers: 1\n")
    app(["review", "--conclude"], standalone_mode=False)
    assert len(paths.RELABELS.read_text().splitlines()) == 41
    app(["review", "--sample", "40", "--reader", "Ben"], standalone_mode=False)
    assert "reader 2: 44 cards, 4 of them shown twice" in capsys.readouterr().out  # what one reader settled, another may dispute


def test_a_sample_asks_for_a_reader_and_for_nothing_else(make, capsys):
    make(train=10, ranked=5)
    assert app(["review", "--sample", "40"], standalone_mode=False) == 2
    assert "say whom to ask, --reader NAME, beside --sample" in capsys.readouterr().err
    assert app(["review", "--sample", "40", "--reader", "Anna", "--limit", "5"], standalone_mode=False) == 2
    assert "--sample says what is asked: leave --limit out" in capsys.readouterr().err
    assert not paths.SAMPLE.exists()
