"""MobileNetV2."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn
from .blocks import ConvNorm

__all__ = ["InvertedResidual", "MobileNetV2"]

# Expansion of the channels inside a block, channels out, blocks, stride of the first: table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """1×1 up to ``expansion`` times the channels, 3×3 depthwise, 1×1 down without activation, and the shortcut.

    The shortcut joins the narrow ends, where shapes allow it: hence "inverted".
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        expand = [ConvNorm(in_channels, hidden, activation=nn.ReLU6)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            ConvNorm(hidden, hidden, 3, stride, groups=hidden, activation=nn.ReLU6),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, out_channels, h/stride, w/stride)."""
        y = self.conv(x)
        return x + y if self.has_shortcut else y


class MobileNetV2(nn.Module):
    """MobileNetV2; state-dict names are torchvision's.

    =============== ============================================= ==================
    layer           what                                          result for 224×224
    =============== ============================================= ==================
    features.0      3×3 convolution, stride 2                     32×112×112
    features.1      block                                         16×112×112
    features.2-3    blocks, the first of stride 2                 24×56×56
    features.4-6    blocks, the first of stride 2                 32×28×28
    features.7-10   blocks, the first of stride 2                 64×14×14
    features.11-13  blocks                                        96×14×14
    features.14-16  blocks, the first of stride 2                 160×7×7
    features.17     block                                         320×7×7
    features.18     1×1 convolution                               1280×7×7
    classifier      mean of the map, dense                        num_classes
    =============== ============================================= ==================

    Parameters
    ----------
    width : float
        Multiplies every number of channels (to the nearest multiple of 8), the last only if above 1.
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", arXiv:1801.04381.
    """

    def __init__(self, width: float = 1.0, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        channels = round_channels(32 * width)
        layers: list[nn.Module] = [ConvNorm(in_channels, channels, 3, stride=2, activation=nn.ReLU6)]
        for expansion, out_channels, depth, stride in _STAGES:
            out_channels = round_channels(out_channels * width)
            for i in range(depth):
                layers.append(InvertedResidual(channels, out_channels, stride if i == 0 else 1, expansion))
                channels = out_channels
        last = round_channels(1280 * max(1.0, width))
        layers.append(ConvNorm(channels, last, activation=nn.ReLU6))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, num_classes))

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32 are sensible."""
        x = self.features(x)
        x = F.adaptive_avg_pool2d(x, 1)
        return self.classifier(F.flatten(x, 1))


def round_channels(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of ``divisor`` that is not more than 10 % below ``channels``.

    Examples
    --------
    >>> round_channels(19.2), round_channels(35.2)
    (24, 32)
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor
