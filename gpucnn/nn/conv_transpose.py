"""Transposed convolution of lines, images and volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import functional as F
from ..errors import ShapeError
from ..functional import Padding1, Padding2, Padding3, Size1, Size2, Size3
from ..functional.base import of_axes, padding_of
from ..ops import ConvTranspose
from .conv import check_channels
from .fill import uniform
from .module import Module, Parameter

__all__ = ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _ConvTranspose(Module):
    """What the three share; ``axes`` is their number of spatial axes."""

    axes = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
    ) -> None:
        super().__init__()
        layer = type(self).__name__
        check_channels(layer, in_channels, out_channels, groups)
        kernel = of_axes(layer, "kernel_size", kernel_size, self.axes)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding, self.output_padding, self.groups, self.dilation = stride, padding, output_padding, groups, dilation
        fill = uniform(out_channels // groups * math.prod(kernel))  # as PyTorch, whose fan-in is of the weight's second axis
        self.weight = Parameter((in_channels, out_channels // groups, *kernel), fill)
        self.bias = Parameter((out_channels,), fill) if bias else None

    def forward(self, x: Any, output_size: Sequence[int] | None = None) -> Any:
        """(n, in_channels, …) to (n, out_channels, …).

        Parameters
        ----------
        x : array
        output_size : sequence of int, optional
            Sizes of the result, which decide on output_padding: several convolutions of images of unlike size give results of one size.
        """
        transposed = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self.axes - 1]
        extra = self.output_padding if output_size is None else self._extra(tuple(x.shape[2:]), output_size)
        return transposed(x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _extra(self, sizes: tuple[int, ...], output_size: Sequence[int]) -> Any:
        """The output_padding that gives ``output_size``."""
        layer, axes = type(self).__name__, self.axes
        strides, dilations = of_axes(layer, "stride", self.stride, axes), of_axes(layer, "dilation", self.dilation, axes)
        wanted = of_axes(layer, "output_size", tuple(output_size)[-axes:], axes)
        bare = ConvTranspose(strides, padding_of(layer, self.padding, axes), dilations, self.groups, (0,) * axes)
        _, least = bare.geometry(sizes, self.kernel_size)
        most = tuple(n + max(s, d) - 1 for n, s, d in zip(least, strides, dilations))
        if not all(a <= n <= b for a, n, b in zip(least, wanted, most)):
            raise ShapeError(f"{layer}: output_size must lie between {least} and {most} for an input of {sizes}, got {wanted}")
        return tuple(n - a for n, a in zip(wanted, least))


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of (n, in_channels, l) lines; see :func:`gpucnn.functional.conv_transpose1d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride : int or (int,)
    padding : int, (int,), ((before, after),), or {"same", "same_lower", "valid"}
    output_padding : int or (int,)
    groups : int
    bias : bool
    dilation : int or (int,)

    Examples
    --------
    >>> import numpy as np
    >>> ConvTranspose1d(6, 4, 4, stride=2, padding=1)(np.zeros((2, 6, 5), np.float32)).shape
    (2, 4, 10)
    """

    axes = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size1,
        stride: Size1 = 1,
        padding: Padding1 = 0,
        output_padding: Size1 = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size1 = 1,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of (n, in_channels, h, w) images; see :func:`gpucnn.functional.conv_transpose2d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride : int or (int, int)
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    output_padding : int or (int, int)
    groups : int
    bias : bool
    dilation : int or (int, int)

    Examples
    --------
    >>> import numpy as np
    >>> up = ConvTranspose2d(8, 3, 3, stride=2, padding=1)
    >>> x = np.zeros((1, 8, 6, 7), np.float32)
    >>> up(x).shape, up(x, output_size=(12, 14)).shape
    ((1, 3, 11, 13), (1, 3, 12, 14))
    """

    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size2,
        stride: Size2 = 1,
        padding: Padding2 = 0,
        output_padding: Size2 = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size2 = 1,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation)


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of (n, in_channels, d, h, w) volumes; see :func:`gpucnn.functional.conv_transpose3d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride : int or (int, int, int)
    padding : int, (int, int, int), ((front, back), (top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    output_padding : int or (int, int, int)
    groups : int
    bias : bool
    dilation : int or (int, int, int)

    Examples
    --------
    >>> import numpy as np
    >>> ConvTranspose3d(4, 3, 2, stride=2)(np.zeros((1, 4, 2, 3, 3), np.float32)).shape
    (1, 3, 4, 6, 6)
    """

    axes = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size3,
        stride: Size3 = 1,
        padding: Padding3 = 0,
        output_padding: Size3 = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size3 = 1,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation)
