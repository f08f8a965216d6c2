"""ConvNeXt tiny, small, base and large."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functional as F
from .. import nn

__all__ = ["ConvNeXt"]

_EPS = 1e-6
_SCALE = 1e-6  # what training starts the scale of a block's result from


class Permute(nn.Module):
    """Axes in another order."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Any) -> Any:
        """Axis i of the result is axis ``dims[i]`` of x."""
        return F.permute(x, self.dims)


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel of a map."""

    def forward(self, x: Any) -> Any:
        """(n, c, h, w), the same."""
        return F.permute(super().forward(F.permute(x, (0, 2, 3, 1))), (0, 3, 1, 2))


class Block(nn.Module):
    """7×7 depthwise, norm, dense to four times the channels, GELU and dense back, in each pixel; scaled, and the shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            Permute(0, 2, 3, 1),
            nn.LayerNorm(channels, _EPS),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
            Permute(0, 3, 1, 2),
        )
        self.layer_scale = nn.Parameter((channels, 1, 1), lambda shape: np.full(shape, _SCALE, np.float32))

    def forward(self, x: Any) -> Any:
        """(n, channels, h, w), the same."""
        return self.block(x) * self.layer_scale + x


class ConvNeXt(nn.Module):
    """ConvNeXt, a ResNet with what vision transformers taught; state-dict names are torchvision's.

    =========== ================================ ===================
    layer       what                             result for 224×224
    =========== ================================ ===================
    features.0  4×4 convolution, stride 4, norm  width×56×56
    features.1  depths[0] blocks                 width×56×56
    features.2  norm, 2×2 convolution, stride 2  2·width×28×28
    features.3  depths[1] blocks                 2·width×28×28
    features.4  norm, 2×2 convolution, stride 2  4·width×14×14
    features.5  depths[2] blocks                 4·width×14×14
    features.6  norm, 2×2 convolution, stride 2  8·width×7×7
    features.7  depths[3] blocks                 8·width×7×7
    classifier  mean of the map, norm, dense     num_classes
    =========== ================================ ===================

    Parameters
    ----------
    width : int
        Channels of the first stage; each further one has twice as many.
    depths : tuple of 4 int
        Blocks in each stage.
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, "A ConvNet for the 2020s", arXiv:2201.03545.
    """

    def __init__(self, width: int, depths: tuple[int, ...], num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        layers = [nn.Sequential(nn.Conv2d(in_channels, width, 4, stride=4), ChannelNorm(width, _EPS))]
        channels = width
        for i, depth in enumerate(depths):
            if i > 0:
                layers.append(nn.Sequential(ChannelNorm(channels, _EPS), nn.Conv2d(channels, 2 * channels, 2, stride=2)))
                channels *= 2
            layers.append(nn.Sequential(*(Block(channels) for _ in range(depth))))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(ChannelNorm(channels, _EPS), nn.Flatten(1), nn.Linear(channels, num_classes))

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32."""
        x = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(x)
