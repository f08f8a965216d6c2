"""The comparison's networks in plain torch, with torchvision's state-dict names, and calm random weights for them.

Weights are random (Kaiming, fixed seed) and batch-norm statistics are measured on made-up images, so that activations keep a sane size at
every depth: times do not depend on what the weights say, as long as nothing overflows, vanishes or becomes denormal.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SEED = 20240229
CALIBRATION_IMAGES = 8


class Block(nn.Module):
    """ResNet's block: two 3×3, or 1×1, 3×3, 1×1 up to four times the width."""

    def __init__(self, c: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        kernels, widths = ((1, 3, 1), (width, width, 4 * width)) if bottleneck else ((3, 3), (width, width))
        self.depth = len(kernels)
        strided, before = (1 if bottleneck else 0), c
        for i, (size, k) in enumerate(zip(kernels, widths)):
            conv = nn.Conv2d(before, k, size, stride if i == strided else 1, size // 2, bias=False)
            setattr(self, f"conv{i + 1}", conv)
            setattr(self, f"bn{i + 1}", nn.BatchNorm2d(k))
            before = k
        self.downsample = None
        if stride != 1 or c != before:
            self.downsample = nn.Sequential(nn.Conv2d(c, before, 1, stride, bias=False), nn.BatchNorm2d(before))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.depth else y
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, depths: tuple[int, ...], bottleneck: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        c = 64
        for i, depth in enumerate(depths):
            width, blocks = 64 << i, []
            for j in range(depth):
                blocks.append(Block(c, width, 2 if i > 0 and j == 0 else 1, bottleneck))
                c = width * (4 if bottleneck else 1)
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(c, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class VGG16(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        c = 3
        for depth, width in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
            for _ in range(depth):
                layers += [nn.Conv2d(c, width, 3, padding=1), nn.ReLU()]
                c = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        dense = (nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout())
        self.classifier = nn.Sequential(*dense, nn.Linear(4096, 1000))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


def conv_bn(c: int, k: int, size: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(c, k, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(k)]


class Fire(nn.Module):
    def __init__(self, c: int, squeezed: int, k: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(c, squeezed, 1)
        self.expand1x1, self.expand3x3 = nn.Conv2d(squeezed, k, 1), nn.Conv2d(squeezed, k, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet1_1(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)]
        c = 64
        for i, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64)):
            layers.append(Fire(c, squeezed, 4 * squeezed))
            layers += [nn.MaxPool2d(3, 2, ceil_mode=True)] if i in (1, 3) else []
            c = 8 * squeezed
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(c, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.flatten(self.classifier(self.features(x)), 1)


class InvertedResidual(nn.Module):
    def __init__(self, c: int, k: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = c * expansion
        expand = [nn.Sequential(*conv_bn(c, wide), nn.ReLU6())] if expansion > 1 else []
        self.conv = nn.Sequential(*expand, nn.Sequential(*conv_bn(wide, wide, 3, stride, wide), nn.ReLU6()), *conv_bn(wide, k))
        self.shortcut = stride == 1 and c == k

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
        layers: list[nn.Module] = [nn.Sequential(*conv_bn(3, 32, 3, 2), nn.ReLU6())]
        c = 32
        for expansion, k, depth, stride in stages:
            for i in range(depth):
                layers.append(InvertedResidual(c, k, stride if i == 0 else 1, expansion))
                c = k
        self.features = nn.Sequential(*layers, nn.Sequential(*conv_bn(c, 1280), nn.ReLU6()))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(self.features(x), 1), 1))


class SameConv2d(nn.Conv2d):
    """TensorFlow's "same": an odd pixel of padding comes at the end."""

    def forward(self, x: Tensor) -> Tensor:
        pads: list[int] = []
        for axis in (3, 2):
            size, r, s = int(x.shape[axis]), self.kernel_size[axis - 2], self.stride[axis - 2]
            total = max((-(-size // s) - 1) * s + r - size, 0)
            pads += [total // 2, total - total // 2]
        self.pads = pads
        return super().forward(F.pad(x, pads))


class MBConv(nn.Module):
    def __init__(self, c: int, k: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = c * expansion
        self.expands, self.shortcut = expansion > 1, stride == 1 and c == k
        if self.expands:
            self._expand_conv, self._bn0 = nn.Conv2d(c, wide, 1, bias=False), nn.BatchNorm2d(wide, 1e-3)
        self._depthwise_conv, self._bn1 = SameConv2d(wide, wide, size, stride, groups=wide, bias=False), nn.BatchNorm2d(wide, 1e-3)
        self._project_conv, self._bn2 = nn.Conv2d(wide, k, 1, bias=False), nn.BatchNorm2d(k, 1e-3)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._bn2(self._project_conv(F.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.shortcut else y


class EfficientNetLite0(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        stages = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4))
        self._conv_stem, self._bn0 = SameConv2d(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, 1e-3)
        blocks, c = [], 32
        for size, stride, expansion, k, depth in (*stages, (3, 1, 6, 320, 1)):
            for i in range(depth):
                blocks.append(MBConv(c, k, size, stride if i == 0 else 1, expansion))
                c = k
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1, self._fc = nn.Conv2d(c, 1280, 1, bias=False), nn.BatchNorm2d(1280, 1e-3), nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self._bn1(self._conv_head(self._blocks(F.relu6(self._bn0(self._conv_stem(x)))))))
        return self._fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "resnet18": lambda: ResNet((2, 2, 2, 2), bottleneck=False),
    "resnet50": lambda: ResNet((3, 4, 6, 3), bottleneck=True),
    "vgg16": VGG16,
    "squeezenet1_1": SqueezeNet1_1,
    "mobilenet_v2": MobileNetV2,
    "efficientnet_lite0": EfficientNetLite0,
}


def images(n: int, seed: int, side: int = 224) -> Tensor:
    """Noise that is smooth over several scales, as photographs are; about zero mean and unit variance."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.zeros(n, 3, side, side)
    for size in (side // 32, side // 8, side // 2, side):
        x += F.interpolate(torch.randn(n, 3, size, size, generator=generator), (side, side), mode="bilinear", align_corners=False)
    return (x - x.mean()) / x.std()


def initialise(net: nn.Module) -> None:
    """Kaiming weights; then one pass in training mode leaves each norm the mean and variance that it saw."""
    torch.manual_seed(SEED)
    norms = []
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.uniform_(module.bias, -0.1, 0.1)
        elif isinstance(module, nn.BatchNorm2d):
            norms.append(module)
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.3, 0.3)
            module.momentum = 1.0  # the running statistics become those of the pass
    net.eval()
    if norms:
        for norm in norms:
            norm.train()
        net(images(CALIBRATION_IMAGES, SEED).to(norms[0].weight.device))
        net.eval()


def state_of(net: nn.Module) -> dict[str, Tensor]:
    """What gpucnn loads: the state dict without the counters of training."""
    return {k: v.contiguous() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}
