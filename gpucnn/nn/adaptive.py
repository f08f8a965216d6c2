"""Adaptive pooling."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..functional import Adaptive1, Adaptive2, Adaptive3
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
]  # fmt: skip


class AdaptiveAvgPool1d(Module):
    """Mean over windows that cover an axis; see :func:`gpucnn.functional.adaptive_avg_pool1d`.

    Parameters
    ----------
    output_size : int, None or (int or None,)
        Windows along each axis; None keeps the size of x.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool1d(4)(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 4)
    """

    def __init__(self, output_size: Adaptive1) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, *output_size)."""
        return F.adaptive_avg_pool1d(x, self.output_size)


class AdaptiveAvgPool2d(Module):
    """Mean over windows that cover the map; see :func:`gpucnn.functional.adaptive_avg_pool2d`.

    Parameters
    ----------
    output_size : int, None or (int or None, int or None)
        Windows along each axis; None keeps the size of x.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool2d(4)(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 4, 4)
    """

    def __init__(self, output_size: Adaptive2) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, *output_size)."""
        return F.adaptive_avg_pool2d(x, self.output_size)


class AdaptiveAvgPool3d(Module):
    """Mean over windows that cover a volume; see :func:`gpucnn.functional.adaptive_avg_pool3d`.

    Parameters
    ----------
    output_size : int, None or a sequence of three of them
        Windows along each axis; None keeps the size of x.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveAvgPool3d(4)(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 4, 4, 4)
    """

    def __init__(self, output_size: Adaptive3) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, *output_size)."""
        return F.adaptive_avg_pool3d(x, self.output_size)


class AdaptiveMaxPool1d(Module):
    """Maximum over windows that cover an axis; see :func:`gpucnn.functional.adaptive_max_pool1d`.

    Parameters
    ----------
    output_size : int, None or (int or None,)
        Windows along each axis; None keeps the size of x.
    return_indices : bool
        Also return where each maximum lies.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPool1d(4)(np.zeros((2, 3, 6), np.float32)).shape
    (2, 3, 4)
    """

    def __init__(self, output_size: Adaptive1, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, x: Any) -> Any:
        """(n, c, l) to (n, c, *output_size)."""
        return F.adaptive_max_pool1d(x, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(Module):
    """Maximum over windows that cover the map; see :func:`gpucnn.functional.adaptive_max_pool2d`.

    Parameters
    ----------
    output_size : int, None or (int or None, int or None)
        Windows along each axis; None keeps the size of x.
    return_indices : bool
        Also return where each maximum lies.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPool2d(4)(np.zeros((2, 3, 6, 6), np.float32)).shape
    (2, 3, 4, 4)
    """

    def __init__(self, output_size: Adaptive2, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, *output_size)."""
        return F.adaptive_max_pool2d(x, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(Module):
    """Maximum over windows that cover a volume; see :func:`gpucnn.functional.adaptive_max_pool3d`.

    Parameters
    ----------
    output_size : int, None or a sequence of three of them
        Windows along each axis; None keeps the size of x.
    return_indices : bool
        Also return where each maximum lies.

    Examples
    --------
    >>> import numpy as np
    >>> AdaptiveMaxPool3d(4)(np.zeros((2, 3, 6, 6, 6), np.float32)).shape
    (2, 3, 4, 4, 4)
    """

    def __init__(self, output_size: Adaptive3, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, x: Any) -> Any:
        """(n, c, d, h, w) to (n, c, *output_size)."""
        return F.adaptive_max_pool3d(x, self.output_size, self.return_indices)
