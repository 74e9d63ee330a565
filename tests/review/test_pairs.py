"""Photos that look like copies, side by side: what the page asks, what it exports, and what the next run makes of it."""

import csv
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from defaults import DEFAULTS
from playwright.sync_api import expect
from rows_in_use import write_rows

from dermlab.cli import app
from dermlab.cli.labels import pairs
from dermlab.data.embeddings import EmbeddingInfo, Embeddings, write_embeddings
from dermlab.data.not_copies import HEADER
from dermlab.review.pairs import CONFLICT, COPY, LEAK, merge_pairs, read_pairs
from dermlab.run import paths
from dermlab.run.errors import ContractError


@pytest.fixture
def alike(make) -> None:
    """Forty training photos and two of test, unlike each other but for: t0000 and a test photo, t0001 and t0002 of two labels, t0005 and
    t0010 of one, and t0003 and t0004, which are the same bytes."""
    world = make(train=40, ranked=8)
    rows = world.catalog.sort_values("image_id", ignore_index=True)
    features = np.eye(42)
    hashes = np.random.default_rng(0).integers(0, 2**64, 42, dtype=np.uint64)
    for first, second in ((0, 40), (1, 2), (3, 4), (5, 10)):
        features[second] = features[first] + 0.01 * features[second]
        hashes[second] = hashes[first] ^ np.uint64(1)
    rows["phash"] = hashes
    rows.loc[4, "sha256"] = rows.loc[3, "sha256"]
    write_rows(rows)
    write_embeddings(Embeddings(rows["image_id"].to_numpy(dtype=str), features, EmbeddingInfo("lite0", 42, 64, "none")))
    paths.PARAMS.write_text(DEFAULTS.read_text())
    paths.NOT_COPIES.write_text(",".join(HEADER) + "\n")


def run(**options) -> str:
    """Runs `dermlab pairs` and returns the address of its page."""
    pairs(**({"merge": None, "limit": 200, "out": paths.PAIRS, "reviewer": "ada", "pixels": 320} | options))
    return paths.PAIRS.resolve().as_uri()


def test_the_worst_kind_comes_first_and_the_same_bytes_are_no_question(alike):
    found = read_pairs()
    assert [(pair.first.image_id, pair.second.image_id, pair.why) for pair in found] == [
        ("t0000", "x-test-1", LEAK),
        ("t0001", "t0002", CONFLICT),
        ("t0005", "t0010", COPY),
    ]
    assert found[0].first.label
    assert found[0].second.label == ""  # frozen: shown to nobody who decides


def test_a_shorter_page_says_how_many_pairs_it_leaves_out(alike, capsys):
    run(limit=1)
    assert re.search(r"pairs: 1 of 3 to look at, 1 of all in two splits; .*; 2 more on a longer page \(--limit\)", capsys.readouterr().out)
    run()
    assert "longer page" not in capsys.readouterr().out


def test_the_page_may_fetch_nothing_and_names_no_patient(alike):
    run()
    page = paths.PAIRS.read_text()
    assert not re.search(r"https?:|[\"'(]//|<link|@import|url\(|<script [^>]*src", page)
    assert "secret" not in page.lower()


def test_a_session_by_keyboard_to_the_next_run(alike, tab, capsys):
    address = run(reviewer="")
    tab.goto(address)
    for key in (*"Dr. Ada", "Enter"):
        tab.keyboard.press(key)
    expect(tab.locator("#why-name")).to_have_text("In two splits")
    expect(tab.locator("#second-said")).to_contain_text("test set, its label is frozen")
    before = tab.get_attribute("#first", "src")
    tab.keyboard.press("b")
    assert tab.get_attribute("#first", "src") == tab.get_attribute("#second", "src") != before
    tab.keyboard.press("b")
    assert tab.get_attribute("#first", "src") == before
    tab.keyboard.press("c")
    expect(tab.locator("#why-name")).to_have_text("Two labels")
    tab.keyboard.press("u")
    tab.keyboard.press("n")
    tab.keyboard.press("c")
    expect(tab.locator("#why-name")).to_have_text("Twice in training")
    tab.reload()
    expect(tab.locator("#why-name")).to_have_text("Twice in training")
    tab.keyboard.press("Space")
    expect(tab.locator("#summary")).to_have_text("1 copies · 1 not copies · 1 skipped.")
    with tab.expect_download() as download:
        tab.keyboard.press("e")
    download.value.save_as("exported.csv")
    lines = list(csv.reader(Path("exported.csv").read_text().splitlines()))
    assert lines == [list(HEADER), ["t0000", "x-test-1", "Dr. Ada", date.today().isoformat()]]

    run(merge=Path("exported.csv"))
    run(merge=Path("exported.csv"))
    said = capsys.readouterr().out
    assert "1 added to data/not-copies.csv, 0 already there" in said
    assert "0 added to data/not-copies.csv, 1 already there" in said
    assert paths.NOT_COPIES.read_text() == Path("exported.csv").read_text()
    assert [pair.why for pair in read_pairs()] == [CONFLICT, COPY]


def test_a_second_tab_goes_on_where_the_first_one_is_and_erases_nothing(alike, tab):
    second = tab.context.new_page()
    for page in (tab, second):
        page.goto(run())
    tab.keyboard.press("n")
    expect(second.locator("#why-name")).to_have_text("Two labels")
    second.keyboard.press("n")
    with second.expect_download() as download:
        second.keyboard.press("e")
    download.value.save_as("exported.csv")
    _, *lines = csv.reader(Path("exported.csv").read_text().splitlines())
    assert [line[:2] for line in lines] == [["t0000", "x-test-1"], ["t0001", "t0002"]]
    expect(tab.locator("#why-name")).to_have_text("Twice in training")


@pytest.mark.parametrize("of_option", [False, True])
def test_a_name_that_the_merge_would_refuse_is_made_plain(alike, tab, capsys, of_option):
    name = "Dr.\u00ad Ada; -x"
    tab.goto(run(reviewer=name if of_option else ""))
    if not of_option:
        tab.fill("#reviewer", name)
        tab.keyboard.press("Enter")
    tab.keyboard.press("n")
    with tab.expect_download() as download:
        tab.keyboard.press("e")
    download.value.save_as("exported.csv")
    assert list(csv.reader(Path("exported.csv").read_text().splitlines()))[1][2] == "Dr. Ada, -x"
    run(merge=Path("exported.csv"))
    assert "1 added to data/not-copies.csv" in capsys.readouterr().out


def test_an_image_that_is_not_in_use_is_refused_with_nothing_written(alike):
    before = paths.NOT_COPIES.read_bytes()
    Path("exported.csv").write_text(",".join(HEADER) + "\nt0001,t0002,ada,2026-03-01\nt0001,zzz,ada,2026-03-01\n")
    with pytest.raises(ContractError, match="exported.csv, line 3: image 'zzz' is not in the catalog. Nothing was merged"):
        merge_pairs(Path("exported.csv"))
    assert paths.NOT_COPIES.read_bytes() == before
    with pytest.raises(ContractError, match="Export the pairs on the page"):
        merge_pairs(Path("absent.csv"))


@pytest.mark.parametrize("reviewer", ["=cmd|x", "@ada", "m\0e", "\x1b[2J", "\u202eada", '"a\nb"', "m" * 1001, "m" * 200_000])
def test_a_reviewer_who_is_no_name_is_refused_with_nothing_written(alike, reviewer):
    before = paths.NOT_COPIES.read_bytes()
    Path("exported.csv").write_text(",".join(HEADER) + f"\nt0001,t0002,{reviewer},2026-03-01\n")
    with pytest.raises(ContractError, match=r"exported.csv, line \d"):
        merge_pairs(Path("exported.csv"))
    assert paths.NOT_COPIES.read_bytes() == before


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_both_photos_and_every_key_fit_the_screen(alike, tab, width, height):
    tab.set_viewport_size({"width": width, "height": height})
    tab.goto(run())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("#first", "#second"):
        box = tab.locator(name).bounding_box()
        assert box["width"] > width / 3
        assert box["y"] + box["height"] <= height


def test_an_option_that_a_merge_would_pass_over_is_refused(alike, capsys):
    assert app(["pairs", "--merge", "not-copies.csv", "--limit", "3"], standalone_mode=False) == 2
    assert "--merge goes by itself: leave --limit out" in capsys.readouterr().err
