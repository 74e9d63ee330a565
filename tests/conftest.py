"""In which order tests run; a finished run; and dual encoders small enough to draw at random: no weights hub is asked."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
import torch
from playwright.sync_api import Browser
from safetensors.torch import save_file
from world import World, make_world

from dermlab.model.torchvision_shim import declare_missing_operators

TESTS = Path(__file__).parent
# The files that take longest, in the order in which processes take them up; the first makes the clinic that most of the others copy.
# `make test FAST=1` leaves them out.
SLOWEST = (
    "pipeline/test_dvc.py", "pipeline/test_pod.py", "pipeline/test_edit_cost.py", "pipeline/test_study.py",
    "pipeline/test_out_of_fold.py", "pipeline/test_field_recipe.py", "study/test_at_once.py", "pipeline/test_benchmarks.py",
    "pipeline/test_readers.py", "pipeline/test_full_disk.py", "pipeline/test_kills.py", "train/test_run.py",
    "predict/test_predict.py", "predict/test_export.py", "train/test_killed.py", "study/test_out_of_fold.py", "embed/test_features.py",
    "review/test_session.py", "review/test_reading.py", "review/test_pause.py", "predict/test_figures.py", "run/test_workers.py",
    "study/test_quiet_dvc.py", "flag/test_build_flags.py", "run/test_bucket.py",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The slowest files first, so that no process is left with one of them at the end."""
    rank = {TESTS / name: place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))  # stable: within a file, and of all others, as they were
    if os.environ.get("DERMLAB_FAST"):
        slow = [item for item in items if item.path in rank]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item.path not in rank]


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    """A finished run, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return make_world(tmp_path)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser.chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory) -> str:
    """Name of a backbone: a small ViT and text tower under a name of their own in open_clip's list of models, with their random
    weights in a file, which open_clip takes for a tag."""
    declare_missing_operators()
    import open_clip

    folder = tmp_path_factory.mktemp("clip")
    vision = {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    (folder / "ViT-tiny-text.json").write_text(json.dumps({"embed_dim": 48, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(folder / "ViT-tiny-text.json")
    torch.manual_seed(0)
    model = open_clip.create_model("ViT-tiny-text")
    save_file(model.state_dict(), folder / "weights.safetensors")
    return f"open_clip:ViT-tiny-text/{folder / 'weights.safetensors'}"


@pytest.fixture(scope="session")
def clip_of_transformers(tmp_path_factory) -> str:
    """Name of an `hf` backbone that is no SigLIP model; its configuration alone."""
    folder = tmp_path_factory.mktemp("no_siglip")
    (folder / "config.json").write_text(json.dumps({"model_type": "clip"}))
    return f"hf:{folder}"
