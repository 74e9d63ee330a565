"""Names are shown in Markdown as they are written: they format nothing, break no table, link and ping nobody."""

import html
import re

import pytest
from markdown_it import MarkdownIt

from dermlab.report.render import in_tag, markdown_table, plain, sentence

NAMES = (
    "a|b", "@team/owners", "a@b.org", "[x](javascript:alert(1))", "![](http://evil/x.png)", "[x][y]", "[x]: http://evil", "[x]",
    "<img src=x onerror=alert(1)>", "<!-- gone", "-->", "</details>", "</td>", "*bold*", "**b**", "_it_", "snake_case_name", "~~x~~",
    "`code`", "``", "a`b", "\\", "a\\|b", "&amp;", "&#64;team", "$x$", ":tada:", "#1", "fixes #12", "GH-12", "www.evil.com", "http://evil.com",
    "https://evil.com", "# heading", "- item", "1. item", "> quoted", "two\nlines", "+ x", "=====",
    "nævus", "−0.8 [−3.3, +3.3] ▲", "0.123 ± 0.010",
    "naevus [/compound]", "[junctional]", "a\x1b[2Jb", "a\0b",
)  # fmt: skip
GITHUB = MarkdownIt("gfm-like", {"html": True, "linkify": False}).disable("linkify")
# What GitHub makes of text by itself: people, issues, addresses, emoji.
MEANT = re.compile(r"@\w|#\d|GH-\d|://|www\.\w|:[\w+-]+:")


def shown(markup: str) -> str:
    """What a reader sees."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).replace("\u200b", "").strip()


def as_written(name: str) -> str:
    return name.replace("\n", " ").replace("\x1b", "").replace("\0", "").strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_is_shown_as_it_is_written(name):
    page = GITHUB.render(markdown_table(["class", name], [[name, "0.1"], ["next", name]]))
    cells = [shown(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", page)]
    assert cells == ["class", as_written(name), as_written(name), "0.1", "next", as_written(name)]
    assert not re.search(r"<(?!/?(table|thead|tbody|tr|th|td)\b)", page), "no other markup"
    assert not MEANT.search(html.unescape(page))


@pytest.mark.parametrize("name", [name for name in NAMES if "`" not in name])
def test_a_sentence_with_a_name_is_text_and_our_own_code_is_code(name):
    page = GITHUB.render(sentence(f"{name}: take it. Run `dermlab power {name[:1]}`"))
    assert page.count("<code>") == page.count("<p>") == 1
    assert shown(page).startswith(f"{as_written(name)}: take it. Run dermlab power")
    assert not re.search(r"<(?!/?(p|code)\b)", page)
    assert not MEANT.search(html.unescape(page.split("<code>")[0]))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_within_a_tag_is_text(name):
    page = f"<summary>{in_tag(name)}</summary>"
    assert page.count("<") == 2
    assert not MEANT.search(html.unescape(page))


def test_numbers_and_params_stay_readable_where_nobody_renders_them():
    for text in ("−0.8 [−3.3, +3.3] ▲", "train.head_lr=0.001 (0.01)", "loss=focal (ce)", "0.123 ± 0.010", "macro F1"):
        assert plain(text) == text
