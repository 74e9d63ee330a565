"""Several readers: who is asked what, and what goes to a third."""

import csv
from pathlib import Path

import pytest
from reading import content_of, export, page_of, press, settle

from dermlab.cli import app
from dermlab.run import paths
from dermlab.run.errors import ContractError

CARD = ("t0000", "t0010", "t0020")  # the photos of the first case


def test_several_readers_have_a_page_each_and_who_answered_is_not_asked_again(cases, tab, capsys):
    tab.goto(page_of("--reader", "Ben", "--overlap", "0", "--limit", "2"))
    said = capsys.readouterr().out
    assert "reader 1: 2 cards, 0 of them shown twice, 6 photos; 3 more on later pages" in said
    assert "reader 2: 2 cards" in said
    assert "Anna" not in said.replace(str(Path.cwd()), "")
    images = [{image for card in content_of(reader)["cards"] for image in card["images"]} for reader in (1, 2)]
    assert not images[0] & images[1]
    press(tab, "0", "0")
    export(tab)
    app(["review", "--merge", "answers-reader-1.csv"], standalone_mode=False)
    page_of()
    assert not images[0] & {image for card in content_of()["cards"] for image in card["images"]}


def test_a_disputed_case_goes_to_a_third_who_sees_both_answers_and_no_name(cases, tab, capsys):
    for reader, name in enumerate(("Anna", "Ben"), start=1):
        app(["review", "--reader", name, "--limit", "2"], standalone_mode=False)
        tab.goto(Path(f"data/review-reader-{reader}.html").resolve().as_uri())
        press(tab, *("acn" if reader == 1 else "tin"), "Enter", "1", *"psor", "Enter", "2")
        export(tab, f"answers-reader-{reader}.csv")
    app(["review", "--merge", "answers-reader-1.csv", "--merge", "answers-reader-2.csv"], standalone_mode=False)
    assert "3 disputed" in capsys.readouterr().out
    app(["review", "--adjudicate", "--reader", "Anna"], standalone_mode=False)
    assert "nothing to ask reader 1: all that is disputed was answered" in capsys.readouterr().out
    app(["review", "--adjudicate", "--reader", "Cleo"], standalone_mode=False)
    tab.goto(Path("data/review-reader-3.html").resolve().as_uri())
    assert tab.text_content("#count") == "1 of 1"
    assert {text[1:] for text in tab.locator("#hints button").all_text_contents()} == {
        "A reader said, sureacne",
        "A reader said, suretinea",
    }
    settle(tab)
    tab.click("#hints button:has-text('tinea')")
    press(tab, "1")
    export(tab, "answers-reader-3.csv")
    app(["review", "--merge", "answers-reader-3.csv"], standalone_mode=False)
    assert "0 disputed" in capsys.readouterr().out
    ledger = list(csv.DictReader(paths.RELABELS.read_text().splitlines()))
    assert {(line["image_id"], line["to_label"], line["reason"]) for line in ledger if line["to_label"] == "tinea"} == {
        (image, "tinea", "1 of 2 readers, adjudicated") for image in CARD
    }


def test_what_the_model_leaves_open_is_put_to_another_reader_and_what_it_is_sure_of_is_not(cases, tab):
    Path("params.yaml").write_text("review:\n  rule: model\n  readers: 1\n")
    tab.goto(page_of("--limit", "2"))
    press(tab, *"acn", "Enter", "1", *"tin", "Enter", "1")  # a third class, and the suggestion
    export(tab)
    app(["review", "--merge", "answers-reader-1.csv"], standalone_mode=False)
    reasons = {line["image_id"]: line["reason"] for line in csv.DictReader(paths.RELABELS.read_text().splitlines())}
    assert "t0000" not in reasons  # no reader said what flags and reader together hold for likeliest
    assert reasons["t0001"] == "1 of 1 readers"
    app(["review", "--reader", "Ben"], standalone_mode=False)
    asked = {image for card in content_of(2)["cards"] for image in card["images"]}
    assert "t0000" in asked
    assert "t0001" not in asked


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("--blind", "say whom to ask, --reader NAME, beside --blind"),
        ("--adjudicate --overlap 0.5", "say whom to ask, --reader NAME, beside --adjudicate and --overlap"),
        ("--reader Anna --adjudicate --blind", "--adjudicate shows what readers said: leave --blind out"),
        ("--reader Anna --reader anna --overlap 0.5", "one reader shares his page with nobody: leave --overlap out"),
        ("--reader Anna --reviewer Ben", "--reader says who reads: leave --reviewer out"),
        ("--merge a.csv --reader Anna --limit 3", "--merge goes by itself: leave --limit and --reader out"),
        ("--conclude --out other.html", "--conclude goes by itself: leave --out out"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(cases, capsys, command, says):
    assert app(["review", *command.split()], standalone_mode=False) == 2
    assert says in capsys.readouterr().err
    assert not paths.READERS.exists()


def test_a_name_that_is_none_is_refused(cases):
    with pytest.raises(ContractError, match="--reader: the name of a reader holds a comma"):
        app(["review", "--reader", "Smith, Anna"], standalone_mode=False)
    assert not paths.READERS.exists()
