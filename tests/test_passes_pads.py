"""``fold_pads``: padding goes into what reads it exactly where the result is the very same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rewritten import after, awkward_feeds, by_reference, names, rewritten
from truth import draw_feeds, record

from gpucnn import functional as F
from gpucnn.errors import ShapeError
from gpucnn.graph import Graph
from gpucnn.ops import AvgPool, Conv, LpPool, MaxPool, MinPool, Pad
from gpucnn.passes import SIMPLIFY, fold_pads
from gpucnn.passes.bounds import every_window_meets_x, lower_bound
from gpucnn.spec import Spec

RNG = np.random.default_rng(7)
X = (2, 4, 7, 6)
INF = float("inf")


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


W3, W2, BIAS, POSITIVE = w(4, 4, 3, 3), w(6, 2, 2, 2), w(6), np.abs(w(2, 1, 7, 6))


def same_bits(forward, left: list[str], shapes=(X,), feeds=None, **kw) -> Graph:
    """The graph after the pass has these ops, and its values by the references are the same to the bit, signs of zeros excepted."""
    graph = rewritten(forward, fold_pads, shapes=shapes, **kw)
    assert names(graph) == left
    recorded = record(forward, *shapes, **kw)
    for fed in [feeds] if feeds else [awkward_feeds(recorded, seed) for seed in range(3)]:
        expected = by_reference(recorded, fed)
        for name, y in by_reference(graph, fed).items():
            np.testing.assert_array_equal(y, expected[name])
            assert y.dtype == expected[name].dtype
    return graph


# -- convolutions


@pytest.mark.parametrize(
    ("forward", "padding"),
    [
        (lambda x: F.conv2d(F.pad(x, (1, 1, 1, 1)), W3), ((1, 1), (1, 1))),
        (lambda x: F.conv2d(F.pad(x, (0, 1, 2, 3)), W3, stride=2), ((2, 3), (0, 1))),
        (lambda x: F.conv2d(F.pad(x, (0, 1)), W3, padding=((1, 0), (0, 2))), ((1, 0), (0, 3))),
        (lambda x: F.conv2d(F.pad(x, (1, 2)), W3, padding="same"), ((1, 1), (2, 3))),
        (lambda x: F.conv2d(F.pad(x, (1, 2)), W3, padding="same_lower", stride=2), ((1, 1), (2, 3))),
        (lambda x: F.conv2d(F.pad(x, (2, 2, 2, 2)), W3, padding="valid", dilation=2), ((2, 2), (2, 2))),
        (lambda x: F.conv2d(F.pad(x, (1, 0, 0, 1)), W2, BIAS, groups=2), ((0, 1), (1, 0))),
        (lambda x: F.conv2d(F.pad(x, (9, 9, 9, 9)), W3), ((9, 9), (9, 9))),
        (lambda x: F.conv2d(F.pad(x, (1, 1), value=-0.0), W3), ((0, 0), (1, 1))),
        (lambda x: F.conv2d(F.pad(F.pad(x, (1, 0)), (0, 0, 2, 1)), W3), ((2, 1), (1, 0))),
    ],
)
def test_into_a_convolution(forward, padding):
    assert names(after(forward, fold_pads, shapes=(X,))) == ["conv2d"]
    graph = rewritten(forward, fold_pads, shapes=(X,))
    assert graph.nodes[0].op.padding == padding
    feeds = draw_feeds(graph)
    for name, y in by_reference(record(forward, X), feeds).items():
        np.testing.assert_array_equal(by_reference(graph, feeds)[name], y)


def test_in_one_and_three_dimensions():
    after(lambda x: F.conv1d(F.pad(x, (1, 2)), w(4, 4, 3)), fold_pads, shapes=((2, 4, 9),))
    graph = after(lambda x: F.conv3d(F.pad(x, (1, 0, 0, 1, 2, 0)), w(2, 2, 2, 3, 2)), fold_pads, shapes=((1, 2, 3, 4, 5),))
    assert names(graph) == ["conv3d"]
    assert graph.nodes[0].op.padding == ((2, 0), (0, 1), (1, 0))


def test_it_is_counted():
    graph = rewritten(lambda x: F.conv2d(F.pad(F.pad(x, (1, 1)), (1, 1)), W3), fold_pads, shapes=(X,))
    assert graph.notes == {"pads folded": 2}


def read_twice(x):
    y = F.pad(x, (1, 1))
    return F.conv2d(y, W3), F.conv2d(y, w(1, 4, 3, 3))


def asked_for(x):
    y = F.pad(x, (1, 1))
    return F.conv2d(y, W3), y


def test_what_is_cropped_stays_cropped():
    assert names(after(lambda x: F.conv2d(F.pad(x, (-1, 1)), W3), fold_pads, shapes=(X,))) == ["pad", "slice", "conv2d"]


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (lambda x: F.conv2d(F.pad(x, (1, 1), value=1.0), W3), ["pad", "conv2d"]),
        (lambda x: F.conv2d(F.pad(x, (1, 1), value=float("nan")), W3), ["pad", "conv2d"]),
        (lambda x: F.conv2d(F.pad(x, (1, 1), "reflect"), W3), ["pad", "conv2d"]),
        (lambda x: F.conv2d(F.pad(x, (1, 1), "replicate"), W3), ["pad", "conv2d"]),
        (lambda x: F.conv2d(F.pad(x, (0, 0, 0, 0, 0, 2)), w(4, 6, 3, 3)), ["pad", "conv2d"]),
        (lambda x: F.conv2d(F.pad(x, (1, 1, 0, 0, 0, 0, 1, 0)), W3), ["pad", "conv2d"]),
        (lambda x: F.conv_transpose2d(F.pad(x, (1, 1)), W3), ["pad", "conv_transpose2d"]),
        (lambda x: F.conv2d(F.relu(F.pad(x, (1, 1))), W3), ["pad", "relu", "conv2d"]),
        (lambda x: F.global_avg_pool2d(F.pad(x, (1, 1))), ["pad", "global_avg_pool"]),
        (lambda x: F.adaptive_avg_pool2d(F.pad(x, (1, 1)), 2), ["pad", "adaptive_avg_pool2d"]),
        (read_twice, ["pad", "conv2d", "conv2d"]),
        (asked_for, ["pad", "conv2d"]),
        (lambda x: F.conv2d(w(1, 4, 9, 8), F.pad(x, (1, 1))), ["pad", "conv2d"]),  # as the weight
    ],
)
def test_what_is_no_padding_of_the_convolution_stays(forward, left):
    assert names(rewritten(forward, fold_pads, shapes=(X,))) == left


@pytest.mark.parametrize("pads", [((1, 1), (0, 2), (1, 0), (3, 0)), ((0, 0), (1, 0), (0, 0), (0, 1))])
@pytest.mark.parametrize("value", [0.0, -1.5, INF])
def test_two_paddings_with_one_value_are_one(pads, value):
    def forward(x):
        graph = x.graph
        return graph.append(Pad(pads, value=value), graph.append(Pad(((0, 1), (1, 1), (2, 0), (0, 2)), value=value), (x,)))[0]

    graph = same_bits(forward, ["pad"])
    assert graph.nodes[0].op.pads == tuple((a + c, b + d) for (a, b), (c, d) in zip(pads, ((0, 1), (1, 1), (2, 0), (0, 2))))


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.pad(F.pad(x, (1, 1), value=1.0), (1, 1)),
        lambda x: F.pad(F.pad(x, (1, 1), "replicate"), (1, 1)),
        lambda x: F.pad(F.pad(x, (1, 1)), (1, 1), "reflect"),
        lambda x: (lambda y: (F.pad(y, (1, 1)), y))(F.pad(x, (1, 1))),
    ],
)
def test_other_paddings_stay_two(forward):
    same_bits(forward, ["pad", "pad"])


# -- means


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2),
        lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2, count_include_pad=False),
        lambda x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2, 1),
        lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2, 1),
        lambda x: F.avg_pool2d(F.pad(x, (0, 2)), 3, 2, divisor_override=5),
        lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2, 1, count_include_pad=False, divisor_override=5),
        lambda x: F.avg_pool2d(F.pad(x, (1, 1, 0, 0)), (3, 2), 2, ceil_mode=True),
        lambda x: x.graph.append(AvgPool((2, 2), (1, 1), dilation=(2, 3)), (F.pad(x, (1, 2, 0, 1)),))[0],
    ],
)
def test_into_a_mean_that_counts_it(forward):
    graph = same_bits(forward, ["avg_pool2d"])
    assert graph.nodes[0].op.count_include_pad
    after(forward, fold_pads, shapes=(X,))


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.avg_pool2d(F.pad(x, (1, 1), value=1.0), 3, 2),
        lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2, 1, count_include_pad=False),  # it counts our zeros and not its own
        lambda x: F.avg_pool2d(F.pad(x, (0, 2, 0, 2)), 2, 3, ceil_mode=True),  # the last window starts in the padding: dropped
        lambda x: F.avg_pool2d(F.pad(x, (0, 0, 0, 0, 1, 1)), 3, 2),
        lambda x: F.avg_pool2d(F.pad(x, (1, 1), "replicate"), 3, 2),
    ],
)
def test_into_another_mean_it_does_not_go(forward):
    same_bits(forward, ["pad", "avg_pool2d"])


@pytest.mark.parametrize(("p", "ceil"), [(2, False), (1, True), (3, False), (0.5, False)])
def test_into_an_lp_pool(p, ceil):
    same_bits(lambda x: F.lp_pool2d(F.pad(x, (1, 0, 1, 0)), p, 3, 2, ceil, 1), ["lp_pool2d"])
    same_bits(lambda x: F.lp_pool2d(F.pad(x, (1, 1), value=1.0), p, 3, 2, ceil, 1), ["pad", "lp_pool2d"])


def test_a_window_that_starts_in_the_padding_is_kept_by_an_lp_pool():
    same_bits(lambda x: F.lp_pool2d(F.pad(x, (0, 1, 0, 1)), 2, 2, 3, True), ["pad", "lp_pool2d"], ((1, 2, 6, 6),))


# -- maxima


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.max_pool2d(F.pad(x, (1, 1, 1, 1), value=-INF), 3, 2),
        lambda x: F.max_pool2d(F.pad(x, (1, 0, 0, 1), value=-INF), 3, 2, 1),
        lambda x: F.max_pool2d(F.pad(x, (1, 1), value=-INF), 2, 1, dilation=2),
        lambda x: F.min_pool2d(F.pad(x, (1, 1), value=INF), 3, 2),
    ],
)
def test_into_an_extreme_that_never_is_the_padding(forward):
    graph = rewritten(forward, fold_pads, shapes=(X,))
    same_bits(forward, names(graph))
    assert len(graph.nodes) == 1


BOUNDED = {
    "relu": F.relu,
    "relu6": F.relu6,
    "sigmoid": F.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "softplus": F.softplus,
    "softmax": lambda x: F.softmax(x, 1),
    "abs": abs,
    "square": F.square,
    "exp": F.exp,
    "sum": lambda x: F.relu(x) + F.sigmoid(x),
    "product": lambda x: F.relu(x) * F.sigmoid(x),
    "larger": lambda x: F.maximum(x, F.relu(x)),
    "smaller": lambda x: F.minimum(F.sigmoid(x), F.relu(x)),
    "cat": lambda x: F.cat([F.relu(x), F.sigmoid(x), POSITIVE], 1),
    "moved": lambda x: F.permute(F.reshape(F.channel_shuffle(F.relu(x), 2)[:, 1:], (2, 3, 6, 7)), (0, 1, 3, 2)),
    "pooled": lambda x: F.max_pool2d(F.relu(x), 3, 1, 1),
    "mean": lambda x: F.avg_pool2d(F.relu(x), 3, 1, 1),
    "padded": lambda x: F.pad(F.relu(x), (0, 1), "reflect"),
}


@pytest.mark.parametrize("bounded", BOUNDED)
def test_zeros_beside_what_no_value_lies_below(bounded):
    """As TensorFlow exports a padded maximum."""

    def forward(x):
        return F.max_pool2d(F.pad(BOUNDED[bounded](x), (1, 1, 1, 1)), 3, 2)

    graph = rewritten(forward, fold_pads, shapes=(X,))
    same_bits(forward, names(graph))
    assert names(graph)[-1] == "max_pool2d"
    assert not any(isinstance(n.op, Pad) and n.op.mode == "constant" for n in graph.nodes)


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.max_pool2d(F.pad(x, (1, 1)), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.tanh(x), (1, 1)), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.hardswish(x), (1, 1)), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.relu(x) - F.sigmoid(x), (1, 1)), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.relu(x) + x, (1, 1)), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.cat([F.relu(x), x], 1), (1, 1)), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.relu(x), (1, 1), value=0.5), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.hardtanh(x, -0.5, 1.0), (1, 1)), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.max_pool2d(F.relu(x), 1, 1, 1), (1, 1)), 3, 2),  # −Inf in its own padding
        lambda x: F.max_pool2d(F.pad(F.relu(x), (4, 0)), 3, 1),  # windows that hold nothing else
        lambda x: F.max_pool2d(F.pad(F.relu(x), (1, 0)), 1, 1),
        lambda x: F.max_pool2d(F.pad(F.relu(x), (0, 2, 0, 2)), 2, 2, ceil_mode=True),
        lambda x: F.max_pool2d(F.pad(F.relu(x), (1, 1)), 3, 2, return_indices=True),
        lambda x: F.max_pool2d(F.pad(x, (1, 1), value=-INF), 3, 2, return_indices=True)[0],
        lambda x: F.max_pool2d(F.pad(x, (1, 1), value=-3.4e38), 3, 2),
        lambda x: F.max_pool2d(F.pad(F.relu(x), (0, 0, 0, 0, 1, 0)), 3, 2),
        lambda x: F.min_pool2d(F.pad(F.relu(x), (1, 1)), 3, 2),
        lambda x: F.min_pool2d(F.pad(x, (1, 1), value=-INF), 3, 2),
    ],
)
def test_where_a_maximum_could_be_the_padding_it_stays(forward):
    graph = rewritten(forward, fold_pads, shapes=(X,))
    same_bits(forward, names(graph))
    assert sum(isinstance(node.op, Pad) for node in graph.nodes) == 1


def test_any_value_that_no_value_lies_below():
    same_bits(lambda x: F.max_pool2d(F.pad(F.hardtanh(x, -0.1, 1.0), (1, 1), value=-0.1), 3, 2), ["clip", "max_pool2d"])
    same_bits(lambda x: F.max_pool2d(F.pad(F.relu(x), (1, 1), value=-1.0), 3, 2), ["relu", "max_pool2d"])


def test_bytes_lie_below_no_zero():
    feeds = {"x0": np.random.default_rng(0).integers(0, 3, X).astype(np.uint8)}
    same_bits(lambda x: F.max_pool2d(F.pad(x, (1, 1)), 3, 2), ["max_pool2d"], feeds=feeds, dtype="uint8")
    same_bits(lambda x: F.max_pool2d(F.pad(x, (1, 1), value=1), 3, 2), ["pad", "max_pool2d"], feeds=feeds, dtype="uint8")
    feeds = {"x0": feeds["x0"].astype(np.int32) - 2}
    same_bits(lambda x: F.max_pool2d(F.pad(x, (1, 1)), 3, 2), ["pad", "max_pool2d"], feeds=feeds, dtype="int32")


def test_the_bound_of_a_chain_too_long_to_follow_is_unknown():
    graph = Graph()
    x = graph.input("x", Spec(X, np.dtype(np.float32)))
    y = F.relu(x)
    for _ in range(60):
        y = F.permute(y, (0, 1, 3, 2))
    assert lower_bound(y) == -INF
    assert lower_bound(F.relu(y)) == 0


# -- any geometry

SIZE = st.integers(1, 3)
AXIS = st.tuples(st.integers(1, 6), SIZE, st.integers(1, 4), st.integers(0, 2), st.integers(0, 2), st.integers(1, 2))
"""Pixels, kernel, stride, own padding before and after, dilation."""


@settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    st.tuples(AXIS, AXIS),
    st.tuples(*(st.integers(0, 3) for _ in range(4))),
    st.sampled_from(["max", "min", "avg", "lp", "conv"]),
    st.booleans(),
    st.booleans(),
)
def test_whatever_the_geometry(axes, around, kind, ceil, count):
    sizes, kernel, stride, before, behind, dilation = (tuple(v) for v in zip(*axes))
    padding = tuple(zip(before, behind))
    if kind == "conv":
        op = Conv(stride, padding, dilation)
    elif kind == "avg":
        op = AvgPool(kernel, stride, padding, ceil, count, None, dilation)
    elif kind == "lp":
        op = LpPool(kernel, stride, padding, dilation, ceil)
    else:
        op = (MaxPool if kind == "max" else MinPool)(kernel, stride, padding, dilation, ceil)
    value = {"max": -INF, "min": INF}.get(kind, 0.0)
    weight = (np.arange(2 * 2 * kernel[0] * kernel[1], dtype=np.float32).reshape(2, 2, *kernel),) if kind == "conv" else ()

    def forward(x):
        padded = x.graph.append(Pad(((0, 0), (0, 0), around[:2], around[2:]), value=value), (x,))[0]
        return x.graph.append(op, (padded, *weight))[0]

    shape = (1, 2, *sizes)
    try:
        recorded = record(forward, shape)
    except ShapeError:
        return
    graph = rewritten(forward, fold_pads, shapes=(shape,))
    for seed in range(2):
        feeds = draw_feeds(recorded, seed) if kind == "conv" else awkward_feeds(recorded, seed)
        np.testing.assert_array_equal(by_reference(graph, feeds)["0"], by_reference(recorded, feeds)["0"])
    stays = {"conv": False, "lp": ceil, "avg": ceil or (not count and any(before + behind)), "max": True, "min": True}
    assert stays[kind] or len(graph.nodes) == 1


def test_windows_in_the_padding_alone():
    x = Spec((1, 1, 4, 4), np.dtype(np.float32))
    assert every_window_meets_x(MaxPool((3, 3), (1, 1), ((2, 2), (2, 2))), x)
    assert not every_window_meets_x(MaxPool((3, 3), (1, 1), ((3, 0), (0, 0))), x)
    assert not every_window_meets_x(MaxPool((3, 3), (1, 1), ((0, 0), (0, 3))), x)
    assert not every_window_meets_x(MaxPool((2, 2), (1, 1), ((1, 2), (0, 0)), (7, 1)), Spec((1, 1, 5, 4), np.dtype(np.float32)))


def test_a_padded_net_as_tensorflow_exports_it():
    def forward(x):
        y = F.relu(F.conv2d(F.pad(x, (3, 3, 3, 3)), w(8, 4, 7, 7), w(8), 2))
        return F.avg_pool2d(F.pad(F.max_pool2d(F.pad(y, (1, 1, 1, 1)), 3, 2), (0, 1, 0, 1)), 2, 2)

    assert names(after(forward, *SIMPLIFY, shapes=((2, 4, 16, 15),))) == ["conv2d", "max_pool2d", "avg_pool2d"]
