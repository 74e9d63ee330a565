"""What a run will cost is reckoned from counts and speeds; what a machine has is tried."""

from pathlib import Path

import pandas as pd
import pytest
from defaults import DEFAULTS

from dermlab.cli import app
from dermlab.preflight import machine_checks
from dermlab.preflight.estimate import GO, LOOK, NO, OVERHEAD, Work, disk, hours_of
from dermlab.preflight.run import is_go, preflight, values_of, work_of
from dermlab.pull.budget import stored_bytes
from dermlab.run.errors import ParamsError
from dermlab.run.machine import read_machine
from dermlab.study.recipe import read_recipe

ROOT = Path(__file__).parents[2]
PARAMS = DEFAULTS.read_text()
FIELD = {"images": 118785, "originals_gb": 104, "disk_gb": 100, "epoch_seconds": 1735}


@pytest.fixture
def reachable(monkeypatch):
    monkeypatch.setattr(machine_checks, "weights", lambda backbone: machine_checks.Check("weights", GO, "reachable"))
    monkeypatch.setattr("dermlab.preflight.run.licence", lambda backbone: None)


def checks_of(recipe: str, usd: float = 3.3, figures=FIELD, **limits):
    machine = read_machine(DEFAULTS).model_copy(update={"usd_per_hour": usd, **limits})
    found = preflight(read_recipe(ROOT / "recipes" / f"{recipe}.yaml"), PARAMS, machine, None, **figures)
    return {check.what: check for check in found}


def test_on_the_fields_figures_it_says_what_the_field_found_out(reachable):
    found = checks_of("medsiglip-h100")
    assert found["disk"].result == GO
    assert "The originals, 104 GB, would not fit and are not kept: no mount needed" in found["disk"].said
    assert "118,785 rows at batch 64: 1,856 an epoch; 1 rows wait for the next (never a batch of one)" in found["steps"].said
    assert "(3.1 h the first" in found["hours"].said
    assert found["dollars"].said == "$39 to $64 at $3.3 an hour"
    assert found["evidence"].result == LOOK
    assert "one seed each: on 23,757 test photos, each of another patient, that tells 2.4 points of top-1 apart" in found["evidence"].said
    assert is_go(list(found.values()))


def test_hours_are_epochs_times_rows_over_speed(reachable):
    values = [{"train.batch_size": 64, "train.finetune_epochs": 6}] * 2
    low, high = hours_of(values, Work(1000, 650, 100, 0, speeds=(100.0, 10.0), measured="here"))
    assert low == pytest.approx((1000 / 100 + 2 * (6 * 640 / 10 + 100 / 100)) / 3600)
    assert high == pytest.approx(low * OVERHEAD)


def test_more_than_was_allowed_is_no_go(reachable):
    assert checks_of("medsiglip-h100", max_hours=8)["hours"].result == NO
    assert "more than machine.max_hours = 8" in checks_of("medsiglip-h100", max_hours=8)["hours"].said
    assert checks_of("medsiglip-h100", max_usd=20)["dollars"].result == NO
    assert checks_of("medsiglip-h100", max_usd=100, max_hours=24)["dollars"].result == GO
    unpriced = checks_of("medsiglip-h100", usd=0, max_usd=100)["dollars"]
    assert (unpriced.result, "nobody said what an hour costs" in unpriced.said) == (NO, True), "a limit that limits nothing"


def test_a_disk_that_is_too_small_is_no_go_with_the_size_that_fits():
    work = Work(100_000, 80_000, 10_000, 0)
    found = disk(work, 448, free=2 * 100_000 * stored_bytes(224))
    assert found.result == NO
    assert found.said.endswith("it fits with pull.image_size=224")
    small = Work(100_000, 80_000, 10_000, 100_000 * stored_bytes(448) // 2)  # originals of half the size that they are stored in
    said = disk(small, 448, free=int(100_000 * stored_bytes(448) / 2)).said
    assert disk(small, int(said.rpartition("=")[2]), free=int(100_000 * stored_bytes(448) / 2)).result == GO


def test_a_backbone_that_nobody_timed_gets_no_invented_hours(reachable):
    found = checks_of("demo", figures={**FIELD, "epoch_seconds": None})
    assert found["hours"].result == LOOK
    assert "no speed is known" in found["hours"].said
    assert "dollars" not in found


def test_dropping_rows_as_the_field_did_is_pointed_at(reachable):
    assert checks_of("policies")["cleaning"].result == LOOK
    assert "cleaning" not in checks_of("demo")


@pytest.mark.parametrize("variant", ["cleaned", "agreed+rebalanced"])
@pytest.mark.parametrize("knobs", [{"guard: on": "guard: off"}, {"probs: oof": "probs: in_sample"}, {}])
def test_it_is_the_guard_and_what_is_asked_of_a_row_that_decide(reachable, knobs, variant, tmp_path):
    params = PARAMS.replace("variant: baseline", f"variant: {variant}")
    for old, new in knobs.items():
        params = params.replace(old, new, 1)
    (tmp_path / "mine.yaml").write_text("experiments:\n  baseline: {}\n")
    found = preflight(read_recipe(tmp_path / "mine.yaml"), params, read_machine(DEFAULTS), None, **FIELD)
    assert ("cleaning" in {check.what for check in found}) == bool(knobs)


def test_each_backbone_of_a_recipe_is_asked_for(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(machine_checks, "weights", lambda backbone: asked.append(backbone) or machine_checks.Check("weights", NO, "gated"))
    monkeypatch.setattr("dermlab.preflight.run.licence", lambda backbone: asked.append(f"licence of {backbone}"))
    (tmp_path / "mine.yaml").write_text("experiments:\n  baseline: {}\n  a: {backbone: 'hf:b/c'}\n  b: {backbone: 'hf:b/c', loss: focal}\n")
    found = preflight(read_recipe(tmp_path / "mine.yaml"), PARAMS, read_machine(DEFAULTS), None, **FIELD)
    assert asked == ["lite0", "licence of lite0", "hf:b/c", "licence of hf:b/c"]
    assert not is_go(found)


@pytest.mark.parametrize("figure", ["-1", "0", "nan", "inf", "1e300", "1e-300"])
@pytest.mark.parametrize("option", ["--originals-gb", "--disk-gb", "--epoch-seconds", "--usd-per-hour"])
def test_a_figure_that_is_none_is_refused_with_its_option(option, figure, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    if (option, figure) == ("--usd-per-hour", "0"):
        return  # not said
    assert app(["preflight", "demo", "--images", "1000", f"{option}={figure}"], standalone_mode=False) == 2
    assert f"Invalid value for '{option}'" in capsys.readouterr().err.replace('"', "'")


@pytest.mark.parametrize("images", ["-1", "0", "10000000000"])
def test_a_count_of_images_that_is_none_is_refused(images, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert app(["preflight", "demo", f"--images={images}"], standalone_mode=False) == 2
    assert "--images" in capsys.readouterr().err


def test_a_price_of_the_machine_that_is_none_is_refused_with_its_name(tmp_path, monkeypatch):
    for figure in ("-1", ".nan", ".inf", "much"):
        (tmp_path / "params.yaml").write_text(PARAMS.replace("usd_per_hour: 0", f"usd_per_hour: {figure}"))
        with pytest.raises(ParamsError, match="machine.usd_per_hour"):
            read_machine(tmp_path / "params.yaml")
    for name in ("DERMLAB_MAX_HOURS", "DERMLAB_USD_PER_HOUR"):
        monkeypatch.setenv(name, "nan")
        with pytest.raises(ParamsError, match=f"{name}: 'nan' is not valid"):
            read_machine(DEFAULTS)
        monkeypatch.delenv(name)


def test_a_recipe_whose_params_are_not_valid_is_not_reckoned_with(reachable, tmp_path):
    (tmp_path / "mine.yaml").write_text("experiments:\n  baseline: {}\n  a: {loss: focl}\n")
    with pytest.raises(ParamsError, match="a: loss: 'focl' is not valid"):
        preflight(read_recipe(tmp_path / "mine.yaml"), PARAMS, read_machine(DEFAULTS), None, **FIELD)


def test_several_seeds_are_evidence(reachable):
    assert checks_of("medsiglip-scout")["evidence"].result == GO


def test_rows_come_from_the_pin_and_its_splits(tmp_path):
    from dermlab.lock.listing import Options
    from dermlab.lock.lock import lock

    pin = lock("phantom", Options(images=300), tmp_path / "pin", tmp_path / "location")
    (values, *_) = values_of(read_recipe(ROOT / "recipes" / "demo.yaml"), PARAMS)
    work = work_of(pin, values, None, None)
    targets = int((pin.manifest["diagnosis"].map(pin.classes.label_of) != "other").sum())
    assert (work.images, work.train_rows, work.test_rows) == (300, round(targets * 0.8 * 0.9), round(targets * 0.2))
    given = pin.manifest.assign(split=pd.Series(["train"] * 200 + ["test"] * 60 + ["val"] * 40))
    from dataclasses import replace

    work = work_of(replace(pin, manifest=given), values, None, None)
    target = given["diagnosis"].map(pin.classes.label_of) != "other"
    assert work.train_rows == int((given["split"] == "train")[target].sum())
    given["split"] = given["split"].replace("val", "train")  # catalog then takes val out of train
    left = 1 - values["catalog.val_fraction"]
    assert work_of(replace(pin, manifest=given), values, None, None).train_rows == round(left * (given["split"] == "train")[target].sum())


def test_what_this_machine_has_is_tried(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert machine_checks.memory(tmp_path / "no-shm").result == LOOK
    assert "cores decode about" in machine_checks.decoding(64, None).said
    assert machine_checks.decoding(64, 1e9).result == LOOK
    assert machine_checks.gpu("auto").result in (GO, LOOK)
    missing = machine_checks.source(None)
    assert (missing.result, "dermlab lock" in missing.said) == (NO, True)
    monkeypatch.setenv("DERMLAB_SOURCE", "phantom:300:17")
    assert machine_checks.source("no-such-key").result == NO
    assert machine_checks.weights("lite0").result == GO


def test_the_source_is_tried_by_reading_one_object(tmp_path, monkeypatch):
    (tmp_path / "secret-name.jpg").write_bytes(b"x" * 2000)
    monkeypatch.setenv("DERMLAB_SOURCE", str(tmp_path))
    found = machine_checks.source("secret-name.jpg")
    assert found.result == GO
    assert "2 KB" in found.said
    assert "secret" not in found.said


def test_a_fold_is_predicted_and_not_trained_on(reachable):
    values = [{"train.batch_size": 64, "train.finetune_epochs": 6, "manifest.held_out": f"{k}/5"} for k in range(1, 6)]
    low, _ = hours_of(values, Work(1000, 800, 100, 0, speeds=(100.0, 10.0), measured="here"))
    assert low == pytest.approx((1000 / 100 + 5 * (6 * 640 / 10 + (100 + 160) / 100)) / 3600)
    found = checks_of("oof-finetuned")
    assert "95,028 rows at batch 64" in found["steps"].said
    assert found["evidence"].result == GO


def test_a_name_that_a_library_does_not_list_is_no_go():
    listed = ("timm:resnet10t", "timm:resnet18.a1_in1k", "open_clip:ViT-B-32/openai")
    misspelt = ("timm:resnet10", "timm:resnet18.a1_in2k", "open_clip:ViT-B-31/openai", "open_clip:ViT-B-32/opnai")
    assert [machine_checks.weights(name).result for name in listed] == [LOOK] * 3
    assert [machine_checks.weights(name).result for name in misspelt] == [NO] * 4
    assert "It has openai" in machine_checks.weights(misspelt[-1]).said


@pytest.mark.parametrize(("family", "file"), [("hf", "config.json"), ("open_clip:hf-hub", "open_clip_config.json")])
def test_a_folder_of_weights_is_no_go_before_it_holds_their_description(tmp_path, family, file):
    found = machine_checks.weights(f"{family}:{tmp_path}")
    assert (found.result, found.said) == (NO, f"{tmp_path} is a folder here, and has no {file}")
    (tmp_path / file).write_text("{}")
    assert machine_checks.weights(f"{family}:{tmp_path}").result == GO
    assert "a folder has no revisions" in machine_checks.weights(f"{family}:{tmp_path}@v1").said
    assert "which is not there" in machine_checks.weights(f"{family}:{tmp_path}/none").said
