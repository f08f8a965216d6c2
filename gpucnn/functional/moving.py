"""Slices and repetitions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from ..ops import Concat, Expand, Reshape, Slice, Tile
from ..ops.base import normalise_dim
from ..ops.moving import BEFORE
from ..spec import shape_text
from .base import T, apply_op, dims_of, shape_of, whole, wholes

__all__ = ["chunk", "expand", "flip", "narrow", "repeat", "roll", "split", "tile"]


def narrow(x: T, dim: int, start: int, length: int) -> T:
    """Take ``length`` elements along ``dim``, from ``start`` on.

    Parameters
    ----------
    x : array, any shape but ()
    dim : int
    start : int
        Negative counts from the end.
    length : int

    Returns
    -------
    array, shape of x with ``length`` along ``dim``, dtype of x

    Raises
    ------
    ShapeError
        The elements do not all lie inside x.

    Notes
    -----
    ``x[start : start + length]`` along ``dim``; PyTorch ``narrow``, ONNX ``Slice``. In a planned net a run of channels or of images is
    a view and costs nothing.

    Examples
    --------
    >>> import numpy as np
    >>> narrow(np.arange(5), 0, 1, 3)
    array([1, 2, 3])
    """
    shape = shape_of(x)
    dim = normalise_dim("narrow", whole("narrow", "dim", dim), len(shape))
    n, start, length = shape[dim], whole("narrow", "start", start), whole("narrow", "length", length)
    first = start + n if start < 0 else start
    if not 0 <= first <= n or not 0 <= length <= n - first:
        raise ShapeError(f"narrow: {length} elements from {start} on do not lie in axis {dim}, which has {n} (x {shape_text(shape)})")
    y: T = apply_op(Slice((first,), (first + length,), (dim,)), x)[0]
    return y


def split(x: T, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[T, ...]:
    """Cut an array into pieces along ``dim``.

    Parameters
    ----------
    x : array, any shape but ()
    split_size_or_sections : int or sequence of int
        Elements of each piece, the last of which may be smaller; or the size of every piece.
    dim : int

    Returns
    -------
    tuple of array, dtype of x
        Their sizes along ``dim`` add up to that of x.

    Raises
    ------
    ShapeError
        The sizes are negative, or do not add up to that of x.

    Notes
    -----
    PyTorch ``split``, ONNX ``Split``; recorded as slices.

    Examples
    --------
    >>> import numpy as np
    >>> split(np.arange(5), 2)
    (array([0, 1]), array([2, 3]), array([4]))
    >>> split(np.arange(5), [1, 4])
    (array([0]), array([1, 2, 3, 4]))
    """
    shape = shape_of(x)
    dim = normalise_dim("split", whole("split", "dim", dim), len(shape))
    n = shape[dim]
    if isinstance(split_size_or_sections, (int, np.integer)):
        size = whole("split", "split_size", split_size_or_sections)
        if size < 0 or (size == 0 and n):
            raise ShapeError(f"split: split_size must be at least 1, got {size} (x {shape_text(shape)})")
        sizes = [min(size, n - at) for at in range(0, n, size)] if n else [0]
    else:
        sizes = [whole("split", "each section", s) for s in split_size_or_sections]
        if any(s < 0 for s in sizes) or sum(sizes) != n:
            raise ShapeError(f"split: the sections {sizes} must add up to the size {n} of axis {dim} (x {shape_text(shape)})")
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple(apply_op(Slice((a,), (a + s,), (dim,)), x)[0] for a, s in zip(starts, sizes))


def chunk(x: T, chunks: int, dim: int = 0) -> tuple[T, ...]:
    """Cut an array into at most ``chunks`` pieces of one size along ``dim``; the last one may be smaller.

    Parameters
    ----------
    x : array, any shape but ()
    chunks : int
    dim : int

    Returns
    -------
    tuple of array, dtype of x
        Of ``ceil(size/chunks)`` elements along ``dim``: where that does not divide, the last has fewer, and there may be fewer of them.

    Raises
    ------
    ShapeError
        ``chunks`` is below 1, or x has no such axis.

    Notes
    -----
    PyTorch ``chunk``.

    Examples
    --------
    >>> import numpy as np
    >>> chunk(np.arange(5), 3)
    (array([0, 1]), array([2, 3]), array([4]))
    >>> len(chunk(np.arange(9), 6))
    5
    """
    shape = shape_of(x)
    dim, count = normalise_dim("chunk", whole("chunk", "dim", dim), len(shape)), whole("chunk", "chunks", chunks)
    if count < 1:
        raise ShapeError(f"chunk: chunks must be at least 1, got {count}")
    if not shape[dim]:
        return split(x, [0] * count, dim)
    return split(x, -(-shape[dim] // count), dim)


def expand(x: T, sizes: Sequence[int]) -> T:
    """Repeat axes of size 1, and x along new axes in front.

    Parameters
    ----------
    x : array, any shape
    sizes : sequence of int
        The shape to get, as long as that of x or longer; −1 keeps the size of an axis that x has.

    Returns
    -------
    array, shape ``sizes``, dtype of x

    Raises
    ------
    ShapeError
        An axis whose size is not 1 would have to grow, or −1 stands for a new axis.

    Notes
    -----
    PyTorch ``Tensor.expand``, ONNX ``Expand``.

    Examples
    --------
    >>> import numpy as np
    >>> expand(np.array([[1], [2]]), (-1, 3))
    array([[1, 1, 1],
           [2, 2, 2]])
    """
    shape = shape_of(x)
    wanted = wholes("expand", "sizes", sizes)
    new = len(wanted) - len(shape)
    if new < 0 or -1 in wanted[:new]:
        raise ShapeError(f"expand: sizes {tuple(wanted)} must name every axis of x {shape_text(shape)}, and give new ones in front a size")
    full = tuple(shape[i - new] if s == -1 else s for i, s in enumerate(wanted))
    if any(s != n and n != 1 for n, s in zip(shape, full[new:])):
        raise ShapeError(f"expand: only axes of size 1 expand, got sizes {tuple(wanted)} for x {shape_text(shape)}")
    y: T = apply_op(Expand(full), x)[0]
    return y


def _repeated(x: T, counts: Sequence[int], shape: tuple[int, ...]) -> T:
    """x, given axes of size 1 in front until it has one a count, repeated."""
    if len(counts) > len(shape):
        x = apply_op(Reshape((1,) * (len(counts) - len(shape)) + shape), x)[0]
    y: T = apply_op(Tile(tuple(counts)), x)[0]
    return y


def tile(x: T, dims: Sequence[int]) -> T:
    """Put x several times one after another along each axis.

    Parameters
    ----------
    x : array, any shape
    dims : sequence of int
        How often, for the last axes; more than x has add axes in front.

    Returns
    -------
    array, sizes of x times ``dims``, dtype of x

    Raises
    ------
    ShapeError
        A count is negative.

    Notes
    -----
    PyTorch ``tile``, NumPy ``tile``, ONNX ``Tile`` (which wants one count an axis).

    Examples
    --------
    >>> import numpy as np
    >>> tile(np.array([[1, 2], [3, 4]]), (2,))
    array([[1, 2, 1, 2],
           [3, 4, 3, 4]])
    """
    shape = shape_of(x)
    counts = wholes("tile", "dims", dims)
    return _repeated(x, (1,) * (len(shape) - len(counts)) + counts, shape)


def repeat(x: T, sizes: Sequence[int]) -> T:
    """Put x several times one after another along each axis; unlike :func:`tile` it wants a count for every axis of x.

    Parameters
    ----------
    x : array, any shape
    sizes : sequence of int
        How often, for every axis of x and for new ones in front.

    Returns
    -------
    array, sizes of x times ``sizes``, dtype of x

    Raises
    ------
    ShapeError
        There are fewer counts than axes, or one is negative.

    Notes
    -----
    PyTorch ``Tensor.repeat``. (NumPy's ``repeat`` repeats elements and is another function.)

    Examples
    --------
    >>> import numpy as np
    >>> repeat(np.array([1, 2]), (2, 2))
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    shape = shape_of(x)
    counts = wholes("repeat", "sizes", sizes)
    if len(counts) < len(shape):
        raise ShapeError(f"repeat: sizes {tuple(counts)} must have one count for each axis of x {shape_text(shape)}; tile fills up with 1")
    return _repeated(x, counts, shape)


def flip(x: T, dims: int | Sequence[int]) -> T:
    """Turn the order of the elements around along ``dims``.

    Parameters
    ----------
    x : array, any shape
    dims : int or sequence of int

    Returns
    -------
    array, shape and dtype of x

    Raises
    ------
    ShapeError
        x has no such axis, or one is named twice.

    Notes
    -----
    PyTorch ``flip``, NumPy ``flip``; ONNX writes it as ``Slice`` with steps of −1.

    Examples
    --------
    >>> import numpy as np
    >>> flip(np.array([[1, 2], [3, 4]]), 1)
    array([[2, 1],
           [4, 3]])
    """
    axes = dims_of("flip", dims)
    y: T = apply_op(Slice((-1,) * len(axes), (BEFORE,) * len(axes), axes, (-1,) * len(axes)), x)[0]
    return y


def roll(x: T, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> T:
    """Move elements on along ``dims``; what leaves at one end comes in at the other.

    Parameters
    ----------
    x : array, any shape
    shifts : int or sequence of int
        How far, one for each of ``dims``.
    dims : int or sequence of int, optional
        Without it x is rolled as if it were one row.

    Returns
    -------
    array, shape and dtype of x
        Element i of an axis is x's element ``(i − shift) mod size``.

    Raises
    ------
    ShapeError
        There is not one shift for each of ``dims``, or x has no such axis.

    Notes
    -----
    PyTorch ``roll``, NumPy ``roll``.

    Examples
    --------
    >>> import numpy as np
    >>> roll(np.arange(5), 2)
    array([3, 4, 0, 1, 2])
    """
    shape = shape_of(x)
    if dims is None:
        row = apply_op(Reshape((-1,) if 0 not in shape else (0,)), x)[0]
        y: T = apply_op(Reshape(shape), roll(row, shifts, 0))[0]
        return y
    axes, steps = dims_of("roll", dims), dims_of("roll", shifts)
    if len(axes) != len(steps):
        raise ShapeError(f"roll: shifts and dims must be of one length, got {steps} and {axes}")
    for axis, step in zip(axes, steps):
        dim = normalise_dim("roll", axis, len(shape))
        n = shape[dim]
        at = -step % n if n else 0
        if at:
            parts = [apply_op(Slice((a,), (b,), (dim,)), x)[0] for a, b in ((at, n), (0, at))]
            x = apply_op(Concat(dim), *parts)[0]
    return x
