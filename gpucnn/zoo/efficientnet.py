"""EfficientNet-B0 to B7, and EfficientNetV2 small, medium and large."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from .. import functional as F
from .. import nn
from .blocks import ConvNorm, SqueezeExcitation
from .mobilenet import round_channels

__all__ = ["V2_L", "V2_M", "V2_S", "EfficientNet", "Stage", "scaled"]


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind.

    Parameters
    ----------
    kernel_size : int
    stride : int
        Of the first block; the others have 1.
    expansion : int
        Channels inside a block, as a multiple of those that it is given.
    channels : int
        Channels out.
    depth : int
        Blocks.
    fused : bool
        One dense convolution instead of 1×1, depthwise, and squeeze and excitation.
    """

    kernel_size: int
    stride: int
    expansion: int
    channels: int
    depth: int
    fused: bool = False


_B0 = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)
V2_S = (
    Stage(3, 1, 1, 24, 2, fused=True),
    Stage(3, 2, 4, 48, 4, fused=True),
    Stage(3, 2, 4, 64, 4, fused=True),
    Stage(3, 2, 4, 128, 6),
    Stage(3, 1, 6, 160, 9),
    Stage(3, 2, 6, 256, 15),
)
V2_M = (
    Stage(3, 1, 1, 24, 3, fused=True),
    Stage(3, 2, 4, 48, 5, fused=True),
    Stage(3, 2, 4, 80, 5, fused=True),
    Stage(3, 2, 4, 160, 7),
    Stage(3, 1, 6, 176, 14),
    Stage(3, 2, 6, 304, 18),
    Stage(3, 1, 6, 512, 5),
)
V2_L = (
    Stage(3, 1, 1, 32, 4, fused=True),
    Stage(3, 2, 4, 64, 7, fused=True),
    Stage(3, 2, 4, 96, 7, fused=True),
    Stage(3, 2, 4, 192, 10),
    Stage(3, 1, 6, 224, 19),
    Stage(3, 2, 6, 384, 25),
    Stage(3, 1, 6, 640, 7),
)


def scaled(width: float, depth: float) -> tuple[Stage, ...]:
    """B0's stages with ``width`` times the channels, to the nearest multiple of 8, and ``depth`` times the blocks, rounded up.

    Examples
    --------
    >>> [(s.channels, s.depth) for s in scaled(1.2, 1.4)][:3]
    [(24, 2), (32, 3), (48, 3)]
    """
    return tuple(replace(s, channels=round_channels(s.channels * width), depth=math.ceil(s.depth * depth)) for s in _B0)


class Block(nn.Module):
    """Up to ``expansion`` times the channels and down again without activation, and the shortcut.

    Between the two 1×1 convolutions stand a depthwise one and squeeze and excitation. A fused block widens by a dense
    convolution instead; one that does not widen is that convolution alone.
    """

    def __init__(self, in_channels: int, stage: Stage, stride: int, eps: float) -> None:
        super().__init__()
        hidden, k, out_channels = in_channels * stage.expansion, stage.kernel_size, stage.channels
        layers: list[nn.Module] = []
        if stage.fused:
            wide = hidden if stage.expansion != 1 else out_channels
            layers.append(ConvNorm(in_channels, wide, k, stride, activation=nn.SiLU, eps=eps))
        else:
            if stage.expansion != 1:
                layers.append(ConvNorm(in_channels, hidden, activation=nn.SiLU, eps=eps))
            layers.append(ConvNorm(hidden, hidden, k, stride, hidden, nn.SiLU, eps))
            layers.append(SqueezeExcitation(hidden, max(1, in_channels // 4), F.silu))
        if not stage.fused or stage.expansion != 1:
            layers.append(ConvNorm(hidden, out_channels, activation=None, eps=eps))
        self.block = nn.Sequential(*layers)
        self.has_shortcut = stride == 1 and in_channels == out_channels

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, channels, h/stride, w/stride)."""
        y = self.block(x)
        return y + x if self.has_shortcut else y


class EfficientNet(nn.Module):
    """EfficientNet, of the first and the second generation; state-dict names are torchvision's.

    =============== ============================== ==========================
    layer           what                           result for B0, 224×224
    =============== ============================== ==========================
    features.0      3×3 convolution, stride 2      32×112×112
    features.1-7    a stage each                   320×7×7
    features.8      1×1 convolution                1280×7×7
    classifier      mean of the map, dense         num_classes
    =============== ============================== ==========================

    Parameters
    ----------
    stages : tuple of Stage
        ``scaled(width, depth)``, ``V2_S``, ``V2_M`` or ``V2_L``.
    stem : int
        Channels of the first convolution.
    last : int
        Channels of the last convolution.
    eps : float
        Of the norms.
    num_classes : int
    in_channels : int

    Notes
    -----
    Sources: Tan, Le, "EfficientNet: rethinking model scaling for convolutional neural networks", arXiv:1905.11946;
    "EfficientNetV2: smaller models and faster training", arXiv:2104.00298. Blocks that training drops at random
    (stochastic depth) all run here.
    """

    def __init__(
        self,
        stages: tuple[Stage, ...],
        stem: int,
        last: int,
        eps: float = 1e-5,
        num_classes: int = 1000,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvNorm(in_channels, stem, 3, stride=2, activation=nn.SiLU, eps=eps)]
        channels = stem
        for stage in stages:
            blocks = []
            for i in range(stage.depth):
                blocks.append(Block(channels, stage, stage.stride if i == 0 else 1, eps))
                channels = stage.channels
            layers.append(nn.Sequential(*blocks))
        layers.append(ConvNorm(channels, last, activation=nn.SiLU, eps=eps))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, num_classes))

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32 are sensible."""
        x = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(F.flatten(x, 1))
