"""What a killed stage left is taken up again by the same code, and by no other: other is what its numbers could come from."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "dermlab"
DIGEST = """
import sys; sys.path.insert(0, sys.argv[1])
from dermlab.embed.parts import Parts
from dermlab.pull.pack import _settings_digest
from dermlab.pull.params import PullParams
from dermlab.train.checkpoint import _code
print(_settings_digest(PullParams(image_size=64, max_pixels=1, max_quarantine=0)), Parts("info").folder, _code())
"""
NAMES = ("pull", "embed", "train")


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, folder / "dermlab", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def before(copy) -> dict[str, str]:
    return digests(copy)


def digests(copy: Path) -> dict[str, str]:
    done = subprocess.run([sys.executable, "-c", DIGEST, str(copy)], capture_output=True, text=True, check=True)
    return dict(zip(NAMES, done.stdout.split(), strict=True))


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("run/progress.py", set()),
        ("run/objects/bucket.py", set()),
        ("phantom/skin.py", set()),
        ("data/thumbnails.py", set()),
        ("scores/headline.py", set()),
        ("calibrate/tiers.py", set()),
        ("model/classifier.py", {"train"}),
        ("model/images.py", {"embed", "train"}),
        ("train/losses.py", {"train"}),
        ("pull/colour.py", {"pull"}),
        ("data/tables.py", {"pull", "embed", "train"}),
    ],
)
def test_a_comment_throws_away_what_could_have_come_from_the_file_and_nothing_else(copy, before, file, changes):
    path = copy / "dermlab" / file
    text = path.read_text()
    path.write_text(text + "# a comment\n")
    try:
        after = digests(copy)
    finally:
        path.write_text(text)
    assert {name for name in NAMES if after[name] != before[name]} == changes
