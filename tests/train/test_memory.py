import torch

from dermlab.model.backbones import Backbone, create_backbone
from dermlab.train.memory import activation_bytes, computes_twice, fit_to_memory, images_at_once

CPU = torch.device("cpu")


def test_what_an_image_leaves_for_the_backward_pass_is_measured():
    """A linear layer keeps its input: 3 x 8 x 8 float32 an image. What does not grow with the batch is not counted."""
    backbone = Backbone("linear", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 5)), 5, 8)
    assert activation_bytes(backbone, 8, CPU, torch.float32) == 192 * 4


def test_a_deeper_network_keeps_more():
    def network(depth: int) -> Backbone:
        layers = [torch.nn.Sequential(torch.nn.Linear(192, 192), torch.nn.Sigmoid()) for _ in range(depth)]
        return Backbone("deep", torch.nn.Sequential(torch.nn.Flatten(), *layers), 192, 8)

    kept = [activation_bytes(network(depth), 8, CPU, torch.float32) for depth in (1, 2, 3)]
    assert kept == [192 * 4 * (depth + 1) for depth in (1, 2, 3)]  # the input, and each sigmoid's output


def test_measuring_leaves_batch_norm_statistics_as_they_were():
    norm = torch.nn.BatchNorm2d(3)
    activation_bytes(Backbone("norm", norm, 192, 8).train(), 8, CPU, torch.float32)
    assert norm.running_mean.tolist() == [0, 0, 0]
    assert norm.num_batches_tracked == 0


def test_a_cpu_never_computes_twice_and_takes_a_batch_whole():
    backbone = Backbone("none", torch.nn.Flatten(), 3, 1, checkpointing=lambda: 1 / 0)
    assert fit_to_memory(backbone, 8, 64, CPU, torch.float32) == 64


def test_passes_are_even_and_as_large_as_fit():
    assert [images_at_once(64, 1.0, free) for free in (100, 64, 63.9, 31, 5, 0.5)] == [64, 64, 32, 16, 4, 1]
    assert images_at_once(48, 1.0, 20) == 16


def test_a_network_that_its_library_cannot_compute_twice_is_taken_in_passes():
    convnext = {"model_type": "convnext", "hidden_sizes": [8, 8], "depths": [1, 1], "num_stages": 2}
    of_transformers = {"vision": convnext, "mean": [0.5] * 3, "std": [0.5] * 3}
    assert not computes_twice(create_backbone("hf:a/b", 32, pretrained=False, config=of_transformers))
    assert not computes_twice(create_backbone("timm:convit_tiny", 224, pretrained=False))
    assert not computes_twice(Backbone("none", torch.nn.Flatten(), 3, 1))
    assert computes_twice(create_backbone("timm:test_vit", 64, pretrained=False))
