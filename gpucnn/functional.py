"""The operations as functions, in PyTorch's names and argument order.

Given arrays a function computes now, on the backend that the arrays belong to; given a symbolic
:class:`~gpucnn.graph.Value` it records itself in that value's graph. All shapes are logical (n, c, h, w).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from . import plan
from .errors import ShapeError
from .graph import Value
from .ops import (
    RELU6,
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Binary,
    Concat,
    Conv,
    Flatten,
    GlobalAvgPool,
    Identity,
    Linear,
    Lookup,
    MaxPool,
    MinPool,
    Op,
    Pad,
    Reshape,
    Softmax,
    TopK,
    Transpose,
)
from .ops.window import Padding
from .spec import Array

__all__ = [
    "adaptive_avg_pool2d",
    "add",
    "avg_pool2d",
    "batch_norm",
    "cat",
    "conv2d",
    "div",
    "dropout",
    "flatten",
    "global_avg_pool2d",
    "hardtanh",
    "linear",
    "lookup",
    "max_pool2d",
    "min_pool2d",
    "mul",
    "pad",
    "permute",
    "relu",
    "relu6",
    "reshape",
    "sigmoid",
    "softmax",
    "sub",
    "tanh",
    "topk",
]

T = TypeVar("T", Array, Value)
Size2 = int | tuple[int, int]
Padding2 = int | str | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]


def _apply(op: Op, *inputs: Any) -> tuple[Any, ...]:
    """Record where an input is symbolic, else compute."""
    graph = next((v.graph for v in inputs if isinstance(v, Value)), None)
    if graph is not None:
        return graph.append(op, [v if v is None or isinstance(v, Value) else np.asarray(v) for v in inputs])
    return plan.evaluate(op, *inputs)


def _binary(kind: str, x: Any, y: Any) -> Any:
    """A Python number takes the dtype of the other side."""
    if isinstance(y, (int, float)) and hasattr(x, "dtype"):
        y = np.asarray(y, x.dtype)
    elif isinstance(x, (int, float)) and hasattr(y, "dtype"):
        x = np.asarray(x, y.dtype)
    return _apply(Binary(kind), x, y)[0]


def _whole(op: str, name: str, value: Any) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
        raise ShapeError(f"{op}: {name} must be a whole number, got {value!r}")
    return int(value)


def _pair(op: str, name: str, value: Any) -> tuple[int, int]:
    """``value`` for both axes; whole numbers only."""
    items = (value, value) if isinstance(value, (int, np.integer)) else tuple(value) if isinstance(value, Sequence) else ()
    if len(items) != 2 or not all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in items):
        raise ShapeError(f"{op}: {name} must be an int or (height, width), got {value!r}")
    return int(items[0]), int(items[1])


def _padding(op: str, value: Padding2) -> Padding:
    if isinstance(value, str):
        if value not in ("same", "same_lower", "valid"):
            raise ShapeError(f"{op}: padding must be pixels, 'same', 'same_lower' or 'valid', got {value!r}")
        return value
    if isinstance(value, Sequence) and len(value) == 2 and all(isinstance(v, Sequence) for v in value):
        (top, bottom), (left, right) = (_pair(op, "padding", v) for v in value)
        return ((top, bottom), (left, right))
    h, w = _pair(op, "padding (pixels, (height, width) or ((top, bottom), (left, right)))", value)
    return ((h, h), (w, w))


def conv2d(
    x: T,
    weight: Any,
    bias: Any = None,
    stride: Size2 = 1,
    padding: Padding2 = 0,
    dilation: Size2 = 1,
    groups: int = 1,
) -> T:
    """Cross-correlate a batch of images with a set of kernels.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    weight : array, (k, c/groups, r, s), dtype of x
        The kernel is not flipped.
    bias : array, (k,), dtype of x, optional
    stride : int or (int, int)
        Pixels between windows.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Zeros around the image. ``"same"`` gives ``ceil(in/stride)`` outputs, the odd pixel at the end, for any stride
        (PyTorch allows it for stride 1 only).
    dilation : int or (int, int)
        Pixels between the elements of a kernel.
    groups : int
        Output channels [i·k/groups, (i+1)·k/groups) see input channels [i·c/groups, (i+1)·c/groups).

    Returns
    -------
    array, (n, k, p, q), dtype of x
        ``p = floor((h + top + bottom − dilation·(r−1) − 1)/stride) + 1``, and q likewise.

    Raises
    ------
    ShapeError
        Channels, groups, dtypes or ranks do not fit, or the kernel is larger than the padded image.

    Notes
    -----
    ``y[n, k, p, q] = bias[k] + Σ_{c, r, s} x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left] · weight[k, c, r, s]``;
    PyTorch ``conv2d``, ONNX ``Conv``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    >>> conv2d(x, np.ones((1, 1, 3, 3), np.float32))[0, 0]
    array([[45., 54.],
           [81., 90.]], dtype=float32)
    """
    strides, dilations = _pair("conv2d", "stride", stride), _pair("conv2d", "dilation", dilation)
    op = Conv(strides, _padding("conv2d", padding), dilations, _whole("conv2d", "groups", groups))
    y: T = _apply(op, x, weight, bias)[0]
    return y


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

    Examples
    --------
    >>> import numpy as np
    >>> y = linear(np.float32([[155, 60]]), np.float32([[0.27, 0.2], [-0.1, -0.4]]))
    >>> np.round(y, 2)
    array([[ 53.85, -39.5 ]], dtype=float32)
    """
    y: T = _apply(Linear(), x, weight, bias)[0]
    return y


def batch_norm(x: T, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> T:
    """Normalise each channel by the statistics of training: ``(x − mean)/sqrt(var + eps)·weight + bias``.

    Parameters
    ----------
    x : array, (n, c, …), floating point
    running_mean, running_var : array, (c,), dtype of x
    weight, bias : array, (c,), dtype of x, optional
    eps : float
        By name only: PyTorch has ``training`` and ``momentum`` before it, which inference does not know.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        A parameter does not have one value a channel, or dtypes differ.

    Notes
    -----
    Ioffe & Szegedy 2015, arXiv:1502.03167; PyTorch ``batch_norm`` without training, ONNX ``BatchNormalization``.

    Examples
    --------
    >>> import numpy as np
    >>> batch_norm(np.float32([[1.0], [3.0]]), np.float32([1]), np.float32([4]), eps=0.0)
    array([[0.],
           [1.]], dtype=float32)
    """
    y: T = _apply(BatchNorm(float(eps)), x, running_mean, running_var, weight, bias)[0]
    return y


def max_pool2d(
    x: T,
    kernel_size: Size2,
    stride: Size2 | None = None,
    padding: Padding2 = 0,
    dilation: Size2 = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Take the maximum of each window.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Counts as −inf.
    dilation : int or (int, int)
        Pixels between the elements of a window.
    ceil_mode : bool
        Round the number of windows up; a window that would start in the padding at the end is dropped.
    return_indices : bool
        Also return where each maximum lies.

    Returns
    -------
    array, (n, c, p, q), dtype of x
        ``p = floor((h + top + bottom − dilation·(kernel−1) − 1)/stride) + 1``. NaN in a window gives NaN.
    array, (n, c, p, q), int64
        Only with ``return_indices``: flat index into the h·w plane, −1 where a window lies in the padding alone.

    Raises
    ------
    ShapeError
        x does not have four axes, or the window is larger than the padded image.

    Notes
    -----
    PyTorch ``max_pool2d`` (which refuses a padding above half the kernel; here it is allowed, as in ONNX ``MaxPool``).

    Examples
    --------
    >>> import numpy as np
    >>> max_pool2d(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """
    kernel = _pair("max_pool2d", "kernel_size", kernel_size)
    strides = kernel if stride is None else _pair("max_pool2d", "stride", stride)
    dilations = _pair("max_pool2d", "dilation", dilation)
    outputs = _apply(MaxPool(kernel, strides, _padding("max_pool2d", padding), dilations, bool(ceil_mode), bool(return_indices)), x)
    return outputs if return_indices else outputs[0]


def min_pool2d(
    x: T,
    kernel_size: Size2,
    stride: Size2 | None = None,
    padding: Padding2 = 0,
    dilation: Size2 = 1,
    ceil_mode: bool = False,
) -> T:
    """Take the minimum of each window: ``−max_pool2d(−x)``.

    Parameters
    ----------
    x : array, (n, c, h, w), any number type
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Counts as +inf.
    dilation : int or (int, int)
        Pixels between the elements of a window.
    ceil_mode : bool
        Round the number of windows up; a window that would start in the padding at the end is dropped.

    Returns
    -------
    array, (n, c, p, q), dtype of x
        Sizes as for :func:`max_pool2d`. NaN in a window gives NaN.

    Raises
    ------
    ShapeError
        x does not have four axes, or the window is larger than the padded image.

    Notes
    -----
    Neither PyTorch nor ONNX has it. Integers are compared as they are, so that unsigned ones work too.

    Examples
    --------
    >>> import numpy as np
    >>> min_pool2d(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 0.,  2.],
           [ 8., 10.]], dtype=float32)
    """
    kernel = _pair("min_pool2d", "kernel_size", kernel_size)
    strides = kernel if stride is None else _pair("min_pool2d", "stride", stride)
    dilations = _pair("min_pool2d", "dilation", dilation)
    y: T = _apply(MinPool(kernel, strides, _padding("min_pool2d", padding), dilations, bool(ceil_mode)), x)[0]
    return y


def avg_pool2d(
    x: T,
    kernel_size: Size2,
    stride: Size2 | None = None,
    padding: Padding2 = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> T:
    """Take the mean of each window.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    kernel_size : int or (int, int)
        Pixels.
    stride : int or (int, int), optional
        Pixels between windows; the kernel size where absent.
    padding : int, (int, int), ((top, bottom), (left, right)), or {"same", "same_lower", "valid"}
        Zeros around the image.
    ceil_mode : bool
        Round the number of windows up; what lies beyond the padding is never counted.
    count_include_pad : bool
        Whether zeros of the padding count in the divisor. True as in PyTorch (ONNX's default is 0).
    divisor_override : int, optional
        Divide by this instead.

    Returns
    -------
    array, (n, c, p, q), dtype of x
        Sizes as for :func:`max_pool2d`.

    Raises
    ------
    ShapeError
        x does not have four axes, or the window is larger than the padded image.

    Examples
    --------
    >>> import numpy as np
    >>> avg_pool2d(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]], dtype=float32)
    """
    kernel = _pair("avg_pool2d", "kernel_size", kernel_size)
    strides = kernel if stride is None else _pair("avg_pool2d", "stride", stride)
    pads = _padding("avg_pool2d", padding)
    if divisor_override is not None:
        divisor_override = _whole("avg_pool2d", "divisor_override", divisor_override)
    y: T = _apply(AvgPool(kernel, strides, pads, bool(ceil_mode), bool(count_include_pad), divisor_override), x)[0]
    return y


def global_avg_pool2d(x: T) -> T:
    """Take the mean of each channel's map: (n, c, h, w) to (n, c, 1, 1), floating point. ONNX ``GlobalAveragePool``."""
    y: T = _apply(GlobalAvgPool(), x)[0]
    return y


def adaptive_avg_pool2d(x: T, output_size: Size2) -> T:
    """Take the mean over a grid of windows that cover the map, whatever its size.

    Parameters
    ----------
    x : array, (n, c, h, w), floating point
    output_size : int or (int, int)
        Windows along each axis.

    Returns
    -------
    array, (n, c, *output_size), dtype of x

    Notes
    -----
    PyTorch ``adaptive_avg_pool2d``: window i of an axis spans ``floor(i·in/out)`` to ``ceil((i+1)·in/out)``.

    Examples
    --------
    >>> import numpy as np
    >>> adaptive_avg_pool2d(np.float32([[[[1, 2, 3]]]]), (1, 2))
    array([[[[1.5, 2.5]]]], dtype=float32)
    """
    size = _pair("adaptive_avg_pool2d", "output_size", output_size)
    if not isinstance(x, Value):
        x = np.asarray(x)
    if len(x.shape) == 4 and 0 not in x.shape[2:]:
        h, w = x.shape[2:]
        if size == (1, 1):
            return global_avg_pool2d(x)
        if min(size) > 0 and h % size[0] == 0 and w % size[1] == 0:  # windows of one size that do not overlap
            kernel = (h // size[0], w // size[1])
            return avg_pool2d(x, kernel, kernel)
    y: T = _apply(AdaptiveAvgPool(size), x)[0]
    return y


def relu(x: T) -> T:
    """Return ``max(x, 0)``, any shape; NaN stays NaN."""
    y: T = _apply(Activation("relu"), x)[0]
    return y


def relu6(x: T) -> T:
    """Return ``min(max(x, 0), 6)``, any shape; NaN stays NaN."""
    y: T = _apply(RELU6, x)[0]
    return y


def hardtanh(x: T, min_val: float = -1.0, max_val: float = 1.0) -> T:
    """Return ``min(max(x, min_val), max_val)``, any shape; ONNX ``Clip``."""
    y: T = _apply(Activation("clip", float(min_val), float(max_val)), x)[0]
    return y


def sigmoid(x: T) -> T:
    """Return ``1/(1 + exp(−x))``, any shape, floating point; no finite x overflows."""
    y: T = _apply(Activation("sigmoid"), x)[0]
    return y


def tanh(x: T) -> T:
    """Return the hyperbolic tangent, any shape, floating point."""
    y: T = _apply(Activation("tanh"), x)[0]
    return y


def softmax(x: T, dim: int) -> T:
    """Turn scores into probabilities along ``dim``.

    Parameters
    ----------
    x : array, any shape, floating point
    dim : int
        The axis whose values add up to 1.

    Returns
    -------
    array, shape and dtype of x
        ``exp(x − max)/Σ exp(x − max)``.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.float32([2.5, 1.8, 0.2]), dim=0).round(4)
    array([0.6262, 0.311 , 0.0628], dtype=float32)
    """
    y: T = _apply(Softmax(int(dim)), x)[0]
    return y


def topk(x: T, k: int, dim: int = -1, largest: bool = True) -> tuple[T, T]:
    """Find the largest values along ``dim`` and where they lie, best first.

    Parameters
    ----------
    x : array, any shape but (), any number type
    k : int
        How many, from 0 to the size of x along ``dim``.
    dim : int
    largest : bool
        False finds the smallest.

    Returns
    -------
    array, shape of x with k along ``dim``, dtype of x
        Values in falling order; rising for the smallest.
    array, same shape, int64
        Their indices along ``dim``.

    Raises
    ------
    ShapeError
        k is above the size of x along ``dim``, or x has no such axis.

    Notes
    -----
    Of equal values the lower index comes first. NaN counts as above +inf: first among the largest, last among the smallest.
    PyTorch ``topk`` (which leaves the order of equal values open), ONNX ``TopK``.

    Examples
    --------
    >>> import numpy as np
    >>> topk(np.float32([0.1, 0.7, 0.2]), 2)
    (array([0.7, 0.2], dtype=float32), array([1, 2]))
    """
    values, places = _apply(TopK(_whole("topk", "k", k), _whole("topk", "dim", dim), bool(largest)), x)
    return values, places


def add(x: Any, y: Any) -> Any:
    """Return ``x + y``; shapes broadcast, dtypes must agree."""
    return _binary("add", x, y)


def sub(x: Any, y: Any) -> Any:
    """Return ``x − y``; shapes broadcast, dtypes must agree."""
    return _binary("sub", x, y)


def mul(x: Any, y: Any) -> Any:
    """Return ``x·y``; shapes broadcast, dtypes must agree."""
    return _binary("mul", x, y)


def div(x: Any, y: Any) -> Any:
    """Return ``x/y``, floating point; shapes broadcast, dtypes must agree."""
    return _binary("div", x, y)


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Put arrays one after another along ``dim``; all other sizes and the dtypes must agree.

    Examples
    --------
    >>> import numpy as np
    >>> cat([np.zeros((1, 2)), np.ones((1, 1))], dim=1)
    array([[0., 0., 1.]])
    """
    return _apply(Concat(int(dim)), *tensors)[0]


def flatten(x: T, start_dim: int = 0, end_dim: int = -1) -> T:
    """Make the axes ``start_dim`` to ``end_dim`` one, in NCHW order whatever the order in memory."""
    y: T = _apply(Flatten(int(start_dim), int(end_dim)), x)[0]
    return y


def reshape(x: T, shape: Sequence[int]) -> T:
    """Give the elements, in C order, another shape; one size may be −1 and is then computed."""
    y: T = _apply(Reshape(tuple(int(s) for s in shape)), x)[0]
    return y


def permute(x: T, dims: Sequence[int]) -> T:
    """Put the axes in another order: axis i of the result is axis ``dims[i]`` of x."""
    y: T = _apply(Transpose(tuple(int(d) for d in dims)), x)[0]
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
    amounts = [_whole("pad", "each amount", p) for p in pad]
    ndim = len(x.shape) if isinstance(x, Value) else np.ndim(x)
    if len(amounts) % 2 or len(amounts) > 2 * ndim:
        raise ShapeError(f"pad: pad must hold a pair (before, after) for each of at most {ndim} axes, got {tuple(pad)}")
    pairs = [(0, 0)] * (ndim - len(amounts) // 2) + [(amounts[i], amounts[i + 1]) for i in range(len(amounts) - 2, -1, -2)]
    y: T = _apply(Pad(tuple(pairs), mode, float(value)), x)[0]
    return y


def dropout(x: T, p: float = 0.5) -> T:
    """Return x: at inference nothing is dropped, whatever ``p``."""
    if not 0 <= p <= 1:
        raise ShapeError(f"dropout: p must lie in [0, 1], got {p}")
    y: T = _apply(Identity(), x)[0]
    return y


def lookup(x: T, table: Any) -> T:
    """Replace each byte by its channel's value: x (n, c, …) uint8, table (256, c), result ``table[x[n, c, …], c]``."""
    y: T = _apply(Lookup(), x, table)[0]
    return y

