"""``unstack_sums``: sums over what was stacked are additions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rewritten import LAY_OUT, after, awkward_feeds, by_reference, names
from truth import record, verify

from gpucnn import functional as F
from gpucnn.ops import Reduce
from gpucnn.passes import SIMPLIFY, unstack_sums

RNG = np.random.default_rng(13)
X = (3, 4, 5, 6)
PROFILE = settings(max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


def conv(x, k=4, **fields):
    return F.conv2d(x, w(k, x.shape[1] // fields.get("groups", 1), 3, 3), w(k), padding=1, **fields)


def stacked(*values, dim=1):
    return F.stack(values, dim)


def split(x, size=2):
    """Channels in groups, as one more axis."""
    return F.reshape(x, (x.shape[0], size, x.shape[1] // size, *x.shape[2:]))


def functions(x, count=2):
    return [f(x) for f in (F.tanh, F.sigmoid, F.relu, F.erf)[:count]]


def sums(graph):
    return sum(isinstance(node.op, Reduce) for node in graph.nodes)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [0, 1, 2, 4])
def test_a_sum_over_a_stack_is_additions(dim, keepdim, count):
    graph = after(lambda x: F.sum(stacked(*functions(x, count), dim=dim), dim, keepdim), unstack_sums, shapes=(X,))
    made = ("tanh", "sigmoid", "relu", "erf")[:count]
    assert names(graph) == [*made, *["add"] * (count - 1), *["reshape"] * keepdim]
    assert graph.notes == {"stacked sums added up": 1}


@pytest.mark.parametrize("dim", [0, 1, 4])
@pytest.mark.parametrize("by", ["whole", "gate", "one for all", "constant", "constant for all", "in front"])
def test_a_sum_of_products_is_products_and_additions(by, dim):
    def forward(x, g):
        stack = stacked(*functions(x, 3), dim=dim)
        each = list(stack.shape)
        if by != "whole":
            each[3:] = (1,) * len(each[3:]) if dim != 4 else (1, each[4])
        if by.endswith("for all"):
            each[dim] = 1
        if by.startswith("constant"):
            return F.sum(stack * w(*each), dim)
        gate = F.reshape(g[: int(np.prod(each))], tuple(each))
        return F.sum(gate * stack if by == "in front" else stack * gate, dim)

    graph = after(forward, unstack_sums, shapes=(X, (int(np.prod(X)) * 3,)))
    assert sums(graph) == 0
    assert names(graph).count("mul") == 3
    assert names(graph).count("add") == 2


def selective(x, size=2, stack=None):
    """Attention to branches: SKNet."""
    stack = stacked(*(F.relu(conv(x)) for _ in range(size))) if stack is None else stack
    n, _, c, *_ = stack.shape
    squeezed = F.adaptive_avg_pool2d(F.sum(stack, 1), 1)
    logits = F.conv2d(squeezed, w(size * c, c, 1, 1))
    return F.sum(stack * F.softmax(F.reshape(logits, (n, size, c, 1, 1)), 1), 1)


def splat(x, size=2):
    """Attention to groups of channels: ResNeSt."""
    return selective(x, size, split(F.relu(conv(x, 4 * size)), size))


@pytest.mark.parametrize("net", [selective, splat])
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("n", [1, 3])
def test_attention_leaves_nothing_to_be_written_out_again(net, size, n):
    graph = record(lambda x: conv(net(conv(x), size)), (n, 3, 6, 5), order="channels_last")
    made = verify(graph)
    left = [op for op in made.ops if op not in ("conv2d", "add", "mul", "softmax", "global_avg_pool")]
    assert left == []
    assert made.plan.graph.notes["stacked sums added up"] == 2
    assert "reorders" not in made.plan.graph.notes


def test_the_sum_of_slices_of_a_map_reads_views():
    made = verify(record(lambda x: F.sum(split(conv(x, 8)), 1), X, order="channels_last"))
    assert made.ops == ["conv2d", "add"]


def test_parts_may_be_reshaped_in_other_ways_too():
    forward = lambda x: F.sum(F.cat([F.reshape(v, (3, 1, 20, 6)) for v in functions(x)], 1), 1)  # noqa: E731
    graph = after(forward, *SIMPLIFY, shapes=(X,))
    assert names(graph) == ["tanh", "sigmoid", "reshape", "reshape", "add"]


def test_a_gate_without_an_axis_behind_the_stack():
    graph = after(lambda x, g: F.sum(stacked(*functions(x), dim=2) * g, 2), unstack_sums, shapes=((3, 4), (3, 4, 2)))
    assert sums(graph) == 0


def test_whole_numbers_are_added_too():
    def forward(x):
        return x.graph.append(Reduce("sum", (1,)), (stacked(F.maximum(x, np.int32(3)), F.minimum(x, np.int32(5))),))[0]

    graph = record(forward, (2, 3), dtype="int32")
    feeds = {"x0": np.arange(6, dtype=np.int32).reshape(2, 3)}
    before = by_reference(graph, feeds)
    unstack_sums(graph)
    assert sums(graph) == 0
    np.testing.assert_array_equal(by_reference(graph, feeds)["0"], before["0"])


def test_infinity_and_nan_come_out_where_they_did():
    graph = record(lambda x, y: F.sum(stacked(x, F.tanh(x), y) * stacked(F.relu(x), y, y), 1), X, X)
    feeds = awkward_feeds(graph)
    before = by_reference(graph, feeds)["0"]
    unstack_sums(graph)
    assert sums(graph) == 0
    now = by_reference(graph, feeds)["0"]
    np.testing.assert_array_equal(np.isnan(now), np.isnan(before))
    np.testing.assert_array_equal(now[np.isinf(before)], before[np.isinf(before)])


def asked_for(x):
    y = stacked(*functions(x))
    return F.sum(y, 1), y


def read_elsewhere(x):
    y = stacked(*functions(x))
    return F.sum(y, 1), F.amax(y, 1)


def product_read_elsewhere(x):
    y = stacked(*functions(x)) * w(1, 2, 1, 1, 1)
    return F.sum(y, 1), F.relu(y)


def squared(x):
    y = stacked(*functions(x))
    return F.sum(y * y, 1)


@pytest.mark.parametrize(
    "forward",
    [
        asked_for,
        read_elsewhere,
        product_read_elsewhere,
        squared,
        lambda x: F.sum(stacked(*functions(x)), 2),
        lambda x: F.sum(stacked(*functions(x)), (1, 2)),
        lambda x: F.sum(stacked(*functions(x)), None),
        lambda x: F.mean(stacked(*functions(x)), 1),
        lambda x: F.amax(stacked(*functions(x)), 1),
        lambda x: F.sum(stacked(*functions(x, 4), F.silu(x)), 1),  # five
        lambda x: F.sum(stacked(F.tanh(x)), 1),
        lambda x: F.sum(F.cat(functions(x), 1), 1),
        lambda x: F.sum(stacked(*functions(x)) + 1, 1),
        lambda x: F.sum(stacked(*functions(x)) * w(5, 1, 1, 1, 1, 1), 2),  # it enlarges
        lambda x: F.sum(stacked(*functions(x[:, :1])) * w(1, 2, 4, 1, 1), 1),
        lambda x: F.sum(stacked(*functions(x)) * w(5, 6), 1),  # a rank lower
        lambda x: F.sum(F.relu(stacked(*functions(x)) * 2), 1),
        lambda x: F.sum(split(x), 1),  # as the caller's memory has it
        lambda x: F.sum(split(F.softmax(x, 1)), 1),
        lambda x: F.sum(F.reshape(conv(x), (3, 4, 1, 5, 6)), 1),
        lambda x: F.sum(F.reshape(conv(x), (3, 2, 2, 30)), 1),
        lambda x: F.sum(F.reshape(conv(x), (1, 3, 4, 5, 6)), 1),
        lambda x: F.sum(split(conv(x, 10), 5), 1),
    ],
)
def test_other_sums_stay(forward):
    graph = after(forward, unstack_sums, shapes=(X,))
    assert names(graph) == names(record(forward, X))
    assert graph.notes == {}


def test_a_sum_in_another_type_stays():
    graph = record(lambda x: F.sum(stacked(*functions(x)), 1, dtype="float64"), X)
    left = names(graph)
    unstack_sums(graph)
    assert names(graph) == left


@PROFILE
@given(st.data())
def test_any_stack(data):
    size, n = data.draw(st.integers(2, 4)), data.draw(st.integers(0, 2))
    shape = (n, 4, *data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))

    def forward(x, g):
        made = [data.draw(st.sampled_from([F.tanh, F.relu, lambda v: v, lambda v: v * 2]))(x) for _ in range(size)]
        dim = data.draw(st.integers(0, x.ndim))
        y = stacked(*made, dim=dim)
        if data.draw(st.booleans()):
            each = tuple(1 if data.draw(st.booleans()) else s for s in y.shape)
            y = y * F.reshape(g[: int(np.prod(each))], each)
        y = F.sum(y, dim, data.draw(st.booleans()))
        return F.relu(y) if data.draw(st.booleans()) else y

    graph = record(forward, shape, (size * int(np.prod([max(1, s) for s in shape])),))
    made = verify(graph, passes=(*SIMPLIFY, *LAY_OUT))
    assert "sum" not in made.ops
