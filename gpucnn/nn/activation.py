"""Activations made of exponentials, and what stands in for them."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from .module import Module

__all__ = ["GELU", "GLU", "Hardsigmoid", "Hardswish", "LogSigmoid", "Mish", "SiLU", "Sigmoid", "Softplus", "Softsign", "Tanh"]


class Sigmoid(Module):
    """``1/(1 + exp(−x))``; see :func:`gpucnn.functional.sigmoid`.

    Examples
    --------
    >>> import numpy as np
    >>> Sigmoid()(np.float32([0, np.inf]))
    array([0.5, 1. ], dtype=float32)
    """

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.sigmoid(x)


class LogSigmoid(Module):
    """``log(1/(1 + exp(−x)))``; see :func:`gpucnn.functional.logsigmoid`.

    Examples
    --------
    >>> import numpy as np
    >>> LogSigmoid()(np.float32([-1000])).tolist()
    [-1000.0]
    """

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.logsigmoid(x)


class Hardsigmoid(Module):
    """``min(max(x/6 + 1/2, 0), 1)``; see :func:`gpucnn.functional.hardsigmoid`.

    Parameters
    ----------
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> Hardsigmoid()(np.float32([-3, 1.5]))
    array([0.  , 0.75], dtype=float32)
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.hardsigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent; see :func:`gpucnn.functional.tanh`.

    Examples
    --------
    >>> import numpy as np
    >>> Tanh()(np.float32([0, np.inf]))
    array([0., 1.], dtype=float32)
    """

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.tanh(x)


class SiLU(Module):
    """``x·sigmoid(x)``, also called Swish; see :func:`gpucnn.functional.silu`.

    Parameters
    ----------
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> SiLU()(np.float32([0, 1])).round(4)
    array([0.    , 0.7311], dtype=float32)
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.silu(x)


class Hardswish(Module):
    """``x·min(max(x/6 + 1/2, 0), 1)``; see :func:`gpucnn.functional.hardswish`.

    Parameters
    ----------
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> Hardswish()(np.float32([1.5, 4]))
    array([1.125, 4.   ], dtype=float32)
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.hardswish(x)


class Mish(Module):
    """``x·tanh(log(1 + exp(x)))``; see :func:`gpucnn.functional.mish`.

    Parameters
    ----------
    inplace : bool
        Taken for PyTorch's sake: what shares memory is decided by the plan.

    Examples
    --------
    >>> import numpy as np
    >>> Mish()(np.float32([0, 1])).round(4)
    array([0.    , 0.8651], dtype=float32)
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.mish(x)


class GELU(Module):
    """``x·Φ(x)`` with the normal distribution's Φ; see :func:`gpucnn.functional.gelu`.

    Parameters
    ----------
    approximate : {"none", "tanh"}

    Examples
    --------
    >>> import numpy as np
    >>> GELU()(np.float32([0, 1])).round(4)
    array([0.    , 0.8413], dtype=float32)
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.gelu(x, self.approximate)


class Softplus(Module):
    """``log(1 + exp(beta·x))/beta``; see :func:`gpucnn.functional.softplus`.

    Parameters
    ----------
    beta : float, not 0
    threshold : float
        Where ``beta·x`` is above it, the result is x.

    Examples
    --------
    >>> import numpy as np
    >>> Softplus()(np.float32([0, 50])).round(4)
    array([ 0.6931, 50.    ], dtype=float32)
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.softplus(x, self.beta, self.threshold)


class Softsign(Module):
    """``x/(1 + |x|)``; see :func:`gpucnn.functional.softsign`.

    Examples
    --------
    >>> import numpy as np
    >>> Softsign()(np.float32([-1, 3]))
    array([-0.5 ,  0.75], dtype=float32)
    """

    def forward(self, x: Any) -> Any:
        """Shape of x."""
        return F.softsign(x)


class GLU(Module):
    """The first half along ``dim`` times the sigmoid of the second half; see :func:`gpucnn.functional.glu`.

    **dim is 1 by default, PyTorch's is −1.**

    Parameters
    ----------
    dim : int
        **Channels by default, where PyTorch takes the last axis.**

    Examples
    --------
    >>> import numpy as np
    >>> GLU()(np.float32([[3, 4, 0, np.inf]]))
    array([[1.5, 4. ]], dtype=float32)
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Half of dim."""
        return F.glu(x, self.dim)
