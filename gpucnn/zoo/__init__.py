"""Architectures by name; `ENTRIES` is the table.

>>> list("resnet1*")
['resnet18', 'resnet101', 'resnet152']
>>> create("resnet18", num_classes=10).num_parameters()
11181642
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from ..errors import ModelError
from ..nn import Module
from ..preprocess import Preprocess
from ..spec import Array
from .efficientnet_lite import EfficientNetLite
from .lenet import LeNet5
from .mobilenet import MobileNetV2
from .resnet import BasicBlock, Bottleneck, ResNet
from .vgg import VGG

__all__ = ["ENTRIES", "Entry", "create", "entry", "list"]


@dataclass(frozen=True)
class Entry:
    """One architecture of the zoo.

    Parameters
    ----------
    build : callable
        ``build(num_classes=…, in_channels=…) -> Module``.
    preprocess : Preprocess
        What the published weights were evaluated with.
    num_classes, in_channels : int
        What the published network has.
    parameters : int
        Published count, for those numbers of classes and channels.
    head : str
        State-dict name of the last weight, (classes, features): a file of weights tells its number of classes there.
    """

    build: Callable[..., Module]
    preprocess: Preprocess
    num_classes: int
    in_channels: int
    parameters: int
    head: str


# torchvision's for its first ImageNet weights; its later ones ("V2") want resize 232.
_IMAGENET = Preprocess(size=(224, 224), resize=256, interpolation="bilinear")
_DIGITS = Preprocess(size=(32, 32), resize=32, interpolation="bilinear", mean=(0.1307,), std=(0.3081,), order="L")


def _lite(size: int) -> Preprocess:
    """EfficientNet-Lite's record: pixels of 0…255 less 127, over 128; the crop is 0.875 of the short side."""
    mean, std = (127 / 255,) * 3, (128 / 255,) * 3
    return Preprocess((size, size), resize=round(size / 0.875), interpolation="bicubic", mean=mean, std=std)


ENTRIES: dict[str, Entry] = {
    "lenet5": Entry(LeNet5, _DIGITS, 10, 1, 61_706, "output.weight"),
    "resnet18": Entry(partial(ResNet, BasicBlock, (2, 2, 2, 2)), _IMAGENET, 1000, 3, 11_689_512, "fc.weight"),
    "resnet34": Entry(partial(ResNet, BasicBlock, (3, 4, 6, 3)), _IMAGENET, 1000, 3, 21_797_672, "fc.weight"),
    "resnet50": Entry(partial(ResNet, Bottleneck, (3, 4, 6, 3)), _IMAGENET, 1000, 3, 25_557_032, "fc.weight"),
    "resnet101": Entry(partial(ResNet, Bottleneck, (3, 4, 23, 3)), _IMAGENET, 1000, 3, 44_549_160, "fc.weight"),
    "resnet152": Entry(partial(ResNet, Bottleneck, (3, 8, 36, 3)), _IMAGENET, 1000, 3, 60_192_808, "fc.weight"),
    "vgg11": Entry(partial(VGG, (1, 1, 2, 2, 2)), _IMAGENET, 1000, 3, 132_863_336, "classifier.6.weight"),
    "vgg11_bn": Entry(partial(VGG, (1, 1, 2, 2, 2), True), _IMAGENET, 1000, 3, 132_868_840, "classifier.6.weight"),
    "vgg13": Entry(partial(VGG, (2, 2, 2, 2, 2)), _IMAGENET, 1000, 3, 133_047_848, "classifier.6.weight"),
    "vgg13_bn": Entry(partial(VGG, (2, 2, 2, 2, 2), True), _IMAGENET, 1000, 3, 133_053_736, "classifier.6.weight"),
    "vgg16": Entry(partial(VGG, (2, 2, 3, 3, 3)), _IMAGENET, 1000, 3, 138_357_544, "classifier.6.weight"),
    "vgg16_bn": Entry(partial(VGG, (2, 2, 3, 3, 3), True), _IMAGENET, 1000, 3, 138_365_992, "classifier.6.weight"),
    "vgg19": Entry(partial(VGG, (2, 2, 4, 4, 4)), _IMAGENET, 1000, 3, 143_667_240, "classifier.6.weight"),
    "vgg19_bn": Entry(partial(VGG, (2, 2, 4, 4, 4), True), _IMAGENET, 1000, 3, 143_678_248, "classifier.6.weight"),
    "mobilenet_v2": Entry(MobileNetV2, _IMAGENET, 1000, 3, 3_504_872, "classifier.1.weight"),
    "efficientnet_lite0": Entry(partial(EfficientNetLite, 1.0, 1.0), _lite(224), 1000, 3, 4_652_008, "_fc.weight"),
    "efficientnet_lite1": Entry(partial(EfficientNetLite, 1.0, 1.1), _lite(240), 1000, 3, 5_416_680, "_fc.weight"),
    "efficientnet_lite2": Entry(partial(EfficientNetLite, 1.1, 1.2), _lite(260), 1000, 3, 6_092_072, "_fc.weight"),
    "efficientnet_lite3": Entry(partial(EfficientNetLite, 1.2, 1.4), _lite(280), 1000, 3, 8_197_096, "_fc.weight"),
    "efficientnet_lite4": Entry(partial(EfficientNetLite, 1.4, 1.8), _lite(300), 1000, 3, 13_006_568, "_fc.weight"),
}
"""Name to `Entry`. Counts: torchvision's documentation; for EfficientNet-Lite, TensorFlow's own tests of it."""


def list(pattern: str = "*") -> builtins.list[str]:
    """Names of the architectures that match a shell pattern.

    Examples
    --------
    >>> list("*lite[01]")
    ['efficientnet_lite0', 'efficientnet_lite1']
    """
    return [name for name in ENTRIES if fnmatchcase(name, pattern.lower())]


def entry(name: str) -> Entry:
    """Look an architecture up.

    Raises
    ------
    ModelError
        There is none of this name; the message has the nearest names.
    """
    if not isinstance(name, str):
        raise ModelError(f"a model of the zoo is named by a string, got {name!r}")
    found = ENTRIES.get(name)
    if found is None:
        near = get_close_matches(name.lower().replace("-", "_"), ENTRIES, n=4)
        hint = f"did you mean {' or '.join(near)}" if near else f"there are {', '.join(ENTRIES)}"
        raise ModelError(f"unknown model {name!r}; {hint}?" if near else f"unknown model {name!r}; {hint}")
    return found


def create(
    name: str,
    *,
    weights: str | os.PathLike[str] | Mapping[str, Array] | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
) -> Module:
    """Build a network of the zoo.

    Parameters
    ----------
    name : str
        One of `list`.
    weights : path or mapping of str to array, optional
        Trained weights: a file that `gpucnn.formats.read_weights` reads, or a state dict. Without them the values are
        random, and made only when first read.
    num_classes : int, optional
        Default: as many as the weights have; without weights as the published network (1000; LeNet-5: 10).
    in_channels : int, optional
        Channels of the images. Default: as the published network (3; LeNet-5: 1).

    Returns
    -------
    Module
        From images (n, in_channels, h, w) to scores (n, num_classes), before softmax.

    Raises
    ------
    ModelError
        The name is unknown (with near matches), or the weights cannot be read or do not fit.
    """
    architecture = entry(name)
    for argument, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ModelError(f"{name}: {argument} must be a whole number of at least 1, got {value!r}")
    source, state = _state(weights)
    if num_classes is None:
        head = state.get(architecture.head) if state is not None else None
        num_classes = len(head) if head is not None and getattr(head, "ndim", 0) == 2 else architecture.num_classes
    net = architecture.build(num_classes=num_classes, in_channels=in_channels or architecture.in_channels)
    if state is not None:
        try:
            net.load_state_dict(state, assign=not isinstance(weights, Mapping))
        except ModelError as error:
            raise ModelError(f"{source}: not weights of {name}: {error}") from error
    return net


def _state(weights: str | os.PathLike[str] | Mapping[str, Array] | None) -> tuple[str, Mapping[str, Array] | None]:
    """Where the weights come from, for errors, and the weights."""
    if weights is None or isinstance(weights, Mapping):
        return "the given weights", weights
    from ..formats import read_weights

    return str(Path(weights)), read_weights(weights)
