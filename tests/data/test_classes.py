"""Names that a class may not have."""

import pytest

from dermlab.data.classes import Classes, read_classes
from dermlab.data.json_files import write_json
from dermlab.run.errors import ContractError


@pytest.mark.parametrize("name", ["drop", "Drop", "cannot tell", "dry > eczema", "dry >"])
def test_a_class_named_as_the_ledger_or_a_reader_says_something_else_is_refused(name, tmp_path):
    with pytest.raises(ContractError, match=f"cannot be named '{name}'.*Rename it in the source, and lock again"):
        Classes(("acne", name))
    write_json(tmp_path / "classes.json", {"targets": ["acne", name]})
    with pytest.raises(ContractError, match="cannot be named"):
        read_classes(tmp_path / "classes.json")


def test_a_class_whose_name_holds_such_a_word_is_not():
    assert Classes(("eye drop", "dropsy", "a>b")).names[-1] == "other"
