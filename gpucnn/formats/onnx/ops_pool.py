"""Pools."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ShapeError, UnsupportedError
from ...graph import Value
from ...limits import check_limit
from ...ops import AvgPool, Binary, Gather, GlobalAvgPool, Pad
from ...ops import GlobalLpPool as GlobalLpPoolOp
from ...ops import GlobalMaxPool as GlobalMaxPoolOp
from ...ops import LpPool as LpPoolOp
from ...ops import MaxPool as MaxPoolOp
from ...ops import MaxUnpool as MaxUnpoolOp
from ...ops.window import taps_inside
from .ops_conv import padding, pairs, per_axis, spatial_axes

if TYPE_CHECKING:
    from .recorder import Ints, Recorder, Tensor

__all__ = [
    "AveragePool", "GlobalAveragePool", "GlobalLpPool_1", "GlobalLpPool_2", "GlobalMaxPool", "LpPool_1", "LpPool_2", "MaxPool", "MaxUnpool",
]  # fmt: skip


def MaxPool(
    g: Recorder, x: Value, *, kernel_shape: Ints, auto_pad: str = "NOTSET", ceil_mode: int = 0, dilations: Ints | None = None,
    pads: Ints | None = None, storage_order: int = 0, strides: Ints | None = None,
) -> tuple[Value, ...]:  # fmt: skip
    rank = spatial_axes(x)
    op = MaxPoolOp(
        per_axis(kernel_shape, rank, "kernel_shape"), per_axis(strides, rank, "strides"), padding(auto_pad, pads, rank),
        per_axis(dilations, rank, "dilations"), bool(ceil_mode), any(g.wanted[1:]),
    )  # fmt: skip
    if not op.return_indices:
        return (g.append(op, x),)
    _check_windows(g, op, x)
    values, places = g.append_all(op, x)
    if storage_order:
        g.allow(x.shape[2:], np.dtype(np.int64))
        places = g.append(Gather(0), g.constant(_by_columns(x.shape[2:])), places)
    first = _first_places(g, x.shape[:2], prod(x.shape[2:]), rank)
    return values, g.append(Binary("add"), places, first) if first.any() else places


def _check_windows(g: Recorder, op: MaxPoolOp, x: Value) -> None:
    """Raise where a window lies in the padding alone: nobody says what its index is."""
    out = op.infer(x.spec)[0].shape[2:]
    for count, n, k, s, (before, _), d in zip(out, x.shape[2:], op.kernel_size, op.stride, op.pads(x.spec), op.dilation):
        g.allow((count,), np.dtype(np.int64))
        if not taps_inside(count, k, s, before, d, 0, n).all():
            raise UnsupportedError(f"a window lies in the padding alone, so its index is undefined (padding {op.pads(x.spec)}); use less")


def _first_places(g: Recorder, planes: tuple[int, ...], pixels: int, rank: int) -> Tensor:
    """ONNX's indices count through the whole array: where each plane starts, (n, c, 1, …)."""
    elements = prod(planes) * pixels
    check_limit("elements", elements, f"indices count through {elements} elements")
    return (np.arange(prod(planes), dtype=np.int64) * pixels).reshape(*planes, *(1,) * rank)


def _by_columns(sizes: tuple[int, ...]) -> Tensor:
    """For each pixel of a plane, counted along rows, its number counted along columns."""
    return np.ascontiguousarray(np.arange(prod(sizes), dtype=np.int64).reshape(sizes[::-1]).transpose()).reshape(-1)


def MaxUnpool(
    g: Recorder, x: Value, indices: Value, output_shape: Value | None = None, *, kernel_shape: Ints, pads: Ints | None = None,
    strides: Ints | None = None,
) -> Value:  # fmt: skip
    rank = spatial_axes(x)
    sides = zip(x.shape[2:], per_axis(kernel_shape, rank, "kernel_shape"), per_axis(strides, rank, "strides"), pairs(pads, rank))
    plane = tuple((n - 1) * s + k - before - after for n, k, s, (before, after) in sides)
    if indices.dtype != np.int64:
        raise ShapeError(f"indices must be int64, got {indices.spec}")
    y = g.append(MaxUnpoolOp(plane), x, _in_planes(g, indices, _first_places(g, x.shape[:2], prod(plane), rank)))
    if output_shape is None:
        return y
    # The indices are those of the plane that the windows make, which lies at the beginning of the larger one.
    wanted = g.ints(output_shape, "output_shape")
    if len(wanted) != y.ndim or wanted[:2] != y.shape[:2] or any(w < n for w, n in zip(wanted, y.shape)):
        raise ShapeError(f"output_shape must be at least {y.shape}, which kernel_shape, strides and pads make of {x.spec}, got {wanted}")
    return y if wanted == y.shape else g.append(Pad(tuple((0, w - n) for w, n in zip(wanted, y.shape))), y)


def _in_planes(g: Recorder, indices: Value, first: Tensor) -> Value:
    """Indices that count through each plane: those that `MaxPool` has added ``first`` to, or the difference."""
    if not first.any():
        return indices
    node = indices.producer
    if node is not None and node.op == Binary("add") and isinstance(places := node.inputs[0], Value):
        added = node.inputs[1]
        if added is not None and added.is_constant and np.array_equal(added.data, first):
            return places
    return g.append(Binary("sub"), indices, first)


def AveragePool(
    g: Recorder, x: Value, *, kernel_shape: Ints, auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0,
    dilations: Ints | None = None, pads: Ints | None = None, strides: Ints | None = None,
) -> Value:  # fmt: skip
    rank = spatial_axes(x)
    op = AvgPool(
        per_axis(kernel_shape, rank, "kernel_shape"), per_axis(strides, rank, "strides"), padding(auto_pad, pads, rank), bool(ceil_mode),
        bool(count_include_pad), dilation=per_axis(dilations, rank, "dilations"),
    )  # fmt: skip
    return g.append(op, x)


def LpPool_1(
    g: Recorder, x: Value, *, kernel_shape: Ints, auto_pad: str = "NOTSET", p: float = 2.0, pads: Ints | None = None,
    strides: Ints | None = None,
) -> Value:  # fmt: skip
    return _lp_pool(g, x, kernel_shape, auto_pad, False, None, p, pads, strides)


def LpPool_2(
    g: Recorder, x: Value, *, kernel_shape: Ints, auto_pad: str = "NOTSET", ceil_mode: int = 0, dilations: Ints | None = None, p: int = 2,
    pads: Ints | None = None, strides: Ints | None = None,
) -> Value:  # fmt: skip
    return _lp_pool(g, x, kernel_shape, auto_pad, bool(ceil_mode), dilations, p, pads, strides)


def _lp_pool(
    g: Recorder, x: Value, kernel_shape: Ints, auto_pad: str, ceil_mode: bool, dilations: Ints | None, p: float, pads: Ints | None,
    strides: Ints | None,
) -> Value:  # fmt: skip
    rank = spatial_axes(x)
    op = LpPoolOp(
        per_axis(kernel_shape, rank, "kernel_shape"), per_axis(strides, rank, "strides"), padding(auto_pad, pads, rank),
        per_axis(dilations, rank, "dilations"), ceil_mode, float(p),
    )  # fmt: skip
    return g.append(op, x)


def GlobalAveragePool(g: Recorder, x: Value) -> Value:
    return g.append(GlobalAvgPool(), x)


def GlobalMaxPool(g: Recorder, x: Value) -> Value:
    return g.append(GlobalMaxPoolOp(), x)


def GlobalLpPool_1(g: Recorder, x: Value, *, p: float = 2.0) -> Value:
    return g.append(GlobalLpPoolOp(p), x)


def GlobalLpPool_2(g: Recorder, x: Value, *, p: int = 2) -> Value:
    return g.append(GlobalLpPoolOp(float(p)), x)
