"""Shrinkage and thresholds."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["Hardshrink", "Softshrink", "Tanhshrink", "Threshold"]


class Softshrink(Module):
    """x moved by ``lambd`` towards 0, and 0 where it would pass it; see :func:`gpucnn.functional.softshrink`.

    Parameters
    ----------
    lambd : float, at least 0

    Examples
    --------
    >>> import numpy as np
    >>> Softshrink()(np.float32([-2, 0.3]))
    array([-1.5,  0. ], dtype=float32)
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.softshrink(x, self.lambd)


class Hardshrink(Module):
    """x, and 0 where ``|x| ≤ lambd``; see :func:`gpucnn.functional.hardshrink`.

    Parameters
    ----------
    lambd : float, at least 0

    Examples
    --------
    >>> import numpy as np
    >>> Hardshrink()(np.float32([-2, 0.3]))
    array([-2.,  0.], dtype=float32)
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.hardshrink(x, self.lambd)


class Tanhshrink(Module):
    """``x − tanh(x)``; see :func:`gpucnn.functional.tanhshrink`.

    Examples
    --------
    >>> import numpy as np
    >>> Tanhshrink()(np.float32([0, 1000]))
    array([  0., 999.], dtype=float32)
    """

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.tanhshrink(x)


class Threshold(Module):
    """x where it is above the threshold, else ``value``; see :func:`gpucnn.functional.threshold`.

    Parameters
    ----------
    threshold, value : float
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> Threshold(1, -9)(np.float32([0, 3]))
    array([-9.,  3.], dtype=float32)
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value = threshold, value

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.threshold(x, self.threshold, self.value)
