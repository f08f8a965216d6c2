"""Convolution of lines, images and volumes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import functional as F
from ..errors import ModelError
from ..functional import Padding1, Padding2, Padding3, Size1, Size2, Size3
from ..functional.base import of_axes, padding_of
from ..ops.window import resolve_padding
from .fill import uniform
from .module import Module, Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d"]

_PAD_MODES = ("zeros", "reflect", "replicate", "circular")


def check_channels(layer: str, in_channels: Any, out_channels: Any, groups: Any) -> None:
    """Raise unless all are whole numbers of at least 1, and groups divides the channels."""
    for name, value in {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ModelError(f"{layer}: {name} must be a whole number of at least 1, got {value!r}")
    if in_channels % groups or out_channels % groups:
        raise ModelError(f"{layer}: groups {groups} must divide in_channels {in_channels} and out_channels {out_channels}")


class _Conv(Module):
    """What the three share; ``axes`` is their number of spatial axes."""

    axes = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        check_channels(layer, in_channels, out_channels, groups)
        if padding_mode not in _PAD_MODES:
            raise ModelError(f"{layer}: padding_mode must be one of {', '.join(_PAD_MODES)}, got {padding_mode!r}")
        kernel = of_axes(layer, "kernel_size", kernel_size, self.axes)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding, self.dilation, self.groups, self.padding_mode = stride, padding, dilation, groups, padding_mode
        fill = uniform(in_channels // groups * math.prod(kernel))
        self.weight = Parameter((out_channels, in_channels // groups, *kernel), fill)
        self.bias = Parameter((out_channels,), fill) if bias else None

    def forward(self, x: Any) -> Any:
        """(n, in_channels, …) to (n, out_channels, …)."""
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self.axes - 1]
        if self.padding_mode == "zeros":
            return convolve(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        padded = F.pad(x, self._amounts(tuple(x.shape[2:])), self.padding_mode)
        return convolve(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def _amounts(self, sizes: tuple[int, ...]) -> list[int]:
        """(before, after) of the last axis, then of the one before it, as ``pad`` takes them."""
        layer, axes = type(self).__name__, self.axes
        strides, dilations = of_axes(layer, "stride", self.stride, axes), of_axes(layer, "dilation", self.dilation, axes)
        pads = resolve_padding(layer, padding_of(layer, self.padding, axes), sizes, self.kernel_size, strides, dilations)
        return [amount for sides in reversed(pads) for amount in sides]


class Conv1d(_Conv):
    """Convolution of (n, in_channels, l) lines; see :func:`gpucnn.functional.conv1d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or (int,)
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
    groups : int
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding is filled with; as :func:`gpucnn.functional.pad`.

    Examples
    --------
    >>> import numpy as np
    >>> Conv1d(4, 6, 3, stride=2, padding=1)(np.zeros((2, 4, 9), np.float32)).shape
    (2, 6, 5)
    """

    axes = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size1,
        stride: Size1 = 1,
        padding: Padding1 = 0,
        dilation: Size1 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode)


class Conv2d(_Conv):
    """Convolution of (n, in_channels, h, w) images; see :func:`gpucnn.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or (int, int)
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    groups : int
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding is filled with; as :func:`gpucnn.functional.pad`.

    Examples
    --------
    >>> import numpy as np
    >>> Conv2d(3, 8, (3, 5), padding="same", padding_mode="reflect")(np.zeros((1, 3, 6, 7), np.float32)).shape
    (1, 8, 6, 7)
    """

    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        stride: Size2 = 1,
        padding: Padding2 = 0,
        dilation: Size2 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode)


class Conv3d(_Conv):
    """Convolution of (n, in_channels, d, h, w) volumes; see :func:`gpucnn.functional.conv3d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or (int, int, int)
    padding : int, (int, int, int), ((front, back), (top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    groups : int
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
        What the padding is filled with; as :func:`gpucnn.functional.pad`.

    Examples
    --------
    >>> import numpy as np
    >>> Conv3d(3, 4, (1, 3, 3), padding=(0, 1, 1))(np.zeros((1, 3, 2, 5, 6), np.float32)).shape
    (1, 4, 2, 5, 6)
    """

    axes = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size3,
        stride: Size3 = 1,
        padding: Padding3 = 0,
        dilation: Size3 = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode)
