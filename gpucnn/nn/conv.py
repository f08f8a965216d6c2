"""Convolution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import functional as F
from ..errors import ModelError
from ..functional import Padding2, Size2
from .fill import uniform
from .module import Module, Parameter

__all__ = ["Conv2d"]


class Conv2d(Module):
    """Convolution of (n, in_channels, h, w) images; see :func:`gpucnn.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or (int, int)
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
    groups : int
    bias : bool
    """

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
    ) -> None:
        super().__init__()
        for name, value in {"in_channels": in_channels, "out_channels": out_channels, "groups": groups}.items():
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ModelError(f"Conv2d: {name} must be a whole number of at least 1, got {value!r}")
        if in_channels % groups or out_channels % groups:
            raise ModelError(f"Conv2d: groups {groups} must divide in_channels {in_channels} and out_channels {out_channels}")
        kernel = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        fill = uniform(in_channels // groups * math.prod(kernel))
        self.weight = Parameter((out_channels, in_channels // groups, *kernel), fill)
        self.bias = Parameter((out_channels,), fill) if bias else None

    def forward(self, x: Any) -> Any:
        """(n, in_channels, h, w) to (n, out_channels, p, q)."""
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
