"""Activations that are straight right of 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functional as F
from .module import Module, Parameter

__all__ = ["CELU", "ELU", "SELU", "Hardtanh", "LeakyReLU", "PReLU", "ReLU", "ReLU6"]


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


class PReLU(Module):
    """x right of 0, ``weight·x`` left of it, with a trained slope for all or for each channel; see :func:`gpucnn.functional.prelu`.

    Parameters
    ----------
    num_parameters : int
        1, or the channels.
    init : float
        The slope before weights are loaded.

    Notes
    -----
    ``num_parameters`` is not kept as an attribute: it is a method of every module here.

    Examples
    --------
    >>> import numpy as np
    >>> PReLU()(np.float32([[-4, 3]]))
    array([[-1.,  3.]], dtype=float32)
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.weight = Parameter((num_parameters,), lambda shape: np.full(shape, init, np.float32))

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.prelu(x, self.weight)


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
