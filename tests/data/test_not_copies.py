from pathlib import Path

import pytest

from dermlab.data.not_copies import HEADER, read_not_copies
from dermlab.run.errors import ContractError

GOOD = "b,a,ada,2026-03-01"


def pairs(folder: Path, *lines: str) -> Path:
    path = folder / "not-copies.csv"
    path.write_text("\n".join([",".join(HEADER), *lines]) + "\n")
    return path


def test_a_pair_reads_the_same_in_either_order(tmp_path):
    table = read_not_copies(pairs(tmp_path, GOOD, "", "c,d,bob,2026-03-02"))
    assert table[["image_id", "other_id"]].to_numpy().tolist() == [["a", "b"], ["c", "d"]]
    assert table.index.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a,b,bob,2026-03-02", "line 3, images 'a' and 'b': stand already on line 2"),
        ("c,c,bob,2026-03-02", "line 3, images 'c' and 'c': must be two ids"),
        (",c,bob,2026-03-02", "line 3, images '' and 'c': must be two ids"),
        ("c,d,,2026-03-02", "line 3, image 'c': has no reviewer"),
        ("c,d,bob,2.3.2026", "line 3, image 'c': date '2.3.2026' is not YYYY-MM-DD"),
        ("c,d", "line 3: has 2 values, must have 4"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, says):
    with pytest.raises(ContractError, match=says):
        read_not_copies(pairs(tmp_path, GOOD, line))


def test_a_file_that_is_gone_says_how_to_restore_it(tmp_path):
    with pytest.raises(ContractError, match="git checkout .*image_id,other_id,reviewer,date"):
        read_not_copies(tmp_path / "absent.csv")
