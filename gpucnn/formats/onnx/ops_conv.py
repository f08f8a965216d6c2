"""Convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ModelError
from ...graph import Value
from ...ops import Conv as ConvOp

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = ["Conv"]

Pairs = tuple[tuple[int, int], ...]


def pairs(pads: Ints | None, rank: int, what: str = "pads") -> Pairs:
    """ONNX's pads, all beginnings and then all ends, as one pair a spatial axis."""
    if pads is None:
        return ((0, 0),) * rank
    if len(pads) != 2 * rank:
        raise ModelError(f"{what} must have {2 * rank} numbers for {rank} spatial axes, got {pads}")
    return tuple(zip(pads[:rank], pads[rank:]))


def padding(auto_pad: str, pads: Ints | None, rank: int) -> Pairs | str:
    """The padding field of convolutions and pools, from ONNX's two attributes for it."""
    named = {"NOTSET": "", "SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}
    if auto_pad not in named:
        raise ModelError(f"auto_pad must be one of {', '.join(named)}, got {auto_pad!r}")
    return named[auto_pad] or pairs(pads, rank)


def Conv(
    g: Recorder, x: Value, w: Value, b: Value | None = None, *, auto_pad: str = "NOTSET", dilations: Ints | None = None, group: int = 1,
    kernel_shape: Ints | None = None, pads: Ints | None = None, strides: Ints | None = None,
) -> Value:  # fmt: skip
    rank = x.ndim - 2
    if kernel_shape is not None and kernel_shape != w.shape[2:]:
        raise ModelError(f"kernel_shape is {kernel_shape}, the weight has {w.shape[2:]}")
    ones = (1,) * rank
    return g.append(ConvOp(strides or ones, padding(auto_pad, pads, rank), dilations or ones, group), x, w, b)
