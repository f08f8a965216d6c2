"""The pass that stores a net's values in 16 bits: what becomes float16, what must not, and how far values may move."""

from __future__ import annotations

import numpy as np
import pytest
from truth import Planned, assert_true, draw_feeds, record, truth

from gpucnn import functional as F
from gpucnn.errors import UnsupportedError
from gpucnn.graph import Graph
from gpucnn.ops import Activation, BatchNorm, Cast, Conv, Linear, LogSoftmax, Softmax
from gpucnn.passes import PASSES_FLOAT16, SIMPLIFY, lower_precision
from gpucnn.spec import Spec

RNG = np.random.default_rng(11)
X = (2, 4, 5, 7)


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


def conv(x, k=4, kernel=3, **fields):
    return F.conv2d(x, w(k, x.shape[1], kernel, kernel), w(k), **fields)


def norm(x):
    c = x.shape[1]
    return F.batch_norm(x, w(c), np.abs(w(c)) + np.float32(0.1), w(c), w(c))


def pooled(x, k=6):
    return F.linear(F.flatten(F.global_avg_pool2d(x), 1), w(k, x.shape[1]), w(k))


def lowered(forward, *shapes) -> Graph:
    graph = record(forward, *(shapes or (X,)))
    for one in (*SIMPLIFY, lower_precision):
        one(graph)
    graph.check()
    return graph


def ops(graph: Graph, kind):
    return [node.op for node in graph.nodes if isinstance(node.op, kind)]


NETS = [
    lambda x: norm(conv(x, padding=1)),
    lambda x: F.relu(conv(x, padding=1) + x),
    lambda x: norm(F.tanh(x)),
    lambda x: F.max_pool2d(F.relu6(conv(x)), 2) * F.sigmoid(F.global_avg_pool2d(conv(x))),
    lambda x: pooled(conv(x)),
    lambda x: F.softmax(pooled(conv(x)), 1),
    lambda x: F.softmax(conv(x), 1),
    lambda x: F.log_softmax(pooled(F.silu(conv(x))), 1),
    lambda x: F.glu(F.prelu(norm(F.gelu(x)), w(4))),
    lambda x: F.cat([conv(x), F.avg_pool2d(x, 3, 1)], 1),
    lambda x: (conv(x), F.relu(x)),
    lambda x: F.pad(F.reshape(x, (2, 28, 5)), (1, 2)),
]


@pytest.mark.parametrize("forward", NETS)
def test_values_move_by_16_bit_rounding_alone(forward):
    weights, state = RNG, RNG.bit_generator.state
    graph = record(forward, X)
    feeds = draw_feeds(graph)
    expected = truth(graph, feeds, np.float16)
    weights.bit_generator.state = state  # the same weights once more
    graph = record(forward, X)
    planned = Planned(graph, passes=PASSES_FLOAT16)
    for name, y in planned.run(feeds).items():
        assert_true(y, expected[name])
        assert (y != expected[name][0]).any()
    halves = [v for v in planned.plan.graph.placements if v.dtype == np.float16]
    assert halves, "nothing was lowered"


@pytest.mark.parametrize("forward", NETS)
def test_only_the_ends_are_float32(forward):
    graph = lowered(forward)
    for value in (*graph.inputs.values(), *graph.outputs.values()):
        assert value.dtype == np.float32
    for node in graph.nodes:
        if not isinstance(node.op, (Cast, Linear, Softmax, LogSoftmax)):
            assert node.specs[0].dtype == node.outputs[0].dtype == np.float16


def test_biases_and_statistics_stay_float32():
    graph = lowered(lambda x: norm(F.relu(conv(x))))
    (convolution,) = (node for node in graph.nodes if isinstance(node.op, Conv))
    assert [v.dtype for v in convolution.inputs[:3]] == [np.float16, np.float16, np.float32]
    (normalisation,) = (node for node in graph.nodes if isinstance(node.op, BatchNorm))
    assert [v.dtype for v in normalisation.inputs] == [np.float16, *[np.float32] * 4]


def test_a_folded_weight_is_rounded_once():
    weight, mean, var = w(4, 4, 1, 1), w(4), np.abs(w(4)) + np.float32(0.1)
    graph = lowered(lambda x: F.batch_norm(F.conv2d(x, weight), mean, var))
    (node,) = (node for node in graph.nodes if isinstance(node.op, Conv))
    folded = (weight.astype(np.float64) / np.sqrt(var.astype(np.float64) + 1e-5).reshape(4, 1, 1, 1)).astype(np.float32)
    np.testing.assert_array_equal(node.inputs[1].data, folded.astype(np.float16))


def test_a_value_is_cast_once():
    assert len(ops(lowered(lambda x: F.relu(x) + F.tanh(x)), Cast)) == 2, "the input down, the result up"
    graph = lowered(lambda x: (conv(x), x))
    assert graph.outputs["1"] is graph.inputs["x0"], "an input that is a result is not rounded"


def test_scores_leave_as_float32_sums():
    graph = lowered(lambda x: pooled(conv(x)))
    assert [op.out_dtype for op in ops(graph, Linear)] == ["float32"]
    assert [op.dtype for op in ops(graph, Cast)] == ["float16"]
    graph = lowered(lambda x: F.topk(F.softmax(pooled(conv(x)), 1), 2))
    assert [op.out_dtype for op in ops(graph, Linear)] == ["float32"]
    assert [op.dtype for op in ops(graph, Cast)] == ["float16"]
    assert [v.dtype for v in graph.outputs.values()] == [np.float32, np.int64]


def test_probabilities_leave_as_float32():
    """A sigmoid in a dense layer's epilogue, and one behind a convolution's mean, which reads float32."""
    graph = lowered(lambda x: F.sigmoid(pooled(conv(x))))
    assert [op.out_dtype for op in ops(graph, Linear)] == ["float32"]
    assert [op.dtype for op in ops(graph, Cast)] == ["float16"]
    graph = lowered(lambda x: F.sigmoid(F.global_avg_pool2d(conv(x))))
    (node,) = (node for node in graph.nodes if isinstance(node.op, Activation))
    assert node.specs[0].dtype == node.outputs[0].dtype == np.float32


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.relu(pooled(x)) * 2,
        lambda x: F.sigmoid(pooled(x)) * 2,
        lambda x: (lambda y: (y, F.tanh(y)))(pooled(x)),
        lambda x: F.softmax(pooled(x), 1) * 2,
    ],
)
def test_a_dense_layer_inside_the_net_stays_float16(forward):
    assert [op.out_dtype for op in ops(lowered(forward), Linear)] == [None]


def test_bytes_and_places_are_left_alone():
    graph = Graph()
    x = graph.input("x", Spec(X, np.dtype(np.uint8)))
    table = w(256, 4)
    y, where = F.max_pool2d(F.lookup(x, table), 2, return_indices=True)
    graph.outputs = {"y": y, "where": where}
    lower_precision(graph)
    graph.check()
    assert [node.op.name for node in graph.nodes] == ["lookup", "max_pool2d", "cast"]
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].data, table.astype(np.float16))
    assert graph.outputs["where"].dtype == np.int64


def test_float64_is_left_alone():
    graph = record(lambda x: F.relu(x), X, dtype="float64")
    lower_precision(graph)
    assert graph.outputs["0"].dtype == np.float64
    assert not ops(graph, Cast)


def test_constants_that_do_not_fit():
    with pytest.raises(UnsupportedError, match=r"const.*: holds numbers up to 7e\+04, float16 ends at 65504; use precision='float32'"):
        lowered(lambda x: x * np.float32(7e4))
    graph = lowered(lambda x: x + np.float32(np.inf))
    assert graph.outputs["0"].dtype == np.float32, "an infinity was one before"
    lowered(lambda x: F.conv2d(x, w(4, 4, 1, 1), np.full(4, 1e6, np.float32)))  # a bias stays float32


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_samples_of_a_fractional_pool_stay_as_they_are(kind):
    samples = RNG.random((1, 4, 2)).astype(kind)
    graph = lowered(lambda x: F.fractional_max_pool2d(F.relu(x), 2, 3, samples=samples))
    (node,) = (node for node in graph.nodes if node.op.name == "fractional_max_pool2d")
    assert [v.dtype for v in node.inputs] == [np.float16, kind]
    np.testing.assert_array_equal(node.inputs[1].data, samples)
