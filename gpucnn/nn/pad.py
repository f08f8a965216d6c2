"""Layers that add pixels around a map; each is :func:`gpucnn.functional.pad` in one mode."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..errors import ShapeError
from .module import Module

__all__ = ["CircularPad2d", "ConstantPad2d", "ReflectionPad2d", "ReplicationPad2d", "ZeroPad2d"]

Padding = int | tuple[int, int, int, int]


def _amounts(layer: Module, padding: Padding) -> tuple[int, ...]:
    """Left, right, top, bottom."""
    found = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
    if len(found) != 4:
        raise ShapeError(f"{type(layer).__name__}: padding must be an int or (left, right, top, bottom), got {padding}")
    return found


class ZeroPad2d(Module):
    """Zeros around a map; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        Pixels; negative ones crop.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPad2d((1, 2, 0, 0))(np.ones((1, 1, 1, 1), np.float32)).ravel()
    array([0., 1., 0., 0.], dtype=float32)
    """

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.padding = _amounts(self, padding)

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, h + top + bottom, w + left + right)."""
        return F.pad(x, self.padding)


class ConstantPad2d(Module):
    """A constant around a map; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        Pixels; negative ones crop.
    value : float

    Examples
    --------
    >>> import numpy as np
    >>> ConstantPad2d((1, 2, 0, 0), 7)(np.ones((1, 1, 1, 1), np.float32)).ravel()
    array([7., 1., 7., 7.], dtype=float32)
    """

    def __init__(self, padding: Padding, value: float) -> None:
        super().__init__()
        self.padding, self.value = _amounts(self, padding), value

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, h + top + bottom, w + left + right)."""
        return F.pad(x, self.padding, value=self.value)


class ReflectionPad2d(Module):
    """A map mirrored at its edge, which is not repeated; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> ReflectionPad2d((2, 1, 0, 0))(np.float32([[[[1, 2, 3]]]])).ravel()
    array([3., 2., 1., 2., 3., 2.], dtype=float32)
    """

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.padding = _amounts(self, padding)

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, h + top + bottom, w + left + right)."""
        return F.pad(x, self.padding, "reflect")


class ReplicationPad2d(Module):
    """The edge of a map repeated; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> ReplicationPad2d((2, 1, 0, 0))(np.float32([[[[1, 2, 3]]]])).ravel()
    array([1., 1., 1., 2., 3., 3.], dtype=float32)
    """

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.padding = _amounts(self, padding)

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, h + top + bottom, w + left + right)."""
        return F.pad(x, self.padding, "replicate")


class CircularPad2d(Module):
    """A map continued from its other side; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> CircularPad2d((2, 1, 0, 0))(np.float32([[[[1, 2, 3]]]])).ravel()
    array([2., 3., 1., 2., 3., 1.], dtype=float32)
    """

    def __init__(self, padding: Padding) -> None:
        super().__init__()
        self.padding = _amounts(self, padding)

    def forward(self, x: Any) -> Any:
        """(n, c, h, w) to (n, c, h + top + bottom, w + left + right)."""
        return F.pad(x, self.padding, "circular")
