"""ResNet-18, 34, 50, 101 and 152; with groups they are ResNeXt, with wider blocks Wide ResNet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import functional as F
from .. import nn
from ..errors import ModelError

__all__ = ["BasicBlock", "Bottleneck", "ResNet"]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and the shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, width, h/stride, w/stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x))


class Bottleneck(nn.Module):
    """1×1 down to ``width``, 3×3, 1×1 up to four times ``width``, and the shortcut.

    The stride sits in the 3×3 convolution ("v1.5"), as in torchvision, and not in the first 1×1 as in the paper.
    With groups the 3×3 has ``groups·group_width`` channels where ``width`` is 64, and more in proportion.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, groups: int = 1, group_width: int = 64) -> None:
        super().__init__()
        inner = width * group_width // 64 * groups
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, width * 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * 4)
        self.downsample = _shortcut(in_channels, width * 4, stride)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, 4·width, h/stride, w/stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + self.downsample(x))


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The way past a block: x itself, or a 1×1 convolution where the block changes the shape."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class ResNet(nn.Module):
    """Residual network; state-dict names are torchvision's.

    With e the block's expansion, 1 or 4:

    ======= =========================================== ==================
    layer   what                                        result for 224×224
    ======= =========================================== ==================
    conv1   7×7 convolution, stride 2                   64×112×112
    maxpool 3×3, stride 2                               64×56×56
    layer1  blocks of width 64                          64e×56×56
    layer2  blocks of width 128, the first of stride 2  128e×28×28
    layer3  blocks of width 256, the first of stride 2  256e×14×14
    layer4  blocks of width 512, the first of stride 2  512e×7×7
    avgpool mean of the map                             512e×1×1
    fc      dense                                       num_classes
    ======= =========================================== ==================

    Parameters
    ----------
    block : BasicBlock or Bottleneck
    depths : tuple of 4 int
        Blocks in each of the four layers.
    num_classes : int
    in_channels : int
    groups, group_width : int
        Groups of the bottleneck's 3×3 convolution, and the channels of each group in layer1. ResNeXt-50 32x4d has 32 and 4,
        Wide ResNet-50-2 has 1 and 128.

    Notes
    -----
    Sources: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385; Xie, Girshick, Dollár,
    Tu, He, "Aggregated residual transformations for deep neural networks", arXiv:1611.05431; Zagoruyko, Komodakis, "Wide
    residual networks", arXiv:1605.07146.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        num_classes: int = 1000,
        in_channels: int = 3,
        groups: int = 1,
        group_width: int = 64,
    ) -> None:
        super().__init__()
        make: Callable[[int, int, int], nn.Module] = block
        if (groups, group_width) != (1, 64):
            if block is not Bottleneck:
                raise ModelError(f"ResNet: only a Bottleneck has groups, got {block.__name__}, groups {groups}, group_width {group_width}")
            make = partial(Bottleneck, groups=groups, group_width=group_width)
        self.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        e = block.expansion
        self.layer1 = _layer(make, e, 64, 64, depths[0], stride=1)
        self.layer2 = _layer(make, e, 64 * e, 128, depths[1], stride=2)
        self.layer3 = _layer(make, e, 128 * e, 256, depths[2], stride=2)
        self.layer4 = _layer(make, e, 256 * e, 512, depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * e, num_classes)

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to scores (n, num_classes); h and w of at least 32 are sensible."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        x = self.layer4(x)
        x = self.avgpool(x)
        return self.fc(F.flatten(x, 1))


def _layer(
    make: Callable[[int, int, int], nn.Module], expansion: int, in_channels: int, width: int, depth: int, stride: int
) -> nn.Sequential:
    """``depth`` blocks, of which the first has the stride."""
    first = make(in_channels, width, stride)
    return nn.Sequential(first, *(make(width * expansion, width, 1) for _ in range(depth - 1)))
