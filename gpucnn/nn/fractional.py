"""Fractional pooling."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..functional import Size2, Size3
from .module import Module

__all__ = ["FractionalMaxPool2d", "FractionalMaxPool3d"]


class FractionalMaxPool2d(Module):
    """Maximum of windows that lie apart by a fraction of a pixel on average; see :func:`gpucnn.functional.fractional_max_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        Pixels.
    output_size : int or (int, int), optional
        Windows along each axis.
    output_ratio : float or (float, float), optional
        Instead of ``output_size``.
    return_indices : bool
        Also return where each maximum lies.
    samples : array, (n, c, 2) or (1, c, 2), floating point, optional
        Width before height.
    seed : int
        Of the samples where none are given: the same for all images.

    Examples
    --------
    >>> import numpy as np
    >>> FractionalMaxPool2d(2, output_ratio=0.7)(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 4, 4)
    """

    def __init__(
        self,
        kernel_size: Size2,
        output_size: Size2 | None = None,
        output_ratio: float | tuple[float, float] | None = None,
        return_indices: bool = False,
        samples: Any = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.kernel_size, self.output_size, self.output_ratio, self.return_indices = kernel_size, output_size, output_ratio, return_indices
        self.samples, self.seed = samples, seed

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, *output_size)."""
        return F.fractional_max_pool2d(
            x, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self.samples, self.seed
        )


class FractionalMaxPool3d(Module):
    """Maximum of windows that lie apart by a fraction of a pixel on average, of a volume;
    see :func:`gpucnn.functional.fractional_max_pool3d`.

    Parameters
    ----------
    kernel_size : int or (int, int, int)
        Pixels.
    output_size : int or (int, int, int), optional
        Windows along each axis.
    output_ratio : float or (float, float, float), optional
        Instead of ``output_size``.
    return_indices : bool
        Also return where each maximum lies.
    samples : array, (n, c, 3) or (1, c, 3), floating point, optional
        Depth, height, width.
    seed : int
        Of the samples where none are given: the same for all images.

    Examples
    --------
    >>> import numpy as np
    >>> FractionalMaxPool3d(2, output_ratio=0.7)(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 4, 4, 4)
    """

    def __init__(
        self,
        kernel_size: Size3,
        output_size: Size3 | None = None,
        output_ratio: float | tuple[float, float, float] | None = None,
        return_indices: bool = False,
        samples: Any = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.kernel_size, self.output_size, self.output_ratio, self.return_indices = kernel_size, output_size, output_ratio, return_indices
        self.samples, self.seed = samples, seed

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, *output_size)."""
        return F.fractional_max_pool3d(
            x, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self.samples, self.seed
        )
