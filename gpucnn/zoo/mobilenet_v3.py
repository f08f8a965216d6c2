"""MobileNetV3, large and small."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn
from .blocks import ConvNorm, SqueezeExcitation
from .mobilenet import round_channels

__all__ = ["MobileNetV3"]

_EPS = 1e-3
_STEM = 16

Row = tuple[int, int, int, bool, bool, int]

# Kernel, channels inside the block, channels out, squeeze and excitation, hardswish instead of ReLU, stride:
# tables 1 and 2 of the paper.
_LARGE: tuple[Row, ...] = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
_SMALL: tuple[Row, ...] = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)


class Block(nn.Module):
    """1×1 up to ``hidden`` channels, depthwise, squeeze and excitation, 1×1 down without activation, and the shortcut."""

    def __init__(self, in_channels: int, row: Row) -> None:
        super().__init__()
        kernel_size, hidden, out_channels, excited, hard, stride = row
        activation = nn.Hardswish if hard else nn.ReLU
        layers: list[nn.Module] = []
        if hidden != in_channels:
            layers.append(ConvNorm(in_channels, hidden, activation=activation, eps=_EPS))
        layers.append(ConvNorm(hidden, hidden, kernel_size, stride, hidden, activation, _EPS))
        if excited:
            layers.append(SqueezeExcitation(hidden, round_channels(hidden // 4), gate=F.hardsigmoid))
        layers.append(ConvNorm(hidden, out_channels, activation=None, eps=_EPS))
        self.block = nn.Sequential(*layers)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, out_channels, h/stride, w/stride)."""
        y = self.block(x)
        return y + x if self.has_shortcut else y


class MobileNetV3(nn.Module):
    """MobileNetV3; state-dict names are torchvision's.

    ================ ================================ ===========================
    layer            what                             result for large, 224×224
    ================ ================================ ===========================
    features.0       3×3 convolution, stride 2        16×112×112
    features.1-      blocks                           160×7×7
    features.16      1×1 convolution to six times     960×7×7
    classifier       mean of the map, dense, dense    1280, num_classes
    ================ ================================ ===========================

    Parameters
    ----------
    size : {"large", "small"}
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244.
    """

    def __init__(self, size: str, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        rows, dense = {"large": (_LARGE, 1280), "small": (_SMALL, 1024)}[size]
        layers: list[nn.Module] = [ConvNorm(in_channels, _STEM, 3, stride=2, activation=nn.Hardswish, eps=_EPS)]
        channels = _STEM
        for row in rows:
            layers.append(Block(channels, row))
            channels = row[2]
        layers.append(ConvNorm(channels, 6 * channels, activation=nn.Hardswish, eps=_EPS))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(6 * channels, dense),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(dense, num_classes),
        )

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32 are sensible."""
        x = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(F.flatten(x, 1))
