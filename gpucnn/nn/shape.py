"""Layers that change the shape, or do nothing at inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "Flatten", "Identity", "Unflatten"]


class Flatten(Module):
    """Axes ``start_dim`` to ``end_dim`` become one, in NCHW order; see :func:`gpucnn.functional.flatten`.

    Parameters
    ----------
    start_dim, end_dim : int

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 3, 4, 5), np.float32)).shape
    (2, 60)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c·h·w) by default."""
        return F.flatten(x, self.start_dim, self.end_dim)


class Unflatten(Module):
    """One axis becomes several; see :func:`gpucnn.functional.unflatten`.

    Parameters
    ----------
    dim : int
    unflattened_size : sequence of int
        One size may be −1 and is then computed.

    Examples
    --------
    >>> import numpy as np
    >>> Unflatten(1, (3, 2, 2))(np.zeros((5, 12), np.float32)).shape
    (5, 3, 2, 2)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Any) -> Any:
        """(…, k, …) to (…, *unflattened_size, …)."""
        return F.unflatten(x, self.dim, self.unflattened_size)


class Dropout(Module):
    """x as it is: at inference nothing is dropped; see :func:`gpucnn.functional.dropout`.

    Parameters
    ----------
    p : float
    inplace : bool
        Taken for PyTorch's sake.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.3)(np.float32([1, 2]))
    array([1., 2.], dtype=float32)
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.dropout(x, self.p)


class Dropout1d(Dropout):
    """x (n, c, l) as it is: at inference no channel is dropped; see :func:`gpucnn.functional.dropout`.

    Parameters
    ----------
    p : float
    inplace : bool
        Taken for PyTorch's sake.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout1d(0.3)(np.ones((1, 1, 1), np.float32)).ravel()
    array([1.], dtype=float32)
    """


class Dropout2d(Dropout):
    """x (n, c, h, w) as it is: at inference no channel is dropped; see :func:`gpucnn.functional.dropout`.

    Parameters
    ----------
    p : float
    inplace : bool
        Taken for PyTorch's sake.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout2d(0.3)(np.ones((1, 1, 1, 1), np.float32)).ravel()
    array([1.], dtype=float32)
    """


class Dropout3d(Dropout):
    """x (n, c, d, h, w) as it is: at inference no channel is dropped; see :func:`gpucnn.functional.dropout`.

    Parameters
    ----------
    p : float
    inplace : bool
        Taken for PyTorch's sake.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout3d(0.3)(np.ones((1, 1, 1, 1, 1), np.float32)).ravel()
    array([1.], dtype=float32)
    """


class Identity(Module):
    """x as it is, as :func:`gpucnn.functional.dropout` gives it at inference.

    Examples
    --------
    >>> import numpy as np
    >>> Identity()(np.float32([1, 2]))
    array([1., 2.], dtype=float32)
    """

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.dropout(x, 0.0)
