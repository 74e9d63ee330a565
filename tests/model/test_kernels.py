import pytest
import torch
from torch import nn

from dermlab.model import kernels
from dermlab.model.backbones import Backbone, create_backbone
from dermlab.model.kernels import alike, choose_attention, compile_blocks, peak_flops, training_flops
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
