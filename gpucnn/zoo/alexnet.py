"""AlexNet, in the form that fits one GPU."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn

__all__ = ["AlexNet"]


class AlexNet(nn.Module):
    """AlexNet of one column; state-dict names are torchvision's.

    ============= ================================== =======================
    layer         what                               result for 224×224
    ============= ================================== =======================
    features.0-2  11×11 convolution, stride 4; pool  64×27×27
    features.3-5  5×5 convolution; pool              192×13×13
    features.6-7  3×3 convolution                    384×13×13
    features.8-9  3×3 convolution                    256×13×13
    features.10-  3×3 convolution; pool              256×6×6
    avgpool       adaptive: any map becomes 6×6      256×6×6
    classifier    dense, dense, dense                4096, 4096, num_classes
    ============= ================================== =======================

    Pooling takes the maximum of 3×3 windows, two pixels apart: they overlap.

    Parameters
    ----------
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", arXiv:1404.5997. The network
    of 2012 had two columns and normalised over neighbouring channels.
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 63."""
        x = self.features(x)
        x = self.avgpool(x)
        return self.classifier(F.flatten(x, 1))
