"""Architectures by name; `ENTRIES` is the table.

LeNet-5, EfficientNet-Lite, and every convolutional network for classification that torchvision has, under its names and with
its state dicts: AlexNet, ConvNeXt, DenseNet, EfficientNet and EfficientNetV2, GoogLeNet, Inception v3, MNASNet, MobileNetV2 and
V3, RegNet X and Y, ResNet, ResNeXt, ShuffleNetV2, SqueezeNet, VGG, Wide ResNet. A network costs nothing to build: weights are
made when they are first read. Photographs are prepared as for the first of its published weights, which torchvision calls
IMAGENET1K_V1; for others pass ``preprocess``: most of IMAGENET1K_V2 want ``Preprocess(resize=232)``.

>>> list("resnet1*")
['resnet18', 'resnet101', 'resnet152']
>>> create("resnet18", num_classes=10).num_parameters()
11181642
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np

from ..errors import ModelError
from ..nn import BatchNorm2d, Module
from ..spec import Array
from .entries import ENTRIES, Entry
from .weights import Weights, weights_for

__all__ = ["ENTRIES", "Entry", "Weights", "create", "entry", "list", "weights_for"]


def list(pattern: str = "*") -> builtins.list[str]:
    """Names of the architectures that match a shell pattern.

    Parameters
    ----------
    pattern : str
        With ``*``, ``?`` and ``[…]``; case does not matter.

    Returns
    -------
    list of str
        In the order of the table; empty where nothing matches.

    Raises
    ------
    ModelError
        The pattern is no string.

    Examples
    --------
    >>> list("*lite[01]")
    ['efficientnet_lite0', 'efficientnet_lite1']
    """
    if not isinstance(pattern, str):
        raise ModelError(f"zoo.list: pattern must be a string such as 'resnet*', got {pattern!r}")
    return [name for name in ENTRIES if fnmatchcase(name, pattern.lower())]


def entry(name: str) -> Entry:
    """Look an architecture up.

    Parameters
    ----------
    name : str

    Returns
    -------
    Entry
        How to build it, its preprocessing, and its published numbers.

    Raises
    ------
    ModelError
        There is none of this name; the message has the nearest names.

    Examples
    --------
    >>> entry("resnet50").parameters
    25557032
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
    weights: str | os.PathLike[str] | Mapping[str, Array] | Weights | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
) -> Module:
    """Build a network of the zoo.

    Parameters
    ----------
    name : str
        One of `list`.
    weights : path, mapping of str to array, or Weights, optional
        Trained weights: a file that `gpucnn.formats.read_weights` reads, a state dict, or what `weights_for` made of either. A
        prefix that all names share, such as ``"model."``, is taken off. Without them the values are random, and made only when
        first read.
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

    Examples
    --------
    >>> create("mobilenet_v2", num_classes=5).state_shapes()["classifier.1.weight"]
    (5, 1280)
    """
    architecture = entry(name)
    for argument, value in (("num_classes", num_classes), ("in_channels", in_channels)):
        if value is not None and (not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1):
            raise ModelError(f"{name}: {argument} must be a whole number of at least 1, got {value!r}")
    given = None if weights is None else weights if isinstance(weights, Weights) else weights_for(name, weights)
    if num_classes is None:
        head = given.state.get(architecture.head) if given is not None else None
        shape = np.shape(head) if head is not None else ()
        num_classes = shape[0] if len(shape) in (2, 4) else architecture.num_classes
    net = architecture.build(num_classes=int(num_classes), in_channels=int(in_channels or architecture.in_channels))
    if given is not None:
        try:
            net.load_state_dict(given.state, assign=given.owned)
        except ModelError as error:
            raise ModelError(f"{given.source}: not weights of {name}: {error}") from error
        if given.eps is not None:
            for _, module in net.named_modules():
                if isinstance(module, BatchNorm2d):
                    module.eps = given.eps
    return net
