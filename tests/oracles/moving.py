"""What takes elements from places that follow from strides."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import ChannelShuffle, DepthToSpace, Expand, Op, Slice, SpaceToDepth, Tile
from gpucnn.spec import spec_of

from .base import Oracle, ints, onnx


def slices(op: Slice, x: Any) -> tuple[Any, ...]:
    if not op.dims:
        return onnx("Identity", x)
    return onnx("Slice", x, ints(*op.starts), ints(*op.stops), ints(*op.dims), ints(*op.steps))


def tile(op: Tile, x: Any) -> tuple[Any, ...]:
    return onnx("Tile", x, ints(*op.repeats)) if op.repeats else onnx("Identity", x)


def tile_by_hand(op: Tile, x: Any) -> tuple[Any, ...]:
    y = x
    for axis, count in enumerate(op.repeats):
        y = np.concatenate([y] * count, axis) if count else np.take(y, [], axis)
    return (y,)


def channel_shuffle(op: ChannelShuffle, x: Any) -> tuple[Any, ...]:
    per = x.shape[1] // op.groups
    y = np.empty_like(x)
    for group in range(op.groups):
        for i in range(per):
            y[:, i * op.groups + group] = x[:, group * per + i]
    return (y,)


def depth_to_space(op: DepthToSpace, x: Any) -> tuple[Any, ...]:
    return onnx("DepthToSpace", x, blocksize=op.block, mode=op.mode)


def blocks_by_hand(op: DepthToSpace | SpaceToDepth, x: Any) -> tuple[Any, ...]:
    """Pixel by pixel, a block at a time."""
    y, b = np.empty(op.infer(spec_of(x))[0].shape, x.dtype), op.block
    deep, flat = (x, y) if isinstance(op, DepthToSpace) else (y, x)
    channels = flat.shape[1]
    for c in range(channels):
        for i in range(b):
            for j in range(b):
                depth = c * b * b + i * b + j if op.mode == "CRD" else (i * b + j) * channels + c
                if deep is x:
                    flat[:, c, i::b, j::b] = deep[:, depth]
                else:
                    deep[:, depth] = flat[:, c, i::b, j::b]
    return (y,)


def space_to_depth(op: SpaceToDepth, x: Any) -> tuple[Any, ...]:
    """ONNX has the order DCR; the other one is its channels read the other way."""
    (y,) = onnx("SpaceToDepth", x, blocksize=op.block)
    if op.mode == "CRD":
        n, depth, h, w = y.shape
        y = y.reshape(n, op.block**2, depth // op.block**2, h, w).swapaxes(1, 2).reshape(y.shape)
    return (y,)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Slice: (slices,),
    Expand: (lambda op, x: onnx("Expand", x, ints(*op.shape)),),
    Tile: (tile, tile_by_hand),
    ChannelShuffle: (channel_shuffle,),
    DepthToSpace: (depth_to_space, blocks_by_hand),
    SpaceToDepth: (space_to_depth, blocks_by_hand),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
