"""What a reader answered and began outlives a pause, goes on at another device, and counts for nothing on another page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from reading import content_of, drawn_as, export, page_of, press, settle

from dermlab.data.reviews import HEADER

CARD = ("t0000", "t0010", "t0020")  # the photos of the first case


def test_a_pause_goes_on_where_it_stopped_and_on_another_device(cases, tab, chromium):
    address = page_of()
    tab.goto(address)
    press(tab, *"acn", "Enter", "1", "ArrowRight", "0")
    tab.reload()
    assert tab.text_content("#count") == "4 of 5 · 1 put off"
    exported = export(tab)
    elsewhere = chromium.new_context().new_page()
    elsewhere.goto(address)
    press(elsewhere, "9")  # another answer to the first card, given there
    elsewhere.set_input_files("#file", "answers-reader-1.csv")
    said = elsewhere.locator("#said")
    expect(said).to_contain_text("1 answers taken over, 1 were here already; 1 were answered otherwise here, which stays.")
    press(elsewhere, "ArrowLeft", "ArrowLeft")
    elsewhere.set_input_files("#file", "answers-reader-1.csv")
    expect(said).to_contain_text("2 answers taken over, 0 were here already.")
    assert sorted(map(str, export(elsewhere))) == sorted(map(str, exported))
    elsewhere.context.close()


def test_an_answer_to_other_photos_does_not_count_on_a_page_drawn_anew_under_the_same_name(cases, tab):
    tab.goto(page_of())
    press(tab, "0", "9")
    export(tab)
    name = content_of()["page"]
    cases.catalog.loc[10, "case_id"] = "case of its own"  # t0010 leaves the first case
    cases.write()
    drawn_as(name)
    tab.reload()
    assert tab.text_content("#image-id") == "t0000 t0020"
    assert tab.text_content("#count") == "2 of 5"
    assert tab.text_content("#said").startswith("1 answers in this browser are to photos that this page does not show.")
    tab.set_input_files("#file", "answers-reader-1.csv")
    expect(tab.locator("#said")).to_contain_text("Nothing was taken over.")
    press(tab, *"acn", "Enter", "1")
    assert {line["image_id"]: line["answer"] for line in export(tab) if line["place"] == "1"} == {"t0000": "acne", "t0020": "acne"}
    cases.catalog.loc[10, "case_id"] = "case 0"
    cases.write()
    drawn_as(name)
    tab.reload()  # what was answered on the first drawing is still there
    assert {line["image_id"]: line["answer"] for line in export(tab) if line["place"] == "1"} == dict.fromkeys(CARD, "cannot tell")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "This is no file that a page like this exported"),
        ('"', "This is no file that a page like this exported"),
        (",".join(HEADER) + "\nt0000,acne,sure,1,open,p00000000-00000000,1,,reader 1,2026-01-01\n", "These answers are of another page"),
    ],
)
def test_what_is_not_of_this_page_is_not_taken_over(cases, tab, text, says):
    tab.goto(page_of())
    Path("other.csv").write_text(text)
    tab.set_input_files("#file", "other.csv")
    expect(tab.locator("#said")).to_contain_text(f"{says}. Nothing was taken over.")
    assert tab.evaluate("entries.length") == 0


def begun(tab) -> tuple:
    left_out = tab.locator(".useless[aria-pressed=true]").all_text_contents()
    return tab.locator("#chosen button").all_text_contents(), left_out, tab.input_value("#reason")


def test_what_was_begun_at_a_card_outlives_a_reload_and_putting_it_off(cases, tab):
    tab.goto(page_of())
    as_left = (["1. tinea ×", "2. acne ×"], ["Photo 2 is left out"], "ask for the hands")
    press(tab, *"tin", "Enter", *"acn", "Enter", "Shift+Digit2", "/", *"ask for the hands")
    for _ in range(20):  # a busy browser opens the store of a fresh profile late, and hands over then what the page put there
        tab.reload()
        if begun(tab) == as_left:
            break
    assert begun(tab) == as_left
    press(tab, "ArrowRight")
    assert begun(tab) == ([], [], "")  # the next card has nothing of it
    press(tab, *"00")
    tab.reload()
    press(tab, *"00")
    settle(tab)
    tab.click("#again")
    assert begun(tab) == as_left
    press(tab, "2", "ArrowLeft")  # taken back, it stands as it stood
    assert begun(tab) == as_left
    press(tab, "2")
    first = [line for line in export(tab) if line["place"] == "1"]
    assert {line["reason"] for line in first} == {"ask for the hands"}
    assert [line["answer"] for line in first] == ["tinea > acne", "drop", "tinea > acne"]
    assert tab.evaluate("drafts.length") == 0


def test_what_was_begun_at_other_photos_is_not_taken_for_this_card(cases, tab):
    tab.goto(page_of())
    press(tab, *"tin", "Enter", "Shift+Digit2")
    cases.catalog.loc[10, "case_id"] = "case of its own"
    cases.write()
    drawn_as(content_of()["page"])
    tab.reload()
    assert begun(tab) == ([], [], "")


def test_what_else_lies_in_the_store_is_not_taken_for_a_draft_and_costs_no_answer(cases, tab):
    tab.goto(page_of())
    press(tab, "0")
    for text in ("no json", "7", "[null]", '[{"place": 2}]'):
        tab.evaluate("text => localStorage.setItem(DRAFTS, text)", text)
        tab.reload()
        assert tab.text_content("#count") == "2 of 5"
        assert begun(tab) == ([], [], "")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        (",acne,", ",warts,", "The lines of card 1 are not as they were exported"),
        ("t0020,", "t0009,", "The lines of card 1 are not as they were exported"),
        ("t0000,acne", "t0000,eczema", "The lines of card 1 are not as they were exported"),
        (",sure,", ",very,", "The lines of card 1 are not as they were exported"),
        (r"t0010.*\n", "", "The lines of card 1 are not as they were exported, or some of them are missing"),
        (r"t0020.*\n", "", "The lines of card 1 are not as they were exported, or some of them are missing"),
        (r",sure,[^,]*,", ",sure,1;5,", 'Line 2 says seconds "1;5", which is no number such as 12.5'),
        (r",sure,[^,]*,", ",sure,,", 'Line 2 says seconds "", which is no number'),
        (r"\d\d\n$", "", r'says date "\d{4}-\d\d-", which is no day'),
        (r"\d{4}-\d\d-\d\d\n$", "2026-02-30\n", 'Line 5 says date "2026-02-30", which is no day'),
        (r",[^,]*\n$", "", "Line 5 has 9 values, not 10: is the file cut short"),
        (r"[^,]*\n$", "", 'Line 5 says date "", which is no day'),
        (r",reader 1[^,]*,[^,]*\n$", ',"rea', "The file breaks off within a value"),
    ],
)  # fmt: skip
def test_a_file_that_was_cut_or_changed_is_not_taken_over(cases, tab, before, after, says):
    tab.goto(page_of())
    press(tab, *"acn", "Enter", "1")
    export(tab)
    path = Path("answers-reader-1.csv")
    whole = path.read_text()
    last = whole.splitlines(keepends=True)[-1].replace("\n", "") if before.endswith("$") else ""
    text = whole + last.replace(",1,,", ",2,,") + "\n" if last else whole  # a second card, in line 5
    path.write_text(re.sub(before, after, text, count=0 if before.startswith(",") else 1))
    assert path.read_text() != whole
    press(tab, "ArrowLeft")
    tab.set_input_files("#file", path)
    said = tab.locator("#said")
    expect(said).to_contain_text("Nothing was taken over.")
    assert re.search(says, said.text_content())
    assert tab.evaluate("entries.length") == 0


def test_blank_lines_at_the_end_of_a_file_are_no_answers(cases, tab):
    tab.goto(page_of())
    press(tab, *"acn", "Enter", "1")
    lines = export(tab)
    path = Path("answers-reader-1.csv")
    path.write_text(path.read_text() + "\n \r\n\n")
    press(tab, "ArrowLeft")
    tab.set_input_files("#file", path)
    expect(tab.locator("#said")).to_contain_text("1 answers taken over, 0 were here already.")
    assert export(tab) == lines
