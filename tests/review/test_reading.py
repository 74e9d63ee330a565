"""A reader at the page, in a real Chromium: by keyboard and by touch, over a pause and another device, and into the record."""

import csv
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dermlab.cli import app
from dermlab.data.classes import Classes
from dermlab.data.reviews import HEADER
from dermlab.run import paths
from dermlab.run.errors import ContractError

CARD = ("t0000", "t0010", "t0020")  # the photos of the first case


@pytest.fixture
def cases(make):
    """Ten cases of three photos, t0000, t0010 and t0020 and so on, of which the first five are doubtful."""
    world = make(train=30, ranked=5)
    world.catalog["case_id"] = [f"case {n % 10}" for n in range(30)] + ["x", "y"]
    world.write()
    return world


def page_of(*options: str, reader: int = 1) -> str:
    """Runs `dermlab review` for readers and returns the address of the page of one."""
    app(["review", "--reader", "Anna", *options], standalone_mode=False)
    return Path(f"data/review-reader-{reader}.html").resolve().as_uri()


def content_of(reader: int = 1) -> dict:
    text = Path(f"data/review-reader-{reader}.html").read_text()
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.S)[1])


def drawn_as(name: str) -> None:
    """Draws the page anew under a name that it bore before."""
    page_of()
    page = Path("data/review-reader-1.html")
    page.write_text(page.read_text().replace(content_of()["page"], name))


def press(tab, *keys: str) -> None:
    """Keys one after the other, none before the card that the one before brought may have been seen."""
    for key in keys:
        wait_until_settled(tab)
        tab.keyboard.press(key)


def wait_until_settled(tab) -> None:
    left = tab.evaluate("Math.max(0, Math.max(cardAt, listAt) + SETTLING - performance.now())")
    if left:
        tab.wait_for_timeout(left + 20)


def export(tab, name: str = "answers-reader-1.csv", keys: str = "Control+s") -> list[dict[str, str]]:
    with tab.expect_download() as download:
        tab.keyboard.press(keys)
    assert download.value.suggested_filename == name
    download.value.save_as(name)
    return list(csv.DictReader(Path(name).read_text().splitlines()))


def test_a_blind_page_holds_no_label_no_suggestion_and_no_name(cases):
    cases.catalog["label"] = cases.catalog["label"].replace("tinea", "eczema")  # so that no case is named by its class alone
    page_of("--blind")
    content = content_of()
    assert {key for card in content["cards"] for key in card} == {"images", "answers"}
    text = json.dumps(content["cards"])
    assert not any(name in text for name in (*cases.classes.names, "0.83", "mislabeled", "Anna", "secret"))
    assert "Anna" not in Path("data/review-reader-1.html").read_text()


def test_a_card_of_other_photos_makes_it_another_page(cases):
    page_of("--blind")
    before = content_of()
    page_of("--blind")
    assert content_of()["page"] == before["page"]
    cases.catalog.loc[cases.catalog["image_id"] == "t0020", "case_id"] = "a case of its own"
    cases.write()
    page_of("--blind")
    after = content_of()
    assert [card["images"][0] for card in after["cards"]] == [card["images"][0] for card in before["cards"]]
    assert after["page"] != before["page"]


def test_a_page_fetches_nothing_and_may_fetch_nothing(cases):
    page_of("--blind")
    page = Path("data/review-reader-1.html").read_text()
    assert not re.search(r"https?:|[\"'(]//|<link|@import|url\(|<script [^>]*src", page)
    assert re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].startswith("default-src 'none'; img-src data:; ")


def test_an_open_page_shows_label_and_suggestion_and_one_press_takes_it(cases, tab):
    tab.goto(page_of())
    assert tab.locator("#hints button").all_text_contents() == ["5Label giveneczema", "6Suggestion, 83 %psoriasis"]
    press(tab, "6", "2")
    assert [(line["answer"], line["mode"]) for line in export(tab)] == [("psoriasis", "open")] * 3


def test_a_session_by_keyboard(cases, tab, capsys):
    tab.goto(page_of())
    assert tab.text_content("#image-id") == " ".join(CARD)
    press(tab, *"tin", "Enter", *"ecz", "Enter")
    assert tab.locator("#chosen button").all_text_contents() == ["1. tinea ×", "2. eczema ×"]
    press(tab, "Backspace", *"acn", "ArrowDown", "ArrowUp", "Enter", "/", *"=odd, light", "Enter", "1")  # tinea, then acne
    press(tab, "1")  # nothing is chosen
    assert tab.text_content("#said") == "Choose a class first, or say that you cannot tell."
    press(tab, "0", "9", "ArrowRight", "ArrowLeft", "ArrowLeft", "0")  # cannot tell; dropped, taken back, cannot tell
    lines = export(tab)
    assert list(lines[0]) == list(HEADER)
    first = [line for line in lines if line["place"] == "1"]
    assert tuple(line["image_id"] for line in first) == CARD
    assert {(line["answer"], line["confidence"], line["reason"], line["reviewer"]) for line in first} == {
        ("tinea > acne", "sure", "'=odd, light", "reader 1")
    }
    assert {line["answer"] for line in lines if line["place"] != "1"} == {"cannot tell"}
    assert 0 < sum(float(line["seconds"]) for line in first) < 60
    app(["review", "--merge", "answers-reader-1.csv"], standalone_mode=False)
    assert f"{len(lines)} answers added to data/reviews.csv" in capsys.readouterr().out
    assert paths.REVIEWS.read_text().count(",Anna,") == len(lines)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("scale; -dry", "scale, -dry"),
        ("scale|=1+1; \t@x", "scale,=1+1, @x"),
        ("scale\uff1b\uff1d1", "scale,=1"),
        ("scale;\u200d=1", "scale,=1"),
        ("\u3164=1", "'=1"),
        ("\u200d=1", "'\u200d=1"),
        ("\uff1d1", "'\uff1d1"),
        ("of\u202e no\u200b \ufeffuse\u00ad", "of no use"),
        ("a;b - c", "a;b - c"),
        ("\u0645\u06cc\u200c\u062e\u0627\u0631\u062f", "\u0645\u06cc\u200c\u062e\u0627\u0631\u062f"),
    ],
)
def test_a_remark_is_kept_as_the_merge_takes_it(cases, tab, typed, kept):
    tab.goto(page_of())
    tab.fill("#reason", typed)
    press(tab, "Enter")
    shown = kept.removeprefix("'")
    assert tab.input_value("#reason") == shown
    assert tab.is_visible("#cleaned") == (shown != " ".join(typed.split()))
    press(tab, "0")
    lines = export(tab)
    assert {line["reason"] for line in lines} == {kept}
    press(tab, "ArrowLeft")
    tab.set_input_files("#file", "answers-reader-1.csv")
    expect(tab.locator("#said")).to_contain_text("1 answers taken over")
    assert export(tab) == lines
    app(["review", "--merge", "answers-reader-1.csv"], standalone_mode=False)
    assert paths.REVIEWS.read_text().count(",Anna,") == len(lines)


def test_a_class_is_found_by_its_other_names(cases, tab):
    cases.catalog.loc[0, ["diagnosis", "label"]] = ["lichen nitidus", "other"]
    cases.flags.loc[0, "given"] = "other"
    cases.write()
    tab.goto(page_of())
    for typed, found in {"ringw": "tinearingworm", "pih": "post-inflammatory hyperpigmentationpih", "nitid": "otherlichen nitidus"}.items():
        tab.fill("#search", typed)
        assert tab.locator("#options [role=option]").all_text_contents() == [found]
    tab.fill("#search", "zzz")
    assert tab.text_content("#options") == "no class of this name"


def test_photos_of_a_case_get_one_answer_and_one_of_no_use_is_dropped(cases, tab):
    tab.goto(page_of())
    press(tab, "Shift+Digit2", *"acn", "Enter", "3")
    lines = export(tab)
    assert {line["image_id"]: line["answer"] for line in lines} == {"t0000": "acne", "t0010": "drop", "t0020": "acne"}
    assert {line["confidence"] for line in lines if line["answer"] == "drop"} == {""}


def test_a_photo_left_out_is_dropped_also_where_the_others_do_not_tell(cases, tab):
    tab.goto(page_of())
    press(tab, "Shift+Digit2", "0", "Shift+Digit1", "Shift+Digit2", "Shift+Digit3", "0")
    lines = export(tab)
    told = {line["image_id"]: line["answer"] for line in lines}
    assert {image: told[image] for image in CARD} == {"t0000": "cannot tell", "t0010": "drop", "t0020": "cannot tell"}
    assert [line["answer"] for line in lines if line["place"] == "2"] == ["drop"] * len(content_of()["cards"][1]["images"])
    press(tab, "ArrowLeft", "ArrowLeft")
    tab.set_input_files("#file", "answers-reader-1.csv")
    expect(tab.locator("#said")).to_contain_text("2 answers taken over")
    assert export(tab) == lines
    app(["review", "--merge", "answers-reader-1.csv"], standalone_mode=False)


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
    tab.reload()
    assert begun(tab) == as_left
    press(tab, "ArrowRight")
    assert begun(tab) == ([], [], "")  # the next card has nothing of it
    press(tab, *"00")
    tab.reload()
    press(tab, *"00")
    wait_until_settled(tab)
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
        (r",reader 1,[^,]*\n$", ',"rea', "The file breaks off within a value"),
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


def test_the_photo_is_enlarged_magnified_and_set_beside_another(cases, tab):
    tab.goto(page_of())
    press(tab, "Space", "b")
    assert tab.locator("#zoomed img").count() == 2
    assert tab.text_content("#zoom-said") == "1 and 2 of 3"
    press(tab, "ArrowRight")
    assert tab.text_content("#zoom-said") == "2 and 3 of 3"
    tab.click("#zoomed div >> nth=0")
    assert tab.locator("#zoomed .larger img").evaluate("photo => photo.getBoundingClientRect().width") > 1500
    press(tab, "Space", "+", "+")
    assert tab.locator("#photos img >> nth=0").evaluate("photo => photo.style.filter") == "brightness(140%)"


def test_keys_in_a_field_or_meant_for_the_browser_answer_nothing(cases, tab):
    tab.goto(page_of())
    press(tab, "/", *"0 9 1", "Enter", "Alt+ArrowRight", "?", "0", "Escape", *"a0", "Escape", "Space", "0", "Space")
    tab.keyboard.down("0")
    tab.keyboard.down("0")  # the repeat of a key held down
    assert tab.evaluate("entries.length") == 1


def test_time_away_is_not_counted(cases, tab):
    tab.clock.install()
    tab.goto(page_of())
    tab.clock.run_for(5_000)
    press(tab, "a")
    tab.clock.run_for(3_600_000)  # lunch
    press(tab, "Escape")
    tab.clock.run_for(10_000)
    press(tab, "0")
    assert tab.evaluate("entries[0].seconds") == pytest.approx(5 + 120 + 10, abs=1)


@pytest.mark.parametrize("size", [(390, 844), (320, 568), (768, 1024)])
def test_a_small_screen_has_large_buttons_and_no_sideways_scrolling(cases, chromium, size):
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True, accept_downloads=True)
    tab = context.new_page()
    tab.goto(page_of())
    for name in ("eczema", "tinea", "acne"):
        assert tab.evaluate("document.documentElement.scrollWidth") == size[0]
        for button in tab.locator("header button, nav button").all():
            box = button.bounding_box()
            assert min(box["height"], box["width"]) >= 44
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size[0]
            assert box["y"] + box["height"] <= size[1]
        wait_until_settled(tab)
        tab.tap(f"#options [data-name={name}]")
        tab.tap("nav [data-confidence=likely]")
    wait_until_settled(tab)
    tab.tap("nav [data-act=cannot]")
    wait_until_settled(tab)
    tab.tap("nav [data-act=drop]")
    assert tab.text_content("#summary") == "5 answered (of 1 you could not tell), 0 put off."
    context.close()


@pytest.fixture
def phone(chromium):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, accept_downloads=True)
    yield context.new_page()
    context.close()


def tap_twice(tab, selector: str) -> None:
    """In one place, as a trembling finger does, whatever stands there after the first tap."""
    wait_until_settled(tab)
    tab.locator(selector).scroll_into_view_if_needed()
    box = tab.locator(selector).bounding_box()
    for _ in range(2):
        tab.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_a_double_tap_counts_once(cases, phone):
    phone.goto(page_of())
    for answered, act in enumerate(("cannot", "drop"), start=1):
        tap_twice(phone, f"nav [data-act={act}]")
        assert phone.evaluate("entries.length") == answered
    tap_twice(phone, "[data-act=later]")
    assert phone.evaluate("entries.length") == 3
    tap_twice(phone, "header [data-act=undo]")
    assert phone.evaluate("entries.length") == 2
    phone.fill("#search", "tin")
    tap_twice(phone, "#options [data-name=tinea]")
    assert phone.locator("#chosen button").all_text_contents() == ["1. tinea ×"]
    tap_twice(phone, "nav [data-confidence=sure]")
    assert phone.evaluate("[entries.length, chosen.length]") == [3, 0]
    assert not phone.is_visible("#zoom")
    wait_until_settled(phone)
    phone.tap("nav [data-act=cannot]")
    assert phone.evaluate("entries.length") == 4  # a tap of its own counts


def test_a_key_pressed_twice_counts_once(cases, tab):
    tab.goto(page_of())
    for key in ("0", "9", "ArrowRight"):
        wait_until_settled(tab)
        tab.keyboard.press(key)
        tab.keyboard.press(key)
    assert tab.evaluate("entries.length") == 3


def test_a_hostile_class_is_text_and_comes_back_as_it_was(cases, tab):
    hostile = '</script><b id="broken">bold</b> > =1'
    cases.classes = Classes((*cases.classes.targets, hostile))
    cases.flags.loc[0, "suggested"] = hostile
    cases.write()
    tab.goto(page_of())
    tab.click("#hints button >> nth=1")
    press(tab, "1")
    assert tab.locator("#broken").count() == 0
    assert {line["answer"] for line in export(tab)} == {hostile}
    app(["review", "--merge", "answers-reader-1.csv"], standalone_mode=False)


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
    wait_until_settled(tab)
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


def test_what_is_of_readers_asks_for_one(cases, capsys):
    assert app(["review", "--blind"], standalone_mode=False) == 2
    assert "--blind is of readers: say whom to ask, --reader NAME" in capsys.readouterr().err
    with pytest.raises(ContractError, match="--reader: the name of a reader holds a comma"):
        app(["review", "--reader", "Smith, Anna"], standalone_mode=False)
    assert not paths.READERS.exists()
