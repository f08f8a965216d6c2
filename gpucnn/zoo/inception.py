"""Inception v3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import functional as F
from .. import nn
from ..spec import Array
from .googlenet import ConvNormReLU, without

__all__ = ["InceptionV3"]


class InceptionA(nn.Module):
    """35×35 maps: 1×1; 5×5; 3×3 twice; mean and 1×1. Figure 5 of the paper."""

    def __init__(self, in_channels: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = ConvNormReLU(in_channels, 64)
        self.branch5x5_1 = ConvNormReLU(in_channels, 48)
        self.branch5x5_2 = ConvNormReLU(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = ConvNormReLU(in_channels, 64)
        self.branch3x3dbl_2 = ConvNormReLU(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvNormReLU(96, 96, 3, padding=1)
        self.branch_pool = ConvNormReLU(in_channels, pooled)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, 224 + pooled, h, w)."""
        one = self.branch1x1(x)
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        mean = self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1))
        return F.cat([one, five, three, mean], 1)


class InceptionB(nn.Module):
    """35×35 to 17×17 maps: 3×3; 3×3 twice; maximum. Figure 10."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3 = ConvNormReLU(in_channels, 384, 3, stride=2)
        self.branch3x3dbl_1 = ConvNormReLU(in_channels, 64)
        self.branch3x3dbl_2 = ConvNormReLU(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = ConvNormReLU(96, 96, 3, stride=2)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, 480 + in_channels, (h − 1)/2, (w − 1)/2)."""
        three = self.branch3x3(x)
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return F.cat([three, double, F.max_pool2d(x, 3, stride=2)], 1)


class InceptionC(nn.Module):
    """17×17 maps: 1×1; 7×7 as 1×7 and 7×1; the same twice; mean and 1×1. Figure 6."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        row: dict[str, Any] = {"kernel_size": (1, 7), "padding": (0, 3)}
        column: dict[str, Any] = {"kernel_size": (7, 1), "padding": (3, 0)}
        self.branch1x1 = ConvNormReLU(in_channels, 192)
        self.branch7x7_1 = ConvNormReLU(in_channels, width)
        self.branch7x7_2 = ConvNormReLU(width, width, **row)
        self.branch7x7_3 = ConvNormReLU(width, 192, **column)
        self.branch7x7dbl_1 = ConvNormReLU(in_channels, width)
        self.branch7x7dbl_2 = ConvNormReLU(width, width, **column)
        self.branch7x7dbl_3 = ConvNormReLU(width, width, **row)
        self.branch7x7dbl_4 = ConvNormReLU(width, width, **column)
        self.branch7x7dbl_5 = ConvNormReLU(width, 192, **row)
        self.branch_pool = ConvNormReLU(in_channels, 192)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, 768, h, w)."""
        one = self.branch1x1(x)
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        mean = self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1))
        return F.cat([one, seven, double, mean], 1)


class InceptionD(nn.Module):
    """17×17 to 8×8 maps: 3×3; 7×7 as 1×7 and 7×1, then 3×3; maximum."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = ConvNormReLU(in_channels, 192)
        self.branch3x3_2 = ConvNormReLU(192, 320, 3, stride=2)
        self.branch7x7x3_1 = ConvNormReLU(in_channels, 192)
        self.branch7x7x3_2 = ConvNormReLU(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = ConvNormReLU(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = ConvNormReLU(192, 192, 3, stride=2)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, 512 + in_channels, (h − 1)/2, (w − 1)/2)."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return F.cat([three, self.branch7x7x3_4(seven), F.max_pool2d(x, 3, stride=2)], 1)


class InceptionE(nn.Module):
    """8×8 maps: 1×1; 1×3 beside 3×1; the same behind a 3×3; mean and 1×1. Figure 7."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        row: dict[str, Any] = {"kernel_size": (1, 3), "padding": (0, 1)}
        column: dict[str, Any] = {"kernel_size": (3, 1), "padding": (1, 0)}
        self.branch1x1 = ConvNormReLU(in_channels, 320)
        self.branch3x3_1 = ConvNormReLU(in_channels, 384)
        self.branch3x3_2a = ConvNormReLU(384, 384, **row)
        self.branch3x3_2b = ConvNormReLU(384, 384, **column)
        self.branch3x3dbl_1 = ConvNormReLU(in_channels, 448)
        self.branch3x3dbl_2 = ConvNormReLU(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = ConvNormReLU(384, 384, **row)
        self.branch3x3dbl_3b = ConvNormReLU(384, 384, **column)
        self.branch_pool = ConvNormReLU(in_channels, 192)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, 2048, h, w)."""
        one = self.branch1x1(x)
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        mean = self.branch_pool(F.avg_pool2d(x, 3, stride=1, padding=1))
        wide = [self.branch3x3_2a(three), self.branch3x3_2b(three), self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return F.cat([one, *wide, mean], 1)


class InceptionV3(nn.Module):
    """Inception v3; state-dict names are torchvision's, which are TensorFlow's.

    ================ =========================================== ==================
    layer            what                                        result for 299×299
    ================ =========================================== ==================
    Conv2d_1a-2b     3×3 convolutions, the first of stride 2     64×147×147
    maxpool1         3×3, stride 2                               64×73×73
    Conv2d_3b, 4a    1×1 and 3×3 convolution                     192×71×71
    maxpool2         3×3, stride 2                               192×35×35
    Mixed_5b-5d      A                                           288×35×35
    Mixed_6a         B                                           768×17×17
    Mixed_6b-6e      C                                           768×17×17
    Mixed_7a         D                                           1280×8×8
    Mixed_7b, 7c     E                                           2048×8×8
    fc               mean of the map, dense                      num_classes
    ================ =========================================== ==================

    The auxiliary classifier of training, ``AuxLogits``, has no part in the scores: it is not built, not counted (torchvision's
    27,161,264 parameters include its 3,326,696), and left out when weights that hold it are loaded.

    Parameters
    ----------
    num_classes : int
    in_channels : int

    Notes
    -----
    Source: Szegedy et al., "Rethinking the Inception architecture for computer vision", arXiv:1512.00567. Of the record
    for photographs what is said at :class:`~gpucnn.zoo.googlenet.GoogLeNet` holds here too.
    """

    def __init__(self, num_classes: int = 1000, in_channels: int = 3) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNormReLU(in_channels, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvNormReLU(32, 32, 3)
        self.Conv2d_2b_3x3 = ConvNormReLU(32, 64, 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, stride=2)
        self.Conv2d_3b_1x1 = ConvNormReLU(64, 80)
        self.Conv2d_4a_3x3 = ConvNormReLU(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2)
        self.Mixed_5b = InceptionA(192, pooled=32)
        self.Mixed_5c = InceptionA(256, pooled=64)
        self.Mixed_5d = InceptionA(288, pooled=64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, width=128)
        self.Mixed_6c = InceptionC(768, width=160)
        self.Mixed_6d = InceptionC(768, width=160)
        self.Mixed_6e = InceptionC(768, width=192)
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 75."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.maxpool1(x)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = self.maxpool2(x)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        x = self.Mixed_6e(self.Mixed_6d(x))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        x = F.adaptive_avg_pool2d(x, 1)
        return self.fc(F.flatten(x, 1))

    def load_state_dict(self, state: Mapping[str, Array], *, assign: bool = False) -> nn.Module:
        """Take the values of ``state``, but for those of the auxiliary classifier."""
        return super().load_state_dict(without(("AuxLogits.",), state), assign=assign)
