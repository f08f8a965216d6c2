"""The passes that let transpositions, reshapes, copies and repetitions vanish: what they change, what not, and that values stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from moving import assert_same_bits, by_reference, transposes
from truth import draw_feeds, record, verify

from gpucnn import functional as F
from gpucnn.errors import ShapeError
from gpucnn.graph import Graph
from gpucnn.ops import ChannelShuffle, Concat, DepthToSpace, Op, SpaceToDepth
from gpucnn.passes import (
    alias_buffers,
    assign_layouts,
    cancel_transposes,
    drop_expands,
    find_shuffles,
    join_concats,
    merge_duplicates,
    merge_reshapes,
)
from gpucnn.passes.cut import Network
from gpucnn.passes.permuted import composed, inverse, moves_nothing
from gpucnn.spec import Spec

RNG = np.random.default_rng(11)
NHWC = (2, 5, 7, 4)
NCHW = (2, 4, 5, 7)
LAY_OUT = (assign_layouts, alias_buffers)


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


def to_nchw(x):
    return F.permute(x, (0, 3, 1, 2))


def to_nhwc(x):
    return F.permute(x, (0, 2, 3, 1))


def conv(x, k=4, kernel=3, **fields):
    return F.conv2d(x, w(k, x.shape[1] // fields.get("groups", 1), kernel, kernel), w(k), padding=kernel // 2, **fields)


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def after(forward, *passes, shapes=(NHWC,), exact=True, bounded=True) -> Graph:
    """The graph after some passes alone. By reference its values are the same, bit by bit; in a plan, as close as any to the true ones.

    Not ``exact``: a sum runs in another order. Not ``bounded``: what is compared has no bound.
    """
    graph = record(forward, *shapes)
    feeds = draw_feeds(graph)
    expected = by_reference(graph, feeds)
    for one in passes:
        one(graph)
    graph.check()
    if exact:
        assert_same_bits(by_reference(graph, feeds), expected)
    if bounded:
        verify(record(forward, *shapes), passes=(*passes, *LAY_OUT))
        verify(record(forward, *shapes))
    return graph


# -- cancel_transposes


@pytest.mark.parametrize(
    "between",
    [
        lambda y: F.relu(y),
        lambda y: F.sin(F.tanh(y)),
        lambda y: y * 2.0 + w(4),
        lambda y: w(1, 7, 4) - y,
        lambda y: y + w(2, 5, 7, 4),
        lambda y: F.cast(F.cast(y, "float64"), "float32"),
        lambda y: F.leaky_relu(y, 0.1),
        lambda y: F.cat([y, F.sigmoid(y)], 3),
        lambda y: F.cat([y, w(2, 5, 7, 3)], -1),
        lambda y: F.cat([F.relu(y), y], 1),
        lambda y: y[:, 1:4, ::2],
        lambda y: F.flip(y, (1, 3)),
        lambda y: F.pad(y, (0, 0, 1, 2, 0, 1)),
        lambda y: F.pad(y, (0, 1, 2, 0), "replicate"),
        lambda y: F.tile(y, (1, 2, 1, 1)),
        lambda y: F.expand(y[:, :, :1], (2, 5, 7, 4)),
        lambda y: F.index_select(y, 3, np.array([3, 0, 0])),
        lambda y: F.dropout(y),
        lambda y: F.cat(F.chunk(y, 2, -1)[::-1], -1),
        lambda y: F.amax(y, (1, 2), keepdim=True),
        lambda y: y * F.amax(y, (1, 2), keepdim=True),
        lambda y: F.where(np.array([True, False, True, False]), y, F.relu(y)),
    ],
)
def test_a_pair_around_what_knows_its_axes_vanishes(between):
    def forward(x):
        return conv(to_nchw(between(to_nhwc(F.relu(x)))), 3)

    graph = after(forward, cancel_transposes, shapes=(NCHW,), exact=False)
    assert transposes(graph) == 0
    moved = after(lambda x: to_nchw(between(to_nhwc(x))), cancel_transposes, shapes=(NCHW,))
    assert transposes(moved) == 0
    assert "permute" not in names(moved)


@pytest.mark.parametrize(
    "between",
    [
        lambda y: F.softmax(y, 3),
        lambda y: F.log_softmax(y, -1),
        lambda y: F.glu(y, 3),
        lambda y: F.normalize(y, dim=3),
        lambda y: F.cumsum(y, 1),
        lambda y: F.mean(y, (1, 2), keepdim=True),
        lambda y: F.sum(y, (2,), keepdim=True),
        lambda y: F.logsumexp(y, 3, keepdim=True),
    ],
)
def test_a_pair_around_sums_along_an_axis_vanishes(between):
    graph = after(lambda x: to_nchw(between(to_nhwc(x))), cancel_transposes, shapes=(NCHW,), exact=False)
    assert "permute" not in names(graph)


@pytest.mark.parametrize(
    ("forward", "kept"),
    [
        (lambda x: F.mean(to_nhwc(conv(x)), (1, 2)), []),
        (lambda x: F.amax(to_nhwc(conv(x)), 3), []),
        (lambda x: F.sum(to_nhwc(conv(x))), []),
        (lambda x: F.mean(to_nhwc(conv(x)), 3), []),
        (lambda x: F.mean(to_nhwc(conv(x)), 2), ["permute"]),  # (n, h, c) is no order of what is left of (n, c, h, w)
    ],
)
def test_a_reduction_that_drops_axes_takes_the_transposition_with_them(forward, kept):
    graph = after(forward, cancel_transposes, shapes=(NCHW,), exact=False)
    assert [name for name in names(graph) if name == "permute"] == kept


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (lambda x: F.argmax(to_nhwc(x), 3), 0),
        (lambda x: F.argmax(to_nhwc(x), 3, keepdim=True), 0),  # all that is left moves an axis of size 1
        (lambda x: to_nchw(F.argmax(to_nhwc(x), 3, keepdim=True)), 0),
        (lambda x: F.argmax(F.permute(x, (0, 3, 1, 2)), 2), 1),
        (lambda x: F.where(F.gt(to_nhwc(x), w(4)), to_nhwc(x), 0.0 * to_nhwc(x)), 1),
        (lambda x: to_nchw(F.where(F.gt(to_nhwc(x), w(4)), to_nhwc(x), 0.0 * to_nhwc(x))), 0),
        (lambda x: to_nchw(F.cast(F.cast(to_nhwc(x), "int32"), "float32")), 0),
    ],
)
def test_choices_and_whole_numbers(forward, left):
    assert transposes(after(forward, cancel_transposes, shapes=(NCHW,), bounded=False)) == left


def tf_residual(x):
    """As TensorFlow's exporter writes a net: every convolution between two transpositions, bias and activation behind them."""
    y = F.relu(to_nhwc(conv(to_nchw(x), 6)) + w(6))
    for _ in range(2):
        z = F.relu6(to_nhwc(conv(to_nchw(y), 6)) + w(6))
        z = F.pad(z, (0, 0, 0, 1, 0, 1))
        z = to_nhwc(F.conv2d(to_nchw(z), w(6, 1, 2, 2), groups=6))
        y = y + F.relu(z * w(6) + w(6))
    y = F.cat([y, F.relu(to_nhwc(F.max_pool2d(to_nchw(y), 3, 1, 1)))], 3)
    return F.linear(F.mean(y, (1, 2)), w(3, 12), w(3))


def test_of_a_net_with_channels_last_one_transposition_is_left():
    graph = after(tf_residual, cancel_transposes, exact=False)
    assert transposes(graph) == 1
    assert names(graph)[0] == "permute"
    made = verify(record(tf_residual, NHWC))
    assert "reorder" not in made.ops
    assert "permute" not in made.ops, "the input's channels lie where a convolution wants them"


def two_branches(x):
    a = to_nhwc(conv(x))
    return to_nchw(F.relu(a) + to_nhwc(conv(x)))


def one_side_only(x):
    """One operand comes transposed, the other does not: moving gains nothing."""
    return F.relu(to_nhwc(conv(x)) + F.linear(to_nhwc(F.relu(x)), w(4, 4)))


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (two_branches, 0),
        (lambda x: F.permute(F.permute(x, (0, 2, 3, 1)), (0, 2, 3, 1)), 1),
        (lambda x: F.permute(F.permute(x, (0, 2, 3, 1)), (3, 0, 1, 2)), 1),
        (lambda x: (to_nhwc(x), F.relu(to_nhwc(x))), 1),
        (lambda x: to_nchw(to_nhwc(x)), 0),
        (lambda x: F.relu(to_nhwc(x)), 1),
        (lambda x: (lambda y: (to_nchw(F.relu(y)), y))(to_nhwc(conv(x))), 1),
        (lambda x: to_nchw(F.layer_norm(to_nhwc(x), 4)), 2),
        (lambda x: to_nchw(F.linear(to_nhwc(x), w(4, 4))), 2),
        (lambda x: to_nchw(F.flip(F.reshape(to_nhwc(x), (2, 7, 5, 4)), 1)), 2),
        (lambda x: to_nchw(F.tanh(to_nhwc(x)) * F.amax(F.reshape(to_nhwc(x), (2, 35, 4)), 1)[0]), 2),
        (lambda x: F.permute(F.relu(to_nhwc(x)), (0, 2, 1, 3)), 1),
        (one_side_only, 2),
    ],
)
def test_how_many_are_left(forward, left):
    """No more than before, and those that something between needs."""
    before = transposes(record(forward, NCHW))
    graph = after(forward, cancel_transposes, shapes=(NCHW,), exact=False)
    assert transposes(graph) == left <= before


def test_of_equally_many_those_are_left_that_keep_nothing_from_being_fused():
    """Behind the last activation the transposition is as good as before it, and the convolution takes the activation in."""

    def forward(x):
        return F.reshape(F.relu(to_nhwc(conv(x)) + w(4)), (2, -1))

    graph = after(forward, cancel_transposes, shapes=(NCHW,))
    assert names(graph) == ["conv2d", "add", "relu", "permute", "reshape"]


def test_a_block_of_convnext_is_taken_into_its_last_dense_layer():
    """Scale and shortcut are not kept from it by the transposition back, if the shortcuts meet in the same order."""

    def block(x):
        y = to_nhwc(F.conv2d(x, w(4, 1, 3, 3), padding=1, groups=4))
        y = F.linear(F.gelu(F.linear(F.layer_norm(y, 4), w(8, 4))), w(4, 8))
        return to_nchw(y) * w(4, 1, 1) + x

    def forward(x):
        y = to_nchw(F.layer_norm(to_nhwc(conv(x)), 4))
        for _ in range(3):
            y = block(y)
        return conv(to_nchw(F.layer_norm(to_nhwc(y), 4)))

    graph = after(forward, cancel_transposes, shapes=(NCHW,), exact=False)
    assert transposes(graph) < transposes(record(forward, NCHW))
    for node in graph.nodes:
        if node.op.name in ("mul", "add"):
            assert node.outputs[0].shape == NHWC


def test_what_moves_axes_of_size_1_is_a_reshape():
    graph = after(lambda x: F.permute(F.relu(x), (0, 2, 3, 1)), cancel_transposes, shapes=((3, 5, 1, 1),))
    assert names(graph) == ["relu", "reshape"]
    graph = after(lambda x: F.permute(F.relu(x), (0, 2, 3, 1)), cancel_transposes, shapes=((3, 5, 1, 2),))
    assert names(graph) == ["relu", "permute"]


def test_a_net_without_transpositions_is_not_looked_at():
    graph = record(lambda x: F.relu(conv(x)), NCHW)
    nodes = graph.nodes
    cancel_transposes(graph)
    assert graph.nodes is nodes
    assert not graph.notes


def test_the_count_is_noted():
    graph = record(tf_residual, NHWC)
    before = transposes(graph)
    cancel_transposes(graph)
    assert graph.notes["transposes cancelled"] == before - 1 > 10


def test_constants_are_permuted_with_the_values():
    weight = w(4)
    graph = after(lambda x: to_nchw(to_nhwc(x) * weight), cancel_transposes, shapes=(NCHW,))
    (node,) = graph.nodes
    np.testing.assert_array_equal(node.inputs[1].data, weight.reshape(1, 4, 1, 1))


def test_five_axes():
    def forward(x):
        y = F.relu(F.permute(x, (0, 2, 3, 4, 1)))
        return F.permute(F.pad(y, (0, 0, 1, 1)), (0, 4, 1, 2, 3))

    assert names(after(forward, cancel_transposes, shapes=((2, 3, 4, 5, 2),))) == ["relu", "pad"]


DIMS = ((0, 2, 3, 1), (0, 3, 1, 2), (0, 2, 1, 3), (0, 1, 3, 2), (1, 0, 2, 3))


class Chain:
    """Grows a graph of transpositions and of what they can move through, all of it exact."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(self.whole(0, 9))
        self.graph = Graph()
        shape = tuple(self.of(2, 3, 2, 1) for _ in range(4))
        self.values = [self.graph.input(f"x{i}", Spec(shape, np.dtype(np.float32))) for i in range(self.whole(1, 2))]
        for _ in range(self.whole(6, 16)):
            try:
                self.values.append(self.grow())
            except ShapeError:
                continue  # does not fit here
        outputs = [self.values[-1], *(self.of(*self.values) for _ in range(self.whole(0, 2)))]
        self.graph.outputs = {f"o{i}": v for i, v in enumerate(outputs)}
        self.graph.prune()

    def whole(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def constant(self, *shape: int) -> Any:
        return self.rng.integers(-3, 4, shape).astype(np.float32)

    def grow(self) -> Any:
        x, dim = self.of(self.values[-1], *self.values[::-1]), self.whole(0, 3)
        alike = [v for v in self.values if all(a == b for i, (a, b) in enumerate(zip(v.shape, x.shape)) if i != dim)]
        same = [v for v in alike if v.shape == x.shape]
        n = x.shape[dim]
        kinds = (
            *[lambda: F.permute(x, self.of(*DIMS))] * 6,
            *[lambda: F.relu(x)] * 2,
            lambda: -x,
            lambda: F.maximum(x, self.constant(*self.of(x.shape, x.shape[1:], x.shape[3:], ()))),
            *[lambda: x + self.of(*same)] * 2,
            lambda: self.of(*same) - self.constant(*x.shape),
            lambda: F.where(F.gt(x, self.of(*same)), x, self.of(*same)),
            lambda: x * F.amax(x, self.of((1, 2), (2, 3), (1,)), keepdim=True),
            *[lambda: F.cat([x, self.of(*alike)], dim)] * 2,
            lambda: F.narrow(x, dim, self.whole(0, n - 1), 1),
            lambda: F.flip(x, dim),
            lambda: F.pad(x, (0, self.whole(0, 1), 1, 0)),
            lambda: F.amax(x, dim, keepdim=True),
            lambda: F.unsqueeze(F.amax(x, dim), self.whole(0, 3)),
            lambda: F.reshape(x, x.shape[::-1]),
            lambda: F.index_select(x, dim, np.array([n - 1, 0])),
            lambda: F.max_pool2d(x, 1, 1),
        )
        y = self.of(*kinds)()
        if y.spec.size > 4000:
            raise ShapeError("large enough")
        return y


@settings(max_examples=300, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_random_chains_end_with_no_more_transpositions_and_the_same_values(data):
    net = Chain(data.draw)
    graph, text = net.graph, str(net.graph)
    feeds = draw_feeds(graph)
    expected, before = by_reference(graph, feeds), transposes(graph)
    note(text)
    cancel_transposes(graph)
    note(str(graph))
    graph.check()
    assert transposes(graph) <= before
    assert graph.notes.get("transposes cancelled", 0) == before - transposes(graph)
    assert_same_bits(by_reference(graph, feeds), expected)
    left = transposes(graph)
    cancel_transposes(graph)
    assert transposes(graph) <= left
    for one in (merge_duplicates, find_shuffles, drop_expands, merge_reshapes, join_concats):
        one(graph)
        graph.check()
        assert_same_bits(by_reference(graph, feeds), expected)


def test_a_chain_does_what_it_is_made_for():
    """Of random chains, many have transpositions that vanish."""
    vanished = 0

    @settings(max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def look(data):
        nonlocal vanished
        graph = Chain(data.draw).graph
        cancel_transposes(graph)
        vanished += graph.notes.get("transposes cancelled", 0) > 0

    look()
    assert vanished > 20


def test_dims():
    a = RNG.standard_normal((2, 3, 4, 5))
    for first in DIMS:
        for then in DIMS:
            np.testing.assert_array_equal(a.transpose(first).transpose(then), a.transpose(composed(first, then)))
        np.testing.assert_array_equal(a.transpose(first).transpose(inverse(first)), a)
    for shape in ((1, 3, 4, 1), (2, 1, 1, 5), (2, 3, 1, 4), (0, 2, 3, 4)):
        b = np.arange(np.prod(shape)).reshape(shape)
        for dims in DIMS:
            assert moves_nothing(shape, dims) == (b.transpose(dims).ravel().tolist() == b.ravel().tolist())


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 4)), max_size=14))
def test_no_cut_is_cheaper(edges):
    net = Network()
    for tail, head, room in [*edges, (0, 5, 1)]:
        net.add(tail, head, room)

    def cost(side: set[Any]) -> int:
        return sum(room for tail, head, room in [*edges, (0, 5, 1)] if tail in side and head not in side)

    found = net.source_side(0, 5)
    assert 0 in found
    assert 5 not in found
    every = [{0, *(k for k in range(1, 5) if bits >> k & 1)} for bits in range(32)]
    assert cost(found) == min(map(cost, every))
    assert len(found) == min(len(side) for side in every if cost(side) == cost(found))


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
