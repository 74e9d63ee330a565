"""The page as a file: whole in itself, safe whatever a label holds, and silent about patients."""

import base64
import io
import json
import re

import pytest
from PIL import Image

from dermlab.data.classes import Classes
from dermlab.review.page import ERROR_SHARE, RIGHT_IN_A_ROW, write_page
from dermlab.run import paths

HOSTILE = '</script><b onclick="x">'


def content_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', page, re.S)[1])


@pytest.fixture
def page(world, shards) -> str:
    write_page(paths.REVIEW, world.queue(), shards)
    return paths.REVIEW.read_text()


def test_the_page_fetches_nothing_and_may_fetch_nothing(page):
    assert not re.search(r"https?:|[\"'(]//|<link|@import|url\(|<script [^>]*src", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy


def test_the_page_names_no_patient_no_case_no_note_and_no_camera(page):
    assert "secret" not in page.lower()
    assert "x-test" not in page


def test_photos_carry_no_metadata_and_lie_in_the_page_once(world, page):
    photos = content_of(page)["photos"]
    assert set(photos) == {f"t{i:04d}" for i in range(12)}
    for image_id, text in photos.items():
        image = Image.open(io.BytesIO(base64.b64decode(text)))
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert image.size == ((480, 360) if image_id <= "t0007" else (120, 90))
        assert page.count(text) == 1


def test_the_same_queue_gives_the_same_bytes(world, shards, page):
    write_page(paths.REVIEW, world.queue(), shards)
    assert paths.REVIEW.read_text() == page


def test_a_hostile_label_cannot_leave_the_content(world, shards):
    world.classes = Classes((*world.classes.targets, HOSTILE))
    world.catalog.loc[5, "label"] = world.flags.loc[5, "given"] = HOSTILE
    write_page(paths.REVIEW, world.queue(), shards)
    page = paths.REVIEW.read_text()
    assert HOSTILE not in page
    assert content_of(page)["cards"][5]["given"] == HOSTILE


def test_fifty_eight_right_labels_leave_about_one_chance_in_twenty():
    chance, bound = (1 - ERROR_SHARE) ** RIGHT_IN_A_ROW, 1 - 0.05 ** (1 / RIGHT_IN_A_ROW)
    assert chance == pytest.approx(0.0510, abs=5e-5)
    assert bound == pytest.approx(0.0503, abs=5e-5)
