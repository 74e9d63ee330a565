"""The folds of a study are joined to one table in which every training row is predicted by a network that has not seen it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from one_stage import DVC, start_repository

from dermlab.data.classes import Classes
from dermlab.data.tables import PREDICTIONS, write_table
from dermlab.flag.from_file import read_probabilities
from dermlab.run.errors import ContractError
from dermlab.run.files import named_by_content
from dermlab.study.out_of_fold import out_of_fold

# Six training rows, of which fold K of N predicts every Nth, the surer the larger the seed.
MAKE = """
from pathlib import Path
import pandas as pd
from ruamel.yaml import YAML
from dermlab.data.tables import CATALOG, IMAGES, PREDICTIONS, write_table
params = YAML(typ="safe").load(Path("params.yaml").read_text())
ids, labels = [f"t{i}" for i in range(7)], ["a", "a", "b", "b", "a", "other", "b"]
write_table(Path("data/catalog.parquet"), pd.DataFrame({
    "image_id": ids, "patient_id": ids, "case_id": ids, "diagnosis": labels, "label": labels, "split": ["train"] * 6 + ["test"],
}), CATALOG)
write_table(Path("data/images.parquet"), pd.DataFrame({
    "image_id": ids, "width": 1, "height": 1, "sha256": "", "phash": pd.Series([0] * 7, dtype="uint64"), "shard": 0, "row": 0,
}), IMAGES)
fold, _, folds = params["manifest"]["held_out"].partition("/")
rows = range(int(fold) - 1, 6, int(folds)) if folds else []
sure = {17: 0.5, 18: 0.75}[params["seed"]]
write_table(Path("data/held-out.parquet"), pd.DataFrame({
    "image_id": [ids[i] for i in rows], "patient_id": [ids[i] for i in rows], "diagnosis": "", "label": [labels[i] for i in rows],
    "prob_a": sure, "prob_b": 1 - sure, "prob_other": 0.0,
}), PREDICTIONS)
"""
PARAMS = "loss: ce\nseed: 17\nmanifest:\n  held_out: none\n"


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("folds")
    run = start_repository(folder, MAKE)
    (folder / "params.yaml").write_text(PARAMS)
    stage = (folder / "dvc.yaml").read_text().split("    params:")[0]
    outs = "[data/catalog.parquet, data/images.parquet, data/held-out.parquet]"
    (folder / "dvc.yaml").write_text(f"{stage}    params: [loss, seed, manifest]\n    outs: {outs}\n")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "pipeline")

    def experiment(name: str, held_out: str, seed: int = 17, loss: str = "ce") -> None:
        values = (f"manifest.held_out={held_out}", f"seed={seed}", f"loss={loss}")
        run(*DVC, "exp", "run", "-q", "--name", name, *(word for value in values for word in ("-S", value)))

    for seed, suffix in ((17, ""), (18, "-s18")):
        experiment(f"one{suffix}", "1/2", seed)
        experiment(f"two{suffix}", "2/2", seed)
    experiment("focal", "2/2", loss="focal")
    experiment("whole", "none")
    (folder / "make.py").write_text(MAKE.replace('"width": 1', '"width": 2'))
    run("git", "commit", "-qam", "larger images")
    experiment("larger", "2/2")
    return folder


def test_every_training_row_is_there_once_as_its_fold_predicts_it(repo):
    joined = out_of_fold(["two", "one"], repo)
    assert joined.table["image_id"].tolist() == [f"t{i}" for i in range(6)]
    assert (joined.table["prob_a"] == 0.5).all()
    assert joined.accuracy == 0.5
    assert joined.log_loss == pytest.approx((5 * np.log(2) + np.log(1e7)) / 6)


def test_flags_read_it(repo, tmp_path):
    path = tmp_path / "oof.parquet"
    table = out_of_fold(["one", "two"], repo).table
    write_table(path, table, PREDICTIONS)
    rows = pd.DataFrame({"image_id": table["image_id"], "label": table["label"]})
    assert read_probabilities(named_by_content(path), rows, Classes(("a", "b"))).of_labels.shape == (1, 6, 3)


def test_of_several_seeds_it_is_the_mean(repo):
    assert (out_of_fold(["one", "two", "one-s18", "two-s18"], repo).table["prob_a"] == 0.625).all()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["one"], r"3 of 6 training rows are predicted by none \(first: t1\): with seed 17 the experiments hold out 1/2 \(one\)"),
        (["one", "two-s18"], "3 of 6 training rows are predicted by none"),
        (["one", "two", "two"], r"3 training rows are predicted twice \(first: t1\)"),
        (["one", "whole"], "whole has no held-out fold .manifest.held_out is none."),
        (["one", "larger"], "larger was made from another catalog or other images than one"),
        (["one", "focal"], "focal is of another study than one: loss=focal, not ce"),
    ],
)
def test_what_is_no_whole_set_of_folds_of_one_study_is_refused(repo, names, said):
    with pytest.raises(ContractError, match=said):
        out_of_fold(names, repo)
