"""RegNet X and Y, from 400 million to 128 billion multiplications an image."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn
from .blocks import ConvNorm, SqueezeExcitation

__all__ = ["RegNet"]

_STEM = 32


class Block(nn.Module):
    """1×1, grouped 3×3, squeeze and excitation in the Y networks, 1×1 without activation, and the shortcut."""

    def __init__(self, in_channels: int, width: int, stride: int, group_width: int, excited: bool) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {
            "a": ConvNorm(in_channels, width),
            "b": ConvNorm(width, width, 3, stride, groups=width // group_width),
        }
        if excited:
            layers["se"] = SqueezeExcitation(width, round(in_channels / 4))
        layers["c"] = ConvNorm(width, width, activation=None)
        if stride != 1 or in_channels != width:
            self.proj: nn.Module = ConvNorm(in_channels, width, 1, stride, activation=None)
        else:
            self.proj = nn.Identity()
        self.f = nn.Sequential(layers)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, width, h/stride, w/stride)."""
        return F.relu(self.proj(x) + self.f(x))


class RegNet(nn.Module):
    """RegNet; state-dict names are torchvision's.

    ==================== ======================================== =====================
    layer                what                                     result for 224×224
    ==================== ======================================== =====================
    stem                 3×3 convolution, stride 2                32×112×112
    trunk_output.block1  depths[0] blocks, the first of stride 2  widths[0]×56×56
    trunk_output.block2  depths[1] blocks, the first of stride 2  widths[1]×28×28
    trunk_output.block3  depths[2] blocks, the first of stride 2  widths[2]×14×14
    trunk_output.block4  depths[3] blocks, the first of stride 2  widths[3]×7×7
    fc                   mean of the map, dense                   num_classes
    ==================== ======================================== =====================

    Parameters
    ----------
    depths, widths : tuple of 4 int
        Blocks of each stage, and their channels.
    group_width : int
        Channels of each group of the 3×3 convolutions, at most.
    excited : bool
        Whether blocks have squeeze and excitation: Y, else X.
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Radosavovic, Kosaraju, Girshick, He, Dollár, "Designing network design spaces", arXiv:2003.13678. There
    depths and widths follow from four numbers a network; here they stand as they come out.
    """

    def __init__(
        self,
        depths: tuple[int, ...],
        widths: tuple[int, ...],
        group_width: int,
        excited: bool,
        num_classes: int = 1000,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(in_channels, _STEM, 3, stride=2)
        channels, stages = _STEM, {}
        for i, (depth, width) in enumerate(zip(depths, widths), 1):
            blocks = {}
            for j in range(depth):
                blocks[f"block{i}-{j}"] = Block(channels, width, 2 if j == 0 else 1, min(group_width, width), excited)
                channels = width
            stages[f"block{i}"] = nn.Sequential(blocks)
        self.trunk_output = nn.Sequential(stages)
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32 are sensible."""
        x = self.trunk_output(self.stem(x))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(F.flatten(x, 1))
