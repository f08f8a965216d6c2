"""Pooling."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..functional import Padding2, Size2
from .module import Module

__all__ = ["AdaptiveAvgPool2d", "AvgPool2d", "MaxPool2d", "MinPool2d"]


class MaxPool2d(Module):
    """Maximum of each window; see :func:`gpucnn.functional.max_pool2d`."""

    def __init__(
        self,
        kernel_size: Size2,
        stride: Size2 | None = None,
        padding: Padding2 = 0,
        dilation: Size2 = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, p, q)."""
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)


class MinPool2d(Module):
    """Minimum of each window; see :func:`gpucnn.functional.min_pool2d`."""

    def __init__(
        self,
        kernel_size: Size2,
        stride: Size2 | None = None,
        padding: Padding2 = 0,
        dilation: Size2 = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = kernel_size, stride, padding, dilation
        self.ceil_mode = ceil_mode

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, p, q)."""
        return F.min_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class AvgPool2d(Module):
    """Mean of each window; see :func:`gpucnn.functional.avg_pool2d`."""

    def __init__(
        self,
        kernel_size: Size2,
        stride: Size2 | None = None,
        padding: Padding2 = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.ceil_mode = kernel_size, stride, padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, p, q)."""
        return F.avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        )


class AdaptiveAvgPool2d(Module):
    """Mean over a grid that covers the map; see :func:`gpucnn.functional.adaptive_avg_pool2d`."""

    def __init__(self, output_size: Size2) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, *output_size)."""
        return F.adaptive_avg_pool2d(x, self.output_size)
