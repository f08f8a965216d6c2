"""Activations that are straight right of 0: rectifiers, shrinkage, thresholds."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["CELU", "ELU", "SELU", "Hardshrink", "Hardtanh", "LeakyReLU", "ReLU", "ReLU6", "Softshrink", "Threshold"]


class ReLU(Module):
    """``max(x, 0)``; see :func:`gpucnn.functional.relu`.

    Parameters
    ----------
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> ReLU()(np.float32([-1, 2]))
    array([0., 2.], dtype=float32)
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.relu(x)


class ReLU6(Module):
    """``min(max(x, 0), 6)``; see :func:`gpucnn.functional.relu6`.

    Parameters
    ----------
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> ReLU6()(np.float32([-1, 9]))
    array([0., 6.], dtype=float32)
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.relu6(x)


class Hardtanh(Module):
    """``min(max(x, min_val), max_val)``; see :func:`gpucnn.functional.hardtanh`.

    Parameters
    ----------
    min_val, max_val : float
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> Hardtanh()(np.float32([-3, 0.5]))
    array([-1. ,  0.5], dtype=float32)
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.hardtanh(x, self.min_val, self.max_val)


class LeakyReLU(Module):
    """x right of 0, ``negative_slope·x`` left of it; see :func:`gpucnn.functional.leaky_relu`.

    Parameters
    ----------
    negative_slope : float
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> LeakyReLU(0.5)(np.float32([-2, 3]))
    array([-1.,  3.], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.leaky_relu(x, self.negative_slope)


class ELU(Module):
    """x right of 0, ``alpha·(exp(x) − 1)`` left of it; see :func:`gpucnn.functional.elu`.

    Parameters
    ----------
    alpha : float
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> ELU()(np.float32([-np.inf, 2]))
    array([-1.,  2.], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.elu(x, self.alpha)


class SELU(Module):
    """ELU with the alpha and the scale that keep mean and variance; see :func:`gpucnn.functional.selu`.

    Parameters
    ----------
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> SELU()(np.float32([-np.inf, 1])).round(4)
    array([-1.7581,  1.0507], dtype=float32)
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.selu(x)


class CELU(Module):
    """x right of 0, ``alpha·(exp(x/alpha) − 1)`` left of it; see :func:`gpucnn.functional.celu`.

    Parameters
    ----------
    alpha : float, above 0
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> CELU(0.5)(np.float32([-np.inf, 2]))
    array([-0.5,  2. ], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.celu(x, self.alpha)


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
