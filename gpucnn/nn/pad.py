"""Layers that add pixels around a map; each is :func:`gpucnn.functional.pad` in one mode."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import functional as F
from ..errors import ShapeError
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip

Padding1 = int | tuple[int, int]
Padding2 = int | tuple[int, int, int, int]
Padding3 = int | tuple[int, int, int, int, int, int]

_SIDES = {1: "(left, right)", 2: "(left, right, top, bottom)", 3: "(left, right, top, bottom, front, back)"}


class _Pad(Module):
    """What they share."""

    _axes: ClassVar[int]
    _mode: ClassVar[str] = "constant"
    value = 0.0

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self._axes) if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != 2 * self._axes:
            raise ShapeError(f"{type(self).__name__}: padding must be an int or {_SIDES[self._axes]}, got {padding}")

    def forward(self, x: Any) -> Any:
        """(n, c, …) with the last axes longer by what is added on their two sides."""
        return F.pad(x, self.padding, self._mode, self.value)


class ZeroPad1d(_Pad):
    """Zeros around a line; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right)
        Pixels; negative ones crop.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPad1d((2, 1))(np.float32([[[1, 2, 3]]])).ravel()
    array([0., 0., 1., 2., 3., 0.], dtype=float32)
    """

    _axes = 1

    def __init__(self, padding: Padding1) -> None:
        super().__init__(padding)


class ZeroPad2d(_Pad):
    """Zeros around a map; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        Pixels; negative ones crop.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPad2d((2, 1, 0, 0))(np.float32([[[[1, 2, 3]]]])).ravel()
    array([0., 0., 1., 2., 3., 0.], dtype=float32)
    """

    _axes = 2

    def __init__(self, padding: Padding2) -> None:
        super().__init__(padding)


class ZeroPad3d(_Pad):
    """Zeros around a volume; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom, front, back)
        Pixels; negative ones crop.

    Examples
    --------
    >>> import numpy as np
    >>> ZeroPad3d((2, 1, 0, 0, 0, 0))(np.float32([[[[[1, 2, 3]]]]])).ravel()
    array([0., 0., 1., 2., 3., 0.], dtype=float32)
    """

    _axes = 3

    def __init__(self, padding: Padding3) -> None:
        super().__init__(padding)


class ConstantPad1d(_Pad):
    """A constant around a line; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right)
        Pixels; negative ones crop.
    value : float

    Examples
    --------
    >>> import numpy as np
    >>> ConstantPad1d((2, 1), 7)(np.float32([[[1, 2, 3]]])).ravel()
    array([7., 7., 1., 2., 3., 7.], dtype=float32)
    """

    _axes = 1

    def __init__(self, padding: Padding1, value: float) -> None:
        super().__init__(padding)
        self.value = value


class ConstantPad2d(_Pad):
    """A constant around a map; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom)
        Pixels; negative ones crop.
    value : float

    Examples
    --------
    >>> import numpy as np
    >>> ConstantPad2d((2, 1, 0, 0), 7)(np.float32([[[[1, 2, 3]]]])).ravel()
    array([7., 7., 1., 2., 3., 7.], dtype=float32)
    """

    _axes = 2

    def __init__(self, padding: Padding2, value: float) -> None:
        super().__init__(padding)
        self.value = value


class ConstantPad3d(_Pad):
    """A constant around a volume; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom, front, back)
        Pixels; negative ones crop.
    value : float

    Examples
    --------
    >>> import numpy as np
    >>> ConstantPad3d((2, 1, 0, 0, 0, 0), 7)(np.float32([[[[[1, 2, 3]]]]])).ravel()
    array([7., 7., 1., 2., 3., 7.], dtype=float32)
    """

    _axes = 3

    def __init__(self, padding: Padding3, value: float) -> None:
        super().__init__(padding)
        self.value = value


class ReflectionPad1d(_Pad):
    """Mirrored at its edge, which is not repeated: a line; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> ReflectionPad1d((2, 1))(np.float32([[[1, 2, 3]]])).ravel()
    array([3., 2., 1., 2., 3., 2.], dtype=float32)
    """

    _axes = 1
    _mode = "reflect"

    def __init__(self, padding: Padding1) -> None:
        super().__init__(padding)


class ReflectionPad2d(_Pad):
    """Mirrored at its edge, which is not repeated: a map; see :func:`gpucnn.functional.pad`.

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

    _axes = 2
    _mode = "reflect"

    def __init__(self, padding: Padding2) -> None:
        super().__init__(padding)


class ReflectionPad3d(_Pad):
    """Mirrored at its edge, which is not repeated: a volume; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom, front, back)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> ReflectionPad3d((2, 1, 0, 0, 0, 0))(np.float32([[[[[1, 2, 3]]]]])).ravel()
    array([3., 2., 1., 2., 3., 2.], dtype=float32)
    """

    _axes = 3
    _mode = "reflect"

    def __init__(self, padding: Padding3) -> None:
        super().__init__(padding)


class ReplicationPad1d(_Pad):
    """The edge repeated around a line; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> ReplicationPad1d((2, 1))(np.float32([[[1, 2, 3]]])).ravel()
    array([1., 1., 1., 2., 3., 3.], dtype=float32)
    """

    _axes = 1
    _mode = "replicate"

    def __init__(self, padding: Padding1) -> None:
        super().__init__(padding)


class ReplicationPad2d(_Pad):
    """The edge repeated around a map; see :func:`gpucnn.functional.pad`.

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

    _axes = 2
    _mode = "replicate"

    def __init__(self, padding: Padding2) -> None:
        super().__init__(padding)


class ReplicationPad3d(_Pad):
    """The edge repeated around a volume; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom, front, back)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> ReplicationPad3d((2, 1, 0, 0, 0, 0))(np.float32([[[[[1, 2, 3]]]]])).ravel()
    array([1., 1., 1., 2., 3., 3.], dtype=float32)
    """

    _axes = 3
    _mode = "replicate"

    def __init__(self, padding: Padding3) -> None:
        super().__init__(padding)


class CircularPad1d(_Pad):
    """Continued from its other side: a line; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> CircularPad1d((2, 1))(np.float32([[[1, 2, 3]]])).ravel()
    array([2., 3., 1., 2., 3., 1.], dtype=float32)
    """

    _axes = 1
    _mode = "circular"

    def __init__(self, padding: Padding1) -> None:
        super().__init__(padding)


class CircularPad2d(_Pad):
    """Continued from its other side: a map; see :func:`gpucnn.functional.pad`.

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

    _axes = 2
    _mode = "circular"

    def __init__(self, padding: Padding2) -> None:
        super().__init__(padding)


class CircularPad3d(_Pad):
    """Continued from its other side: a volume; see :func:`gpucnn.functional.pad`.

    Parameters
    ----------
    padding : int or (left, right, top, bottom, front, back)
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> CircularPad3d((2, 1, 0, 0, 0, 0))(np.float32([[[[[1, 2, 3]]]]])).ravel()
    array([2., 3., 1., 2., 3., 1.], dtype=float32)
    """

    _axes = 3
    _mode = "circular"

    def __init__(self, padding: Padding3) -> None:
        super().__init__(padding)
