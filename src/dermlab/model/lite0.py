"""EfficientNet-Lite0 (Tan & Le 2019; the lite variants of 2020 have ReLU6 and neither squeeze-and-excitation nor swish) up to its features.

timm's `tf_efficientnet_lite0`, and the same to the bit: names of the weights, arithmetic, random numbers drawn at its making. But timm
comes with torchvision and all of torch's compiler, which take longer to import than torch itself; every stage of the default recipe,
and `dermlab predict` of one photo, would wait for that.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

FEATURES = 1280
STEM = 32
# Of each stage: blocks, side of the kernel, stride of the first, how much wider it is inside, channels.
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))
EPSILON = 1e-3  # of batch norm, as TensorFlow's


class Lite0(nn.Module):
    """float32 [B, 3, S, S] to features [B, 1280]."""

    def __init__(self) -> None:
        super().__init__()
        self.num_features, self.checkpointing = FEATURES, False
        self.conv_stem, self.bn1 = _convolution(3, STEM, 3, stride=2), _Relu6Norm(STEM, EPSILON)
        for _ in range(2):
            nn.Conv2d(8, 8, 1)  # a layer that timm tries out and drops: a head drawn after this network starts where it always did
        stages, channels = [], STEM
        for blocks, kernel, first_stride, wider, out in STAGES:
            made = []
            for number in range(blocks):
                stride = 1 if number else first_stride
                made.append(_Block(channels, channels * wider, out, kernel, stride) if wider > 1 else _FirstBlock(channels, out, kernel))
                channels = out
            stages.append(nn.Sequential(*made))
        self.blocks = nn.Sequential(*stages)
        self.conv_head, self.bn2 = _convolution(channels, FEATURES, 1), _Relu6Norm(FEATURES, EPSILON)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                side, _ = module.kernel_size
                nn.init.normal_(module.weight, 0, math.sqrt(2 / (side * side * module.out_channels // module.groups)))

    def set_grad_checkpointing(self) -> None:
        self.checkpointing = True

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.conv_stem(images))
        for stage in self.blocks:
            for block in stage:
                x = checkpoint(block, x, use_reentrant=False) if self.checkpointing else block(x)
        x = self.bn2(self.conv_head(x))
        return F.adaptive_avg_pool2d(x, 1).flatten(1)


class _FirstBlock(nn.Module):
    """Depthwise, then narrower; nothing is added, as the channels differ."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw, self.bn1 = _convolution(channels, channels, kernel, groups=channels), _Relu6Norm(channels, EPSILON)
        self.conv_pw, self.bn2 = _convolution(channels, out, 1), nn.BatchNorm2d(out, EPSILON)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn2(self.conv_pw(self.bn1(self.conv_dw(x))))


class _Block(nn.Module):
    """An inverted bottleneck: wider, depthwise, narrower without an activation; added to what came in where that has the same shape."""

    def __init__(self, channels: int, inside: int, out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.adds = stride == 1 and channels == out
        self.conv_pw, self.bn1 = _convolution(channels, inside, 1), _Relu6Norm(inside, EPSILON)
        self.conv_dw, self.bn2 = _convolution(inside, inside, kernel, stride, groups=inside), _Relu6Norm(inside, EPSILON)
        self.conv_pwl, self.bn3 = _convolution(inside, out, 1), nn.BatchNorm2d(out, EPSILON)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        narrowed = self.bn3(self.conv_pwl(self.bn2(self.conv_dw(self.bn1(self.conv_pw(x))))))
        return narrowed + x if self.adds else narrowed


class _Relu6Norm(nn.BatchNorm2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu6(super().forward(x), inplace=True)


class _Strided(nn.Conv2d):
    """Padded as TensorFlow does: as much as is needed, and where that is odd, more at the end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        side, stride = self.kernel_size[0], self.stride[0]
        down, across = (max((math.ceil(length / stride) - 1) * stride + side - length, 0) for length in x.shape[-2:])
        return super().forward(F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2)))


def _convolution(channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride > 1:
        return _Strided(channels, out, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(channels, out, kernel, padding=kernel // 2, groups=groups, bias=False)
