"""A file of answers that something changed on its way is named, with its line, and nothing of it is merged."""

from pathlib import Path

import pytest
from readers import unchanged, write_answers

from dermlab.cli import app
from dermlab.run import paths
from dermlab.run.errors import ContractError


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"date": "3/1/26"}, "date '3/1/26' is not YYYY-MM-DD, from 1970 on. A spreadsheet may have rewritten it"),
        ({"seconds": "12. Mai"}, "seconds '12. Mai' is no number such as 12.5, up to 86,400. A spreadsheet may have rewritten it"),
        ({"place": "1.5"}, "place '1.5' is no whole number such as 12. A spreadsheet"),
        ({"page": "1E+16"}, "page '1E.16' is no name of a page. A spreadsheet"),
        ({"confidence": "certain"}, "confidence 'certain' is not one of sure, likely, unsure"),
        ({"mode": "secret"}, "mode 'secret' is not one of blind, open, adjudication"),
        ({"image_id": "4E+15"}, "is not in the catalog. A spreadsheet may have taken it for a number"),
        ({"image_id": "t0003"}, "is not what its page asked at place 2. Something changed it, a spreadsheet perhaps"),
        ({"place": 3}, "is not what its page asked at place 3"),
        ({"image_id": "gone"}, "is not in the catalog. Correct the id or remove the line"),
        ({"image_id": "x-test-1"}, "is a test image. Only training labels may change"),
        ({"answer": "warts"}, "the answer 'warts' is not one of eczema, "),
        ({"answer": "eczema > warts"}, "the answer 'warts' is not one of"),
        ({"answer": "eczema > drop"}, "the answer 'drop' is not one of"),
        ({"answer": ""}, "the answer '' is not one of"),
        ({"reason": "=1+1"}, "column reason: begins with '='"),
        ({"reviewer": "reader 9"}, "reader 9 has no name in data/readers.csv. Merge where the page was made"),
        ({"reviewer": "Smith, Anna"}, "the name of a reader holds a comma or `=`"),
        ({"reviewer": "a=b"}, "the name of a reader holds a comma or `=`"),
        ({"reviewer": "=Anna"}, "the name of a reader holds a comma or `=`"),
        ({"reviewer": "readers"}, "the name of a reader has blanks around it, or is `readers`"),
        ({"reviewer": ""}, "has no reviewer"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named_and_nothing_is_merged(said, merge, change, says):
    path = write_answers("a.csv", said("t0000", "eczema"), said("t0001", "tinea", place=2) | change)
    before = unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS)
    with pytest.raises(ContractError, match=f"a.csv, line 3.*{says}"):
        merge(path)
    assert unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS) == before


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text.replace(",", ";"), "line 1: the header .* parted by semicolons: save the file as CSV with commas"),
        (lambda text: text.replace(",", "\t"), "line 1: the header .* parted by tabs"),
        (lambda text: text.replace("2026-03-01\n", "2026-03-01,,\n"), "line 2: has 12 values, must have 10"),
        (lambda text: text.split("\n", 1)[1], "line 1: the header is"),
    ],
)
def test_what_a_spreadsheet_did_to_the_whole_file_is_named(said, merge, damage, says):
    with pytest.raises(ContractError, match=f"a.csv, {says}"):
        merge(write_answers("a.csv", said("t0001", "tinea > answer"), text=damage))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: text.encode("utf-16"), "a.csv, line 1: is not UTF-8 text but UTF-16. Save it as CSV"),
        (lambda text: text.encode("cp1252"), "a.csv, line 2: is not UTF-8 text. Save it as CSV"),
        (lambda _: b"PK\x03\x04\xff", "a.csv, line 1: is not UTF-8 text but an Excel workbook"),
    ],
)
def test_a_file_of_other_bytes_is_named_as_what_it_is(said, merge, damage, says):
    path = write_answers("a.csv", said("t0001", "tinea", reason="gr\u00f6\u00dfer"))
    path.write_bytes(damage(path.read_text(encoding="utf-8")))
    with pytest.raises(ContractError, match=says):
        app(["review", "--merge", "a.csv"], standalone_mode=False)


def test_zeros_that_a_spreadsheet_dropped_are_named_with_the_id_that_was(said, world, merge):
    world.catalog.loc[0, "image_id"] = "0000000000000042"
    with pytest.raises(ContractError, match="A spreadsheet dropped the zeros of '0000000000000042'"):
        merge(write_answers("a.csv", said("42", "tinea")))


def test_a_photo_is_not_taken_for_another_whose_zeros_a_spreadsheet_dropped(said, world, merge):
    world.catalog.loc[[0, 1], "image_id"] = ["007", "7"]
    path = write_answers("a.csv", said("007", "tinea"))
    merge(path)
    for file in (Path("a.csv"), paths.REVIEWS):
        before = file.read_text()
        file.write_text(before.replace("007,", "7,"))
        with pytest.raises(ContractError, match=f"{file}, line 2, image '7': is not what its page asked at place 1"):
            merge(path)
        file.write_text(before)
    assert merge(path).already_there == 1
