"""Ops under another order of axes: what a node becomes where its inputs and its result come transposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..graph import Node, Value
from ..ops import (
    GLU,
    Activation,
    ArgReduce,
    Binary,
    Cast,
    Concat,
    CumSum,
    Expand,
    Gather,
    Identity,
    LogSoftmax,
    Normalize,
    Op,
    Pad,
    PReLU,
    Reduce,
    Slice,
    Softmax,
    Tile,
    Unary,
    Where,
)

__all__ = ["Dims", "composed", "inverse", "moves_nothing", "permuted_op"]

Dims = tuple[int, ...]
"""As of ``Transpose``: axis i of the result is axis ``dims[i]`` of what is transposed."""

_ANY_AXES = (Activation, Binary, Cast, Identity, PReLU, Unary, Where)
"""Element by element: they do not know their axes."""

_ONE_AXIS = (Concat, CumSum, GLU, LogSoftmax, Normalize, Softmax)
"""With a ``dim``, and a result of the same rank."""


def composed(first: Dims, then: Dims) -> Dims:
    """The dims of one transposition for two.

    Examples
    --------
    >>> composed((0, 2, 3, 1), (0, 3, 1, 2))
    (0, 1, 2, 3)
    """
    return tuple(first[d] for d in then)


def inverse(dims: Dims) -> Dims:
    """The dims that undo a transposition.

    Examples
    --------
    >>> inverse((0, 2, 3, 1))
    (0, 3, 1, 2)
    """
    return tuple(dims.index(axis) for axis in range(len(dims)))


def moves_nothing(shape: Sequence[int], dims: Dims) -> bool:
    """Whether only axes of size 1 change places: then the elements stay in their order.

    Examples
    --------
    >>> moves_nothing((2, 3, 1, 1), (0, 2, 3, 1)), moves_nothing((2, 3, 4, 1), (0, 2, 3, 1))
    (True, False)
    """
    long = [d for d in dims if shape[d] != 1]
    return long == sorted(long) or 0 in shape


def permuted_op(node: Node, dims: Dims) -> Op | None:
    """The op that makes of inputs transposed by ``dims`` the result transposed by ``dims``.

    Parameters
    ----------
    node : Node
    dims : tuple of int
        Of the result's rank; where a reduction drops axes, of its input's.

    Returns
    -------
    Op or None
        None where there is none. A reduction that drops axes makes the result as it was.
    """
    op, rank = node.op, len(dims)
    if len(node.outputs) != 1 or not _inputs_fit(node, rank):
        return None
    at = inverse(dims)
    if isinstance(op, (Reduce, ArgReduce)):
        return _permuted_reduction(op, dims, at)
    if node.outputs[0].ndim != rank:
        return None
    if isinstance(op, _ANY_AXES):
        return op
    if isinstance(op, _ONE_AXIS):
        return _with_dim(op, at[op.dim % rank])
    match op:
        case Gather() if node.inputs[1] is not None and node.inputs[1].ndim == 1:
            return _with_dim(op, at[op.dim % rank])
        case Slice():
            return replace(op, dims=tuple(at[d % rank] for d in op.dims))
        case Pad():
            return replace(op, pads=tuple(op.pads[d] for d in dims))
        case Tile():
            return replace(op, repeats=tuple(op.repeats[d] for d in dims))
        case Expand() if len(op.shape) == rank:
            return replace(op, shape=tuple(op.shape[d] for d in dims))
        case _:
            return None


def _with_dim(op: Any, dim: int) -> Op:
    """``replace`` where the type checker does not know that the op has a ``dim``."""
    made: Op = replace(op, dim=dim)
    return made


def _permuted_reduction(op: Reduce | ArgReduce, dims: Dims, at: Dims) -> Op | None:
    rank = len(dims)
    gone = op.axes(rank) if isinstance(op, Reduce) else (op.dim % rank,)
    if not op.keepdim:
        kept = [d for d in dims if d not in gone]
        if kept != sorted(kept):
            return None  # the axes that stay would come in another order
    if isinstance(op, ArgReduce):
        return replace(op, dim=at[gone[0]])
    return replace(op, dims=tuple(sorted(at[d] for d in gone)) if op.dims else ())


def _inputs_fit(node: Node, rank: int) -> bool:
    """Whether each input can come transposed: it has all axes, or is a constant that broadcasts, or one number."""
    first = node.inputs[0] if node.inputs else None
    if isinstance(node.op, Gather):
        return first is not None and first.ndim == rank
    return all(v is not None and (v.ndim == rank or (isinstance(node.op, _ANY_AXES) and _broadcasts(v, rank))) for v in node.inputs)


def _broadcasts(value: Value, rank: int) -> bool:
    return value.ndim == 0 or (value.is_constant and value.ndim <= rank)
