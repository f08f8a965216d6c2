"""MNASNet of depth multiplier 0.5, 0.75, 1.0 and 1.3."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn
from .mobilenet import round_channels

__all__ = ["MNASNet"]

# Kernel, stride of the first block, expansion of the channels inside a block, channels out, blocks.
_STAGES = (
    (3, 2, 3, 24, 3),
    (5, 2, 3, 40, 3),
    (5, 2, 6, 80, 3),
    (3, 1, 6, 96, 2),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_HEAD = 1280  # channels of the last convolution, at every multiplier


def _conv(in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution that keeps the size at stride 1, and its norm."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(out_channels)]


class Block(nn.Module):
    """1×1 up to ``expansion`` times the channels, depthwise, 1×1 down without activation, and the shortcut."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.layers = nn.Sequential(
            *_conv(in_channels, hidden),
            nn.ReLU(),
            *_conv(hidden, hidden, kernel_size, stride, groups=hidden),
            nn.ReLU(),
            *_conv(hidden, out_channels),
        )
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, out_channels, h/stride, w/stride)."""
        y = self.layers(x)
        return y + x if self.has_shortcut else y


class MNASNet(nn.Module):
    """MNASNet-B1, found by a search that timed candidates on a phone; state-dict names are torchvision's.

    ============= ============================================= ==========================
    layer         what                                          result for 1.0 and 224×224
    ============= ============================================= ==========================
    layers.0      3×3 convolution, stride 2                     32×112×112
    layers.3, 6   3×3 depthwise, 1×1                            16×112×112
    layers.8      3×3 blocks, the first of stride 2             24×56×56
    layers.9      5×5 blocks, the first of stride 2             40×28×28
    layers.10     5×5 blocks, the first of stride 2             80×14×14
    layers.11     3×3 blocks                                    96×14×14
    layers.12     5×5 blocks, the first of stride 2             192×7×7
    layers.13     3×3 block                                     320×7×7
    layers.14     1×1 convolution                               1280×7×7
    classifier    mean of the map, dense                        num_classes
    ============= ============================================= ==========================

    Parameters
    ----------
    width : float
        Multiplies every number of channels but the last, to the nearest multiple of 8.
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Tan et al., "MnasNet: platform-aware neural architecture search for mobile", arXiv:1807.11626. Files of
    torchvision before 0.5 have a stem of 32 channels at every multiplier; those of 0.5 and 1.3 are refused, as their shapes differ.
    """

    def __init__(self, width: float, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        stem, channels = round_channels(32 * width), round_channels(16 * width)
        layers: list[nn.Module] = [
            *_conv(in_channels, stem, 3, stride=2),
            nn.ReLU(),
            *_conv(stem, stem, 3, groups=stem),
            nn.ReLU(),
            *_conv(stem, channels),
        ]
        for kernel_size, stride, expansion, out_channels, depth in _STAGES:
            out_channels = round_channels(out_channels * width)
            first = Block(channels, out_channels, kernel_size, stride, expansion)
            others = (Block(out_channels, out_channels, kernel_size, 1, expansion) for _ in range(depth - 1))
            layers.append(nn.Sequential(first, *others))
            channels = out_channels
        self.layers = nn.Sequential(*layers, *_conv(channels, _HEAD), nn.ReLU())
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(_HEAD, num_classes))

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32 are sensible."""
        x = F.adaptive_avg_pool2d(self.layers(x), 1)
        return self.classifier(F.flatten(x, 1))
