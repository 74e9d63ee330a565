"""Readers' answers reach the record whole or not at all, once, and the ledger says what they conclude."""

import errno
import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from readers import answer, lines_of, unchanged, write_answers

from dermlab.cli import app
from dermlab.data.classes import Classes
from dermlab.data.ledger import HEADER, read_ledger
from dermlab.data.readers import read_readers
from dermlab.data.reviews import HEADER as OF_RECORD
from dermlab.data.reviews import read_record
from dermlab.review import record
from dermlab.review.agreement import agreement
from dermlab.review.record import conclude_anew
from dermlab.run import paths
from dermlab.run.errors import BudgetError, ContractError


def test_two_readers_who_agree_change_a_label_and_one_alone_does_not(said, merge):
    first = merge(write_answers("a.csv", said("t0001", "tinea")))
    assert (first.added, len(first.conclusion.ledger), first.conclusion.waiting) == (1, 0, ("t0001",))
    second = merge(write_answers("b.csv", said("t0001", "tinea > eczema", 2)))
    assert second.conclusion.counts() == (1, 0, 0)
    assert lines_of(paths.RELABELS)[1:] == ["t0001,psoriasis,tinea,2 of 2 readers,readers,2026-03-01"]
    assert [line.rsplit(",", 2)[1] for line in lines_of(paths.REVIEWS)[1:]] == ["Anna", "Ben"]


def test_the_record_keeps_all_that_was_said(said, merge):
    merge(write_answers("a.csv", said("t0001", "tinea > eczema", reason="blurred, dark", confidence="unsure", seconds=3.5)))
    assert lines_of(paths.REVIEWS)[0] == ",".join(OF_RECORD)
    assert re.fullmatch(r't0001,tinea > eczema,unsure,3.5,blind,q\w{8}-\w{8},1,"blurred, dark",Anna,2026-03-01', lines_of(paths.REVIEWS)[1])


def test_the_same_file_twice_doubles_nothing_and_is_said(said, merge, world, capsys):
    path = write_answers("a.csv", said("t0001", "tinea"), said("t0002", "cannot tell", place=2, confidence=""))
    merge(path)
    before = unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS)
    app(["review", "--merge", "a.csv", "--merge", "a.csv"], standalone_mode=False)
    assert "0 answers added to data/reviews.csv, 2 already there" in capsys.readouterr().out
    assert unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS) == before


def test_two_who_merge_at_once_lose_nothing(said, merge, monkeypatch):
    files = [write_answers(f"{reader}.csv", said("t0001", "tinea", reader)) for reader in (1, 2)]
    whole = record.read_review
    monkeypatch.setattr(record, "read_review", lambda: time.sleep(0.5) or whole())  # between what is read and what is written
    with ThreadPoolExecutor() as pool:
        assert sorted(len(merged.conclusion.ledger) for merged in pool.map(merge, files)) == [0, 1]
    assert sorted(line.split(",")[-2] for line in lines_of(paths.REVIEWS)[1:]) == ["Anna", "Ben"]
    assert lines_of(paths.RELABELS)[1:] == ["t0001,psoriasis,tinea,2 of 2 readers,readers,2026-03-01"]


def test_lines_that_stand_in_the_record_keep_their_bytes(said, merge):
    merge(write_answers("a.csv", said("t0001", "tinea")))
    old = paths.REVIEWS.read_text().replace("12.5", "12.50").replace("\n", "\r\n")
    paths.REVIEWS.write_bytes(old.encode())
    merge(write_answers("b.csv", said("t0002", "tinea", 2)))
    assert paths.REVIEWS.read_bytes().startswith(old.encode())


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"said": "acne"}, "b.csv, line 2, image 't0001': says 'acne', but a.csv, line 2, says 'tinea' to the same question"),
        (
            {"said": "tinea", "reader": 2, "place": 5},
            "b.csv, line 2, image 't0001': says it was answered by another reader than a.csv, line 2",
        ),
        ({"said": "tinea", "reader": 2}, "b.csv, line 2, image 't0001': says it was answered by another reader than a.csv, line 2"),
    ],
)
def test_two_files_that_contradict_are_refused_with_both_lines(said, merge, other, says):
    one = write_answers("a.csv", said("t0001", "tinea", asked="one page"))
    two = write_answers("b.csv", said("t0001", **other, asked="one page"))
    before = unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS)
    with pytest.raises(ContractError, match=f"{says}.*Nothing was merged"):
        merge(one, two)
    assert unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS) == before


def test_a_correction_is_a_line_more_and_the_last_counts(said, merge, world, capsys):
    first = (said("t0001", "tinea"), said("t0002", "tinea", place=2), said("t0003", "eczema", place=3))
    merge(write_answers("a.csv", *first, said("t0001", "acne", 2)))
    changed = (
        said("t0001", "acne"),
        said("t0002", "tinea", place=2, reason="blurred"),
        said("t0003", "eczema", place=3, confidence="unsure"),
    )
    write_answers("b.csv", *changed, said("t0005", "eczema", place=4))
    app(["review", "--merge", "b.csv"], standalone_mode=False)
    assert "4 answers added to data/reviews.csv (3 correct an answer that stood there), 0 already there" in capsys.readouterr().out
    assert [line.split(",")[0] for line in lines_of(paths.REVIEWS)[1:]] == [
        "t0001",
        "t0002",
        "t0003",
        "t0001",
        "t0001",
        "t0002",
        "t0003",
        "t0005",
    ]
    assert lines_of(paths.RELABELS)[1:] == ["t0001,psoriasis,acne,2 of 2 readers,readers,2026-03-01"]
    for old in ("a.csv", "b.csv"):
        again = merge(Path(old))
        assert (again.added, again.already_there) == (0, 4)
    third = merge(write_answers("c.csv", said("t0001", "tinea", seconds=4)))
    assert (third.added, third.corrections, third.conclusion.disputed) == (1, 1, ("t0001",))
    assert read_record(world.catalog, world.classes).answers.set_index(["image_id", "reviewer"]).at[("t0001", "Anna"), "answer"] == "tinea"


def test_the_later_day_counts_whatever_is_merged_first(said, merge):
    later, earlier = (said("t0001", vote, date=day) for vote, day in (("tinea", "2026-03-02"), ("acne", "2026-03-01")))
    merge(write_answers("a.csv", later), write_answers("b.csv", earlier), write_answers("c.csv", said("t0001", "tinea", 2)))
    assert lines_of(paths.RELABELS)[1:] == ["t0001,psoriasis,tinea,2 of 2 readers,readers,2026-03-02"]


def test_a_correction_is_not_counted_as_another_card(said, merge, world):
    merge(write_answers("a.csv", said("t0001", "tinea")))
    answers = merge(write_answers("a.csv", said("t0001", "acne"))).record.answers
    found = agreement(answers, world.catalog, None, world.classes, {"Anna": 1}).readers[0]
    assert (found.cards, found.photos, found.seconds) == (1, 1, 12.5)


def test_pages_of_before_photos_were_in_their_names_are_merged_as_ever(said, merge):
    old = [said(image, "tinea", place=place) | {"page": "p1234abcd-5678ef01"} for place, image in enumerate(("t0001", "t0002"), start=1)]
    assert merge(write_answers("a.csv", *old)).added == 2


def test_a_full_disk_leaves_record_readers_and_ledger_as_they_were(said, merge, monkeypatch):
    path = write_answers("a.csv", *(said("t0001", "tinea", reader) for reader in (1, "Dora")))
    before = unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS)
    whole = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == paths.RELABELS.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BudgetError, match="No space left .*Nothing was changed"):
        merge(path)
    assert unchanged(paths.REVIEWS, paths.READERS, paths.RELABELS) == before


@pytest.mark.parametrize("written", [paths.READERS, paths.REVIEWS])
def test_a_merge_that_is_killed_between_two_files_is_whole_when_it_is_run_again(said, merge, monkeypatch, written):
    path = write_answers("a.csv", *(said("t0001", "tinea", reader) for reader in ("Dora", "Emil")))
    whole = os.replace

    def killed(source: Path, target: Path) -> None:
        whole(source, target)
        if target == written:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            merge(path)
    assert len(merge(path).conclusion.ledger) == 1
    assert len(lines_of(paths.REVIEWS)) == 3
    assert read_readers().numbers == {"Anna": 1, "Ben": 2, "Cleo": 3, "Dora": 4, "Emil": 5}
    assert lines_of(paths.RELABELS)[1:] == ["t0001,psoriasis,tinea,2 of 2 readers,readers,2026-03-01"]


def test_a_file_without_answers_adds_nothing(said, merge):
    assert (found := merge(write_answers("a.csv"))).added == found.already_there == 0


def test_a_byte_order_mark_does_no_harm(said, merge):
    assert merge(write_answers("a.csv", said("t0001", "tinea"), text=lambda text: "\ufeff" + text)).added == 1


def test_an_answer_holds_whatever_other_classes_its_page_offered(said, merge, world):
    old = Classes((*world.classes.targets, "warts"))
    assert merge(write_answers("a.csv", answer(old, "t0001", "tinea"))).added == 1
    with pytest.raises(ContractError, match=r"a.csv, line 2, image 't0002': the answer 'warts' is not one of"):
        merge(write_answers("a.csv", answer(old, "t0002", "warts", place=2)))


@pytest.mark.parametrize("change", [lambda names: (*names, "wart"), lambda names: names[::-1], lambda names: names[1:]])
def test_only_answers_whose_own_class_is_gone_are_counted_out(said, merge, world, change):
    """`eczema`, the first class, is nobody's answer."""
    merge(write_answers("a.csv", *(said(image, "tinea", reader) for image in ("t0001", "t0006") for reader in (1, 2))))
    before = lines_of(paths.RELABELS)
    found = conclude_anew(world.catalog, Classes(change(world.classes.targets)))
    assert (found.record.set_aside, found.gone) == ((), 0)
    assert lines_of(paths.RELABELS) == before


def test_conclusions_that_go_are_counted_and_said(said, merge, world, capsys):
    merge(write_answers("a.csv", *(said(image, to, r) for image, to in (("t0001", "tinea"), ("t0002", "acne")) for r in (1, 2))))
    world.classes = Classes(tuple(name for name in world.classes.targets if name != "acne"))
    world.catalog["label"] = world.catalog["label"].replace("acne", "other")
    world.flags = world.flags.replace({"given": {"acne": "other"}, "suggested": {"acne": "other"}})
    world.write()
    app(["review", "--conclude"], standalone_mode=False)
    said = capsys.readouterr().out
    assert "2 lines say nothing of this catalog" in said
    assert "1 photos had a line of readers in data/relabels.csv and have none now" in said
    assert [line.split(",")[0] for line in lines_of(paths.RELABELS)[1:]] == ["t0001"]


def test_a_record_of_photos_and_classes_that_are_gone_is_kept_and_said(said, merge, world, capsys):
    merge(write_answers("a.csv", said("t0001", "tinea"), said("t0002", "acne", place=2)))
    before = paths.REVIEWS.read_bytes()
    world.catalog = world.catalog[world.catalog["image_id"] != "t0001"]
    world.flags = world.flags[world.flags["image_id"] != "t0001"].assign(neighbours=[()] * 11)
    world.write()
    app(["review", "--conclude"], standalone_mode=False)
    assert "1 lines say nothing of this catalog (first: data/reviews.csv, line 2, image 't0001': is not in" in capsys.readouterr().out
    assert paths.REVIEWS.read_bytes() == before


def test_one_persons_lines_in_the_ledger_stand_as_they_are_and_what_was_concluded_is_replaced(said, merge, world):
    own = f'\ufeff{",".join(HEADER)}\r\nt0001,psoriasis,drop,"odd ""quotes"",\nin two lines",bob,2026-01-01\n'
    paths.RELABELS.write_bytes((own + "t0005,eczema,acne,2 of 2 readers,readers,2026-01-01\n").encode())
    found = merge(write_answers("a.csv", *(said(image, "acne", reader) for image in ("t0001", "t0002") for reader in (1, 2))))
    assert found.conclusion.by_hand == 1
    assert paths.RELABELS.read_bytes() == f"{own}t0002,tinea,acne,2 of 2 readers,readers,2026-03-01\n".encode()
    assert len(read_ledger(paths.RELABELS, world.catalog, world.classes)) == 2


def test_two_branches_merged_by_union_are_concluded_anew(said, merge, world):
    merge(write_answers("a.csv", said("t0001", "tinea", 1), said("t0001", "tinea", 2)))
    twice = paths.RELABELS.read_text() + "t0001,psoriasis,acne,2 of 2 readers,readers,2026-03-01\n"
    paths.RELABELS.write_text(twice)
    paths.REVIEWS.write_text(paths.REVIEWS.read_text() + lines_of(paths.REVIEWS)[1] + "\n")  # both had merged the same file
    with pytest.raises(ContractError, match="line 3.*stands already on line 2. Conclude it anew: `dermlab review --conclude`"):
        read_ledger(paths.RELABELS, world.catalog, world.classes)
    conclude_anew(world.catalog, world.classes)
    assert lines_of(paths.RELABELS)[1:] == ["t0001,psoriasis,tinea,2 of 2 readers,readers,2026-03-01"]


def test_git_keeps_what_was_added_on_two_branches(said, merge, world):
    def git(*command: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t")
        return subprocess.run(("git", *identity, *command), check=True, capture_output=True, text=True).stdout

    shutil.copy(Path(__file__).parents[2] / ".gitattributes", ".gitattributes")
    paths.REVIEWS.write_text(",".join(OF_RECORD) + "\n")
    git("init", "-q", "-b", "main")
    git("add", ".gitattributes", *map(str, (paths.REVIEWS, paths.READERS, paths.RELABELS)))
    git("commit", "-qm", "nothing said")
    for branch, image in (("one", "t0001"), ("two", "t0002")):
        git("checkout", "-q", "main", "-b", branch)
        merge(write_answers("a.csv", said(image, "acne", 1), said(image, "acne", 2)))
        git("commit", "-qam", branch)
    git("merge", "-q", "one")
    conclude_anew(world.catalog, world.classes)
    assert [line.split(",")[0] for line in lines_of(paths.REVIEWS)[1:]] == ["t0002", "t0002", "t0001", "t0001"]
    assert [line.split(",")[0] for line in lines_of(paths.RELABELS)[1:]] == ["t0001", "t0002"]


def test_what_would_take_the_last_rows_of_a_class_is_held_back_and_said(said, world, capsys):
    acne = world.catalog.loc[world.catalog["label"] == "acne", "image_id"]
    lines = [said(image, "drop", reader, place, confidence="") for place, image in enumerate(acne, start=1) for reader in (1, 2)]
    lines += [said("t0001", "tinea", reader, 50) for reader in (1, 2)]
    write_answers("a.csv", *lines)
    app(["review", "--merge", "a.csv"], standalone_mode=False)
    out = capsys.readouterr().out
    assert f"{len(lines)} answers added" in out
    assert f"{len(acne)} photos keep the label <b>acne</b>, whatever readers say" in paths.AGREEMENT.read_text()
    assert f"{len(acne)} photos keep the label acne, whatever readers say: it would lose its last training row" in out
    assert len(lines_of(paths.REVIEWS)) == 1 + len(lines)
    assert lines_of(paths.RELABELS)[1:] == ["t0001,psoriasis,tinea,2 of 2 readers,readers,2026-03-01"]


def test_what_is_held_back_may_hold_back_more_until_every_class_has_a_row(said, merge, world):
    """All acne becomes tinea and all tinea psoriasis: where acne keeps its rows, tinea would have none."""
    acne, tinea = (world.catalog.loc[world.catalog["label"] == name, "image_id"].tolist() for name in ("acne", "tinea"))
    said_of = [*((image, "tinea") for image in acne), *((image, "psoriasis") for image in tinea), ("t0000", "psoriasis")]
    lines = [said(image, to, reader, place) for place, (image, to) in enumerate(said_of, start=1) for reader in (1, 2)]
    found = merge(write_answers("a.csv", *lines)).conclusion
    assert found.held_back == {"acne": len(acne), "tinea": len(tinea)}
    assert found.ledger["image_id"].tolist() == ["t0000"]


def test_one_persons_decisions_are_merged_as_ever_and_not_beside_answers(said, world, capsys):
    Path("decisions.csv").write_text(",".join(HEADER) + "\nt0001,psoriasis,tinea,why,ada,2026-03-01\n")
    write_answers("a.csv", said("t0001", "tinea"))
    with pytest.raises(ContractError, match=r"decisions.csv holds no readers' answers. One person's decisions are merged file by file"):
        app(["review", "--merge", "a.csv", "--merge", "decisions.csv"], standalone_mode=False)
    app(["review", "--merge", "decisions.csv"], standalone_mode=False)
    assert "1 decisions added to data/relabels.csv" in capsys.readouterr().out
    assert not paths.REVIEWS.exists()


@pytest.mark.parametrize("rule", ["majority", "model"])
def test_photos_without_flags_are_left_out_and_counted(said, world, capsys, rule):
    Path("params.yaml").write_text(f"review:\n  rule: {rule}\n")
    world.flags = world.flags[world.flags["image_id"] != "t0001"].assign(neighbours=[()] * 11)
    world.write()
    write_answers("a.csv", *(said(image, "tinea", reader) for image in ("t0001", "t0006") for reader in (1, 2)))
    app(["review", "--merge", "a.csv"], standalone_mode=False)
    assert "1 of the photos answered have no flags, and are left out" in capsys.readouterr().out
    assert lines_of(paths.RELABELS)[1] == "t0001,psoriasis,tinea,2 of 2 readers,readers,2026-03-01"
    assert paths.AGREEMENT.exists()


def test_the_pages_and_what_is_said_name_no_reader(said, merge, capsys):
    write_answers("a.csv", *(said(f"t000{n}", "acne", reader, n + 1) for n in range(3) for reader in (1, 2)))
    app(["review", "--merge", "a.csv"], standalone_mode=False)
    for text in (capsys.readouterr().out, paths.AGREEMENT.read_text()):
        assert not re.search("Anna|Ben", text)
    assert "1 and 2" in paths.AGREEMENT.read_text()


def test_the_frame_of_the_ledger_has_its_columns_where_nothing_is_concluded(said, merge):
    assert merge(write_answers("a.csv", said("t0001", "tinea"))).conclusion.ledger.columns.tolist() == list(HEADER)
    assert isinstance(merge(Path("a.csv")).conclusion.ledger, pd.DataFrame)
