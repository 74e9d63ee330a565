"""Nobody is asked about photos of a source that was locked before."""

import pytest

from dermlab.cli import app
from dermlab.data.tables import SOURCE_MANIFEST, write_table
from dermlab.run import paths
from dermlab.run.errors import ContractError

READER = ["review", "--reader", "Anna"]


@pytest.mark.parametrize("asked", [["review"], READER, [*READER, "--sample", "30"]])
def test_a_page_of_what_was_locked_before_is_refused(world, asked):
    manifest = world.catalog[["image_id", "patient_id", "case_id", "diagnosis"]].assign(split=None, key="a", size=1, etag="e")
    write_table(paths.SOURCE / "manifest.parquet", manifest, SOURCE_MANIFEST)
    app(asked, standalone_mode=False)  # of the source that is locked
    for page in paths.REVIEW.parent.glob("*.html"):
        page.unlink()
    write_table(paths.SOURCE / "manifest.parquet", manifest.assign(diagnosis="acne"), SOURCE_MANIFEST)
    with pytest.raises(ContractError, match=r"data/source was locked anew since .*dvc repro flag"):
        app(asked, standalone_mode=False)
    assert not list(paths.REVIEW.parent.glob("*.html"))
