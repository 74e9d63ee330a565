"""What a killed stage left is taken up again by the same code, and by no other: other is what its numbers could come from."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from dermlab.run.code import code_digest
from dermlab.train.checkpoint import _code

PACKAGE = Path(__file__).parents[2] / "src" / "dermlab"
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
    """Of the rooms of the copy, by its own run/code.py, which reads every file anew."""
    spec = importlib.util.spec_from_file_location("code_of_the_copy", copy / "dermlab" / "run" / "code.py")
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    return {name: code.code_digest(*(copy / "dermlab" / name).glob("*.py")) for name in NAMES}


def test_a_checkpoint_is_named_by_the_code_of_its_room():
    assert _code() == code_digest(*(PACKAGE / "train").glob("*.py"))


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
