"""What the methods of convolution share: views, blocks, and how a block's sums become results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops import Conv
from ...spec import Array, Spec
from ..base import Call
from .backend import Scratch, rows_of
from .epilogue import finish, room
from .frame import Frame
from .gemm import Block
from .products import Whole

__all__ = [
    "SLACK",
    "Shape",
    "finish_block",
    "finish_runs",
    "four",
    "frame_of",
    "interleaved",
    "is_float32_2d",
    "lines_in",
    "nhwc",
    "repack",
    "sums_in",
]

SLACK = 4 * 64  # bytes that alignment may cost the few arrays of a scratch


def is_float32_2d(x: Spec | None, *rest: Spec | None) -> bool:
    """Whether x is a batch of float32 images."""
    return x is not None and x.dtype == np.float32 and x.ndim == 4


def nhwc(x: Array) -> Array:
    """The array with its channels last: a view."""
    return x.transpose(0, 2, 3, 1)


def four(inputs: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """x, weight, bias, residual; the last two may be absent."""
    x, weight, bias, residual = (*inputs, None, None)[:4]
    return x, weight, bias, residual


def repack(constants: Sequence[Any], weight: Any) -> tuple[Any, ...]:
    """Constants with another weight."""
    return (constants[0], weight, *constants[2:])


def sums_in(op: Conv, bias: Array | None, out: Array) -> Array | None:
    """Where the sums of a block may stand in its output: where an epilogue finds them in long rows, or there is none; else None."""
    rows = rows_of(out)
    return rows if rows is None or rows.flags.c_contiguous or (bias is None and not op.epilogue) else None


def finish_block(op: Conv, acc: Array, bias: Array | None, residual: Array | None, out: Array, scratch: Scratch) -> list[Call]:
    """The epilogue of a block: on matrices where the memory allows it, else on (images, lines, columns, k)."""
    target, addend = rows_of(out), None if residual is None else rows_of(residual)
    if target is not None and (residual is None or addend is not None):
        return finish(op.epilogue, acc, bias, addend, target, scratch.bytes(room(op.epilogue)))
    return finish(op.epilogue, acc.reshape(out.shape), bias, residual, out, scratch.bytes(room(op.epilogue)))


def interleaved(rows: Array, block: Array) -> Array:
    """Rows (m, …), of which the first of all images come first, as (images, lines, columns, …) like a block."""
    n, p, q = block.shape[:3]
    return np.moveaxis(rows.reshape(p, q, n, *rows.shape[1:]), 2, 0)


def finish_runs(
    op: Conv, products: Whole, sums: Array, bias: Array | None, residual: Array | None, out: Array, scratch: Scratch
) -> list[Call]:
    """The epilogue of interleaved images, whose sums lie where ``products`` left them."""
    memory, tiles = scratch.bytes(room(op.epilogue)), interleaved(sums, out)
    calls = []
    for there, these in products.parts(out.shape[-1]):
        added = None if residual is None else residual[..., these]
        calls += finish(op.epilogue, tiles[..., there], None if bias is None else bias[these], added, out[..., these], memory)
    return calls


def lines_in(block: Block) -> int:
    """Output lines of a block, over its images."""
    return (block[1] - block[0]) * (block[3] - block[2])


def frame_of(op: Conv, x: Array, weight_shape: tuple[int, ...], width: int) -> Frame:
    """Windows of a convolution over x, from the kernel's (r, s)."""
    (r, s), (sh, sw), (dh, dw) = weight_shape, op.stride, op.dilation
    shape = Spec((1, 1, r, s), np.dtype(np.float32))
    pads = op.pads(Spec(tuple(x.shape), np.dtype(np.float32)), shape)
    return Frame(nhwc(x), (r, s), (sh, sw), (dh, dw), (pads[0][0], pads[1][0]), width)


class Shape:
    """An array of which only the shape matters: enough of a Frame's input to count its elements."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def transpose(self, *axes: int) -> Shape:
        """As of an array."""
        return Shape(tuple(self.shape[a] for a in axes))
