"""Who reads: numbers that stay, names that are one person's, and tokens that tell the readers of two clones apart."""

import re

import pytest
from readers import called, lines_of, unchanged, write_answers

from dermlab.cli import app
from dermlab.data.readers import number_of, read_readers
from dermlab.data.reviews import read_record
from dermlab.run import paths
from dermlab.run.errors import ContractError

ZOE = ("Zo\u00e9 B", "zo\u00e9  b", "ZOE\u0301 B", "Zo\u00e9\u00a0B")  # composed or not, in other case and blanks


def test_readers_have_numbers_that_stay(world):
    assert number_of(["Anna", "Ben"]) == {"Anna": 1, "Ben": 2}
    assert number_of(["Cleo", "Anna"]) == {"Cleo": 3, "Anna": 1}
    assert read_readers().numbers == {"Anna": 1, "Ben": 2, "Cleo": 3}
    paths.READERS.write_text("reader,name,token\n1,Anna\n2,Ben,four\n")
    with pytest.raises(ContractError, match=r"readers.csv, line 3: must be a number, a name and a token of eight letters"):
        read_readers()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"reader,name\n1,Anna\n", "data/reviews.csv, line 3: its reader has no number in data/readers.csv. Restore that file"),
        (b"reader,name\n1,Anna\n2,Ben\n3,Jos\xe9\n", "data/readers.csv, line 4: is not UTF-8 text"),
        # which of both says so hangs on how long a field the process lets csv read
        (
            b"reader,name\n1,Anna\n2," + b"B" * 200_000 + b"\n",
            "data/readers.csv(, line 3: the name of a reader has| cannot be read as CSV)",
        ),
    ],
)
@pytest.mark.parametrize("command", [("--merge", "b.csv"), ("--conclude",), ("--reader", "Anna")])
def test_readers_without_a_number_are_named_by_line_before_anything_is_written(said, merge, content, says, command):
    merge(write_answers("a.csv", said("t0001", "tinea"), said("t0001", "tinea", 2)))
    write_answers("b.csv", said("t0002", "acne", place=2))
    paths.READERS.write_bytes(content)
    before = unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS)
    with pytest.raises(ContractError, match=says) as error:
        app(["review", *command], standalone_mode=False)
    assert not re.search("Anna(?! or A.B.)|Ben|Jos|BBB", str(error.value))
    assert unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS) == before


def test_one_person_is_one_reader_however_the_name_is_written(said, merge, world):
    assert number_of(ZOE) == {ZOE[0]: 4}
    assert number_of([ZOE[2], "anna"]) == {ZOE[0]: 4, "Anna": 1}
    for place, name in enumerate(ZOE[1:], start=1):
        merge(write_answers("a.csv", said("t0001", "tinea", name, place)))
    found = merge(write_answers("b.csv", said("t0002", "tinea", "Max"), said("t0002", "tinea", "MAX", place=2)))
    assert found.conclusion.waiting == ("t0001", "t0002")
    assert read_readers().numbers == {"Anna": 1, "Ben": 2, "Cleo": 3, ZOE[0]: 4, "Max": 5}
    assert {line.split(",")[-2] for line in lines_of(paths.REVIEWS)[1:]} == {ZOE[0], "Max"}
    paths.REVIEWS.write_text(paths.REVIEWS.read_text().replace(",Max,", ",max,"))  # of a version that told them apart
    assert set(read_record(world.catalog, world.classes).answers["reviewer"]) == {ZOE[0], "Max"}


def test_one_person_under_two_numbers_is_named_by_line(world):
    paths.READERS.write_text("reader,name\n1,Anna\n1,Anna\n2,ANNA\n")
    with pytest.raises(ContractError, match=r"readers.csv, line 4: this is the reader of line 2, with another number") as error:
        read_readers()
    assert "ANNA" not in str(error.value)


def test_a_record_of_another_clone_brings_its_readers_along(said, merge):
    merge(write_answers("a.csv", said("t0001", "tinea", "Dora")))
    assert read_readers().numbers == {"Anna": 1, "Ben": 2, "Cleo": 3, "Dora": 4}


def test_two_clones_that_give_one_number_to_two_people_mix_neither_answers_nor_numbers(said, merge, world):
    ours = paths.READERS.read_text()
    number_of(["Dora"])
    dora, with_dora = said("t0001", "tinea", called(4)), paths.READERS.read_text()
    paths.READERS.write_text(ours)
    number_of(["Emil"])
    emil = said("t0001", "acne", called(4))
    assert dora["page"] != emil["page"]
    of_dora, of_emil = write_answers("a.csv", dora), write_answers("b.csv", emil)
    before = unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS)
    with pytest.raises(ContractError, match=r"a.csv, line 2: reader 4 \w{8} has no name in .*, where that number is another reader"):
        merge(of_emil, of_dora)
    assert unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS) == before
    paths.READERS.write_text(with_dora + lines_of(paths.READERS)[-1] + "\n")  # as `git merge` joins them
    with pytest.raises(ContractError, match=r"line 6: number 4 is that of another reader in line 5.* a free number, such as 5"):
        merge(of_emil, of_dora)
    paths.READERS.write_text(paths.READERS.read_text().replace("4,Emil", "5,Emil"))
    merge(of_emil, of_dora)
    said_by = read_record(world.catalog, world.classes).answers.set_index("reviewer")["answer"]
    assert said_by.to_dict() == {"Dora": "tinea", "Emil": "acne"}


def test_a_person_whom_two_clones_added_is_one_reader(said, merge):
    """By whichever page he answers."""
    paths.READERS.write_text("reader,name,token\n1,Anna,bcdfghjk\n1,Anna,zxwvtsrq\n")
    merge(*(write_answers(f"{token}.csv", said("t0001", "tinea", f"reader 1 {token}")) for token in ("bcdfghjk", "zxwvtsrq")))
    assert [line.split(",")[-2] for line in lines_of(paths.REVIEWS)[1:]] == ["Anna", "Anna"]
    assert number_of(["Ben"]) == {"Ben": 2}
    assert lines_of(paths.READERS)[:3] == ["reader,name,token", "1,Anna,bcdfghjk", "1,Anna,zxwvtsrq"]


def test_readers_of_before_there_were_tokens_keep_their_numbers_and_pages(said, merge):
    paths.READERS.write_text("reader,name\n1,Anna\n")
    assert merge(write_answers("a.csv", said("t0001", "tinea", "reader 1"))).added == 1
    assert read_readers().called("Anna") == "reader 1"
    number_of(["Ben"])
    with pytest.raises(ContractError, match="reader 2 has no name in .*, where that number is another reader"):
        merge(write_answers("b.csv", said("t0001", "tinea", "reader 2")))
