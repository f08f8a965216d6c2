"""The passes that let reshapes, copies and repetitions vanish, and that let steps reach what takes them in."""

from __future__ import annotations

import numpy as np
import pytest
from moving import after
from truth import record, verify

from gpucnn import functional as F
from gpucnn.graph import Graph
from gpucnn.ops import ChannelShuffle, Concat, DepthToSpace, Op, SpaceToDepth
from gpucnn.passes import drop_expands, find_shuffles, join_concats, join_parts, merge_duplicates, merge_reshapes, move_into_parts

RNG = np.random.default_rng(13)
NHWC = (2, 5, 7, 4)
NCHW = (2, 4, 5, 7)


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


def conv(x, k=4, kernel=3, **fields):
    return F.conv2d(x, w(k, x.shape[1] // fields.get("groups", 1), kernel, kernel), w(k), padding=kernel // 2, **fields)


def norm(x):
    c = x.shape[1]
    return F.batch_norm(x, w(c), np.abs(w(c)) + np.float32(0.5), w(c), w(c))


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


# -- find_shuffles


def shuffled(x, groups):
    n, c, h, width = x.shape
    return F.reshape(F.permute(F.reshape(x, (n, groups, c // groups, h, width)), (0, 2, 1, 3, 4)), (n, -1, h, width))


def depth_to_space(x, b, mode):
    n, depth, h, width = x.shape
    c = depth // (b * b)
    if mode == "CRD":
        y = F.permute(F.reshape(x, (n, c, b, b, h, width)), (0, 1, 4, 2, 5, 3))
    else:
        y = F.permute(F.reshape(x, (n, b, b, c, h, width)), (0, 3, 4, 1, 5, 2))
    return F.reshape(y, (n, c, h * b, width * b))


def space_to_depth(x, b, mode):
    n, c, h, width = x.shape
    order = (0, 1, 3, 5, 2, 4) if mode == "CRD" else (0, 3, 5, 1, 2, 4)
    return F.reshape(F.permute(F.reshape(x, (n, c, h // b, b, width // b, b)), order), (n, c * b * b, h // b, width // b))


DEEP = (2, 12, 4, 6)


@pytest.mark.parametrize(
    ("forward", "op"),
    [
        (lambda x: shuffled(x, 2), ChannelShuffle(2)),
        (lambda x: shuffled(x, 3), ChannelShuffle(3)),
        (lambda x: shuffled(x, 6), ChannelShuffle(6)),
        (lambda x: F.reshape(F.permute(F.reshape(x, (2, 4, 3, 24)), (0, 2, 1, 3)), DEEP), ChannelShuffle(4)),
        (lambda x: F.reshape(F.permute(F.reshape(x, (2, 3, 4, 2, 12)), (0, 2, 1, 3, 4)), DEEP), ChannelShuffle(3)),
        (lambda x: depth_to_space(x, 2, "CRD"), DepthToSpace(2, "CRD")),
        (lambda x: depth_to_space(x, 2, "DCR"), DepthToSpace(2, "DCR")),
        (lambda x: space_to_depth(x, 2, "CRD"), SpaceToDepth(2, "CRD")),
        (lambda x: space_to_depth(x, 2, "DCR"), SpaceToDepth(2, "DCR")),
    ],
)
@pytest.mark.parametrize("n", [1, 2])
def test_a_shuffle_that_is_spelt_out_is_found(forward, op: Op, n):
    def one(x):
        return forward(F.cat([F.relu(x)] * (2 // n), 0)) if n == 1 else forward(F.relu(x))

    graph = after(one, find_shuffles, shapes=((n, *DEEP[1:]),))
    assert graph.nodes[-1].op == op
    assert graph.notes["shuffles found"] == 1


def test_a_shuffle_of_one_image_and_one_pixel():
    graph = after(lambda x: shuffled(F.relu(x), 2), find_shuffles, shapes=((1, 8, 1, 1),))
    assert [node.op for node in graph.nodes[1:]] == [ChannelShuffle(2)]


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.reshape(F.permute(F.reshape(x, (2, 3, 4, 4, 6)), (0, 2, 1, 4, 3)), DEEP),
        lambda x: F.reshape(F.permute(F.reshape(x, (2, 3, 4, 4, 6)), (1, 2, 0, 3, 4)), DEEP),
        lambda x: F.reshape(F.permute(F.reshape(x, (2, 3, 4, 4, 6)), (0, 2, 1, 3, 4)), (2, 12, 24)),
        lambda x: F.reshape(F.permute(F.reshape(x, (2, 12, 2, 2, 6)), (0, 1, 3, 2, 4)), DEEP),  # shuffles lines
        lambda x: F.reshape(F.permute(F.reshape(x, (2, 3, 2, 2, 4, 6)), (0, 1, 4, 3, 5, 2)), (2, 3, 8, 12)),  # columns and lines changed
        lambda x: F.reshape(F.permute(F.reshape(x, (2, 3, 4, 4, 6)), (0, 2, 1, 3, 4)), (4, 6, 4, 6)),
    ],
)
def test_what_only_looks_like_a_shuffle_stays(forward):
    graph = after(forward, find_shuffles, shapes=(DEEP,))
    assert names(graph) == ["reshape", "permute", "reshape"]


# -- merge_reshapes, drop_expands, merge_duplicates, join_concats


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (lambda x: F.reshape(F.reshape(x, (2, 140)), (10, 28)), ["reshape"]),
        (lambda x: F.flatten(F.reshape(x, (2, 35, 4)), 1), ["reshape"]),
        (lambda x: F.reshape(F.flatten(x, 1), NHWC), []),
        (lambda x: F.unsqueeze(F.squeeze(F.amax(x, 1, keepdim=True), 1), 2), ["amax", "reshape"]),
        (lambda x: F.squeeze(F.unsqueeze(F.unsqueeze(F.relu(x), 0), 2), (0, 2)), ["relu"]),
        (lambda x: F.reshape(F.relu(F.reshape(x, (2, 140))), NHWC), ["reshape", "relu", "reshape"]),
        (lambda x: (lambda y: (y, F.reshape(y, (10, 28))))(F.reshape(x, (2, 140))), ["reshape", "reshape"]),
        (lambda x: F.reshape(x, NHWC), []),
    ],
)
def test_reshapes_merge(forward, left):
    assert names(after(forward, merge_reshapes)) == left


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (lambda x: x * F.expand(F.relu(x[:, :1, :1]), NHWC), ["slice", "relu", "mul"]),
        (lambda x: F.expand(F.relu(x[:, :1]), NHWC) - x, ["slice", "relu", "sub"]),
        (lambda x: x + F.expand(F.amax(x, 0), (2, 5, 7, 4)), ["amax", "add"]),
        (lambda x: F.where(np.eye(7, 4) > 0, F.expand(x[:1], NHWC), x), ["slice", "where"]),
        (lambda x: F.expand(x[:, :1], NHWC) + F.expand(x[:, :, :1], NHWC), ["slice", "slice", "add"]),
        (lambda x: F.expand(x[:, :1], NHWC) + F.expand(x[:, 1:2], NHWC), ["slice", "slice", "expand", "add"]),
        (lambda x: F.relu(F.expand(x[:, :1], NHWC)), ["slice", "expand", "relu"]),
        (lambda x: x[:, :1] * F.expand(x[:, :1], NHWC), ["slice", "slice", "expand", "mul"]),
    ],
)
def test_expansions_that_broadcasting_does_are_dropped(forward, left):
    assert names(after(forward, drop_expands)) == left


@pytest.mark.parametrize(
    ("constant", "cut"),
    [
        (np.full(NHWC, 3, np.float32), (1, 1, 1, 1)),
        (np.broadcast_to(w(4), NHWC).copy(), (1, 1, 1, 4)),
        (np.full(NHWC, np.nan, np.float32), (1, 1, 1, 1)),
        (np.full((7, 4), 3, np.float32), (1, 1)),
        (np.float32(3), ()),
        (np.where(np.arange(140).reshape(5, 7, 4) == 139, np.float32(-0.0), np.float32(0)), (5, 7, 4)),
    ],
)
def test_constants_that_repeat_themselves_are_cut_down(constant, cut):
    graph = after(lambda x: x * constant, drop_expands, bounded=not np.isnan(constant).any())
    assert graph.nodes[0].inputs[1].shape == cut


def test_a_constant_that_makes_the_result_large_stays():
    graph = after(lambda x: x[:1] * np.full(NHWC, 3, np.float32), drop_expands)
    assert graph.nodes[1].inputs[1].shape == NHWC


def squares_twice(x):
    return F.relu(x) * F.relu(x)


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (squares_twice, ["relu", "mul"]),
        (lambda x: F.tanh(F.relu(x)) + F.tanh(F.relu(x)), ["relu", "tanh", "add"]),
        (lambda x: (x + 1.0) * (x + 1.0), ["add", "mul"]),
        (lambda x: (x + 1.0) * (x + 1.5), ["add", "add", "mul"]),
        (lambda x: F.maximum(x, np.float32(0.0)) + F.maximum(x, np.float32(-0.0)), ["maximum", "maximum", "add"]),
        (lambda x: F.leaky_relu(x, 0.1) + F.leaky_relu(x, 0.2), ["leaky_relu", "leaky_relu", "add"]),
        (lambda x: F.pad(x, (1, 0), value=0.0) + F.pad(x, (1, 0), value=-0.0), ["pad", "pad", "add"]),
        (lambda x: F.add(*F.chunk(F.relu(x), 2)) + F.add(*F.chunk(F.relu(x), 2)), ["relu", "slice", "slice", "add", "add"]),
        (lambda x: (F.relu(x), F.relu(x)), ["relu"]),
    ],
)
def test_what_is_computed_twice_is_computed_once(forward, left):
    assert names(after(forward, merge_duplicates)) == left


def test_large_constants_are_the_same_where_they_are_one_array():
    weight = w(5, 7, 4)
    assert names(after(lambda x: (x + weight) * (x + weight), merge_duplicates)) == ["add", "mul"]
    assert names(after(lambda x: (x + weight) * (x + weight.copy()), merge_duplicates)) == ["add", "add", "mul"]


def dense(x):
    """DenseNet, as exporters write it: every layer concatenates all before it."""
    parts = [F.relu(x)]
    for _ in range(3):
        parts.append(F.tanh(F.cat(parts, 1)[:, :1]))
    return F.cat(parts, 1)


@pytest.mark.parametrize(
    ("forward", "parts"),
    [
        (dense, [1, 2, 2, 2]),
        (lambda x: F.cat([*F.chunk(F.relu(x), 5, 1), x], 1), [2]),
        (lambda x: F.cat([x, *F.chunk(F.tanh(x), 5, 1)], 1), [2]),
        (lambda x: F.cat(F.chunk(F.relu(x), 5, 1), 1), []),
        (lambda x: F.cat([*F.chunk(F.relu(x), 5, 1)[:4], x], 1), [5]),
        (lambda x: F.cat([*F.chunk(F.relu(x), 5, 1)[::-1], x], 1), [6]),
        (lambda x: F.cat(F.chunk(F.relu(x), 2, 0), 1), [2]),
        (lambda x: F.cat([F.cat([x, F.relu(x)], 1), F.tanh(x)], 1), [2, 2]),
        (lambda x: (F.cat([x, F.relu(x)], 1), F.cat([x, F.tanh(x)], 1)), [2, 2]),
        (lambda x: (lambda y: (F.cat([x, y], 1), F.cat([x, y, x], 2)))(F.relu(x)), [2, 3]),
        (lambda x: (lambda y: (F.cat([x, y], 1), F.cat([x, y, x], 1)))(F.relu(x)), [2, 2]),
        (lambda x: (lambda y: (F.cat([x, y, y], 1), F.cat([x, y], 1)))(F.relu(x)), [3, 2]),
    ],
)
def test_concatenations_read_wholes(forward, parts):
    graph = after(forward, join_concats)
    assert [len(node.inputs) for node in graph.nodes if isinstance(node.op, Concat)] == parts


# -- move_into_parts


def mixed(x):
    """Of MixNet: kernels of several sizes, each for some channels, under one norm and one activation."""
    a, b, c = F.split(x, [1, 1, 2], 1)
    return F.silu(norm(F.cat([conv(a, 1, 3), conv(b, 1, 5), conv(c, 2, 1)], 1)))


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (mixed, ["slice", "slice", "slice", "conv2d", "conv2d", "conv2d", *["batch_norm"] * 3, *["silu"] * 3, "cat"]),
        (lambda x: F.relu(F.cat([conv(x), conv(x)], 1)), ["conv2d", "conv2d", "relu", "relu", "cat"]),
        (lambda x: F.cat([conv(x), conv(x, 3)], 1) * w(7, 1, 1), ["conv2d", "conv2d", "mul", "mul", "cat"]),
        (lambda x: w(7, 1, 1) - F.cat([conv(x), conv(x, 3)], 1), ["conv2d", "conv2d", "sub", "sub", "cat"]),
        (lambda x: F.cat([conv(x), conv(x)], 1) * np.float32(2), ["conv2d", "conv2d", "mul", "mul", "cat"]),
        (lambda x: F.cat([conv(x), conv(x)], 1) + w(2, 8, 1, 7), ["conv2d", "conv2d", "add", "add", "cat"]),
        (lambda x: norm(F.cat([conv(x), conv(x)], 2)), ["conv2d", "conv2d", "batch_norm", "batch_norm", "cat"]),
        (lambda x: F.tanh(F.relu(F.cat([conv(x), conv(x)], 1))), ["conv2d", "conv2d", "relu", "relu", "cat", "tanh"]),
    ],
)
def test_steps_behind_a_concatenation_move_into_its_parts(forward, left):
    assert names(after(forward, move_into_parts, shapes=(NCHW,))) == left


def test_convolutions_take_in_what_was_behind_their_concatenation():
    assert verify(record(mixed, NCHW, order="channels_last")).ops == ["conv2d"] * 3


def mixed_with_shortcut(x):
    y = norm(F.cat([conv(x, 1), conv(x, 3, 1)], 1))
    return F.relu(y + x)


@pytest.mark.parametrize("forward", [mixed_with_shortcut, lambda x: F.relu(x + F.cat([conv(x), conv(x)], 0)[1:3])])
def test_a_shortcut_is_added_part_by_part(forward):
    made = verify(record(lambda x: forward(F.relu(conv(x))), NCHW, order="channels_last"))
    assert [op for op in made.ops if op != "conv2d"] == ([] if forward is mixed_with_shortcut else ["add", "relu"])
    after(mixed_with_shortcut, move_into_parts, shapes=(NCHW,))


def test_behind_a_shortcut_only_an_activation_moves_on():
    def forward(x):
        return F.relu(F.cat([conv(x, 1), conv(x, 3)], 1) + x) * w(4, 1, 1)

    assert names(after(forward, move_into_parts, shapes=(NCHW,)))[-2:] == ["cat", "mul"]
    graph = after(lambda x: norm(F.cat([conv(x, 1), conv(x, 3)], 1) + x), move_into_parts, shapes=(NCHW,))
    assert names(graph)[-2:] == ["cat", "batch_norm"]


def parts_are_read(x):
    a, b = conv(x), conv(x)
    return F.relu(F.cat([a, b], 1)), F.tanh(a)


def whole_is_read(x):
    y = F.cat([conv(x), conv(x)], 1)
    return F.relu(y), F.max_pool2d(y, 2)


def whole_is_asked_for(x):
    y = F.cat([conv(x), conv(x)], 1)
    return F.relu(y), y


@pytest.mark.parametrize(
    "forward",
    [
        parts_are_read,
        whole_is_read,
        whole_is_asked_for,
        lambda x: F.relu(F.cat([conv(x), x], 1)),
        lambda x: F.relu(F.cat([conv(x), F.max_pool2d(x, 3, 1, 1)], 1)),
        lambda x: (lambda y: F.relu(F.cat([y, y], 1)))(conv(x)),
        lambda x: F.cat([conv(x), conv(x)], 1) - F.cat([x, x], 1),
        lambda x: F.cat([conv(x), conv(x)], 1) * w(3, 1, 1, 1, 1),
        lambda x: F.softmax(F.cat([conv(x), conv(x)], 1), 1),
        lambda x: F.cat([conv(x), w(2, 4, 5, 7)], 1) * w(8, 1, 1),
    ],
)
def test_steps_that_parts_do_not_take_in_stay_behind(forward):
    before = names(record(forward, NCHW))
    assert names(after(forward, move_into_parts, shapes=(NCHW,))) == before


# -- join_parts


def new_range(x):
    """Of GoogLeNet: each colour by itself from one range into another."""
    return F.cat(
        [F.unsqueeze(x[:, i], 1) * np.float32(a) + np.float32(b) for i, (a, b) in enumerate(zip((0.4, 0.5, 0.6), (0.1, 0.2, 0.3)))], 1
    )


COLOURS = (2, 3, 5, 7)


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (new_range, ["mul", "add"]),
        (lambda x: F.cat([np.float32(2) - x[:, :1], w(1, 5, 1) - x[:, 1:]], 1), None),  # the constants differ in shape
        (lambda x: F.cat([w(2, 1, 1) / x[:, :2], w(1, 1, 1) / x[:, 2:]], 1), ["div"]),
        (lambda x: F.cat([x[:, :1] * w(5, 1), x[:, 1:] * w(5, 1)], 1), ["mul"]),
        (lambda x: F.cat([x[:1] * w(3, 1, 1), x[1:] * w(3, 1, 1)], 0), ["mul"]),
        (lambda x: F.cat([x[:, :1] * 2.0, x[:, 1:] + 2.0], 1), None),
        (lambda x: F.cat([x[:, :1] - 2.0, 2.0 - x[:, 1:]], 1), None),
        (lambda x: F.cat([x[:, 1:] * 2.0, x[:, :1] * 3.0], 1), None),
        (lambda x: F.cat([x[:, :1] * 2.0, x[:, 2:] * 3.0], 1), None),
        (lambda x: F.cat([x[:, :1] * 2.0, F.relu(x)[:, 1:] * 3.0], 1), None),
        (lambda x: F.cat([x[:, :1] * 2.0, x[:, 1:]], 1), None),
        (lambda x: F.cat([x[:, :2] * x[:, :2], x[:, 2:] * x[:, 2:]], 1), None),
        (lambda x: (lambda a: (F.cat([a, x[:, 1:] * 3.0], 1), a))(x[:, :1] * 2.0), None),
        (lambda x: F.cat([x[:, :1], x[:, 1:]], 1), None),  # for another pass
    ],
)
def test_arithmetic_of_each_part_is_done_at_once(forward, left):
    before = names(record(forward, COLOURS))
    bounded = "div" not in before
    assert names(after(forward, merge_reshapes, join_parts, shapes=(COLOURS,), bounded=bounded)) == (left or before)


def test_a_net_that_changes_the_range_of_each_colour_takes_no_slices():
    made = verify(record(lambda x: conv(new_range(x)), COLOURS))
    assert {"slice", "cat"}.isdisjoint(made.ops)
    assert len(made.ops) <= 3
