"""Random graphs: planned with all passes, aliases and a poisoned arena they equal the true values of the graph as recorded.

``GPUCNN_TEST_EXAMPLES=5000 pytest tests/test_graphs.py`` looks further, at other graphs every time.
"""

from __future__ import annotations

import os
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from truth import AlwaysLanes, LastLaneFirst, assert_true, draw_feeds, record, truth, verify

from gpucnn import functional as F
from gpucnn import plan
from gpucnn.backends.cpu import CpuBackend
from gpucnn.errors import ShapeError
from gpucnn.graph import Graph, Value
from gpucnn.memory import Lifetime, plan_arena
from gpucnn.passes import PASSES_CPU
from gpucnn.spec import Spec

MORE = int(os.environ.get("GPUCNN_TEST_EXAMPLES", "0"))
PROFILE = settings(
    max_examples=MORE or 120,
    derandomize=not MORE,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


class Net:
    """Grows a graph by what hypothesis draws; ``maps`` and ``rows`` are the values of rank 4 and 2 that exist so far."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(self.whole(0, 9))
        self.graph = Graph()
        n, c, h, w = (self.whole(a, b) for a, b in ((1, 3), (1, 4), (3, 7), (3, 7)))
        order = self.of("logical", "channels_last")
        spec = Spec((n, c, h, w), np.dtype(np.float32))
        self.maps = [self.graph.input(f"x{i}", spec, order) for i in range(self.whole(1, 2))]
        self.rows: list[Value] = []
        for _ in range(self.whole(1, 12)):
            grow = self.of(*(GROW if not self.rows else (*GROW, *GROW_ROWS)))
            try:
                grow(self)
            except ShapeError:
                continue  # does not fit here: nothing was recorded
        values = self.maps + self.rows
        asked = [values[-1], *(self.of(*values) for _ in range(self.whole(0, 2)))]
        self.graph.outputs = {f"o{i}": v for i, v in enumerate(asked)}

    def whole(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def map(self) -> Value:
        return self.of(*self.maps[::-1])

    def like(self, x: Value, free: int | None = None) -> list[Value]:
        """Maps of the shape of x, but for one axis."""
        return [v for v in self.maps if all(a == b for i, (a, b) in enumerate(zip(v.shape, x.shape)) if i != free)]

    def weights(self, *shape: int) -> Any:
        return (self.rng.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


def convolve(net: Net) -> None:
    x = net.map()
    c = x.shape[1]
    groups = net.of(1, 1, c, *(g for g in (2, 3) if c % g == 0))
    k, kernel = groups * net.whole(1, 3), (net.whole(1, 3), net.whole(1, 3))
    padding = net.of(0, 1, "same", "same_lower", ((0, 1), (2, 0)))
    stride, dilation = net.of(1, 1, 2, (2, 3)), net.of(1, 1, 2)
    bias = net.of(None, net.weights(k))
    y = F.conv2d(x, net.weights(k, c // groups, *kernel), bias, stride, padding, dilation, groups)
    net.maps.append(y)


def pointwise(net: Net) -> None:
    x, k = net.map(), net.whole(1, 5)
    net.maps.append(F.conv2d(x, net.weights(k, x.shape[1], 1, 1), net.of(None, net.weights(k))))


def depthwise(net: Net) -> None:
    x = net.map()
    c = x.shape[1]
    net.maps.append(F.conv2d(x, net.weights(c, 1, 3, 3), net.weights(c), net.of(1, 2), 1, groups=c))


def enlarge(net: Net) -> None:
    x = net.map()
    c, groups = x.shape[1], net.of(1, 1, x.shape[1])
    if x.shape[2] * x.shape[3] > 150:
        return  # it would be four times as many
    weight = net.weights(c, net.whole(1, 2), net.whole(1, 4), net.whole(1, 3))
    bias, padding = net.of(None, net.weights(weight.shape[1] * groups)), net.of(0, 1, "same", ((0, 1), (1, 0)))
    net.maps.append(F.conv_transpose2d(x, weight, bias, net.of(1, 2, (2, 1)), padding, net.of(0, (1, 0)), groups, net.of(1, 1, 2)))


def multiply(net: Net) -> None:
    """Products of matrices: with a constant on either side, of a map with itself, and over the channels."""
    x = net.map()
    c, h, w = x.shape[1:]
    kinds = (
        lambda: F.matmul(x, net.weights(net.whole(1, 4), w).T),
        lambda: F.matmul(net.weights(net.whole(1, 4), h), x),
        lambda: F.matmul(F.softmax(F.permute(x, (0, 1, 3, 2)), -1), x),
        lambda: F.einsum("nchw,kc->nkhw", x, net.weights(net.whole(1, 4), c)),
        lambda: F.einsum("nchw,nchv->ncwv", F.softmax(x, 2), x),
    )
    net.maps.append(net.of(*kinds)())


def normalise(net: Net) -> None:
    x = net.map()
    c = x.shape[1]
    variance = net.rng.uniform(0.5, 2, c).astype(np.float32)
    net.maps.append(F.batch_norm(x, net.weights(c), variance, net.of(None, net.weights(c)), net.of(None, net.weights(c))))


def normalise_by_itself(net: Net) -> None:
    """Rows, images, groups, instances, neighbours; along the channels between permutations that rename axes.

    With an eps that keeps a row of equal values from being divided by almost nothing, where rounding is all that is left.
    """
    x = net.map()
    c, w = x.shape[1], x.shape[3]
    affine = net.of((None, None), (net.weights(c), net.weights(c)))
    kinds = (
        lambda: F.permute(F.layer_norm(F.permute(x, (0, 2, 3, 1)), c, *affine, 0.5), (0, 3, 1, 2)),
        lambda: F.layer_norm(x, w, net.weights(w), eps=0.5),
        lambda: F.layer_norm(x, x.shape[1:], eps=0.5),
        lambda: F.group_norm(x, net.of(1, c), *affine, 0.5),
        lambda: F.instance_norm(x, None, None, *affine, eps=0.5),
        lambda: F.local_response_norm(x, net.whole(1, 4), 0.5),
        lambda: F.normalize(x, dim=net.of(1, 2, -1), eps=0.5),
    )
    net.maps.append(net.of(*kinds)())


def compute(net: Net) -> None:
    """Functions that are nowhere steep."""
    x = net.map()
    y = net.of(*net.like(x), net.weights(x.shape[1], 1, 1))
    kinds = (lambda: F.sin(x), lambda: F.atan(x), lambda: abs(x), lambda: -x, lambda: F.maximum(x, y), lambda: F.minimum(y, x))
    net.maps.append(net.of(*kinds)())


def activate(net: Net) -> None:
    net.maps.append(net.of(F.relu, F.relu6, F.sigmoid, F.tanh, F.dropout)(net.map()))


def add(net: Net) -> None:
    x = net.map()
    y = net.of(*net.like(x), net.weights(x.shape[1], 1, 1), net.weights(*x.shape))
    net.maps.append(net.of(F.add, F.sub)(*((x, y) if net.of(True, False) else (y, x))))


def scale(net: Net) -> None:
    """Channels times constants, and moved by others: what a pass folds into weights beside it."""
    x = net.map()
    by, to = net.rng.uniform(0.5, 2, (x.shape[1], 1, 1)).astype(np.float32), net.weights(1, x.shape[1], 1, 1)
    net.maps.append(net.of(lambda: x * by, lambda: x / by, lambda: (x - to) / by, lambda: by * x + to, lambda: to - x)())


def gate(net: Net) -> None:
    """A squeeze-and-excitation: a map times a sigmoid of its own, or of its mean."""
    x = net.map()
    net.maps.append(x * F.sigmoid(net.of(x, F.global_avg_pool2d(x))))


def concatenate(net: Net) -> None:
    x, dim = net.map(), net.of(1, 1, 1, 0, 2, 3)
    parts = [net.of(*net.like(x, dim)) for _ in range(net.whole(0, 2))]
    parts.insert(net.whole(0, len(parts)), x)
    net.maps.append(F.cat(parts, dim))


def branch(net: Net) -> None:
    """Two steps beside each other, concatenated, then concatenated again with one of them: nested, and shared."""
    x = net.map()
    a, b = F.relu(x), F.conv2d(x, net.weights(2, x.shape[1], 1, 1))
    inner = F.cat([a, b] if net.of(True, False) else [b, a], 1)
    net.maps += [a, b, inner, F.cat([net.of(a, b, x), inner, net.of(a, b, inner)], 1)]


def part(net: Net) -> None:
    """A part of a step's result, of which nobody reads the rest, concatenated with another step: written over the rest, if at all."""
    x, k = net.map(), net.whole(2, 4)
    a = F.conv2d(x, net.weights(k, x.shape[1], 1, 1))
    kept = F.narrow(a, 1, net.whole(0, k - 1), 1)
    b = net.of(lambda: F.conv2d(x, net.weights(k, x.shape[1], 3, 3), padding=1), lambda: F.flip(x, 3), lambda: F.relu(x))()
    net.maps.append(F.cat([kept, b] if net.of(True, False) else [b, kept], 1))


def pool(net: Net) -> None:
    x, k, s, ceil = net.map(), net.whole(1, 3), net.of(None, 1, 2), net.of(False, True)
    kinds = (
        lambda: F.max_pool2d(x, k, s, k // 2, ceil_mode=ceil),
        lambda: F.min_pool2d(x, k, s, k // 2, ceil_mode=ceil),
        lambda: F.avg_pool2d(x, k, s, k // 2, ceil, net.of(False, True)),
        lambda: F.lp_pool2d(x, net.of(1, 2, 3), k, s, ceil, k // 2),
        lambda: F.adaptive_avg_pool2d(x, (net.whole(1, 3), 2)),
        lambda: F.adaptive_max_pool2d(x, (net.whole(1, 3), 2)),
        lambda: F.fractional_max_pool2d(x, 1, (x.shape[2], -(-x.shape[3] // 2)), seed=net.whole(0, 9)),
        lambda: net.of(F.global_avg_pool2d, F.global_max_pool2d, F.global_min_pool2d, F.global_lp_pool2d)(x),
    )
    net.maps.append(net.of(*kinds)())


def cut(net: Net) -> None:
    """Parts of a map: views where they can be, of whatever the map itself is."""
    x, dim = net.map(), net.of(1, 1, 1, 0, 2, 3)
    parts = F.chunk(x, net.whole(1, 3), dim) if net.of(True, False) else (F.flip(x, dim), F.narrow(x, dim, 0, 1), x[..., ::2])
    net.maps += parts


def shuffle(net: Net) -> None:
    x = net.map()
    net.maps.append(F.channel_shuffle(x, net.of(*(g for g in range(1, x.shape[1] + 1) if x.shape[1] % g == 0))))


def repeat(net: Net) -> None:
    x = net.map()
    net.maps.append(F.tile(x[:, :1], (2, 1, 1)) if net.of(True, False) else F.expand(x[..., :1, :], x.shape))


def unit(net: Net) -> None:
    """A unit of ShuffleNet: one half goes on as it is, one through a step; then the channels change places."""
    x = net.map()
    if x.shape[1] % 2 == 0:
        a, b = F.chunk(x, 2, 1)
        net.maps.append(F.channel_shuffle(F.cat((a, F.relu(F.conv2d(b, net.weights(b.shape[1], b.shape[1], 1, 1)))), 1), 2))


def reduce(net: Net) -> None:
    x = net.map()
    kind = net.of(F.sum, F.mean, F.amax, F.amin, F.logsumexp, F.vector_norm)
    if net.of(True, False):
        net.rows.append(F.mean(x, (2, 3)) if net.of(True, False) else kind(x, dim=(-1, 2)))
    else:
        net.maps.append(kind(x, dim=net.of((1,), (2, 3), (0,)), keepdim=True))


def resize(net: Net) -> None:
    x = net.map()
    size, mode = (net.whole(1, 7), net.whole(1, 7)), net.of("nearest", "bilinear", "bicubic")
    net.maps.append(F.interpolate(x, size, mode=mode, antialias=mode != "nearest" and net.of(True, False)))


def border(net: Net) -> None:
    net.maps.append(F.pad(net.map(), (1, 0, net.whole(0, 2), 1), net.of("constant", "constant", "replicate"), net.of(0.0, 0.5)))


def permute(net: Net) -> None:
    net.maps.append(F.permute(net.map(), net.of((0, 1, 3, 2), (0, 2, 3, 1), (0, 3, 1, 2), (1, 0, 2, 3))))


def reshape(net: Net) -> None:
    x = net.map()
    n, c, h, w = x.shape
    net.maps.append(F.reshape(x, net.of((n, c, w, h), (n, h, c, w), (n, 1, -1, w))))


def soften(net: Net) -> None:
    net.maps.append(F.softmax(net.map(), net.whole(0, 3)))


def flatten(net: Net) -> None:
    x = net.map()
    net.rows.append(F.flatten(F.global_avg_pool2d(x) if net.of(True, False) else x, 1))


def classify(net: Net) -> None:
    x, k = net.of(*net.rows[::-1]), net.whole(1, 4)
    net.rows.append(F.linear(x, net.weights(k, x.shape[1]), net.of(None, net.weights(k))))


def activate_row(net: Net) -> None:
    x = net.of(*net.rows[::-1])
    same = [v for v in net.rows if v.shape == x.shape]
    net.rows.append(net.of(F.relu, F.tanh, lambda v: F.softmax(v, 1), lambda v: v + net.of(*same))(x))


def concatenate_rows(net: Net) -> None:
    x = net.of(*net.rows)
    net.rows.append(F.cat([x, *(net.of(*(v for v in net.rows if v.shape[0] == x.shape[0])) for _ in range(net.whole(0, 2)))], 1))


GROW = (
    convolve, convolve, pointwise, depthwise, normalise, normalise, activate, activate, add, add, scale, scale, gate,
    concatenate, concatenate, branch, part, part, pool, border, permute, reshape, soften, flatten,
    cut, cut, shuffle, repeat, unit, reduce, resize, enlarge, multiply, normalise_by_itself, compute,
)  # fmt: skip
GROW_ROWS = (classify, classify, activate_row, concatenate_rows)


@PROFILE
@given(st.data())
def test_a_plan_of_any_graph_equals_its_true_values(data):
    net = Net(data.draw)
    text = str(net.graph)
    lanes = net.of(1, 1, 2)
    any_impl = net.of(False, True)
    rng = np.random.default_rng(net.whole(0, 9))

    def choose(backend, node):
        found = plan.candidates(backend, node.op, *node.specs)
        return found[int(rng.integers(len(found)))] if any_impl else found[0]

    backend = net.of(AlwaysLanes(lanes=2), LastLaneFirst()) if lanes > 1 else CpuBackend()
    try:
        verify(net.graph, backend=backend, choose=choose)
    except Exception:
        note(text)
        raise
    finally:
        backend.close()


@PROFILE
@given(st.data())
def test_steps_of_one_turn_write_nothing_that_another_touches(data):
    """By the memory that they are bound to, whatever the plan thinks of it."""
    net = Net(data.draw)
    made = plan.compile(net.graph, LastLaneFirst(), passes=PASSES_CPU)
    program = made.bind()
    for (a, b), (turn, other) in zip(combinations(made.steps, 2), combinations(made._turns, 2)):
        if turn == other:
            for one, two in ((a, b), (b, a)):
                touched = [v for v in (*two.node.inputs, *two.node.outputs) if v is not None and not v.is_constant]
                for x, y in product(one.node.outputs, touched):
                    assert not np.shares_memory(program._view(x), program._view(y)), f"{one.node.name} and {two.node.name}: {y.name}"


@PROFILE
@given(st.data())
def test_the_bound_of_a_graph_is_worth_something(data):
    """It stays far below the values, so a wrong step shows."""
    net = Net(data.draw)
    expected = truth(net.graph, draw_feeds(net.graph))
    for name in net.graph.outputs:
        exact, error = expected[name]
        assert error.max(initial=0) <= 2.0**-9 * max(1, np.abs(exact).max(initial=0))


def test_a_wrong_value_is_seen():
    graph = record(lambda x: F.relu(F.conv2d(x, np.ones((2, 3, 3, 3), np.float32))), (1, 3, 5, 5))
    feeds = draw_feeds(graph)
    exact, error = truth(graph, feeds)["0"]
    right = exact.astype(np.float32)
    assert_true(right, (exact, error))
    at = np.unravel_index(np.argmax(right), right.shape)
    right[at] *= np.float32(1.001)
    with pytest.raises(AssertionError, match="1 of 18 wrong"):
        assert_true(right, (exact, error))


# -- the arena

LIFETIMES = st.lists(
    st.builds(
        lambda size, first, length: Lifetime(size, first, first + length), st.integers(0, 5000), st.integers(-1, 20), st.integers(0, 8)
    ),
    max_size=30,
)


@PROFILE
@given(LIFETIMES, st.sampled_from([1, 64, 256]))
def test_buffers_that_live_together_never_overlap(lifetimes, alignment):
    offsets, total = plan_arena(lifetimes, alignment)
    assert len(offsets) == len(lifetimes)
    held = [(o, o + b.size, b) for o, b in zip(offsets, lifetimes) if b.size]
    for i, (begin, end, mine) in enumerate(held):
        assert begin % alignment == 0
        assert 0 <= begin < end <= total
        for other_begin, other_end, other in held[:i]:
            together = mine.first <= other.last and other.first <= mine.last
            assert not together or end <= other_begin or other_end <= begin


@PROFILE
@given(LIFETIMES)
def test_the_arena_is_between_the_least_and_the_sum(lifetimes):
    _, total = plan_arena(lifetimes, 1)
    least = max((sum(b.size for b in lifetimes if b.first <= t <= b.last) for t in range(-1, 30)), default=0)
    assert least <= total <= sum(b.size for b in lifetimes)


@PROFILE
@given(LIFETIMES)
def test_the_arena_is_planned_alike_every_time(lifetimes):
    assert plan_arena(lifetimes) == plan_arena(list(lifetimes))


def test_a_chain_needs_room_for_two():
    offsets, total = plan_arena([Lifetime(256, i, i + 1) for i in range(50)])
    assert total == 512
    assert set(offsets) == {0, 256}
    assert plan_arena([]) == ([], 0)
    assert plan_arena([Lifetime(0, 0, 9)]) == ([0], 0)
