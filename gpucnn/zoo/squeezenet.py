"""SqueezeNet 1.0 and 1.1: AlexNet's scores with a fiftieth of its weights."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn

__all__ = ["Fire", "SqueezeNet"]

Plan = tuple[str | tuple[int, int], ...]

# Channels of the squeeze layer of each block, and of either half that it is expanded to; "pool" is a layer of its own.
_PLANS: dict[str, Plan] = {
    "1.0": ("pool", (16, 64), (16, 64), (32, 128), "pool", (32, 128), (48, 192), (48, 192), (64, 256), "pool", (64, 256)),
    "1.1": ("pool", (16, 64), (16, 64), "pool", (32, 128), (32, 128), "pool", (48, 192), (48, 192), (64, 256), (64, 256)),
}
_STEMS = {"1.0": (96, 7), "1.1": (64, 3)}  # channels and kernel of the first convolution


class Fire(nn.Module):
    """1×1 down to few channels, then 1×1 and 3×3 side by side, whose results are concatenated."""

    def __init__(self, in_channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, 2·expanded, h, w)."""
        x = F.relu(self.squeeze(x))
        return F.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """SqueezeNet; state-dict names are torchvision's.

    =========== ============================================== ==================
    layer       what                                           result for 224×224
    =========== ============================================== ==================
    features.0  convolution, stride 2: 7×7 to 96 channels in   96×109×109
    ..          version 1.0, 3×3 to 64 channels in 1.1         64×111×111
    features.2- Fire blocks, and 3×3 max pooling of stride 2   512×13×13
    classifier  1×1 convolution to the classes, mean of maps   num_classes
    =========== ============================================== ==================

    Version 1.1 pools earlier, which costs it nothing but time: it takes less than half of 1.0's.

    Parameters
    ----------
    version : {"1.0", "1.1"}
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
    arXiv:1602.07360; for 1.1, ``SqueezeNet_v1.1`` of the authors' github.com/forresti/SqueezeNet. The scores of an image
    are never negative: a ReLU stands before the mean.
    """

    def __init__(self, version: str, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        channels, kernel_size = _STEMS[version]
        layers: list[nn.Module] = [nn.Conv2d(in_channels, channels, kernel_size, stride=2), nn.ReLU()]
        for item in _PLANS[version]:
            if isinstance(item, str):
                layers.append(nn.MaxPool2d(3, stride=2, ceil_mode=True))
            else:
                squeezed, expanded = item
                layers.append(Fire(channels, squeezed, expanded))
                channels = 2 * expanded
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Conv2d(channels, num_classes, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
        )

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 21 (1.0) or 17 (1.1)."""
        return F.flatten(self.classifier(self.features(x)), 1)
