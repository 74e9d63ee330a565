"""data/groups.csv: what it names, what it may not, and that it follows the source as long as nobody has written in it."""

from pathlib import Path

import pytest

from dermlab.data.classes import Classes
from dermlab.data.group_names import group_names
from dermlab.data.groups import read_groups
from dermlab.data.known_groups import HAM10000, NONE, PHANTOM, follow_source, groups_for
from dermlab.phantom.conditions import TARGETS
from dermlab.run.errors import ContractError

CLASSES = Classes(("nevus", "melanoma", "basal cell carcinoma", "herpes zoster", "wart, common"))
OF_HAM10000 = Classes(("nv", "mel", "bkl", "bcc", "akiec", "vasc", "df"))
PHANTOM_CLASSES = Classes(tuple(condition.name for condition in TARGETS))


def groups(folder: Path, *lines: str, header: str = "group,class") -> Path:
    path = folder / "groups.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_groups_are_read_in_the_order_of_the_file_and_a_class_may_be_in_several(tmp_path):
    lines = ("# a comment, whatever, it holds", "malignant,melanoma", "", "urgent , melanoma", "malignant,basal cell carcinoma")
    path = groups(tmp_path, *lines, 'infectious,"wart, common"')
    assert read_groups(CLASSES, path) == {
        "malignant": ("melanoma", "basal cell carcinoma"), "urgent": ("melanoma",), "infectious": ("wart, common",),
    }  # fmt: skip
    assert group_names(path) == ("malignant", "urgent", "infectious")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (
            ["malignant,melanom"],
            r"line 2, group 'malignant': 'melanom' is no class .*\(did you mean melanoma\?\)\. Its classes: nevus, mel",
        ),
        (["malignant;melanoma"], "line 2: has 1 values, must have 2"),
        (["malignant,other"], "line 2, group 'malignant': `other` is no class"),
        (["malignant,"], "line 2: group 'malignant' has no class"),
        ([",melanoma"], "line 2: '' names no group"),
        (["<b>,melanoma"], "line 2: '<b>' names no group"),
        (["malignant,melanoma,1"], "line 2: has 3 values, must have 2"),
        (["malignant,melanoma", "malignant,melanoma"], "line 3: 'melanoma' stands in group 'malignant' already"),
        (["malignant,melanoma", "benign,melanoma"], "line 3: 'melanoma' stands in group 'malignant', too, which 'benign' excludes"),
        (["not urgent,nevus", "# between", "urgent,nevus"], "line 4: 'nevus' stands in group 'not urgent', too"),
        (["urgent,nevus", "Non-urgent,nevus"], "line 3: 'nevus' stands in group 'urgent', too"),
        (["malignant,melanoma", "Malignant,nevus"], "line 3: group 'Malignant' stands above as 'malignant'. Spell it in one way"),
        ([f'all,"{name}"' for name in CLASSES.targets], "group 'all' holds all 5 classes"),
        (["malignant,mela\u202enoma"], "line 2: holds the character U\\+202E"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, says):
    with pytest.raises(ContractError, match=says):
        read_groups(CLASSES, groups(tmp_path, *lines))


def test_what_a_spreadsheet_makes_of_the_file_is_read_as_it_was_meant(tmp_path):
    """A byte order mark, lines that end as Windows has them, cells that are added so that all lines are as long, letters in parts."""
    path = tmp_path / "groups.csv"
    path.write_bytes("\ufeffgroup,class,\r\n# one, two,\r\n,,\r\nmalignant,melanoma,\r\nrare,Sjo\u0308gren,\r\n".encode())
    classes = Classes((*CLASSES.targets, "Sj\u00f6gren"))
    assert read_groups(classes, path) == {"malignant": ("melanoma",), "rare": ("Sj\u00f6gren",)}
    assert group_names(path) == ("malignant", "rare")
    path.write_text("group,class\nmalignant,melanoma\n", encoding="utf-16")
    with pytest.raises(ContractError, match="cannot be read as UTF-8"):
        read_groups(classes, path)
    for opposites in (("benign,nevus", "not malignant,nevus"), ("not benign,melanoma", "malignant,melanoma")):
        assert len(read_groups(CLASSES, groups(tmp_path, *opposites))) == 2  # they say the same of it


def test_a_class_whose_letters_are_joined_by_what_nobody_sees_may_be_in_a_group(tmp_path):
    """As Persian writes it, and as the lock keeps it."""
    joined = "\u0632\u06af\u06cc\u0644\u200c\u0647\u0627"
    path = groups(tmp_path, f"urgent,{joined}")
    assert read_groups(Classes((*CLASSES.targets, joined)), path) == {"urgent": (joined,)}
    assert group_names(path) == ("urgent",)


def test_another_header_is_an_error_and_no_file_or_no_line_means_no_groups(tmp_path):
    with pytest.raises(ContractError, match="its first line must be group,class"):
        read_groups(CLASSES, groups(tmp_path, "melanoma,malignant", header="class,group"))
    assert read_groups(CLASSES, tmp_path / "none.csv") == {}
    assert read_groups(CLASSES, groups(tmp_path)) == {}
    assert group_names(tmp_path / "none.csv") == ()


def test_the_committed_file_is_that_of_the_phantom_and_known_sources_have_theirs():
    assert (Path(__file__).parents[2] / "data" / "groups.csv").read_text() == PHANTOM == groups_for(PHANTOM_CLASSES)
    assert groups_for(OF_HAM10000) == HAM10000
    assert groups_for(CLASSES) == NONE


def test_the_file_follows_the_source_until_a_person_writes_in_it(tmp_path):
    path = tmp_path / "groups.csv"
    assert "names groups of its classes" in follow_source(OF_HAM10000, path)
    assert read_groups(OF_HAM10000, path) == {"malignant": ("mel", "bcc", "akiec"), "melanoma": ("mel",)}
    assert follow_source(OF_HAM10000, path) == ""
    assert "names no groups of classes now" in follow_source(CLASSES, path)
    assert path.read_text() == NONE
    groups(tmp_path, "malignant,melanoma")
    before = path.read_bytes()
    assert follow_source(CLASSES, path) == ""
    assert "line 2, group 'malignant': 'melanoma' is no class" in follow_source(OF_HAM10000, path)
    assert path.read_bytes() == before
