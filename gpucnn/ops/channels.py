"""Channels that change places, with each other or with pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import ShapeError
from ..spec import Array, Spec
from .base import Layout, Op, require_rank, wrong
from .moving import Route, Strides

__all__ = ["ChannelShuffle", "DepthToSpace", "SpaceToDepth"]


@dataclass(frozen=True)
class ChannelShuffle(Op):
    """Channels (groups, c/groups) read as (c/groups, groups): channel ``j·groups + i`` is x's ``i·c/groups + j``.

    Parameters
    ----------
    groups : int
        Divides the channels.

    Notes
    -----
    Zhang et al. 2017, ShuffleNet, arXiv:1707.01083; PyTorch ``channel_shuffle``.
    """

    groups: int
    layout: ClassVar[Layout] = "spatial"

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ShapeError(f"channel_shuffle: groups must be at least 1, got {self.groups}")

    @property
    def name(self) -> str:
        """``channel_shuffle``."""
        return "channel_shuffle"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """Shape of x."""
        require_rank("channel_shuffle", x, 3)
        if x.shape[1] % self.groups:
            raise wrong("channel_shuffle", f"groups {self.groups} must divide the channels, x has {x.shape[1]}", x=x)
        return (Spec(x.shape, x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """Reshape, transpose, reshape."""
        n, c, *spatial = x.shape
        return (xp.swapaxes(x.reshape(n, self.groups, c // self.groups, *spatial), 1, 2).reshape(x.shape),)

    def route(self, x: Spec, x_strides: Strides, y_strides: Strides) -> Route:
        """Two loops over the channels."""
        (n, c, *spatial), groups = x.shape, self.groups
        per, (xn, xc, *xs), (yn, yc, *ys) = c // groups, x_strides, y_strides
        return Route((0,) * x.ndim, (n, per, groups, *spatial), (xn, xc, xc * per, *xs), (yn, yc * groups, yc, *ys))

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0


def _check_block(op: DepthToSpace | SpaceToDepth) -> None:
    if op.block < 1:
        raise ShapeError(f"{op.name}: the block must be at least 1 pixel wide, got {op.block}")
    if op.mode not in ("CRD", "DCR"):
        raise ShapeError(f"{op.name}: mode must be 'CRD' or 'DCR', got {op.mode!r}")


def _block_route(op: DepthToSpace | SpaceToDepth, deep: Spec, deep_strides: Strides, flat_strides: Strides) -> tuple[Any, Any, Any]:
    """Loops (n, c, h, block, w, block) over what has the depth and what has the space, with the strides of both."""
    (n, depth, h, w), b = deep.shape, op.block
    c, (sn, sc, sh, sw), (tn, tc, th, tw) = depth // (b * b), deep_strides, flat_strides
    channel, line, column = (b * b, b, 1) if op.mode == "CRD" else (1, b * c, c)
    return (n, c, h, b, w, b), (sn, channel * sc, sh, line * sc, sw, column * sc), (tn, tc, th * b, th, tw * b, tw)


@dataclass(frozen=True)
class DepthToSpace(Op):
    """Blocks of channels laid out as blocks of pixels: (n, c·b², h, w) to (n, c, h·b, w·b), b the block.

    Parameters
    ----------
    block : int
        Pixels along each side.
    mode : {"CRD", "DCR"}
        Where pixel (i, j) of a block comes from: channel ``c·b² + i·b + j`` (PyTorch's order), or ``(i·b + j)·channels + c``
        (ONNX's default).

    Notes
    -----
    Shi et al. 2016, arXiv:1609.05158; PyTorch ``pixel_shuffle``, ONNX ``DepthToSpace``.
    """

    block: int
    mode: str = "CRD"
    layout: ClassVar[Layout] = "spatial"

    def __post_init__(self) -> None:
        _check_block(self)

    @property
    def name(self) -> str:
        """``pixel_shuffle``."""
        return "pixel_shuffle"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c, h·b, w·b)."""
        if x.ndim != 4:
            raise wrong(self.name, f"x must have 4 axes (n, c, h, w), got {x.ndim}", x=x)
        (n, c, h, w), b = x.shape, self.block
        if c % (b * b):
            raise wrong(self.name, f"the channels must divide by {b}·{b}, x has {c}", x=x)
        return (Spec((n, c // (b * b), h * b, w * b), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """Reshape, transpose, reshape."""
        (n, depth, h, w), b = x.shape, self.block
        c = depth // (b * b)
        if self.mode == "CRD":
            y = xp.transpose(x.reshape(n, c, b, b, h, w), (0, 1, 4, 2, 5, 3))
        else:
            y = xp.transpose(x.reshape(n, b, b, c, h, w), (0, 3, 4, 1, 5, 2))
        return (y.reshape(n, c, h * b, w * b),)

    def route(self, x: Spec, x_strides: Strides, y_strides: Strides) -> Route:
        """Six loops."""
        shape, over_x, over_y = _block_route(self, x, x_strides, y_strides)
        return Route((0,) * 4, shape, over_x, over_y)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0


@dataclass(frozen=True)
class SpaceToDepth(Op):
    """Blocks of pixels laid out as channels, the inverse of ``DepthToSpace``: (n, c, h·b, w·b) to (n, c·b², h, w).

    Parameters
    ----------
    block : int
        Pixels along each side.
    mode : {"CRD", "DCR"}
        PyTorch's order, or that of ONNX, whose operator has no other.

    Notes
    -----
    PyTorch ``pixel_unshuffle`` (CRD), ONNX ``SpaceToDepth`` (DCR).
    """

    block: int
    mode: str = "CRD"
    layout: ClassVar[Layout] = "spatial"

    def __post_init__(self) -> None:
        _check_block(self)

    @property
    def name(self) -> str:
        """``pixel_unshuffle``."""
        return "pixel_unshuffle"

    def infer(self, x: Spec) -> tuple[Spec, ...]:
        """(n, c·b², h/b, w/b)."""
        if x.ndim != 4:
            raise wrong(self.name, f"x must have 4 axes (n, c, h, w), got {x.ndim}", x=x)
        (n, c, h, w), b = x.shape, self.block
        if h % b or w % b:
            raise wrong(self.name, f"height and width must divide by {b}, got {h}×{w}", x=x)
        return (Spec((n, c * b * b, h // b, w // b), x.dtype),)

    def reference(self, xp: Any, x: Array) -> tuple[Array, ...]:
        """Reshape, transpose, reshape."""
        (n, c, height, width), b = x.shape, self.block
        h, w = height // b, width // b
        order = (0, 1, 3, 5, 2, 4) if self.mode == "CRD" else (0, 3, 5, 1, 2, 4)
        return (xp.transpose(x.reshape(n, c, h, b, w, b), order).reshape(n, c * b * b, h, w),)

    def route(self, x: Spec, x_strides: Strides, y_strides: Strides) -> Route:
        """Six loops."""
        shape, over_y, over_x = _block_route(self, self.infer(x)[0], y_strides, x_strides)
        return Route((0,) * 4, shape, over_x, over_y)

    def flops(self, *specs: Spec) -> int:
        """None."""
        return 0
