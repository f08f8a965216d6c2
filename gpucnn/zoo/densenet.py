"""DenseNet-121, 161, 169 and 201."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import functional as F
from .. import nn
from ..spec import Array

__all__ = ["DenseNet"]


class DenseLayer(nn.Module):
    """Norm, ReLU, 1×1 to four times the growth, norm, ReLU, 3×3; what it makes is put behind what it was given."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, in_channels + growth, h, w)."""
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        return F.cat([x, y], 1)


def _transition(in_channels: int, out_channels: int) -> nn.Sequential:
    """Between two blocks: fewer channels, and half the size."""
    return nn.Sequential(
        {
            "norm": nn.BatchNorm2d(in_channels),
            "relu": nn.ReLU(),
            "conv": nn.Conv2d(in_channels, out_channels, 1, bias=False),
            "pool": nn.AvgPool2d(2),
        }
    )


class DenseNet(nn.Module):
    """Each layer sees the maps of all layers before it in its block; state-dict names are torchvision's.

    ===================== =================================================== =============================
    layer                 what                                                result for 121 layers, 224×224
    ===================== =================================================== =============================
    features.conv0        7×7 convolution, stride 2                           64×112×112
    features.pool0        3×3 max pooling, stride 2                           64×56×56
    features.denseblock1  depths[0] layers, each of which adds growth maps    256×56×56
    features.transition1  1×1 convolution to half the channels, 2×2 mean      128×28×28
    features.denseblock2  depths[1] layers                                    512×28×28
    features.transition2  as above                                            256×14×14
    features.denseblock3  depths[2] layers                                    1024×14×14
    features.transition3  as above                                            512×7×7
    features.denseblock4  depths[3] layers                                    1024×7×7
    features.norm5        norm, ReLU                                          1024×7×7
    classifier            mean of the map, dense                              num_classes
    ===================== =================================================== =============================

    Parameters
    ----------
    channels : int
        What the first convolution makes.
    growth : int
        Channels that every layer adds.
    depths : tuple of int
        Layers in each block.
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", arXiv:1608.06993. The
    concatenations of a block nest in one buffer, into which each layer writes its maps: none is copied.
    """

    def __init__(
        self, channels: int, growth: int, depths: tuple[int, ...], num_classes: int = 1000, in_channels: int = 3
    ) -> None:
        super().__init__()
        layers: dict[str, nn.Module] = {
            "conv0": nn.Conv2d(in_channels, channels, 7, stride=2, padding=3, bias=False),
            "norm0": nn.BatchNorm2d(channels),
            "relu0": nn.ReLU(),
            "pool0": nn.MaxPool2d(3, stride=2, padding=1),
        }
        for i, depth in enumerate(depths, 1):
            if i > 1:
                layers[f"transition{i - 1}"] = _transition(channels, channels // 2)
                channels //= 2
            dense = {f"denselayer{j + 1}": DenseLayer(channels + j * growth, growth) for j in range(depth)}
            layers[f"denseblock{i}"] = nn.Sequential(dense)
            channels += depth * growth
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(layers)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 29."""
        x = F.relu(self.features(x))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.classifier(F.flatten(x, 1))

    def load_state_dict(self, state: Mapping[str, Array], *, assign: bool = False) -> nn.Module:
        """Take the values of ``state``; the published files still say ``norm.1`` and ``conv.2`` for ``norm1`` and ``conv2``."""
        if isinstance(state, Mapping):
            state = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name): a for name, a in state.items()}
        return super().load_state_dict(state, assign=assign)
