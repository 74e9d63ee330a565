"""A reader at the page, in a real Chromium: by keyboard and by touch, and into the record."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from readers import called
from reading import content_of, export, nothing_settles, page_of, press, settle

from dermlab.cli import app
from dermlab.data.classes import Classes
from dermlab.data.reviews import HEADER
from dermlab.run import paths

CARD = ("t0000", "t0010", "t0020")  # the photos of the first case


def test_a_blind_page_holds_no_label_no_suggestion_and_no_name(cases):
    cases.catalog["label"] = cases.catalog["label"].replace("tinea", "eczema")  # so that no case is named by its class alone
    page_of("--blind")
    content = content_of()
    assert {key for card in content["cards"] for key in card} == {"images", "answers", "questions"}
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
        ("tinea > acne", "sure", "'=odd, light", called(1))
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
        settle(tab)
        tab.tap(f"#options [data-name={name}]")
        tab.tap("nav [data-confidence=likely]")
    settle(tab)
    tab.tap("nav [data-act=cannot]")
    settle(tab)
    tab.tap("nav [data-act=drop]")
    assert tab.text_content("#summary") == "5 answered (1 of them: cannot tell), 0 put off."
    context.close()


@pytest.fixture
def phone(chromium):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, accept_downloads=True)
    yield context.new_page()
    context.close()


def tap_twice(tab, selector: str) -> None:
    """In one place, as a trembling finger does, whatever stands there after the first tap."""
    settle(tab)
    tab.locator(selector).scroll_into_view_if_needed()
    box = tab.locator(selector).bounding_box()
    for _ in range(2):
        tab.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_a_double_tap_counts_once(cases, phone):
    nothing_settles(phone)
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
    settle(phone)
    phone.tap("nav [data-act=cannot]")
    assert phone.evaluate("entries.length") == 4  # a tap of its own counts


def test_a_key_pressed_twice_counts_once(cases, tab):
    nothing_settles(tab)
    tab.goto(page_of())
    for key in ("0", "9", "ArrowRight"):
        settle(tab)
        tab.keyboard.press(key)
        tab.keyboard.press(key)
    assert tab.evaluate("entries.length") == 3
    tab.evaluate("cardAt = document.timeline.currentTime")
    tab.wait_for_timeout(500)
    tab.keyboard.press("0")
    assert tab.evaluate("entries.length") == 4  # half a second later it is meant


def test_a_hostile_class_is_text_and_comes_back_as_it_was(cases, tab):
    hostile = '</script><b id="broken">bold</b> >> =1'
    cases.classes = Classes((*cases.classes.targets, hostile))
    cases.flags.loc[0, "suggested"] = hostile
    cases.write()
    tab.goto(page_of())
    tab.click("#hints button >> nth=1")
    press(tab, "1")
    assert tab.locator("#broken").count() == 0
    assert {line["answer"] for line in export(tab)} == {hostile}
    app(["review", "--merge", "answers-reader-1.csv"], standalone_mode=False)
