"""Dense layers and products of matrices. (A module called ``linear`` would hide the function.)"""

from __future__ import annotations

from typing import Any

from ..errors import ShapeError
from ..ops import Einsum, Linear, MatMul
from ..spec import shape_text
from .base import T, apply_op, shape_of
from .elementwise import add

__all__ = ["bilinear", "bmm", "einsum", "linear", "matmul"]


def linear(x: T, weight: Any, bias: Any = None) -> T:
    """Compute the dense layer ``x·weightᵀ + bias``.

    Parameters
    ----------
    x : array, (…, in), floating point
    weight : array, (out, in), dtype of x
    bias : array, (out,), dtype of x, optional

    Returns
    -------
    array, (…, out), dtype of x

    Raises
    ------
    ShapeError
        The features, dtypes or ranks do not fit.

    Notes
    -----
    PyTorch ``linear``, ONNX ``Gemm`` with ``transB=1``.

    Examples
    --------
    >>> import numpy as np
    >>> y = linear(np.float32([[155, 60]]), np.float32([[0.27, 0.2], [-0.1, -0.4]]))
    >>> np.round(y, 2)
    array([[ 53.85, -39.5 ]], dtype=float32)
    """
    y: T = apply_op(Linear(), x, weight, bias)[0]
    return y


def matmul(x: Any, y: Any) -> Any:
    """Multiply matrices, or stacks of them; ``x @ y`` of symbolic values.

    Parameters
    ----------
    x : array, (…, m, k), or (k,)
        A vector is one row.
    y : array, (…, k, n), or (k,), dtype of x
        A vector is one column. The axes in front of the matrices broadcast.

    Returns
    -------
    array, (…, m, n), dtype of x
        Without m where x is a vector, without n where y is one.

    Raises
    ------
    ShapeError
        The inner sizes differ, the axes in front do not broadcast, or the dtypes differ.

    Notes
    -----
    ``z[…, m, n] = Σ_k x[…, m, k]·y[…, k, n]``, 16-bit numbers summed in float32; PyTorch ``matmul``, ONNX ``MatMul``.

    Examples
    --------
    >>> import numpy as np
    >>> matmul(np.float32([[1, 2], [3, 4]]), np.float32([10, 1]))
    array([12., 34.], dtype=float32)
    """
    return apply_op(MatMul(), x, y)[0]


def bmm(x: Any, y: Any) -> Any:
    """Multiply each matrix of a stack with its own: :func:`matmul` that refuses everything but three axes and equal stacks.

    Parameters
    ----------
    x : array, (b, m, k)
    y : array, (b, k, n), dtype of x

    Returns
    -------
    array, (b, m, n), dtype of x

    Raises
    ------
    ShapeError
        An input has not three axes, the stacks are of unlike height, or the inner sizes or dtypes differ.

    Notes
    -----
    PyTorch ``bmm``.

    Examples
    --------
    >>> import numpy as np
    >>> bmm(np.ones((2, 1, 3), np.float32), np.ones((2, 3, 1), np.float32)).shape
    (2, 1, 1)
    """
    a, b = shape_of(x), shape_of(y)
    if len(a) != 3 or len(b) != 3 or a[0] != b[0]:
        raise ShapeError(f"bmm: x must be (b, m, k) and y (b, k, n), got {shape_text(a)} and {shape_text(b)}; matmul broadcasts")
    return matmul(x, y)


def einsum(equation: str, *operands: Any) -> Any:
    """Sum products over named indices.

    Parameters
    ----------
    equation : str
        The axes of every operand as letters, with commas between operands, then ``->`` and those of the result; letters that it lacks
        are summed over. A letter twice in an operand takes its diagonal. ``...`` stands for axes without a name, which broadcast; where
        the result has none they are summed over. Without ``->`` the result has those axes, then the letters that occur once, sorted.
        Spaces mean nothing.
    *operands : array
        One or more, of one dtype. Sizes of one letter must agree, or be 1.

    Returns
    -------
    array, dtype of the operands
        One axis for each index of the result, in its order.

    Raises
    ------
    ShapeError
        The equation is malformed, does not fit the operands, or sizes or dtypes disagree.

    Notes
    -----
    16-bit numbers are summed in float32. PyTorch ``einsum``, ONNX ``Einsum``; NumPy's refuses ellipses that the result lacks.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.float32([[1, 2], [3, 4]]), np.float32([[1, 0], [0, 10]])
    >>> einsum("ij,jk->ik", x, y)
    array([[ 1., 20.],
           [ 3., 40.]], dtype=float32)
    >>> einsum("ii", x)
    array(5., dtype=float32)
    """
    return apply_op(Einsum(equation), *operands)[0]


def bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None) -> Any:
    """Compute ``x1ᵀ·weight[o]·x2 + bias[o]`` for every output feature o.

    Parameters
    ----------
    x1 : array, (…, in1), floating point
    x2 : array, (…, in2), dtype of x1
        All but the last axis as of x1.
    weight : array, (out, in1, in2), dtype of x1
    bias : array, (out,), dtype of x1, optional

    Returns
    -------
    array, (…, out), dtype of x1

    Raises
    ------
    ShapeError
        Features, ranks, leading axes or dtypes do not fit.

    Notes
    -----
    ``y[…, o] = Σ_{i, j} x1[…, i]·weight[o, i, j]·x2[…, j] + bias[o]``; PyTorch ``bilinear``.

    Examples
    --------
    >>> import numpy as np
    >>> bilinear(np.float32([[1, 2]]), np.float32([[3, 4]]), np.float32([[[1, 0], [0, 10]]]))
    array([[83.]], dtype=float32)
    """
    a, b, w = shape_of(x1), shape_of(x2), shape_of(weight)
    if len(w) != 3 or not a or not b or a[:-1] != b[:-1] or (a[-1], b[-1]) != w[1:]:
        raise ShapeError(
            "bilinear: x1 must be (…, in1), x2 (…, in2) and weight (out, in1, in2), "
            f"got {shape_text(a)}, {shape_text(b)} and {shape_text(w)}"
        )
    if bias is not None and shape_of(bias) != w[:1]:
        raise ShapeError(f"bilinear: bias must have shape {w[0]}, one value an output feature, got {shape_text(shape_of(bias))}")
    y = einsum("...oj,...j->...o", einsum("...i,oij->...oj", x1, weight), x2)
    return y if bias is None else add(y, bias)
