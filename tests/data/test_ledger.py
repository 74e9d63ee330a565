import subprocess
from pathlib import Path

import pandas as pd
import pytest

from dermlab.data.classes import Classes
from dermlab.data.ledger import HEADER, read_ledger
from dermlab.data.lines import lost_lines
from dermlab.run.errors import ContractError

CLASSES = Classes(("eczema", "psoriasis"))
CATALOG = pd.DataFrame(
    {"image_id": ["a", "b", "t", "v"], "label": ["eczema", "other", "eczema", "eczema"], "split": ["train", "train", "test", "val"]}
)
GOOD = 'a,eczema,psoriasis,"silvery, thick scale",ada,2026-03-01'


def ledger(folder: Path, *lines: str, header: str = ",".join(HEADER)) -> Path:
    path = folder / "relabels.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_lines_are_read_with_their_reasons(tmp_path):
    table = read_ledger(ledger(tmp_path, GOOD, "", "b,other,drop,scanned letter,ada,2026-03-01"), CATALOG, CLASSES)
    assert table["to_label"].tolist() == ["psoriasis", "drop"]
    assert table.index.tolist() == [2, 4]
    assert table["reason"].tolist() == ["silvery, thick scale", "scanned letter"]


def test_an_empty_ledger_has_no_lines(tmp_path):
    assert len(read_ledger(ledger(tmp_path), CATALOG, CLASSES)) == 0


def test_a_byte_order_mark_does_not_matter(tmp_path):
    path = ledger(tmp_path, GOOD)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_ledger(path, CATALOG, CLASSES)) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("z,eczema,drop,why,ada,2026-03-01", "line 3, image 'z': is not in the catalog"),
        ("t,eczema,drop,why,ada,2026-03-01", "line 3, image 't': is a test image. Only training labels may change"),
        ("v,eczema,drop,why,ada,2026-03-01", "line 3, image 'v': is a val image"),
        ("b,eczema,drop,why,ada,2026-03-01", "line 3, image 'b': from_label is 'eczema', but the catalog says 'other'"),
        ("b,other,acme,why,ada,2026-03-01", "line 3, image 'b': to_label 'acme' is not one of eczema, psoriasis, other, drop"),
        ("b,other,drop,,ada,2026-03-01", "line 3, image 'b': has no reason"),
        ("b,other,drop,why,,2026-03-01", "line 3, image 'b': has no reviewer"),
        ("b,other,drop,why,ada,1.3.2026", "line 3, image 'b': date '1.3.2026' is not YYYY-MM-DD"),
        ("b,other,drop,why,ada,20260301", "line 3, image 'b': date '20260301' is not YYYY-MM-DD"),
        ("a,eczema,drop,why,bob,2026-03-02", "line 3, image 'a': stands already on line 2"),
        ("b,other,drop,blurred, no skin,ada,2026-03-01", "line 3: has 7 values, must have 6"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, says):
    with pytest.raises(ContractError, match=says):
        read_ledger(ledger(tmp_path, GOOD, line), CATALOG, CLASSES)


def test_a_wrong_header_and_a_missing_file_say_what_belongs_there(tmp_path):
    expected = "The first line must be: image_id,from_label,to_label,reason,reviewer,date"
    with pytest.raises(ContractError, match=expected):
        read_ledger(ledger(tmp_path, header="image;from;to"), CATALOG, CLASSES)
    with pytest.raises(ContractError, match=expected):
        read_ledger(tmp_path / "absent.csv", CATALOG, CLASSES)


def test_lines_of_the_last_commit_that_the_file_lost_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = Path("relabels.csv")
    assert subprocess.run(["git", "init", "-q"], check=False).returncode == 0
    ledger.write_text("header\none\ntwo\nthis,was,concluded,2 of 2,readers,2026-03-01\n")
    assert lost_lines(ledger) == ""
    subprocess.run(["git", "add", "relabels.csv"], check=True)
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t", "commit", "-qm", "two"], check=True)
    ledger.write_text("header\none\n")
    assert lost_lines(ledger) == "relabels.csv lacks 1 line of the last commit; `git checkout relabels.csv` brings them back"
    ledger.write_text("\ufeffheader\r\none\r\ntwo\r\nthree\r\n", newline="")
    assert lost_lines(ledger) == "", "what an editor does to a file loses no decision"
    ledger.write_text("header\none\nthree\nfour\n")
    assert lost_lines(ledger) == (
        "relabels.csv lacks 1 line of the last commit, or has them in other words, and holds 2 that no commit does: "
        "`git diff relabels.csv` shows them"
    ), "a checkout would take away what was merged since"


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("a\0b", "line 3, column reason: holds the character U.0000"),
        ("\x1b[2Jx", "line 3, column reason: holds the character U.001B"),
        ("\u202egnp", "column reason: holds the character U.202E .right-to-left override"),
        ("a\u200fb", "column reason: holds the character U.200F .right-to-left mark"),
        ("a\x9bb", "column reason: holds the character U.009B"),
        ("x" * 50_000, "line 3, column reason: has 50,000 characters, more than 10,000"),
        ("x" * 200_000, "line 3.*Shorten"),
    ],
)
def test_what_nobody_sees_and_what_is_no_reason_at_all_is_refused_wherever_it_stands(tmp_path, reason, says):
    with pytest.raises(ContractError, match=says):
        read_ledger(ledger(tmp_path, GOOD, f"b,other,drop,{reason},ada,2026-03-01"), CATALOG, CLASSES)


@pytest.mark.parametrize(
    "reason", ["- blurred", "+1 of two readers", "@ada agrees", "naïve – «ekzém» 湿疹 👩\u200d⚕️", "a\tb", "soft\u00adhyphen"]
)
def test_a_ledger_of_old_that_holds_harmless_text_is_read(tmp_path, reason):
    assert read_ledger(ledger(tmp_path, f"b,other,drop,{reason},ada,2026-03-01"), CATALOG, CLASSES)["reason"].tolist() == [reason]


def test_a_quoted_value_may_hold_a_line_break(tmp_path):
    lines = ['a,eczema,psoriasis,"two\nlines",ada,2026-03-01', "b,other,drop,letter,ada,2026-03-01"]
    table = read_ledger(ledger(tmp_path, *lines), CATALOG, CLASSES)
    assert table["reason"].tolist() == ["two\nlines", "letter"]
    assert table.index.tolist() == [3, 4]
