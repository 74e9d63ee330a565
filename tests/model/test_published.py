"""Networks as people publish them on a hub, from a cache that is filled beforehand: nothing is fetched."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dermlab.data.classes import Classes
from dermlab.model.backbones import create_backbone
from dermlab.model.classifier import FusedClassifier
from dermlab.model.names import folder_of, repository_of
from dermlab.model.network import Network, load_network, save_network
from dermlab.model.text import text_features
from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.run.errors import ContractError, ParamsError, SourceError

declare_missing_operators()
OLD, NEW = "0" * 40, "1" * 40  # revisions
TEXT = {"context_length": 8, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
VIT = {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16}
OF_TIMM = {"timm_model_name": "test_vit", "timm_model_pretrained": True, "timm_pool": "", "timm_proj": "linear", "image_size": 160}


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """An empty cache of the hub, on a machine without a way to it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def revision_in(hub: Path, repository: str, revision: str) -> Path:
    """The folder of a revision, which is the newest from now on."""
    at = hub / f"models--{repository.replace('/', '--')}"
    (at / "refs").mkdir(parents=True, exist_ok=True)
    (at / "refs" / "main").write_text(revision)
    (at / "snapshots" / revision).mkdir(parents=True)
    return at / "snapshots" / revision


def publish_timm(folder: Path, architecture: str = "test_vit", seed: int = 0) -> torch.nn.Module:
    import timm

    torch.manual_seed(seed)
    network = timm.create_model(architecture, num_classes=5).eval()
    timm.models.save_for_hf(network, folder, safe_serialization=True)
    return network


def publish_clip(folder: Path, vision: dict, file: str = "open_clip_model.safetensors") -> torch.nn.Module:
    import open_clip

    torch.manual_seed(0)
    clip = open_clip.CLIP(48, {**vision, "timm_model_pretrained": False}, TEXT).eval()
    (save_file if file.endswith(".safetensors") else torch.save)(clip.state_dict(), folder / file)
    described = {"model_cfg": {"embed_dim": 48, "vision_cfg": vision, "text_cfg": TEXT}}
    described["preprocess_cfg"] = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    (folder / "open_clip_config.json").write_text(json.dumps(described))
    return clip


def images(side: int) -> torch.Tensor:
    return torch.randint(0, 255, (2, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def normalised(side: int, mean, std) -> torch.Tensor:
    return (images(side) / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def is_built_again_without_a_hub(backbone, side: int, folder: Path) -> None:
    network = Network(FusedClassifier(backbone, 0, 3).eval(), Classes(("acne", "wart")), (), side, backbone.name, np.ones(3) / 3)
    save_network(network, folder)
    again = load_network(folder).module
    with torch.inference_mode():
        torch.testing.assert_close(again(images(side), torch.zeros(2, 0)), network.module(images(side), torch.zeros(2, 0)))


@pytest.mark.parametrize(
    ("backbone", "repository", "revision"),
    [
        ("medsiglip", "google/medsiglip-448", None),
        ("hf:org/name@abc", "org/name", "abc"),
        ("timm:hf-hub:org/name@abc", "org/name", "abc"),
        ("open_clip:hf-hub:org/name", "org/name", None),
    ],
)
def test_the_repository_and_the_revision_stand_in_the_name(backbone, repository, revision):
    assert repository_of(backbone) == (repository, revision)


def test_names_of_a_librarys_own_list_are_no_repositories():
    assert [repository_of(name) for name in ("lite0", "timm:resnet10t", "open_clip:ViT-B-32/openai")] == [None] * 3


@pytest.mark.parametrize(("architecture", "side"), [("test_vit", 64), ("test_convnext", 32)])
def test_a_network_of_timms_layout_comes_with_its_weights_and_is_built_again_without_them(hub, tmp_path, architecture, side):
    network = publish_timm(revision_in(hub, "org/derm", NEW), architecture)
    native = network.pretrained_cfg["input_size"][-1]
    backbone = create_backbone("timm:hf-hub:org/derm", native).eval()
    network.reset_classifier(0)
    with torch.inference_mode():
        expected = network(normalised(native, network.pretrained_cfg["mean"], network.pretrained_cfg["std"]))
        torch.testing.assert_close(backbone(images(native)), expected)
    is_built_again_without_a_hub(create_backbone("timm:hf-hub:org/derm", side), side, tmp_path / "model")


def test_a_revision_that_is_named_is_the_one_that_is_loaded(hub):
    first, second = (publish_timm(revision_in(hub, "org/derm", revision), seed=seed) for seed, revision in enumerate((OLD, NEW)))
    for name, expected in (("timm:hf-hub:org/derm", second), (f"timm:hf-hub:org/derm@{OLD}", first)):
        assert torch.equal(create_backbone(name, 160).trunk.patch_embed.proj.weight, expected.patch_embed.proj.weight)


@pytest.mark.parametrize(
    ("vision", "native", "file"), [(VIT, 64, "open_clip_model.safetensors"), (OF_TIMM, 160, "open_clip_pytorch_model.bin")]
)
def test_an_image_tower_of_open_clips_layout_comes_with_its_weights_and_is_built_again_without_them(hub, tmp_path, vision, native, file):
    """The second as BiomedCLIP is published: a tower of timm, and a PyTorch file."""
    clip = publish_clip(revision_in(hub, "org/derm", NEW), vision, file)
    backbone = create_backbone("open_clip:hf-hub:org/derm", native).eval()
    assert (backbone.features, backbone.image_size) == (48, native)
    with torch.inference_mode():
        torch.testing.assert_close(backbone(images(native)), clip.visual(normalised(native, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4])))
    is_built_again_without_a_hub(create_backbone("open_clip:hf-hub:org/derm", 32), 32, tmp_path / "model")


def test_the_text_tower_of_the_same_repository_reads_prompts(hub):
    import open_clip

    clip = publish_clip(revision_in(hub, "org/derm", NEW), VIT)
    texts = text_features("open_clip:hf-hub:org/derm", ["a mole", "furniture"])
    with torch.inference_mode():
        expected = clip.encode_text(open_clip.SimpleTokenizer(context_length=8)(["a mole", "furniture"]), normalize=True)
    np.testing.assert_allclose(texts.vectors, expected, atol=1e-5)


def test_a_folder_stands_for_a_repository(tmp_path):
    network = publish_timm(tmp_path)
    backbone = create_backbone(f"timm:hf-hub:{tmp_path}", 160)
    assert torch.equal(backbone.trunk.patch_embed.proj.weight, network.patch_embed.proj.weight)


@pytest.mark.parametrize("family", ["timm:hf-hub", "open_clip:hf-hub", "hf"])
def test_a_folder_whose_path_holds_an_at_sign_has_no_revision_in_its_name(tmp_path, family):
    folder = tmp_path / "anna@clinic" / "derm@2"
    folder.mkdir(parents=True)
    assert repository_of(f"{family}:{folder}") == (str(folder), None)
    assert folder_of(f"{family}:{folder}") == folder
    if family == "timm:hf-hub":
        network = publish_timm(folder)
        assert torch.equal(create_backbone(f"{family}:{folder}", 160).trunk.patch_embed.proj.weight, network.patch_embed.proj.weight)


@pytest.mark.parametrize("family", ["timm:hf-hub", "open_clip:hf-hub", "hf"])
def test_a_revision_of_a_folder_is_refused_and_so_is_a_folder_that_is_not_there(tmp_path, family):
    with pytest.raises(ParamsError, match=f"{tmp_path} is a folder here, and a folder has no revisions. Leave @v1 out"):
        create_backbone(f"{family}:{tmp_path}@v1", 64)
    for missing in (f"{tmp_path}/none", "./none/here", "~/none"):
        with pytest.raises(SourceError, match=f"names the folder {missing}, which is not there. A repository is <org>/<name>"):
            create_backbone(f"{family}:{missing}", 64)


@pytest.mark.parametrize("family", ["timm:hf-hub", "open_clip:hf-hub", "hf"])
def test_a_folder_that_cannot_be_read_is_told_of_without_a_hub(tmp_path, family):
    with pytest.raises(SourceError, match=f"could not be read from {tmp_path} .*A folder holds what a repository") as told:
        create_backbone(f"{family}:{tmp_path}", 64)
    assert "offline" not in str(told.value)


def test_weights_that_a_repository_lacks_are_an_error_and_never_drawn_at_random(hub, tmp_path):
    publish_timm(tmp_path)
    whole = load_file(tmp_path / "model.safetensors")
    save_file({key: value for key, value in whole.items() if "blocks.1" not in key}, tmp_path / "model.safetensors")
    with pytest.raises(SourceError, match="blocks.1"):
        create_backbone(f"timm:hf-hub:{tmp_path}", 160)
    (revision_in(hub, "org/derm", NEW) / "config.json").write_text("{}")
    with pytest.raises(SourceError, match=r"org/derm has none of model.safetensors, pytorch_model.bin"):
        create_backbone("timm:hf-hub:org/derm", 160)


class Deed:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("family", ["timm", "open_clip"])
def test_what_was_downloaded_is_never_unpickled(tmp_path, family):
    if family == "timm":
        publish_timm(tmp_path)
        (tmp_path / "model.safetensors").unlink()
    else:
        publish_clip(tmp_path, VIT)
        (tmp_path / "open_clip_model.safetensors").unlink()
    for name in ("pytorch_model.bin", "open_clip_pytorch_model.bin"):
        (tmp_path / name).write_bytes(pickle.dumps({"weight": Deed(tmp_path / "done")}))
    with pytest.raises(SourceError, match="could not be read from"):
        create_backbone(f"{family}:hf-hub:{tmp_path}", 64)
    assert not (tmp_path / "done").exists()


def test_a_model_whose_description_names_another_repository_is_refused(tmp_path):
    backbone = create_backbone("timm:test_vit", 160, pretrained=False)
    network = Network(FusedClassifier(backbone, 0, 3), Classes(("acne", "wart")), (), 160, "timm:hf-hub:org/derm", np.ones(3) / 3)
    backbone.config = {"architecture": "hf-hub:org/other"}
    save_network(network, tmp_path / "model")
    with pytest.raises(ContractError, match="'hf-hub:org/other' would fetch files of others"):
        load_network(tmp_path / "model")
