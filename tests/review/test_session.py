"""A person at the page, in a real Chromium: by keyboard, over a reload, and back into the ledger."""

import csv
from datetime import date
from pathlib import Path

import pytest
from browser import barriers
from playwright.sync_api import expect

from dermlab.cli import app
from dermlab.data.classes import Classes
from dermlab.data.ledger import HEADER
from dermlab.data.tables import ISSUES
from dermlab.run import paths

HOSTILE = '</script><b id="broken">bold</b>'


def press(tab, *keys: str) -> None:
    for key in keys:
        tab.keyboard.press(key)


def shown(tab) -> str:
    return tab.text_content("#image-id")


def wait_until_kept(tab) -> None:
    """Until another tab is where this one is: the browser hands what a page stores to its other processes a moment later, and the next
    page, of this address or another, may be drawn by one of them."""
    witness = tab.context.new_page()
    witness.goto(tab.url)
    expect(witness.locator("#image-id")).to_have_text(shown(tab))
    witness.close()


def goto_until_shown(tab, address: str, image_id: str) -> None:
    """Opens the page, and again for as long as the process that draws it has not been handed what was stored (see `wait_until_kept`)."""
    for _ in range(20):
        tab.goto(address)
        if shown(tab) == image_id:
            return
        tab.wait_for_timeout(500)
    assert shown(tab) == image_id


def export(tab) -> list[list[str]]:
    """Exports to decisions.csv in the working directory; its lines, header first."""
    with tab.expect_download() as download:
        tab.keyboard.press("e")
    assert download.value.suggested_filename == "decisions.csv"
    download.value.save_as("decisions.csv")
    return list(csv.reader(Path("decisions.csv").read_text().splitlines()))


def test_a_session_by_keyboard_from_the_first_photo_to_the_ledger_and_on(world, tab, capsys):
    address = world.page(reviewer="")
    tab.goto(address)
    press(tab, *"Dr. Ada", "Enter")
    assert tab.text_content("#issue-name") == "No skin?"  # the planted scanned page
    press(tab, "d")
    assert tab.text_content("#issue-name") == "Conflict"  # the planted copies
    assert tab.text_content("#copies figcaption").startswith("tinea")
    press(tab, "s", "k", "o", "Enter", "o", *"acn", "ArrowDown", "ArrowUp", "Enter", "Space")
    assert tab.text_content("#count").startswith("7 of 8 1 kept · 3 relabelled · 1 dropped · 1 skipped")

    wait_until_kept(tab)
    tab.reload()
    assert (shown(tab), tab.text_content("#name-text")) == ("t0006", "Dr. Ada")
    press(tab, "k", "u", "u")
    assert shown(tab) == "t0005"
    press(tab, "r", *"=silvery, scale", "Enter", "k")
    assert shown(tab) == "t0006"
    lines = export(tab)
    today = date.today().isoformat()
    assert lines == [
        list(HEADER),
        ["t0000", "eczema", "drop", "scanned page or no skin", "Dr. Ada", today],
        ["t0001", "psoriasis", "tinea", "label changed on review", "Dr. Ada", today],
        ["t0002", "tinea", "tinea", "confirmed", "Dr. Ada", today],
        ["t0003", "acne", "other", "label changed on review", "Dr. Ada", today],
        ["t0004", "post-inflammatory hyperpigmentation", "acne", "label changed on review", "Dr. Ada", today],
        ["t0005", "eczema", "eczema", "'=silvery, scale", "Dr. Ada", today],
    ]

    for added in (6, 0):
        app(["review", "--merge", "decisions.csv"], standalone_mode=False)
        assert f"{added} decisions added" in capsys.readouterr().out
    assert list(csv.reader(paths.RELABELS.read_text().splitlines())) == lines
    app(["review"], standalone_mode=False)
    assert "2 photos to look at, 6 reviewed before" in capsys.readouterr().out
    tab.goto(address)
    assert shown(tab) == "t0006"
    assert "1 of 2" in tab.text_content("#count")
    assert "6 reviewed before" in tab.text_content("#count")


def test_the_page_has_words_for_every_issue(world, tab):
    tab.goto(world.page())
    assert tuple(tab.evaluate("Object.keys(ISSUES)")) == ISSUES


def test_another_queue_does_not_inherit_decisions(world, tab):
    tab.goto(world.page())
    press(tab, "k", "k")
    wait_until_kept(tab)
    tab.goto(world.page(limit=5))
    assert shown(tab) == "t0000"
    goto_until_shown(tab, world.page(), "t0002")


def test_a_second_tab_goes_on_where_the_first_one_is(world, tab):
    second = tab.context.new_page()
    for page in (tab, second):
        page.goto(world.page())
    press(tab, "k", "k")
    expect(second.locator("#image-id")).to_have_text("t0002")


@pytest.mark.parametrize("of_option", [False, True])
def test_words_that_the_merge_would_refuse_are_made_plain(world, tab, capsys, of_option):
    name = "Dr.\u00ad Ada; -x"
    tab.goto(world.page(reviewer=name if of_option else ""))
    if not of_option:
        tab.fill("#reviewer", name)
        press(tab, "Enter")
    for reason in ("scaly; -itchy", "of\u200b no use", "\u200b"):
        tab.fill("#reason", reason)
        press(tab, "Enter", "k")
    lines = export(tab)[1:]
    assert [line[3] for line in lines] == ["scaly, -itchy", "of no use", "confirmed"]
    assert {line[4] for line in lines} == {"Dr. Ada, -x"}
    app(["review", "--merge", "decisions.csv"], standalone_mode=False)
    assert "3 decisions added" in capsys.readouterr().out


def test_copies_and_neighbours_show_what_was_decided_a_moment_ago(world, tab):
    tab.goto(world.page())
    press(tab, "d", "s")
    assert tab.text_content("#copies figcaption") == "tineaas given"


def test_nothing_is_exported_before_something_is_decided_and_before_there_is_a_name(world, tab):
    tab.goto(world.page(reviewer=""))
    press(tab, "Escape", "e")
    assert tab.text_content("#said") == "Nothing to export yet."
    press(tab, "k", "e")
    assert tab.is_visible("#who")
    press(tab, *"ada", "Enter")
    assert export(tab)[1][4] == "ada"


def test_skipped_photos_can_be_asked_again_at_the_end(world, tab):
    tab.goto(world.page())
    press(tab, "Space", *"k" * 6, "ArrowRight")
    assert tab.text_content("#summary") == "6 kept, 0 relabelled, 0 dropped, 2 skipped."
    tab.click("#again")
    assert shown(tab) == "t0000"
    press(tab, "k")
    assert shown(tab) == "t0007"


def test_space_skips_after_a_click_and_presses_a_button_that_has_the_focus(world, tab):
    tab.goto(world.page())
    tab.click("nav [data-act=keep]")
    press(tab, "Space")
    assert "1 kept" in tab.text_content("#count")
    assert "1 skipped" in tab.text_content("#count")
    tab.focus("nav [data-act=drop]")
    press(tab, "Space")
    assert "1 dropped" in tab.text_content("#count")


def test_keys_that_are_held_typed_in_a_field_or_meant_for_the_browser_decide_nothing(world, tab):
    tab.goto(world.page())
    tab.keyboard.down("k")
    tab.keyboard.down("k")  # the repeat of a key held down
    tab.keyboard.up("k")
    press(tab, "Control+d", "r", *"kds", "Escape", "z", "k", "Escape", "?", "d", "Escape", "o", "Escape")
    assert tab.text_content("#count").startswith("2 of 8 1 kept")


def test_the_photo_is_enlarged_by_key_and_by_click(world, tab):
    tab.goto(world.page())
    press(tab, "z")
    assert tab.locator("#zoomed").bounding_box()["height"] == 800
    press(tab, "z")
    assert not tab.is_visible("#zoom")
    tab.click("#neighbours button >> nth=0")
    assert tab.is_visible("#zoom")
    tab.click("#zoom")
    assert not tab.is_visible("#zoom")


def test_progress_is_told_to_those_who_do_not_see_it(world, tab):
    tab.goto(world.page())
    press(tab, "k")
    assert tab.get_attribute("#said", "aria-live") == "polite"
    assert tab.text_content("#said") == "Kept as eczema. U takes it back. Photo 2 of 8: psoriasis, suggestion tinea."
    assert tab.evaluate("document.activeElement.id") == "card"


def test_a_browser_that_keeps_nothing_is_told_so_and_works(world, tab):
    tab.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})")
    tab.goto(world.page())
    assert tab.is_visible("#unstored")
    press(tab, "k", "d")
    assert len(export(tab)) == 3


def test_what_else_lies_in_the_store_is_not_taken_for_decisions(world, tab):
    address = world.page()
    for text in ("no json", "7", '[{"id": "t0000", "to": "warts"}, {"id": "zzz", "to": null}]'):
        tab.goto(address)
        tab.evaluate("text => localStorage.setItem(STORE, text)", text)
        tab.reload()
        assert shown(tab) == "t0000"
        assert not tab.is_visible("#unstored")


def test_a_hostile_label_is_text_and_comes_back_as_it_was(world, tab):
    world.classes = Classes((*world.classes.targets, HOSTILE))
    world.catalog.loc[0, "label"] = world.flags.loc[0, "given"] = world.flags.loc[1, "suggested"] = HOSTILE
    world.write()
    tab.goto(world.page())
    assert tab.text_content("#given") == HOSTILE
    press(tab, "k", "s")
    assert tab.locator("#broken").count() == 0
    assert [line[2] for line in export(tab)[1:]] == [HOSTILE, HOSTILE]


def test_after_fifty_eight_right_labels_the_page_says_why_it_may_be_enough(make, tab):
    tab.goto(make(train=70, ranked=70).page())
    press(tab, "d", *"k" * 30, "Space", *"k" * 27)  # a skip neither counts nor breaks the row
    assert not tab.is_visible("#enough")
    press(tab, "k")
    assert tab.text_content("#enough-said") == "The last 58 labels were right: it may be enough."
    why = tab.text_content("#enough-why")
    assert why.startswith("Were 5 % or more of such labels wrong, 58 right ones in a row would come about with a chance of only 5.1 %;")
    assert "with 95 % confidence at most 5.0 % are. The most doubtful come first, so what follows should be better still" in why
    press(tab, "k")  # the notice does not block
    assert "The last 59 labels" in tab.text_content("#enough")
    press(tab, "s")
    assert not tab.is_visible("#enough")


@pytest.mark.parametrize("size", [(360, 740), (320, 568), (768, 1024)])
def test_a_small_screen_has_large_buttons_and_no_sideways_scrolling(world, chromium, size):
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=True, is_mobile=True)
    tab = context.new_page()
    tab.goto(world.page())
    for _ in range(8):
        assert tab.evaluate("document.documentElement.scrollWidth") == size[0]
        for button in tab.locator("header button, nav button").all():
            box = button.bounding_box()
            assert box["height"] >= 44
            assert box["width"] >= 44
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= size[0]
            assert box["y"] + box["height"] <= size[1]
        tab.tap("nav [data-act=keep]")
    assert tab.is_visible("#done")
    context.close()


def test_hundreds_of_photos_are_asked_one_at_a_time(make, tab):
    tab.goto(make(train=404, ranked=400).page(pixels=64))
    elements = tab.evaluate("document.querySelectorAll('*').length")
    press(tab, *"kd" * 20)
    assert "of 400" in tab.text_content("#count")
    assert shown(tab) == "t0040"
    assert tab.locator("img").count() < 10
    assert tab.evaluate("document.querySelectorAll('*').length") < elements + 50
    tab.evaluate("for (const card of content.cards.slice(40, 399)) decide(card, card.given, '')")
    tab.reload()
    assert shown(tab) == "t0399"
    press(tab, "k")
    assert len(export(tab)) == 401


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_keeps_nobody_out(world, tab, scheme):
    address = world.page(reviewer="")
    tab.emulate_media(color_scheme=scheme)
    tab.goto(address)
    assert barriers(tab) == []
    press(tab, *"Dr. Ada", "Enter")
    assert barriers(tab) == []
