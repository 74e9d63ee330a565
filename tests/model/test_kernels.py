import pytest
import torch
from torch import nn

from dermlab.model import kernels
from dermlab.model.backbones import Backbone, create_backbone
from dermlab.model.kernels import alike, choose_attention, compile_blocks, frozen_as_inferred, peak_flops, training_flops
from dermlab.model.runtime import Runtime

CPU = torch.device("cpu")


def test_operations_are_those_of_forward_and_backward():
    """A linear layer of 192 to 5: 2 x 960 forward, as much for the weights' gradient, and none for the image's."""
    backbone = Backbone("linear", nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), 5, 8)
    assert training_flops(backbone, 8, CPU) == 2 * 2 * 960
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_blocks_are_alike_where_shapes_and_classes_are():
    assert alike([nn.Linear(4, 4) for _ in range(4)])
    assert not alike([nn.Linear(4, 4) for _ in range(3)])
    assert not alike([nn.Linear(4, 4) for _ in range(3)] + [nn.Linear(4, 5)])


def test_nothing_is_compiled_or_measured_on_a_cpu():
    backbone, runtime = create_backbone("timm:test_vit", 160, pretrained=False), Runtime(CPU, torch.float32, torch.float32, "")
    assert compile_blocks(backbone, runtime) == 0
    assert choose_attention(backbone, 160, 2, runtime) is None
    assert peak_flops(CPU) is None


def test_a_network_attends_or_does_not():
    runtime = Runtime(CPU, torch.float32, torch.float32, "")
    assert kernels._attends(create_backbone("timm:test_vit", 160, pretrained=False), 160, runtime)
    assert not kernels._attends(create_backbone("lite0", 64, pretrained=False), 64, runtime)


@pytest.mark.parametrize(
    ("name", "peak"), [("NVIDIA H100 80GB HBM3", 989e12), ("NVIDIA H100 PCIe", 756e12), ("NVIDIA L40S", 362e12), ("Tesla T4", None)]
)
def test_the_peak_of_a_gpu_is_known_by_its_name(monkeypatch, name, peak):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak_flops(torch.device("cuda", 0)) == peak


def test_what_is_frozen_runs_in_the_format_of_inference_and_what_learns_in_that_of_training():
    torch.manual_seed(0)
    backbone = create_backbone("lite0", 64, pretrained=False).eval()
    backbone.train_last(2)
    first, last = (backbone.trunk.get_submodule(backbone.blocks()[at]) for at in (0, -1))
    seen = {}
    first.register_forward_hook(lambda block, given, made: seen.update(first=made.dtype))
    last.register_forward_hook(lambda block, given, made: seen.update(last=made.dtype))
    images = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    plain = backbone(images)
    with frozen_as_inferred(backbone, Runtime(CPU, torch.float32, torch.bfloat16, "")):
        mixed = backbone(images)
    mixed.sum().backward()
    assert seen == {"first": torch.bfloat16, "last": torch.float32}
    assert mixed.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(mixed, plain).min() > 0.999
    assert {name for name, p in backbone.trunk.named_parameters() if p.grad is not None} == {
        name for name, p in backbone.trunk.named_parameters() if p.requires_grad
    }
    torch.testing.assert_close(backbone(images), plain)  # afterwards all is as before


CLIP = {"image_size": 64, "layers": 3, "width": 64, "head_width": 32, "patch_size": 16}
SIGLIP = {
    "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "image_size": 64, "patch_size": 16,
}  # fmt: skip
SAID = {"mean": [0.5] * 3, "std": [0.5] * 3}


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("open_clip:hf-hub:a/b", {"embed_dim": 48, "vision": CLIP, "quick_gelu": False, **SAID}),  # its blocks are handed a mask too
        ("medsiglip", {"vision": SIGLIP, **SAID}),
        ("timm:tiny_vit_5m_224", {}),  # has layers between its stages, which no block holds
    ],
)
def test_what_is_frozen_runs_in_the_format_of_inference_whatever_library_calls_it(name, config):
    torch.manual_seed(0)
    backbone = create_backbone(name, 64, pretrained=False, config=config).eval()
    backbone.train_last(2)
    images = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    plain = backbone(images)
    with frozen_as_inferred(backbone, Runtime(CPU, torch.float32, torch.bfloat16, "")):
        mixed = backbone(images)
    mixed.sum().backward()
    assert (mixed - plain).abs().max() > 0
    assert torch.nn.functional.cosine_similarity(mixed, plain).min() > 0.999
    assert all(parameter.grad is not None for parameter in backbone.trunk.get_submodule(backbone.blocks()[-1]).parameters())


@pytest.mark.parametrize("formats", [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16)])
def test_where_both_formats_are_one_nothing_is_wrapped(formats):
    backbone = create_backbone("lite0", 64, pretrained=False)
    backbone.train_last(1)
    with frozen_as_inferred(backbone, Runtime(CPU, *formats, "")):
        assert not any("forward" in vars(module) for module in backbone.modules())
