"""Layers that resize maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]

Size = int | Sequence[int] | None
Scale = float | Sequence[float] | None


class Upsample(Module):
    """Maps made larger, or smaller; see :func:`gpucnn.functional.interpolate`.

    Parameters
    ----------
    size : int or sequence of int, optional
    scale_factor : float or sequence of float, optional
    mode : str
    align_corners : bool, optional
    recompute_scale_factor : bool, optional

    Examples
    --------
    >>> import numpy as np
    >>> Upsample(scale_factor=2)(np.zeros((1, 3, 4, 5), np.float32)).shape
    (1, 3, 8, 10)
    """

    def __init__(
        self,
        size: Size = None,
        scale_factor: Scale = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, x: Any) -> Any:
        """(n, c, …) with other spatial sizes."""
        return F.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor)


class UpsamplingNearest2d(Module):
    """Maps made larger by repeating pixels; see :func:`gpucnn.functional.interpolate`.

    Parameters
    ----------
    size : int or (int, int), optional
    scale_factor : float or (float, float), optional

    Examples
    --------
    >>> import numpy as np
    >>> UpsamplingNearest2d(scale_factor=2)(np.float32([[[[1, 2]]]]))[0, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]], dtype=float32)
    """

    def __init__(self, size: Size = None, scale_factor: Scale = None) -> None:
        super().__init__()
        self.size, self.scale_factor = size, scale_factor

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) with another height and width."""
        return F.interpolate(x, self.size, self.scale_factor, "nearest")


class UpsamplingBilinear2d(Module):
    """Maps made larger by bilinear interpolation with aligned corners; see :func:`gpucnn.functional.interpolate`.

    Parameters
    ----------
    size : int or (int, int), optional
    scale_factor : float or (float, float), optional

    Examples
    --------
    >>> import numpy as np
    >>> UpsamplingBilinear2d(size=(1, 3))(np.float32([[[[1, 2]]]])).ravel()
    array([1. , 1.5, 2. ], dtype=float32)
    """

    def __init__(self, size: Size = None, scale_factor: Scale = None) -> None:
        super().__init__()
        self.size, self.scale_factor = size, scale_factor

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) with another height and width."""
        return F.interpolate(x, self.size, self.scale_factor, "bilinear", align_corners=True)
