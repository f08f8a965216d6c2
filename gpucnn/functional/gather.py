"""Elements from places that another array names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..graph import Value
from ..host_memory import check_host_memory
from ..limits import check_limit
from ..ops import Expand, Flatten, Gather, GatherElements, GatherND
from ..ops.base import broadcast_shape, normalise_dim
from ..spec import shape_text
from .base import apply_op, dtype_of, shape_of, whole
from .comparison import lt, where
from .conversion import cast

__all__ = ["embedding", "gather", "gather_nd", "index_select", "nonzero", "one_hot", "take", "take_along_dim"]


def gather(x: Any, dim: int, index: Any) -> Any:
    """Take single elements: along ``dim`` the one that ``index`` names, on the other axes the one at the same place.

    Parameters
    ----------
    x : array, any shape but ()
    dim : int
    index : array, integers, as many axes as x
        Along other axes no larger than x. Negative ones count from the end (PyTorch refuses them).

    Returns
    -------
    array, shape of ``index``, dtype of x

    Raises
    ------
    ShapeError
        The shapes do not fit, or an index is out of range; in a planned net that is found when it runs.

    Notes
    -----
    ``y[i, j] = x[i, index[i, j]]`` for ``dim`` 1; PyTorch ``gather``, ONNX ``GatherElements``.

    Examples
    --------
    >>> import numpy as np
    >>> gather(np.array([[1, 2], [3, 4]]), 1, np.array([[0, 0], [1, 0]]))
    array([[1, 1],
           [4, 3]])
    """
    return apply_op(GatherElements(whole("gather", "dim", dim)), x, index)[0]


def take_along_dim(x: Any, indices: Any, dim: int | None = None) -> Any:
    """Take single elements as :func:`gather` does; x and ``indices`` broadcast along the other axes.

    Parameters
    ----------
    x : array, any shape but ()
    indices : array, integers, as many axes as x
    dim : int, optional
        Without it both are read as one row.

    Returns
    -------
    array, dtype of x
        The broadcast shape, with the size of ``indices`` along ``dim``.

    Raises
    ------
    ShapeError
        The shapes do not broadcast, or an index is out of range.

    Notes
    -----
    PyTorch ``take_along_dim``, NumPy ``take_along_axis``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[3, 1, 2], [4, 6, 5]])
    >>> take_along_dim(x, np.argsort(x, 1), 1)
    array([[1, 2, 3],
           [4, 5, 6]])
    """
    if dim is None:
        return gather(apply_op(Flatten(0), x)[0], 0, apply_op(Flatten(0), indices)[0])
    a, b = shape_of(x), shape_of(indices)
    at = normalise_dim("take_along_dim", whole("take_along_dim", "dim", dim), len(a))
    others = [tuple(n for axis, n in enumerate(s) if axis != at) for s in (a, b)]
    common = broadcast_shape(*others) if len(a) == len(b) else None
    if common is None:
        raise ShapeError(f"take_along_dim: x {shape_text(a)} and indices {shape_text(b)} must broadcast, but along dim {dim}")
    x, indices = (
        v if s == (full := (*common[:at], s[at], *common[at:])) else apply_op(Expand(full), v)[0] for v, s in ((x, a), (indices, b))
    )
    return gather(x, at, indices)


def index_select(x: Any, dim: int, index: Any) -> Any:
    """Take whole slices along ``dim``, in the order that ``index`` names.

    Parameters
    ----------
    x : array, any shape but ()
    dim : int
    index : array, (m,) or (), integers
        Negative ones count from the end (PyTorch refuses them).

    Returns
    -------
    array, shape of x with m along ``dim``, dtype of x

    Raises
    ------
    ShapeError
        ``index`` has more than one axis, or one of it is out of range; in a planned net that is found when it runs.

    Notes
    -----
    PyTorch ``index_select``; ONNX ``Gather``, which takes indices of any shape.

    Examples
    --------
    >>> import numpy as np
    >>> index_select(np.array([[1, 2, 3], [4, 5, 6]]), 1, np.array([2, 0]))
    array([[3, 1],
           [6, 4]])
    """
    shape = shape_of(index)
    if len(shape) > 1:
        raise ShapeError(f"index_select: index must have one axis, got shape {shape_text(shape)}")
    return apply_op(Gather(whole("index_select", "dim", dim)), x, index if shape else np.reshape(index, 1))[0]


def take(x: Any, index: Any) -> Any:
    """Take elements of x, read as one row in NCHW order.

    Parameters
    ----------
    x : array, any shape
    index : array, any shape, integers
        Negative ones count from the end.

    Returns
    -------
    array, shape of ``index``, dtype of x

    Raises
    ------
    ShapeError
        An index is out of range; in a planned net that is found when it runs.

    Notes
    -----
    PyTorch ``take``, NumPy ``take`` without an axis.

    Examples
    --------
    >>> import numpy as np
    >>> take(np.array([[1, 2], [3, 4]]), np.array([3, 0]))
    array([4, 1])
    """
    return apply_op(Gather(0), apply_op(Flatten(0), x)[0], index)[0]


def gather_nd(x: Any, indices: Any, batch_dims: int = 0) -> Any:
    """Take elements or slices of x at places that are named by whole indices.

    Parameters
    ----------
    x : array, (*b, …), any shape but ()
    indices : array, (*b, …, k), integers
        Each row an index of the k axes of x that come after b. Negative ones count from the end.
    batch_dims : int
        Number of the axes b in front that both share.

    Returns
    -------
    array, (*b, …, *rest of x's shape), dtype of x

    Raises
    ------
    ShapeError
        The shapes do not fit, or an index is out of range; in a planned net that is found when it runs.

    Notes
    -----
    ``y[b, i] = x[b][tuple(indices[b, i])]``. ONNX ``GatherND``, TensorFlow ``gather_nd``; in PyTorch and NumPy, indexing by one array an
    axis.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1, 2], [3, 4]])
    >>> gather_nd(x, np.array([[0, 1], [1, 0]]))
    array([2, 3])
    >>> gather_nd(x, np.array([[1], [0]]), batch_dims=1)
    array([2, 3])
    """
    return apply_op(GatherND(whole("gather_nd", "batch_dims", batch_dims)), x, indices)[0]


def embedding(x: Any, weight: Any) -> Any:
    """Look up rows of a table.

    Parameters
    ----------
    x : array, any shape, integers
        Rows; negative ones count from the end (PyTorch refuses them).
    weight : array, (rows, d)

    Returns
    -------
    array, (*shape of x, d), dtype of ``weight``

    Raises
    ------
    ShapeError
        A row is out of range; in a planned net that is found when it runs.

    Notes
    -----
    PyTorch ``embedding``, ONNX ``Gather`` along axis 0.

    Examples
    --------
    >>> import numpy as np
    >>> embedding(np.array([2, 0]), np.float32([[1, 2], [3, 4], [5, 6]]))
    array([[5., 6.],
           [1., 2.]], dtype=float32)
    """
    if len(shape_of(weight)) != 2:
        raise ShapeError(f"embedding: weight must have 2 axes (rows, d), got shape {shape_text(shape_of(weight))}")
    return apply_op(Gather(0), weight, x)[0]


def one_hot(x: Any, num_classes: int) -> Any:
    """Write each number as a row of zeros with a one at its place.

    Parameters
    ----------
    x : array, any shape, integers
        From 0 to ``num_classes`` − 1.
    num_classes : int
        At least 1 (PyTorch's −1, the largest number that there is, would need the numbers before there are any).

    Returns
    -------
    array, (*shape of x, num_classes), int64

    Raises
    ------
    ShapeError
        ``num_classes`` is below 1, or a number is out of range.
    LimitError
        ``num_classes`` is so large that its square exceeds ``GPUCNN_MAX_ELEMENTS``, or memory.

    Notes
    -----
    PyTorch ``one_hot``; recorded as rows taken from an identity matrix.

    Examples
    --------
    >>> import numpy as np
    >>> one_hot(np.array([1, 0]), 3)
    array([[0, 1, 0],
           [1, 0, 0]])
    """
    count = whole("one_hot", "num_classes", num_classes)
    if count < 1:
        raise ShapeError(f"one_hot: num_classes must be at least 1, got {count}")
    if isinstance(x, Value) and x.dtype.kind == "i":  # a negative number would be a row from the end: make it one that there is not
        x = where(lt(x, 0), np.int64(count), cast(x, np.int64))
    elif dtype_of(x).kind in "iu" and not 0 <= np.min(x, initial=0) <= np.max(x, initial=0) < count:
        raise ShapeError(f"one_hot: x must lie in [0, {count - 1}], got {np.min(x)} to {np.max(x)}")
    check_limit("elements", count * count, f"one_hot: the rows to choose from, {count}×{count}, have {count * count} elements")
    check_host_memory(8 * count * count, "one_hot", "use fewer classes")
    return apply_op(Gather(0), np.eye(count, dtype=np.int64), x)[0]


def nonzero(x: Any, *, as_tuple: bool = False) -> Any:
    """Find the places of all elements that are not 0.

    Parameters
    ----------
    x : array, any shape
        Or a symbolic value that is a constant: how many places there are must be known before a net runs.
    as_tuple : bool
        Give the columns one by one.

    Returns
    -------
    array, (places, axes of x), int64
        A row an element, in C order; of a scalar, a row without elements. With ``as_tuple`` a tuple of arrays (places,), one an axis.

    Raises
    ------
    ShapeError
        x is symbolic and no constant.

    Notes
    -----
    NaN is not 0. There is no op for this, because the result's shape depends on values: it is computed at once. PyTorch ``nonzero``; ONNX
    ``NonZero`` gives the transpose.

    Examples
    --------
    >>> import numpy as np
    >>> nonzero(np.array([[0, 3], [4, 0]]))
    array([[0, 1],
           [1, 0]])
    """
    if isinstance(x, Value):
        if not x.is_constant:
            raise ShapeError(
                f"nonzero: how many elements of {x.name!r} ({x.spec}) are not 0 is known only when the net runs, and its shapes must be "
                "known before; compute it outside and pass it in, or write the net with where or a mask"
            )
        places = nonzero(x.data, as_tuple=as_tuple)
        return tuple(map(x.graph.constant, places)) if as_tuple else x.graph.constant(places)
    found = np.argwhere(np.asarray(x)).astype(np.int64)
    return tuple(np.ascontiguousarray(column) for column in found.T) if as_tuple else found
