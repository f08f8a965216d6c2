"""Convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ModelError, ShapeError
from ...graph import Value
from ...ops import Conv as ConvOp
from ...ops import ConvTranspose as ConvTransposeOp

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = ["Conv", "ConvTranspose"]

Pairs = tuple[tuple[int, int], ...]

_AUTO_PAD = {"NOTSET": "", "SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def spatial_axes(x: Value) -> int:
    """How many spatial axes x (n, c, …) has; at least one."""
    if x.ndim < 3:
        raise ShapeError(f"x must have batch, channels and at least 1 spatial axis, got {x.spec}")
    return x.ndim - 2


def per_axis(values: Ints | None, rank: int, what: str) -> Ints:
    """One number a spatial axis; 1 where the file says nothing."""
    if values and len(values) != rank:
        raise ModelError(f"{what} must have {rank} number(s) for {rank} spatial axes, got {values}")
    return values or (1,) * rank


def pairs(pads: Ints | None, rank: int, what: str = "pads") -> Pairs:
    """ONNX's pads, all beginnings and then all ends, as one pair a spatial axis."""
    if not pads:
        return ((0, 0),) * rank
    if len(pads) != 2 * rank:
        raise ModelError(f"{what} must have {2 * rank} numbers for {rank} spatial axes, got {pads}")
    return tuple(zip(pads[:rank], pads[rank:]))


def padding(auto_pad: str, pads: Ints | None, rank: int) -> Pairs | str:
    """The padding field of convolutions and pools, from ONNX's two attributes for it."""
    if auto_pad not in _AUTO_PAD:
        raise ModelError(f"auto_pad must be one of {', '.join(_AUTO_PAD)}, got {auto_pad!r}")
    return _AUTO_PAD[auto_pad] or pairs(pads, rank)


def _check_kernel(kernel_shape: Ints | None, w: Value) -> None:
    if kernel_shape and kernel_shape != w.shape[2:]:
        raise ModelError(f"kernel_shape is {kernel_shape}, the weight has {w.shape[2:]}")


def Conv(
    g: Recorder, x: Value, w: Value, b: Value | None = None, *, auto_pad: str = "NOTSET", dilations: Ints | None = None, group: int = 1,
    kernel_shape: Ints | None = None, pads: Ints | None = None, strides: Ints | None = None,
) -> Value:  # fmt: skip
    rank = spatial_axes(x)
    _check_kernel(kernel_shape, w)
    op = ConvOp(per_axis(strides, rank, "strides"), padding(auto_pad, pads, rank), per_axis(dilations, rank, "dilations"), group)
    return g.append(op, x, w, b)


def ConvTranspose(
    g: Recorder, x: Value, w: Value, b: Value | None = None, *, auto_pad: str = "NOTSET", dilations: Ints | None = None, group: int = 1,
    kernel_shape: Ints | None = None, output_padding: Ints | None = None, output_shape: Ints | None = None, pads: Ints | None = None,
    strides: Ints | None = None,
) -> Value:  # fmt: skip
    rank = spatial_axes(x)
    _check_kernel(kernel_shape, w)
    cut, step, reach = padding(auto_pad, pads, rank), per_axis(strides, rank, "strides"), per_axis(dilations, rank, "dilations")
    more = per_axis(output_padding or (0,) * rank, rank, "output_padding")
    out = None
    if output_shape:  # then pads are not read
        cut = "same" if cut == "same" else "same_lower"
        # With batch and channels in front, as ONNX Runtime takes it too.
        out = per_axis(output_shape[2:] if len(output_shape) == x.ndim else output_shape, rank, "output_shape")
    elif cut in ("same", "same_lower") and w.ndim == x.ndim:
        # in·stride, but nothing is added where the kernel does not reach so far: so ONNX's shape inference and ONNX Runtime.
        sides = zip(x.shape[2:], w.shape[2:], step, reach, more)
        out = tuple(min(n * s, (n - 1) * s + (k - 1) * d + 1 + o) for n, k, s, d, o in sides)
    return g.append(ConvTransposeOp(step, cut, reach, group, more, out), x, w, b)
