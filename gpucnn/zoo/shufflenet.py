"""ShuffleNetV2 of 0.5, 1.0, 1.5 and 2.0 times the width."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn
from .blocks import ConvNorm

__all__ = ["ShuffleNetV2"]

_STEM = 24
_DEPTHS = (4, 8, 4)


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    """3×3 in each channel for itself, without activation."""
    conv = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    return [conv, nn.BatchNorm2d(channels)]


def _pointwise(in_channels: int, out_channels: int) -> list[nn.Module]:
    """1×1, with activation."""
    return [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()]


class Unit(nn.Module):
    """Half the channels pass, the other half is worked on; then the two halves are shuffled like cards.

    At stride 2 both branches read all channels, and the first has convolutions too.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.splits = stride == 1
        if not self.splits:
            self.branch1 = nn.Sequential(*_depthwise(in_channels, stride), *_pointwise(in_channels, half))
        first = half if self.splits else in_channels
        self.branch2 = nn.Sequential(*_pointwise(first, half), *_depthwise(half, stride), *_pointwise(half, half))

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, out_channels, h/stride, w/stride)."""
        if self.splits:
            kept, worked = F.chunk(x, 2, dim=1)
        else:
            kept, worked = self.branch1(x), x
        return F.channel_shuffle(F.cat([kept, self.branch2(worked)], 1), 2)


class ShuffleNetV2(nn.Module):
    """ShuffleNetV2; state-dict names are torchvision's.

    ======= ==================================== ==================
    layer   what                                 result for 224×224
    ======= ==================================== ==================
    conv1   3×3 convolution, stride 2            24×112×112
    maxpool 3×3, stride 2                        24×56×56
    stage2  4 units, the first of stride 2       widths[0]×28×28
    stage3  8 units, the first of stride 2       widths[1]×14×14
    stage4  4 units, the first of stride 2       widths[2]×7×7
    conv5   1×1 convolution                      widths[3]×7×7
    fc      mean of the map, dense               num_classes
    ======= ==================================== ==================

    Parameters
    ----------
    widths : tuple of 4 int
        Channels of the three stages and of the last convolution.
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Ma, Zhang, Zheng, Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture design",
    arXiv:1807.11164.
    """

    def __init__(self, widths: tuple[int, int, int, int], num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = ConvNorm(in_channels, _STEM, 3, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        *stages, last = widths
        channels = _STEM
        for i, (depth, width) in enumerate(zip(_DEPTHS, stages), 2):
            units = [Unit(channels, width, 2), *(Unit(width, width, 1) for _ in range(depth - 1))]
            self.add_module(f"stage{i}", nn.Sequential(*units))
            channels = width
        self.conv5 = ConvNorm(channels, last)
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32 are sensible."""
        x = self.maxpool(self.conv1(x))
        x = self.stage4(self.stage3(self.stage2(x)))
        x = F.adaptive_avg_pool2d(self.conv5(x), 1)
        return self.fc(F.flatten(x, 1))
