"""What takes elements from places that follow from strides."""

from __future__ import annotations

from gpucnn.ops import ChannelShuffle, DepthToSpace, Expand, Op, Slice, SpaceToDepth, Tile
from gpucnn.ops.moving import BEFORE, END

from .base import Case
from .shape import moves


def cut(dim: int, start: int, stop: int, step: int = 1) -> Slice:
    """A slice along one axis."""
    return Slice((start,), (stop,), (dim,), (step,))


X = (2, 5, 4, 7)

_SLICE = (
    *moves(
        ("scalar", Slice((), ()), ()),
        ("rank 1", cut(0, 1, 4), (5,)),
        ("rows", cut(0, 2, 5), (7, 3)),
        ("features", cut(1, 1, END), (7, 3)),
        ("batch 0", cut(1, 1, 3), (0, 5, 4, 7)),
        ("1000 channels", cut(1, 500, 1000), (3, 1000, 2, 1)),
        ("nothing", cut(1, 3, 3), X),
        ("everything", cut(-1, 0, END), X),
        ("images", cut(0, -1, END), X),
        ("lines", cut(2, 1, -1), X),
        ("columns", cut(-1, -3, END), X),
        ("one image", cut(0, 0, 1), X),
        ("one channel", cut(1, 3, 4), X),
        ("every second channel", cut(1, 1, END, 2), X),
        ("every second pixel", Slice((0, 1), (END, END), (2, 3), (2, 2)), X),
        ("backwards", cut(1, END, BEFORE, -1), X),
        ("backwards by two", cut(3, -2, 0, -2), X),
        ("all axes", Slice((0, 3, 1, 0), (1, 0, 3, -1), (), (1, -1, 1, 3)), X),
        ("images and channels", Slice((1, 2), (END, END)), X),
        ("out of range", cut(2, -99, 99), X),
        ("rank 3", cut(1, 1, 2), (2, 3, 5)),
        ("3-d", cut(1, 1, 3), (2, 4, 2, 3, 2)),
        ("channels", cut(1, 1, 3), X),
    ),
)

_EXPAND = moves(
    ("scalar", Expand((3,)), ()),
    ("to nothing", Expand((0, 3)), (1, 3)),
    ("batch 0", Expand((1, 3, 4, 4)), (0, 3, 1, 1)),
    ("nothing new", Expand((1, 1)), (7, 3)),
    ("rows", Expand((7, 3)), (3,)),
    ("new axes", Expand((2, 3, 4, 5)), (4, 1)),
    ("a batch", Expand((3, 2, 4, 5)), (1, 2, 4, 5)),
    ("pixels", Expand((2, 3, 4, 5)), (2, 3, 1, 1)),
    ("1000 channels", Expand((1, 2, 2)), (1, 1000, 1, 1)),
    ("columns", Expand((5,)), (2, 3, 4, 1)),
    ("channels", Expand((2, 8, 4, 5)), (2, 1, 4, 5)),
    ("3-d", Expand((2, 3, 2, 4, 5)), (2, 3, 1, 4, 1)),
    ("both ways", Expand((3, 1, 5)), (2, 1, 4, 1)),
)

_TILE = moves(
    ("scalar", Tile(()), ()),
    ("rank 1", Tile((3,)), (5,)),
    ("rank 2", Tile((2, 3)), (7, 3)),
    ("never", Tile((2, 0)), (7, 3)),
    ("once", Tile((1, 1, 1, 1)), (2, 3, 4, 5)),
    ("batch", Tile((3, 1, 1, 1)), (2, 3, 4, 5)),
    ("batch 0", Tile((1, 2, 1, 1)), (0, 3, 4, 5)),
    ("1000 channels", Tile((1, 2, 1, 1)), (1, 1000, 1, 2)),
    ("space", Tile((1, 1, 2, 3)), (2, 3, 4, 5)),
    ("rank 3", Tile((1, 2, 1)), (2, 3, 5)),
    ("all axes", Tile((2, 2, 2)), (2, 3, 5)),
    ("channels", Tile((1, 2, 1, 1)), (2, 3, 4, 5)),
)

_SHUFFLE = moves(
    ("one group", ChannelShuffle(1), (2, 3, 4, 5)),
    ("a channel a group", ChannelShuffle(6), (2, 6, 4, 5)),
    ("batch 0", ChannelShuffle(2), (0, 4, 3, 5)),
    ("batch 7", ChannelShuffle(2), (7, 6, 3, 5)),
    ("1000 channels", ChannelShuffle(8), (1, 1000, 1, 3)),
    ("wide pixels", ChannelShuffle(2), (2, 32, 3, 3)),
    ("1-d", ChannelShuffle(3), (2, 6, 5)),
    ("3-d", ChannelShuffle(2), (2, 4, 2, 3, 2)),
    ("groups", ChannelShuffle(3), (2, 12, 4, 5)),
)


def _blocks(kind: type[DepthToSpace | SpaceToDepth], channels: int, side: int) -> tuple[Case, ...]:
    """``channels`` and ``side`` times what is written here."""

    def shape(n: int, c: int, h: int, w: int) -> tuple[int, ...]:
        return n, c * channels, h * side, w * side

    return moves(
        ("block of one", kind(1), (2, 3, 4, 5)),
        ("batch 0", kind(2), shape(0, 1, 3, 2)),
        ("batch 7", kind(2), shape(7, 1, 3, 2)),
        ("1000 channels", kind(2), (1, 1000, 2, 2)),
        ("odd sizes", kind(2), shape(2, 3, 5, 3)),
        ("one pixel", kind(2), shape(1, 2, 1, 1)),
        ("other order", kind(2, "DCR"), shape(2, 3, 5, 3)),
        ("other order, 8 channels", kind(2, "DCR"), shape(1, 8, 3, 2)),
        ("block of three", kind(3), (1, 18, 6, 3)),
        ("8 channels", kind(2), shape(2, 8, 3, 2)),
    )


CASES: dict[type[Op], tuple[Case, ...]] = {
    Slice: _SLICE,
    Expand: _EXPAND,
    Tile: _TILE,
    ChannelShuffle: _SHUFFLE,
    DepthToSpace: _blocks(DepthToSpace, 4, 1),
    SpaceToDepth: _blocks(SpaceToDepth, 1, 2),
}
