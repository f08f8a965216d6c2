"""EfficientNet-Lite0 to Lite4: EfficientNet for devices, without squeeze-and-excitation and with ReLU6."""

from __future__ import annotations

import math
from typing import Any

from .. import functional as F
from .. import nn
from .mobilenet import round_channels

__all__ = ["EfficientNetLite", "MBConv"]

_EPS = 1e-3
_STEM, _HEAD = 32, 1280  # channels; the Lite networks do not scale them

# Kernel, stride of the first block, expansion of the channels inside a block, channels out, blocks: before scaling.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class MBConv(nn.Module):
    """1×1 up to ``expansion`` times the channels, depthwise, 1×1 down without activation, and the shortcut."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = nn.Conv2d(in_channels, hidden, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(hidden, _EPS)
        self._depthwise_conv = nn.Conv2d(hidden, hidden, kernel_size, stride, "same", groups=hidden, bias=False)
        self._bn1 = nn.BatchNorm2d(hidden, _EPS)
        self._project_conv = nn.Conv2d(hidden, out_channels, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out_channels, _EPS)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, out_channels, h/stride, w/stride)."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.has_shortcut else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite; state-dict names are those of the PyPI package efficientnet-lite-pytorch.

    Padding is TensorFlow's "same": for an even size and stride 2 the odd pixel comes at the end.

    ============= ============================================== ==========================
    layer         what                                           result for Lite0, 224×224
    ============= ============================================== ==========================
    _conv_stem    3×3 convolution, stride 2                      32×112×112
    _blocks.0     3×3 block                                      16×112×112
    _blocks.1-2   3×3 blocks, the first of stride 2              24×56×56
    _blocks.3-4   5×5 blocks, the first of stride 2              40×28×28
    _blocks.5-7   3×3 blocks, the first of stride 2              80×14×14
    _blocks.8-10  5×5 blocks                                     112×14×14
    _blocks.11-14 5×5 blocks, the first of stride 2              192×7×7
    _blocks.15    3×3 block                                      320×7×7
    _conv_head    1×1 convolution                                1280×7×7
    _fc           mean of the map, dense                         num_classes
    ============= ============================================== ==========================

    Parameters
    ----------
    width : float
        Multiplies the channels of every stage, to the nearest multiple of 8; stem and head stay.
    depth : float
        Multiplies the blocks of every stage, rounded up; the first and the last stage stay.
    num_classes : int
    in_channels : int

    Notes
    -----
    Sources: Tan, Le, "EfficientNet: rethinking model scaling for convolutional neural networks", arXiv:1905.11946; for
    the Lite variants, ``efficientnet/lite`` of github.com/tensorflow/tpu, which has no paper of its own.
    """

    def __init__(self, width: float, depth: float, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(in_channels, _STEM, 3, 2, "same", bias=False)
        self._bn0 = nn.BatchNorm2d(_STEM, _EPS)
        blocks = []
        channels = _STEM
        for stage in _STAGES:
            kernel_size, stride, expansion, out_channels, repeats = stage
            out_channels = round_channels(out_channels * width)
            if stage not in (_STAGES[0], _STAGES[-1]):
                repeats = math.ceil(repeats * depth)
            for i in range(repeats):
                blocks.append(MBConv(channels, out_channels, kernel_size, stride if i == 0 else 1, expansion))
                channels = out_channels
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(channels, _HEAD, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(_HEAD, _EPS)
        self._fc = nn.Linear(_HEAD, num_classes)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32 are sensible."""
        x = F.relu6(self._bn0(self._conv_stem(x)))
        x = self._blocks(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        x = F.adaptive_avg_pool2d(x, 1)
        return self._fc(F.flatten(x, 1))
