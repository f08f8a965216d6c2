"""LeNet-5, the convolutional network that read cheques in the 1990s."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .. import nn

__all__ = ["LeNet5"]


class LeNet5(nn.Module):
    """LeNet-5 for 32×32 images, layers named as in the paper: c1, c3, c5, f6, output.

    The variant everybody counts 61,706 parameters for: tanh, plain 2×2 average pooling (the paper's has a trained scale
    and bias per map), c3 connected to all maps of s2 (the paper leaves some out), and a linear layer as output (the
    paper's are radial basis functions). Networks of the same shape with ReLU and max pooling are often called LeNet
    too; their weights have other names and are refused rather than run wrongly.

    ====== ============================ ==========
    layer  what                         result
    ====== ============================ ==========
    c1     5×5 convolution              6×28×28
    s2     2×2 average pooling          6×14×14
    c3     5×5 convolution              16×10×10
    s4     2×2 average pooling          16×5×5
    c5     dense (5×5 over a 5×5 map)   120
    f6     dense                        84
    output dense                        10
    ====== ============================ ==========

    Parameters
    ----------
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(in_channels, 6, 5)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Linear(16 * 5 * 5, 120)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, 32, 32) to scores (n, num_classes)."""
        x = F.avg_pool2d(F.tanh(self.c1(x)), 2)
        x = F.avg_pool2d(F.tanh(self.c3(x)), 2)
        x = F.tanh(self.c5(F.flatten(x, 1)))
        x = F.tanh(self.f6(x))
        return self.output(x)
