"""VGG-11, 13, 16 and 19, each with and without batch normalisation."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn

__all__ = ["VGG"]

_WIDTHS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """3×3 convolutions in five stages, each ended by 2×2 max pooling; state-dict names are torchvision's.

    ========== ================================================ ==================
    layer      what                                             result for 224×224
    ========== ================================================ ==================
    features   depths[0] convolutions to 64 channels, pooling   64×112×112
    ..         depths[1] convolutions to 128 channels, pooling  128×56×56
    ..         depths[2] convolutions to 256 channels, pooling  256×28×28
    ..         depths[3] convolutions to 512 channels, pooling  512×14×14
    ..         depths[4] convolutions to 512 channels, pooling  512×7×7
    avgpool    adaptive: any map becomes 7×7                    512×7×7
    classifier dense, dense, dense                              4096, 4096, num_classes
    ========== ================================================ ==================

    Parameters
    ----------
    depths : tuple of 5 int
        Convolutions in each stage.
    batch_norm : bool
        Whether each convolution is followed by batch normalisation.
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", arXiv:1409.1556.
    """

    def __init__(self, depths: tuple[int, ...], batch_norm: bool = False, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = in_channels
        for depth, width in zip(depths, _WIDTHS):
            for _ in range(depth):
                layers.append(nn.Conv2d(channels, width, 3, padding=1))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(width))
                layers.append(nn.ReLU())
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32."""
        x = self.features(x)
        x = self.avgpool(x)
        return self.classifier(F.flatten(x, 1))
