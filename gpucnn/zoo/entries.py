"""The table of the zoo: how each network is built, and what its published weights want."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..nn import Module
from ..preprocess import Preprocess
from .alexnet import AlexNet
from .convnext import ConvNeXt
from .densenet import DenseNet
from .efficientnet import V2_L, V2_M, V2_S, EfficientNet, scaled
from .efficientnet_lite import EfficientNetLite
from .googlenet import GoogLeNet
from .inception import InceptionV3
from .lenet import LeNet5
from .mnasnet import MNASNet
from .mobilenet import MobileNetV2
from .mobilenet_v3 import MobileNetV3
from .regnet import RegNet
from .resnet import BasicBlock, Bottleneck, ResNet
from .shufflenet import ShuffleNetV2
from .squeezenet import SqueezeNet
from .vgg import VGG

__all__ = ["ENTRIES", "Entry"]


@dataclass(frozen=True)
class Entry:
    """One architecture of the zoo.

    Parameters
    ----------
    build : callable
        ``build(num_classes=…, in_channels=…) -> Module``.
    preprocess : Preprocess
        What the published weights were evaluated with; of torchvision's, the first ones: ``IMAGENET1K_V1``, for
        regnet_y_128gf ``IMAGENET1K_SWAG_E2E_V1``.
    num_classes, in_channels : int
        What the published network has.
    parameters : int
        Count for those numbers of classes and channels, without the auxiliary classifiers of training.
    head : str
        State-dict name of the last weight, (classes, features) or (classes, features, 1, 1): a file of weights tells its
        number of classes there.
    """

    build: Callable[..., Module]
    preprocess: Preprocess
    num_classes: int
    in_channels: int
    parameters: int
    head: str


_DIGITS = Preprocess(size=(32, 32), resize=32, interpolation="bilinear", mean=(0.1307,), std=(0.3081,), order="L")


def _linear(size: int, resize: int) -> Preprocess:
    """ImageNet's mean and deviation; resized bilinearly."""
    return Preprocess((size, size), resize, "bilinear")


def _cubic(size: int, resize: int) -> Preprocess:
    """The same, resized bicubically."""
    return Preprocess((size, size), resize, "bicubic")


def _half(size: int, resize: int, interpolation: str = "bilinear") -> Preprocess:
    """Mean and deviation of a half: −1 to 1. GoogLeNet and Inception v3 in torchvision convert to that themselves (``transform_input``)."""
    return Preprocess((size, size), resize, interpolation, mean=(0.5,) * 3, std=(0.5,) * 3)


def _lite(size: int) -> Preprocess:
    """EfficientNet-Lite's record: pixels of 0…255 less 127, over 128; the crop is 0.875 of the short side."""
    mean, std = (127 / 255,) * 3, (128 / 255,) * 3
    return Preprocess((size, size), resize=round(size / 0.875), interpolation="bicubic", mean=mean, std=std)


_FIRST = _linear(224, 256)  # what most of the first weights want; the later ones ("V2") were resized to 232


def _net(build: Callable[..., Module], parameters: int, head: str, preprocess: Preprocess = _FIRST) -> Entry:
    """One of torchvision's networks."""
    return Entry(build, preprocess, 1000, 3, parameters, head)


_RESNET50 = partial(ResNet, Bottleneck, (3, 4, 6, 3))
_RESNET101 = partial(ResNet, Bottleneck, (3, 4, 23, 3))

ENTRIES: dict[str, Entry] = {
    "lenet5": Entry(LeNet5, _DIGITS, 10, 1, 61_706, "output.weight"),
    "alexnet": _net(AlexNet, 61_100_840, "classifier.6.weight"),
    "resnet18": _net(partial(ResNet, BasicBlock, (2, 2, 2, 2)), 11_689_512, "fc.weight"),
    "resnet34": _net(partial(ResNet, BasicBlock, (3, 4, 6, 3)), 21_797_672, "fc.weight"),
    "resnet50": _net(_RESNET50, 25_557_032, "fc.weight"),
    "resnet101": _net(_RESNET101, 44_549_160, "fc.weight"),
    "resnet152": _net(partial(ResNet, Bottleneck, (3, 8, 36, 3)), 60_192_808, "fc.weight"),
    "resnext50_32x4d": _net(partial(_RESNET50, groups=32, group_width=4), 25_028_904, "fc.weight"),
    "resnext101_32x8d": _net(partial(_RESNET101, groups=32, group_width=8), 88_791_336, "fc.weight"),
    "resnext101_64x4d": _net(partial(_RESNET101, groups=64, group_width=4), 83_455_272, "fc.weight", _linear(224, 232)),
    "wide_resnet50_2": _net(partial(_RESNET50, group_width=128), 68_883_240, "fc.weight"),
    "wide_resnet101_2": _net(partial(_RESNET101, group_width=128), 126_886_696, "fc.weight"),
    "vgg11": _net(partial(VGG, (1, 1, 2, 2, 2)), 132_863_336, "classifier.6.weight"),
    "vgg11_bn": _net(partial(VGG, (1, 1, 2, 2, 2), True), 132_868_840, "classifier.6.weight"),
    "vgg13": _net(partial(VGG, (2, 2, 2, 2, 2)), 133_047_848, "classifier.6.weight"),
    "vgg13_bn": _net(partial(VGG, (2, 2, 2, 2, 2), True), 133_053_736, "classifier.6.weight"),
    "vgg16": _net(partial(VGG, (2, 2, 3, 3, 3)), 138_357_544, "classifier.6.weight"),
    "vgg16_bn": _net(partial(VGG, (2, 2, 3, 3, 3), True), 138_365_992, "classifier.6.weight"),
    "vgg19": _net(partial(VGG, (2, 2, 4, 4, 4)), 143_667_240, "classifier.6.weight"),
    "vgg19_bn": _net(partial(VGG, (2, 2, 4, 4, 4), True), 143_678_248, "classifier.6.weight"),
    "squeezenet1_0": _net(partial(SqueezeNet, "1.0"), 1_248_424, "classifier.1.weight"),
    "squeezenet1_1": _net(partial(SqueezeNet, "1.1"), 1_235_496, "classifier.1.weight"),
    "densenet121": _net(partial(DenseNet, 64, 32, (6, 12, 24, 16)), 7_978_856, "classifier.weight"),
    "densenet161": _net(partial(DenseNet, 96, 48, (6, 12, 36, 24)), 28_681_000, "classifier.weight"),
    "densenet169": _net(partial(DenseNet, 64, 32, (6, 12, 32, 32)), 14_149_480, "classifier.weight"),
    "densenet201": _net(partial(DenseNet, 64, 32, (6, 12, 48, 32)), 20_013_928, "classifier.weight"),
    "googlenet": _net(GoogLeNet, 6_624_904, "fc.weight", _half(224, 256)),
    "inception_v3": _net(InceptionV3, 23_834_568, "fc.weight", _half(299, 342)),
    "shufflenet_v2_x0_5": _net(partial(ShuffleNetV2, (48, 96, 192, 1024)), 1_366_792, "fc.weight"),
    "shufflenet_v2_x1_0": _net(partial(ShuffleNetV2, (116, 232, 464, 1024)), 2_278_604, "fc.weight"),
    "shufflenet_v2_x1_5": _net(partial(ShuffleNetV2, (176, 352, 704, 1024)), 3_503_624, "fc.weight", _linear(224, 232)),
    "shufflenet_v2_x2_0": _net(partial(ShuffleNetV2, (244, 488, 976, 2048)), 7_393_996, "fc.weight", _linear(224, 232)),
    "mnasnet0_5": _net(partial(MNASNet, 0.5), 2_218_512, "classifier.1.weight"),
    "mnasnet0_75": _net(partial(MNASNet, 0.75), 3_170_208, "classifier.1.weight", _linear(224, 232)),
    "mnasnet1_0": _net(partial(MNASNet, 1.0), 4_383_312, "classifier.1.weight"),
    "mnasnet1_3": _net(partial(MNASNet, 1.3), 6_282_256, "classifier.1.weight", _linear(224, 232)),
    "mobilenet_v2": _net(MobileNetV2, 3_504_872, "classifier.1.weight"),
    "mobilenet_v3_large": _net(partial(MobileNetV3, "large"), 5_483_032, "classifier.3.weight"),
    "mobilenet_v3_small": _net(partial(MobileNetV3, "small"), 2_542_856, "classifier.3.weight"),
    "efficientnet_b0": _net(partial(EfficientNet, scaled(1.0, 1.0), 32, 1280), 5_288_548, "classifier.1.weight", _cubic(224, 256)),
    "efficientnet_b1": _net(partial(EfficientNet, scaled(1.0, 1.1), 32, 1280), 7_794_184, "classifier.1.weight", _cubic(240, 256)),
    "efficientnet_b2": _net(partial(EfficientNet, scaled(1.1, 1.2), 32, 1408), 9_109_994, "classifier.1.weight", _cubic(288, 288)),
    "efficientnet_b3": _net(partial(EfficientNet, scaled(1.2, 1.4), 40, 1536), 12_233_232, "classifier.1.weight", _cubic(300, 320)),
    "efficientnet_b4": _net(partial(EfficientNet, scaled(1.4, 1.8), 48, 1792), 19_341_616, "classifier.1.weight", _cubic(380, 384)),
    "efficientnet_b5": _net(partial(EfficientNet, scaled(1.6, 2.2), 48, 2048, 1e-3), 30_389_784, "classifier.1.weight", _cubic(456, 456)),
    "efficientnet_b6": _net(partial(EfficientNet, scaled(1.8, 2.6), 56, 2304, 1e-3), 43_040_704, "classifier.1.weight", _cubic(528, 528)),
    "efficientnet_b7": _net(partial(EfficientNet, scaled(2.0, 3.1), 64, 2560, 1e-3), 66_347_960, "classifier.1.weight", _cubic(600, 600)),
    "efficientnet_v2_s": _net(partial(EfficientNet, V2_S, 24, 1280, 1e-3), 21_458_488, "classifier.1.weight", _linear(384, 384)),
    "efficientnet_v2_m": _net(partial(EfficientNet, V2_M, 24, 1280, 1e-3), 54_139_356, "classifier.1.weight", _linear(480, 480)),
    "efficientnet_v2_l": _net(partial(EfficientNet, V2_L, 32, 1280, 1e-3), 118_515_272, "classifier.1.weight", _half(480, 480, "bicubic")),
    "regnet_x_400mf": _net(partial(RegNet, (1, 2, 7, 12), (32, 64, 160, 400), 16, False), 5_495_976, "fc.weight"),
    "regnet_x_800mf": _net(partial(RegNet, (1, 3, 7, 5), (64, 128, 288, 672), 16, False), 7_259_656, "fc.weight"),
    "regnet_x_1_6gf": _net(partial(RegNet, (2, 4, 10, 2), (72, 168, 408, 912), 24, False), 9_190_136, "fc.weight"),
    "regnet_x_3_2gf": _net(partial(RegNet, (2, 6, 15, 2), (96, 192, 432, 1008), 48, False), 15_296_552, "fc.weight"),
    "regnet_x_8gf": _net(partial(RegNet, (2, 5, 15, 1), (80, 240, 720, 1920), 120, False), 39_572_648, "fc.weight"),
    "regnet_x_16gf": _net(partial(RegNet, (2, 6, 13, 1), (256, 512, 896, 2048), 128, False), 54_278_536, "fc.weight"),
    "regnet_x_32gf": _net(partial(RegNet, (2, 7, 13, 1), (336, 672, 1344, 2520), 168, False), 107_811_560, "fc.weight"),
    "regnet_y_400mf": _net(partial(RegNet, (1, 3, 6, 6), (48, 104, 208, 440), 8, True), 4_344_144, "fc.weight"),
    "regnet_y_800mf": _net(partial(RegNet, (1, 3, 8, 2), (64, 144, 320, 784), 16, True), 6_432_512, "fc.weight"),
    "regnet_y_1_6gf": _net(partial(RegNet, (2, 6, 17, 2), (48, 120, 336, 888), 24, True), 11_202_430, "fc.weight"),
    "regnet_y_3_2gf": _net(partial(RegNet, (2, 5, 13, 1), (72, 216, 576, 1512), 24, True), 19_436_338, "fc.weight"),
    "regnet_y_8gf": _net(partial(RegNet, (2, 4, 10, 1), (224, 448, 896, 2016), 56, True), 39_381_472, "fc.weight"),
    "regnet_y_16gf": _net(partial(RegNet, (2, 4, 11, 1), (224, 448, 1232, 3024), 112, True), 83_590_140, "fc.weight"),
    "regnet_y_32gf": _net(partial(RegNet, (2, 5, 12, 1), (232, 696, 1392, 3712), 232, True), 145_046_770, "fc.weight"),
    "regnet_y_128gf": _net(partial(RegNet, (2, 7, 17, 1), (528, 1056, 2904, 7392), 264, True), 644_812_894, "fc.weight", _cubic(384, 384)),
    "convnext_tiny": _net(partial(ConvNeXt, 96, (3, 3, 9, 3)), 28_589_128, "classifier.2.weight", _linear(224, 236)),
    "convnext_small": _net(partial(ConvNeXt, 96, (3, 3, 27, 3)), 50_223_688, "classifier.2.weight", _linear(224, 230)),
    "convnext_base": _net(partial(ConvNeXt, 128, (3, 3, 27, 3)), 88_591_464, "classifier.2.weight", _linear(224, 232)),
    "convnext_large": _net(partial(ConvNeXt, 192, (3, 3, 27, 3)), 197_767_336, "classifier.2.weight", _linear(224, 232)),
    "efficientnet_lite0": Entry(partial(EfficientNetLite, 1.0, 1.0), _lite(224), 1000, 3, 4_652_008, "_fc.weight"),
    "efficientnet_lite1": Entry(partial(EfficientNetLite, 1.0, 1.1), _lite(240), 1000, 3, 5_416_680, "_fc.weight"),
    "efficientnet_lite2": Entry(partial(EfficientNetLite, 1.1, 1.2), _lite(260), 1000, 3, 6_092_072, "_fc.weight"),
    "efficientnet_lite3": Entry(partial(EfficientNetLite, 1.2, 1.4), _lite(280), 1000, 3, 8_197_096, "_fc.weight"),
    "efficientnet_lite4": Entry(partial(EfficientNetLite, 1.4, 1.8), _lite(300), 1000, 3, 13_006_568, "_fc.weight"),
}
"""Name to `Entry`. Counts: torchvision's documentation, but that counts Inception v3 with the auxiliary classifier of training;
for EfficientNet-Lite, TensorFlow's own tests of it."""
