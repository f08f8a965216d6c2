"""The passes that let transpositions, reshapes, copies and repetitions vanish: what they change, what not, and that values stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from moving import after, assert_same_bits, by_reference, transposes
from truth import draw_feeds, record, verify

from gpucnn import functional as F
from gpucnn.errors import ShapeError
from gpucnn.graph import Graph
from gpucnn.passes import (
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
