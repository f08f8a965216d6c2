"""Pooling of the whole map, recognised in reductions and in windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from truth import Planned, draw_feeds, record, truth, verify

from gpucnn import functional as F
from gpucnn.graph import Graph
from gpucnn.ops import AdaptiveAvgPool, AvgPool, GlobalAvgPool, GlobalLpPool, GlobalMaxPool, GlobalMinPool, MaxPool, MinPool, Op, Reduce
from gpucnn.passes import PASSES, PASSES_FLOAT16, alias_buffers, assign_layouts, recognise_global_pools

X_SHAPE = (2, 4, 5, 7)
RECOGNISE = (recognise_global_pools, assign_layouts, alias_buffers)
POOLS: dict[str, Op] = {"mean": GlobalAvgPool(), "amax": GlobalMaxPool(), "amin": GlobalMinPool(), "norm": GlobalLpPool(2)}
SHAPES = [(2, 4, 5), (2, 4, 5, 7), (1, 3, 2, 4, 3), (3, 1, 1, 6)]


def made(op: Op, x: Any) -> Any:
    return x.graph.append(op, (x,))[0]


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def after(forward: Callable[..., Any], shape: tuple[int, ...] = X_SHAPE, dtype: str = "float32") -> Graph:
    """The graph after the pass; in float32 its values are held to the truth of the graph as recorded, in both orders of memory."""
    if dtype == "float32":
        for order in ("logical", "channels_last"):
            verify(record(forward, shape, order=order), passes=RECOGNISE)
    graph = record(forward, shape, dtype=dtype)
    recognise_global_pools(graph)
    graph.check()
    return graph


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_reduction_over_the_map(kind, shape):
    spatial = tuple(range(2, len(shape)))
    for dims in (spatial, spatial[::-1], tuple(d - len(shape) for d in spatial)):
        graph = after(lambda x, dims=dims: made(Reduce(kind, dims, keepdim=True), x), shape)
        assert [node.op for node in graph.nodes] == [POOLS[kind]]
        assert graph.notes == {"global pools recognised": 1}
        graph = after(lambda x, dims=dims: made(Reduce(kind, dims), x), shape)
        assert names(graph) == [POOLS[kind].name, "flatten"]
        assert graph.outputs["0"].shape == shape[:2]


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("keepdim", [True, False])
@pytest.mark.parametrize("first", [(3,), (2,), (-1,)])
def test_one_axis_after_the_other(kind, keepdim, first):
    second = ({3: 2, 2: 3, -1: 2} if keepdim else {3: 2, 2: 2, -1: 2})[first[0]]
    forward = lambda x: made(Reduce(kind, (second,), keepdim), made(Reduce(kind, first, keepdim), x))  # noqa: E731
    graph = after(forward)
    assert graph.nodes[0].op == POOLS[kind]
    assert names(graph)[1:] == ([] if keepdim else ["flatten"])


def test_three_axes_one_after_the_other():
    assert names(after(lambda x: F.amax(F.amax(F.amax(x, 3), 2), 2), (1, 3, 2, 4, 3))) == ["global_max_pool", "flatten"]
    assert names(after(lambda x: F.amax(F.amax(x, (2, 4)), 2), (1, 3, 2, 4, 3))) == ["global_max_pool", "flatten"]


@pytest.mark.parametrize("forward", [
    lambda x: made(Reduce("mean", (1, 2, 3), True), x),
    lambda x: made(Reduce("mean", (3,), True), x),
    lambda x: made(Reduce("mean", (1, 2), True), x),
    lambda x: made(Reduce("mean", ()), x),
    lambda x: made(Reduce("sum", (2, 3), True), x),
    lambda x: made(Reduce("norm", (2, 3), True, p=1), x),
    lambda x: made(Reduce("norm", (2, 3), True, p=float("inf")), x),
    lambda x: made(Reduce("norm", (2,), True), made(Reduce("norm", (3,), True, p=1), x)),
    lambda x: made(Reduce("norm", (1, 2), True), x),
    lambda x: made(Reduce("amax", (0, 1)), x),
    lambda x: made(Reduce("amax", (2,), True), made(Reduce("amin", (3,), True), x)),
    lambda x: made(Reduce("amax", (2,)), made(Reduce("amax", (3,), True), x)),
    lambda x: made(Reduce("amax", (1,)), made(Reduce("amax", (2,)), x)),
    lambda x: (lambda y: (made(Reduce("amax", (2,), True), y), y))(made(Reduce("amax", (3,), True), x)),
    lambda x: (lambda y: (made(Reduce("amax", (2,), True), y), F.sin(y)))(made(Reduce("amax", (3,), True), x)),
    lambda x: F.cast(made(Reduce("mean", (2, 3), dtype="float64"), x), "float32"),
    lambda x: made(Reduce("amax", (2,), True, "float32"), made(Reduce("amax", (3,), True, "int32"), x)),
])  # fmt: skip
def test_another_reduction_stays(forward):
    graph = record(forward, X_SHAPE)
    recorded = names(graph)
    assert names(after(forward)) == recorded
    recognise_global_pools(graph)
    assert graph.notes == {}


def test_of_rank_2_and_6_there_is_no_map():
    for shape in ((4, 6), (1, 2, 3, 2, 2, 2)):
        assert names(after(lambda x: made(Reduce("mean", tuple(range(1, x.ndim))), x), shape)) == ["mean"]
    assert names(after(lambda x: made(Reduce("amax", (2, 3, 4, 5)), x), (1, 2, 3, 2, 2, 2))) == ["amax"]


def test_of_an_empty_map_and_of_integers():
    graph = record(lambda x: made(Reduce("amax", (2, 3)), x), (2, 3, 0, 4))
    recognise_global_pools(graph)
    assert names(graph) == ["amax"]
    assert names(after(lambda x: made(Reduce("amax", (2, 3), True), x), dtype="int32")) == ["global_max_pool"]
    assert names(after(lambda x: made(Reduce("mean", (2, 3), True), x), dtype="int32")) == ["mean"]
    assert names(after(lambda x: made(Reduce("amax", (2, 3), True), x), dtype="bool")) == ["amax"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kind", "pool"), [(AvgPool, GlobalAvgPool()), (MaxPool, GlobalMaxPool()), (MinPool, GlobalMinPool())])
def test_a_window_that_is_the_map(kind, pool, stride, shape):
    kernel, ones = shape[2:], (1,) * (len(shape) - 2)
    for padding in (((0, 0),) * len(kernel), "valid"):
        op = kind(kernel, (stride,) * len(kernel), padding, dilation=ones)
        assert [node.op for node in after(lambda x, op=op: made(op, x), shape).nodes] == [pool]


def test_rounding_up_and_counting_padding_make_no_difference_where_there_is_none():
    assert names(after(lambda x: F.avg_pool2d(x, (5, 7), 3, ceil_mode=True, count_include_pad=False))) == ["global_avg_pool"]
    assert names(after(lambda x: made(AdaptiveAvgPool((1, 1)), x))) == ["global_avg_pool"]


@pytest.mark.parametrize("forward", [
    lambda x: F.avg_pool2d(x, (5, 6)),
    lambda x: F.avg_pool2d(x, (5, 7), 1, (1, 0)),
    lambda x: F.avg_pool2d(x, (5, 7), 3, (1, 0)),
    lambda x: F.max_pool2d(x, (5, 7), 3, (1, 0)),
    lambda x: F.avg_pool2d(x, (5, 7), 1, "same"),
    lambda x: F.avg_pool2d(x, (5, 7), divisor_override=3),
    lambda x: F.max_pool2d(x, (5, 7), 1, (2, 3)),
    lambda x: F.max_pool2d(x, (5, 7), return_indices=True)[0],
    lambda x: F.max_pool2d(x, (3, 4), dilation=2),
    lambda x: made(AdaptiveAvgPool((1, 2)), x),
])  # fmt: skip
def test_another_window_stays(forward):
    graph = record(forward, X_SHAPE)
    recorded = names(graph)
    assert names(after(forward)) == recorded


@pytest.mark.parametrize("kind", POOLS)
def test_nan_goes_through(kind):
    x = np.ones((1, 2, 2, 2), np.float32)
    x[0, 0, 1, 1] = np.nan
    y = Planned(record(lambda x: made(Reduce(kind, (2, 3)), x), x.shape), passes=RECOGNISE).run({"x0": x})["0"]
    np.testing.assert_array_equal(y, [[np.nan, 2 if kind == "norm" else 1]])


@pytest.mark.parametrize("passes", [PASSES, PASSES_FLOAT16], ids=["float32", "float16"])
def test_the_head_of_a_net_moves_nothing(passes):
    rng = np.random.default_rng(0)
    weight, dense = (rng.standard_normal(shape).astype(np.float32) for shape in ((4, 4, 3, 3), (6, 4)))

    def forward(x):
        y = F.conv2d(x, weight)
        gate = F.sigmoid(made(Reduce("mean", (2, 3), keepdim=True), y))
        return F.linear(made(Reduce("mean", (2, 3)), y * gate), dense)

    planned = Planned(record(forward, X_SHAPE, order="channels_last"), passes=passes)
    assert [op for op in planned.ops if op != "cast"] == ["conv2d", "global_avg_pool", "sigmoid", "mul", "global_avg_pool", "linear"]
    graph = record(forward, X_SHAPE)
    feeds = draw_feeds(graph)
    exact, _ = truth(graph, feeds)["0"]
    assert planned.run(feeds)["0"].shape == exact.shape == (2, 6)
