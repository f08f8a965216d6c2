"""What only moves values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..graph import Value
from ..ops import Concat, Flatten, Identity, Pad, Reshape, Transpose
from .base import T, apply_op, whole

__all__ = ["cat", "dropout", "flatten", "pad", "permute", "reshape"]


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Put arrays one after another along ``dim``; all other sizes and the dtypes must agree.

    Examples
    --------
    >>> import numpy as np
    >>> cat([np.zeros((1, 2)), np.ones((1, 1))], dim=1)
    array([[0., 0., 1.]])
    """
    return apply_op(Concat(int(dim)), *tensors)[0]


def flatten(x: T, start_dim: int = 0, end_dim: int = -1) -> T:
    """Make the axes ``start_dim`` to ``end_dim`` one, in NCHW order whatever the order in memory."""
    y: T = apply_op(Flatten(int(start_dim), int(end_dim)), x)[0]
    return y


def reshape(x: T, shape: Sequence[int]) -> T:
    """Give the elements, in C order, another shape; one size may be −1 and is then computed."""
    y: T = apply_op(Reshape(tuple(int(s) for s in shape)), x)[0]
    return y


def permute(x: T, dims: Sequence[int]) -> T:
    """Put the axes in another order: axis i of the result is axis ``dims[i]`` of x."""
    y: T = apply_op(Transpose(tuple(int(d) for d in dims)), x)[0]
    return y


def pad(x: T, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> T:
    """Add elements around an array.

    Parameters
    ----------
    x : array, any shape
    pad : sequence of int
        (before, after) of the **last** axis, then of the one before it, and so on, as in PyTorch.
    mode : {"constant", "reflect", "replicate", "circular"}
    value : float
        For ``"constant"``.

    Returns
    -------
    array, dtype of x

    Examples
    --------
    >>> import numpy as np
    >>> pad(np.float32([[1, 2]]), (1, 0))
    array([[0., 1., 2.]], dtype=float32)
    """
    amounts = [whole("pad", "each amount", p) for p in pad]
    ndim = len(x.shape) if isinstance(x, Value) else np.ndim(x)
    if len(amounts) % 2 or len(amounts) > 2 * ndim:
        raise ShapeError(f"pad: pad must hold a pair (before, after) for each of at most {ndim} axes, got {tuple(pad)}")
    pairs = [(0, 0)] * (ndim - len(amounts) // 2) + [(amounts[i], amounts[i + 1]) for i in range(len(amounts) - 2, -1, -2)]
    y: T = apply_op(Pad(tuple(pairs), mode, float(value)), x)[0]
    return y


def dropout(x: T, p: float = 0.5) -> T:
    """Return x: at inference nothing is dropped, whatever ``p``."""
    if not 0 <= p <= 1:
        raise ShapeError(f"dropout: p must lie in [0, 1], got {p}")
    y: T = apply_op(Identity(), x)[0]
    return y
