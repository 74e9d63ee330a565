"""Decisions reach the ledger whole or not at all, once, and never over what stands there."""

from pathlib import Path

import pytest

from dermlab.cli import app
from dermlab.data.ledger import HEADER
from dermlab.review.merge import Merged, merge_decisions
from dermlab.run import paths
from dermlab.run.errors import ContractError

CONFIRMED = "t0000,eczema,eczema,confirmed,ada,2026-03-01"
RELABELLED = 't0002,tinea,acne,"round, scaly",ada,2026-03-01'
DROPPED = "t0001,psoriasis,drop,copy of another photo,ada,2026-03-01"


def decisions(*lines: str, header: str = ",".join(HEADER)) -> Path:
    path = Path("decisions.csv")
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def merge(world, *lines: str) -> Merged:
    return merge_decisions(decisions(*lines), world.catalog, world.classes)


def test_decisions_are_counted_by_kind_and_appended_in_their_order(world):
    assert merge(world, RELABELLED, DROPPED, CONFIRMED) == Merged(confirmed=1, relabelled=1, dropped=1, already_there=0)
    assert paths.RELABELS.read_text().splitlines() == [",".join(HEADER), RELABELLED, DROPPED, CONFIRMED]


def test_lines_that_stand_there_keep_their_bytes(world):
    before = f'\ufeff{",".join(HEADER)}\r\n\r\nt0009,post-inflammatory hyperpigmentation, drop ,"odd ""quotes""",bob,2026-01-01'
    paths.RELABELS.write_bytes(before.encode())
    merge(world, CONFIRMED)
    assert paths.RELABELS.read_bytes() == f"{before}\n{CONFIRMED}\n".encode()


def test_merging_twice_is_merging_once(world):
    merge(world, CONFIRMED, DROPPED)
    once = paths.RELABELS.read_bytes()
    assert merge(world, CONFIRMED, DROPPED) == Merged(confirmed=0, relabelled=0, dropped=0, already_there=2)
    assert paths.RELABELS.read_bytes() == once


def test_a_decision_that_contradicts_the_ledger_is_refused_with_both_lines_and_nothing_is_written(world):
    merge(world, RELABELLED, DROPPED)
    before = paths.RELABELS.read_bytes()
    says = "decisions.csv, line 3, image 't0001': says psoriasis, but data/relabels.csv, line 3, says drop. Nothing was merged"
    with pytest.raises(ContractError, match=says):
        merge(world, CONFIRMED, "t0001,psoriasis,psoriasis,confirmed,bob,2026-03-02")
    assert paths.RELABELS.read_bytes() == before


def test_many_conflicts_are_counted_after_the_first(world):
    labels = world.catalog.set_index("image_id")["label"]
    merge(world, *(f"t{i:04d},{labels[f't{i:04d}']},{labels[f't{i:04d}']},why,ada,2026-03-01" for i in range(8)))
    with pytest.raises(ContractError, match=r"line 2, .*line 6, .*; and 3 more\. Nothing was merged"):
        merge(world, *(f"t{i:04d},{labels[f't{i:04d}']},other,why,ada,2026-03-01" for i in range(8)))


def test_decisions_that_would_take_the_last_row_of_a_class_are_refused_before_they_are_written(world):
    train = world.catalog[world.catalog["split"] == "train"]
    rarest = train["label"].value_counts().index[-1]
    rows = train.loc[train["label"] == rarest, "image_id"]
    lines = [f"{image},{rarest},drop,why,ada,2026-03-01" for image in rows]
    with pytest.raises(ContractError, match=f"would take the last training row of: {rarest}. Nothing was merged"):
        merge(world, *lines)
    assert merge(world, *lines[1:]).dropped == len(rows) - 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("zzz,eczema,drop,why,ada,2026-03-01", "line 3, image 'zzz': is not in the catalog"),
        ("x-test-1,eczema,drop,why,ada,2026-03-01", "line 3, image 'x-test-1': is a test image"),
        ("t0001,eczema,drop,why,ada,2026-03-01", "line 3, image 't0001': from_label is 'eczema', but the catalog says 'psoriasis'"),
        ("t0001,psoriasis,warts,why,ada,2026-03-01", "line 3, image 't0001': to_label 'warts' is not one of"),
        ("t0001,psoriasis,drop,,ada,2026-03-01", "line 3, image 't0001': has no reason"),
        ("t0001,psoriasis,drop,why,,2026-03-01", "line 3, image 't0001': has no reviewer"),
        ("t0001,psoriasis,drop,why,ada,3/1/26", "line 3, image 't0001': date '3/1/26' is not YYYY-MM-DD"),
        ("t0000,eczema,drop,why,ada,2026-03-01", "line 3, image 't0000': stands already on line 2"),
        ("t0001,psoriasis,drop,a, b,ada,2026-03-01", "line 3: has 7 values"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named_and_nothing_is_written(world, line, says):
    before = paths.RELABELS.read_bytes()
    with pytest.raises(ContractError, match=f"decisions.csv, {says}"):
        merge(world, CONFIRMED, line)
    assert paths.RELABELS.read_bytes() == before


@pytest.mark.parametrize("column", ["reason", "reviewer"])
@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("=cmd|' /C calc'!A0", "begins with '='"),
        ("@SUM(1)", "begins with '@'"),
        ("+1", "begins with '.'"),
        ("-1+cmd", "begins with '-'"),
        ("\t=1", "begins with '='"),
        ("\r=1", "begins with '='"),
        ("\uff1d1+1", "begins with '='"),
        ("\u3164=1+1", "begins with '='"),
        ("\u200d=1+1", "begins with '='"),
        ("ok;=1+1", "other separators"),
        ("ok| @SUM(1)", "other separators"),
        ("two\nlines", "U.000A"),
        ("two\rlines", "U.000A"),
        ("x\nt0003,acne,drop,seen,me,2026-01-01", "U.000A"),
        ("two\twords", "U.0009"),
        ("a\0b", "U.0000"),
        ("\x1b[2Jx", "U.001B"),
        ("\u202egnp", "U.202E"),
        ("a\u2028b", "U.2028"),
        ("zero\u200bwidth", "U.200B"),
        ("x" * 1001, "has 1,001 characters, more than 1,000"),
        ("x" * 200_000, "Shorten"),
    ],
)
def test_what_a_spreadsheet_would_run_or_a_diff_would_not_show_never_enters_the_ledger(world, column, said, why):
    values = {"reason": "seen", "reviewer": "ada", column: said.replace('"', '""')}
    line = f't0001,psoriasis,drop,"{values["reason"]}","{values["reviewer"]}",2026-03-01'
    before = paths.RELABELS.read_bytes()
    with pytest.raises(ContractError, match=rf"decisions.csv, line \d.*{why}"):
        merge(world, CONFIRMED, line)
    assert paths.RELABELS.read_bytes() == before


def test_a_line_that_stands_there_already_is_not_asked_again(world):
    old = "t0001,psoriasis,drop,- blurred,ada,2026-03-01"
    paths.RELABELS.write_text("\n".join([",".join(HEADER), old]) + "\n")
    assert merge(world, old, CONFIRMED) == Merged(confirmed=1, relabelled=0, dropped=0, already_there=1)


@pytest.mark.parametrize("name", ["readers", "Readers"])
def test_a_signature_that_only_conclusions_bear_is_refused(world, name):
    before = paths.RELABELS.read_bytes()
    with pytest.raises(ContractError, match="decisions.csv, line 3: is signed `readers`.*Nothing was merged. Sign with a name of your own"):
        merge_decisions(decisions(CONFIRMED, f"t0001,psoriasis,tinea,seen,{name},2026-03-01"), world.catalog, world.classes)
    assert paths.RELABELS.read_bytes() == before


def test_a_wrong_header_and_a_missing_file_are_refused(world):
    with pytest.raises(ContractError, match="decisions.csv, line 1: the header is"):
        merge_decisions(decisions(CONFIRMED, header="image,label"), world.catalog, world.classes)
    with pytest.raises(ContractError, match=r"absent.csv does not exist. Export the decisions"):
        merge_decisions(Path("absent.csv"), world.catalog, world.classes)


def test_the_command_says_what_was_merged_and_what_comes_next(world, capsys):
    decisions(CONFIRMED, DROPPED)
    app(["review", "--merge", "decisions.csv"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "2 decisions added to data/relabels.csv (1 confirmed, 0 relabelled, 1 dropped), 0 already there" in said
    assert "commit data/relabels.csv, then dvc exp run -S variant=relabeled" in said
