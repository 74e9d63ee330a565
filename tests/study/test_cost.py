import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from dermlab.run.errors import DermlabError
from dermlab.study.cost import as_table, read_costs

EPOCH = {
    "experiment": "focal-17-unfinished", "phase": "finetune", "images": 1000, "seconds": 20.0, "training_seconds": 10.0,
    "waiting_seconds": 1.0, "device": "H100", "processes": 2, "device_hours": 40 / 3600, "memory_gb": 50.0, "flop_utilisation": 0.3,
    "usd": 0.5,
}  # fmt: skip
HEAD = {
    "experiment": "base", "phase": "frozen", "images": 600, "seconds": 3.0, "training_seconds": 2.0, "waiting_seconds": 0.0,
    "device": "cpu", "processes": 1, "device_hours": 3 / 3600,
}  # fmt: skip


def log(folder: Path, *epochs: dict, end: str = "") -> Path:
    path = folder / "train-log.jsonl"
    path.write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs) + end)
    return path


def test_epochs_are_added_up_by_experiment_and_rates_are_those_of_fine_tuning(tmp_path):
    slower = {**EPOCH, "training_seconds": 30.0, "waiting_seconds": 3.0, "flop_utilisation": 0.1, "memory_gb": 51.0}
    head = {**EPOCH, "phase": "frozen", "training_seconds": 1.0, "images": 9000}
    costs = read_costs(log(tmp_path, head, EPOCH, HEAD, slower)).set_index("experiment")
    assert list(costs.index) == ["focal-17", "base"]
    focal = costs.loc["focal-17"]
    assert focal["device"] == "2 x H100"
    assert (focal["epochs"], focal["images"], focal["memory_gb"], focal["usd"]) == (3, 11000, 51.0, 1.5)
    assert focal["hours"] == pytest.approx(60 / 3600)
    assert focal["images_per_second"] == pytest.approx(2000 / 40)
    assert focal["waiting"] == pytest.approx(0.1)
    assert focal["flop_utilisation"] == pytest.approx((0.3 * 10 + 0.1 * 30) / 40)
    assert costs.loc["base", ["memory_gb", "flop_utilisation", "usd"]].isna().all()


def test_what_nobody_knows_has_no_column_and_the_last_row_is_the_sum(tmp_path):
    out = io.StringIO()
    Console(file=out, width=130).print(as_table(read_costs(log(tmp_path, HEAD, {**HEAD, "experiment": "other"}))))
    said = out.getvalue()
    assert "$" not in said
    assert "of peak" not in said
    assert said.splitlines()[-1].split()[:3] == ["together", "2", "1,200"]


@pytest.mark.parametrize(
    "line",
    [
        '{"experiment": "ba',
        "[]",
        "3",
        "null",
        "[" * 100_000,
        *(json.dumps(EPOCH | {"images": bad}) for bad in (-1, float("nan"), "many", None)),
    ],
)
def test_a_line_that_is_no_epoch_is_counted_and_costs_nothing(line, tmp_path, capsys):
    assert read_costs(log(tmp_path, HEAD, end=line + "\n"))["experiment"].tolist() == ["base"]
    assert "1 lines hold no epoch" in capsys.readouterr().out


def test_a_line_that_a_dying_machine_left_unfinished_is_passed_over(tmp_path):
    assert read_costs(log(tmp_path, HEAD, end='{"experiment": "ba'))["epochs"].tolist() == [1]
    with pytest.raises(DermlabError, match="no epoch that can be read"):
        read_costs(log(tmp_path, end="{"))
    with pytest.raises(DermlabError, match="nothing has been trained here yet"):
        read_costs(tmp_path / "absent.jsonl")
