"""The same elements under another shape, in another order, joined, or with more around them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ..errors import ShapeError
from ..ops import Concat, Flatten, Identity, Op, Pad, Reshape, Slice, Transpose, number_as
from ..ops.base import normalise_dim
from ..spec import shape_text
from .base import Dims, T, apply_op, dims_of, dtype_of, number, shape_of, whole, wholes

__all__ = ["cat", "dropout", "flatten", "pad", "permute", "reshape", "squeeze", "stack", "transpose", "unflatten", "unsqueeze"]


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Put arrays one after another along ``dim``.

    Parameters
    ----------
    tensors : sequence of array
        All sizes but that along ``dim``, and the dtypes, must agree.
    dim : int

    Returns
    -------
    array
        The first shape, with the sizes along ``dim`` added up.

    Raises
    ------
    ShapeError
        There is none, or shapes or dtypes do not agree.

    Notes
    -----
    PyTorch ``cat``, ONNX ``Concat``. In a planned net maps are written straight into the whole, where that is possible.

    Examples
    --------
    >>> import numpy as np
    >>> cat([np.zeros((1, 2)), np.ones((1, 1))], dim=1)
    array([[0., 0., 1.]])
    """
    if not hasattr(tensors, "__iter__") or any(t is None for t in tensors):
        raise ShapeError(f"cat: tensors must be a sequence of arrays, got {tensors!r}")
    return apply_op(Concat(whole("cat", "dim", dim)), *tensors)[0]


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Put arrays of one shape beside each other along a new axis.

    Parameters
    ----------
    tensors : sequence of array
        Shapes and dtypes must agree.
    dim : int
        Where the new axis stands in the result.

    Returns
    -------
    array
        With one axis more, as large as there are arrays.

    Raises
    ------
    ShapeError
        There is none, or shapes or dtypes do not agree.

    Notes
    -----
    PyTorch ``stack``; recorded as ``unsqueeze`` of each and ``cat``.

    Examples
    --------
    >>> import numpy as np
    >>> stack([np.array([1, 2]), np.array([3, 4])], dim=1)
    array([[1, 3],
           [2, 4]])
    """
    shapes = {shape_of(t) for t in tensors}
    if len(shapes) > 1:
        raise ShapeError(f"stack: all arrays must be of one shape, got {', '.join(sorted(map(shape_text, shapes)))}")
    return cat([unsqueeze(t, dim) for t in tensors], dim)


def flatten(x: T, start_dim: int = 0, end_dim: int = -1) -> T:
    """Make the axes ``start_dim`` to ``end_dim`` one, in NCHW order whatever the order in memory.

    Parameters
    ----------
    x : array, any shape
    start_dim, end_dim : int
        The first and the last of them.

    Returns
    -------
    array, dtype of x
        One axis for several; a scalar becomes a row of one.

    Raises
    ------
    ShapeError
        x has no such axes, or the last one stands before the first.

    Notes
    -----
    PyTorch ``flatten``. (ONNX ``Flatten`` makes two axes of all.)

    Examples
    --------
    >>> import numpy as np
    >>> flatten(np.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    y: T = apply_op(Flatten(whole("flatten", "start_dim", start_dim), whole("flatten", "end_dim", end_dim)), x)[0]
    return y


def unflatten(x: T, dim: int, sizes: Sequence[int]) -> T:
    """Make one axis several.

    Parameters
    ----------
    x : array, any shape but ()
    dim : int
    sizes : sequence of int
        Their product is the size of the axis; one may be −1 and is then computed.

    Returns
    -------
    array, dtype of x

    Raises
    ------
    ShapeError
        The sizes do not multiply to that of the axis.

    Notes
    -----
    PyTorch ``unflatten``.

    Examples
    --------
    >>> import numpy as np
    >>> unflatten(np.zeros((2, 12)), 1, (3, -1)).shape
    (2, 3, 4)
    """
    shape = shape_of(x)
    dim = normalise_dim("unflatten", whole("unflatten", "dim", dim), len(shape))
    wanted = list(wholes("unflatten", "sizes", sizes))
    known = prod(s for s in wanted if s != -1)
    if wanted.count(-1) == 1 and known and shape[dim] % known == 0:
        wanted[wanted.index(-1)] = shape[dim] // known
    if not wanted or min(wanted) < 0 or prod(wanted) != shape[dim]:
        raise ShapeError(f"unflatten: sizes {tuple(sizes)} must multiply to {shape[dim]}, the size of dim {dim} (x {shape_text(shape)})")
    y: T = apply_op(Reshape(shape[:dim] + tuple(wanted) + shape[dim + 1 :]), x)[0]
    return y


def reshape(x: T, shape: Sequence[int]) -> T:
    """Give the elements, in C order, another shape.

    Parameters
    ----------
    x : array, any shape
    shape : sequence of int
        One size may be −1 and is then computed.

    Returns
    -------
    array, shape ``shape``, dtype of x

    Raises
    ------
    ShapeError
        It has another number of elements.

    Notes
    -----
    PyTorch ``reshape``, ONNX ``Reshape`` (there 0 stands for the size that x has).

    Examples
    --------
    >>> import numpy as np
    >>> reshape(np.arange(6), (2, -1))
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    y: T = apply_op(Reshape(wholes("reshape", "shape", shape)), x)[0]
    return y


def squeeze(x: T, dim: Dims = None) -> T:
    """Drop axes of size 1.

    Parameters
    ----------
    x : array, any shape
    dim : int or sequence of int, optional
        Only these, where their size is 1; without it all of that size, the batch too.

    Returns
    -------
    array, dtype of x

    Raises
    ------
    ShapeError
        x has no such axis.

    Notes
    -----
    PyTorch ``squeeze``. (ONNX ``Squeeze`` refuses axes of another size.)

    Examples
    --------
    >>> import numpy as np
    >>> squeeze(np.zeros((1, 3, 1, 1)), (2, 3)).shape
    (1, 3)
    """
    shape = shape_of(x)
    axes = range(len(shape)) if dim is None else [normalise_dim("squeeze", d, len(shape)) for d in dims_of("squeeze", dim)]
    y: T = apply_op(Reshape(tuple(n for i, n in enumerate(shape) if n != 1 or i not in axes)), x)[0]
    return y


def unsqueeze(x: T, dim: int) -> T:
    """Put in an axis of size 1.

    Parameters
    ----------
    x : array, any shape
    dim : int
        Where it stands in the result.

    Returns
    -------
    array, dtype of x

    Raises
    ------
    ShapeError
        The result has no such axis.

    Notes
    -----
    PyTorch ``unsqueeze``, ONNX ``Unsqueeze``.

    Examples
    --------
    >>> import numpy as np
    >>> unsqueeze(np.zeros((2, 3)), -1).shape
    (2, 3, 1)
    """
    shape = shape_of(x)
    dim = normalise_dim("unsqueeze", whole("unsqueeze", "dim", dim), len(shape) + 1)
    y: T = apply_op(Reshape(shape[:dim] + (1,) + shape[dim:]), x)[0]  # noqa: RUF005
    return y


def permute(x: T, dims: Sequence[int]) -> T:
    """Put the axes in another order.

    Parameters
    ----------
    x : array, any shape
    dims : sequence of int
        Axis i of the result is axis ``dims[i]`` of x.

    Returns
    -------
    array, dtype of x

    Raises
    ------
    ShapeError
        ``dims`` does not name each axis once.

    Notes
    -----
    PyTorch ``permute``, ONNX and NumPy ``transpose``.

    Examples
    --------
    >>> import numpy as np
    >>> permute(np.zeros((1, 3, 4, 5)), (0, 2, 3, 1)).shape
    (1, 4, 5, 3)
    """
    y: T = apply_op(Transpose(wholes("permute", "dims", dims)), x)[0]
    return y


def transpose(x: T, dim0: int, dim1: int) -> T:
    """Let two axes change places.

    Parameters
    ----------
    x : array, any shape but ()
    dim0, dim1 : int

    Returns
    -------
    array, dtype of x

    Raises
    ------
    ShapeError
        x has no such axis.

    Notes
    -----
    PyTorch ``transpose``; NumPy's is :func:`permute` here.

    Examples
    --------
    >>> import numpy as np
    >>> transpose(np.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    rank = len(shape_of(x))
    a, b = (normalise_dim("transpose", whole("transpose", name, d), rank) for name, d in (("dim0", dim0), ("dim1", dim1)))
    order = list(range(rank))
    order[a], order[b] = b, a
    y: T = apply_op(Transpose(tuple(order)), x)[0]
    return y


def pad(x: T, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> T:
    """Add elements around an array, or take some off.

    Parameters
    ----------
    x : array, any shape
    pad : sequence of int
        (before, after) of the **last** axis, then of the one before it, and so on, as in PyTorch. Negative amounts crop.
    mode : {"constant", "reflect", "replicate", "circular"}
        ``value``; x mirrored without its edge; its edge; x from the other side.
    value : float
        For ``"constant"``.

    Returns
    -------
    array, dtype of x
        Sizes with the amounts added.

    Raises
    ------
    ShapeError
        There is no pair for an axis, more is cropped than there is, or a mode has too little to take from.

    Notes
    -----
    PyTorch ``pad``, ONNX ``Pad``. As in PyTorch, what is cropped can still be mirrored, but not come round from the other side.

    Examples
    --------
    >>> import numpy as np
    >>> pad(np.float32([[1, 2]]), (1, -1))
    array([[0., 1.]], dtype=float32)
    """
    amounts = wholes("pad", "pad", pad)
    shape = shape_of(x)
    if len(amounts) % 2 or len(amounts) > 2 * len(shape):
        raise ShapeError(f"pad: pad must hold a pair (before, after) for each of at most {len(shape)} axes, got {tuple(pad)}")
    pairs = [(0, 0)] * (len(shape) - len(amounts) // 2) + [(amounts[i], amounts[i + 1]) for i in range(len(amounts) - 2, -1, -2)]
    grown = [(max(before, 0), max(after, 0)) for before, after in pairs]
    cropped = [(max(-before, 0), max(-after, 0)) for before, after in pairs]
    steps: list[Op] = [Pad(tuple(grown), mode, number_as("pad", number("pad", "value", value), dtype_of(x)).item())]
    if any(min(pair) < 0 for pair in pairs):
        if any(n + before + after < 0 for n, (before, after) in zip(shape, pairs)):
            raise ShapeError(f"pad: {tuple(pad)} crops more than there is (x {shape_text(shape)})")
        first = mode == "circular"
        around = [(0, 0)] * len(shape) if first else grown
        stops = tuple(n + sum(more) - after for n, more, (_, after) in zip(shape, around, cropped))
        steps.insert(0 if first else 1, Slice(tuple(before for before, _ in cropped), tuple(max(s, 0) for s in stops)))
    for step in steps:
        x = apply_op(step, x)[0]
    return x


def dropout(x: T, p: float = 0.5) -> T:
    """Return x: at inference nothing is dropped.

    Parameters
    ----------
    x : array, any shape
    p : float
        Taken for PyTorch's sake.

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        ``p`` is no probability.

    Notes
    -----
    PyTorch ``dropout`` with ``training=False``, ONNX ``Dropout`` without training.

    Examples
    --------
    >>> import numpy as np
    >>> dropout(np.array([1, 2]))
    array([1, 2])
    """
    if not 0 <= number("dropout", "p", p) <= 1:
        raise ShapeError(f"dropout: p must lie in [0, 1], got {p}")
    y: T = apply_op(Identity(), x)[0]
    return y
