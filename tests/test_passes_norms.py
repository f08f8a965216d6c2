"""Norms that are written out as means and quotients: recognised as the op whose rows and weights they have, and worth the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from truth import Planned, assert_true, draw_feeds, record, truth, verify

from gpucnn import functional as F
from gpucnn.graph import Graph
from gpucnn.ops import GroupNorm, LayerNorm, Normalize, Reduce
from gpucnn.passes import (
    PASSES,
    PASSES_FLOAT16,
    SIMPLIFY,
    alias_buffers,
    assign_layouts,
    keep_reduced_axes,
    recognise_activations,
    recognise_norms,
)

RNG = np.random.default_rng(5)
X_SHAPE = (2, 6, 5, 7)
RECOGNISE = (recognise_activations, recognise_norms, assign_layouts, alias_buffers)
EPS = 0.1
"""Large enough to be seen, and for float16."""


def w(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def after(forward: Callable[..., Any], shape: tuple[int, ...] = X_SHAPE, dtype: str = "float32") -> Graph:
    """The graph after the pass; in float32 its values are held to the truth of the graph as recorded."""
    if dtype == "float32":
        verify(record(forward, shape), passes=RECOGNISE)
    graph = record(forward, shape, dtype=dtype)
    recognise_activations(graph)
    recognise_norms(graph)
    graph.check()
    return graph


def mean(x: Any, dim: Any) -> Any:
    """As an importer records it: F.mean of a map is a pool."""
    return x.graph.append(Reduce("mean", dim if isinstance(dim, tuple) else (dim,), keepdim=True), (x,))[0]


SQUARES = {"mul": lambda d: d * d, "pow": lambda d: d**2.0, "square": F.square}
QUOTIENTS = {
    "div": lambda d, v: d / F.sqrt(v),
    "pow": lambda d, v: d / v**0.5,
    "rsqrt": lambda d, v: d * F.rsqrt(v),
    "reciprocal": lambda d, v: F.reciprocal(F.sqrt(v)) * d,
    "one over": lambda d, v: d * (1.0 / F.sqrt(v)),
    "inverse power": lambda d, v: v**-0.5 * d,
}


def standard(x, dim=-1, eps: Any = EPS, square=SQUARES["mul"], quotient=QUOTIENTS["div"]):
    d = x - mean(x, dim)
    return quotient(d, mean(square(d), dim) + eps)


def root_mean_square(x, dim=-1, eps: Any = EPS, square=SQUARES["mul"], quotient=QUOTIENTS["div"]):
    return quotient(x, eps + mean(square(x), dim))


# -- layer and RMS norm


@pytest.mark.parametrize("quotient", QUOTIENTS.values(), ids=QUOTIENTS)
@pytest.mark.parametrize("square", SQUARES.values(), ids=SQUARES)
@pytest.mark.parametrize(("norm", "centred"), [(standard, True), (root_mean_square, False)], ids=["layer", "rms"])
def test_a_layer_norm_in_every_way(norm, centred, square, quotient):
    weight, bias = w(7), w(7)
    (node,) = after(lambda x: norm(x, -1, EPS, square, quotient) * weight + bias).nodes
    assert node.op == LayerNorm(1, float(np.float32(EPS)), centred)
    np.testing.assert_array_equal(node.inputs[1].data, weight)
    np.testing.assert_array_equal(node.inputs[2].data, bias)
    assert node.inputs[0].producer is None


@pytest.mark.parametrize(("behind", "weights"), [
    (lambda y: y, (None, None)),
    (lambda y: y * w(7), ((7,), None)),
    (lambda y: w(1, 1, 1, 7) * y, ((7,), None)),
    (lambda y: y + w(1, 7), (None, (7,))),
    (lambda y: w(7) + w(7) * y, ((7,), (7,))),
])  # fmt: skip
def test_scale_and_shift_may_be_absent_and_stand_on_either_side(behind, weights):
    (node,) = after(lambda x: behind(standard(x))).nodes
    assert [None if v is None else v.shape for v in node.inputs[1:]] == list(weights)


@pytest.mark.parametrize(("behind", "left"), [
    (lambda y: y * w(5, 7), ["layer_norm", "mul"]),
    (lambda y: y * w(7) + w(5, 7), ["layer_norm", "add"]),
    (lambda y: y * 2.0, ["layer_norm", "mul"]),
    (lambda y: y * w(7) - w(7), ["layer_norm", "sub"]),
    (lambda y: y * w(7) * w(7), ["layer_norm", "mul"]),
    (lambda y: (y + w(7)) * w(7), ["layer_norm", "mul"]),
    (lambda y: y * w(1, 1, 1, 1, 7), ["layer_norm", "mul"]),
    (lambda y: (y * w(7), F.sin(y)), ["layer_norm", "mul", "sin"]),
    (lambda y: (y * w(7), y), ["layer_norm", "mul"]),
    (lambda y: (lambda z: (z + w(7), z))(y * w(7)), ["layer_norm", "add"]),
    (lambda y: y * F.sin(y), ["layer_norm", "sin", "mul"]),
])  # fmt: skip
def test_what_does_not_fit_behind_a_norm_stays(behind, left):
    assert names(after(lambda x: behind(standard(x)))) == left


@pytest.mark.parametrize(("shape", "dims", "rows"), [
    ((9,), (0,), 1), ((3, 8), (-1,), 1), ((2, 5, 8), (2,), 1), ((2, 3, 4, 5), (2, 3), 2), ((2, 3, 4, 5), (1, 2, 3), 3),
    ((2, 3, 4), (0, 1, 2), 3), ((2, 1, 3, 2, 4), (-1, -2), 2),
])  # fmt: skip
def test_over_the_last_axes(shape, dims, rows):
    weight = w(*shape[len(shape) - rows :])
    (node,) = after(lambda x: standard(x, dims) * weight + weight, shape).nodes
    assert node.op == LayerNorm(rows, float(np.float32(EPS)))


def test_differences_may_be_computed_twice():
    """Older exporters write the subtraction down for every reader."""

    def forward(x):
        again = x - mean(x, -1)
        return (x - mean(x, -1)) / F.sqrt(mean(again * again, -1) + EPS)

    assert names(after(forward)) == ["layer_norm"]


SHIFTS = {
    "less": lambda m, s, bias: bias - m * s,
    "neg": lambda m, s, bias: -m * s + bias,
    "neg, bias first": lambda m, s, bias: bias + s * -m,
}


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("inverse", [F.rsqrt, lambda v: F.reciprocal(F.sqrt(v))], ids=["rsqrt", "reciprocal"])
def test_as_keras_computes_it(inverse, scaled, shift):
    weight, bias = w(7), w(7)

    def forward(x):
        m = mean(x, -1)
        d = x - m
        scale = inverse(mean(d * d, -1) + EPS)
        scale = scale * weight if scaled else scale
        return x * scale + shift(m, scale, bias)

    (node,) = after(forward).nodes
    assert node.op == LayerNorm(1, float(np.float32(EPS)))
    assert (node.inputs[1] is not None) == scaled


def test_as_keras_computes_it_without_a_shift():
    def forward(x):
        m = mean(x, -1)
        scale = F.rsqrt(mean(F.square(x - m), -1) + EPS)
        return x * scale - m * scale, F.sin(x) * F.rsqrt(mean(F.square(F.sin(x)), -1) + EPS)

    assert [node.op.name for node in after(forward).nodes].count("layer_norm") == 1


@pytest.mark.parametrize("forward", [
    lambda x: (x - mean(x, 2)) / F.sqrt(mean(F.square(x - mean(x, 3)), 3) + EPS),
    lambda x: (x - mean(x, 3)) / F.sqrt(mean(F.square(x - mean(x, 3)), 2) + EPS),
    lambda x: (x - mean(F.sin(x), 3)) / F.sqrt(mean(F.square(x - mean(x, 3)), 3) + EPS),
    lambda x: (mean(x, 3) - x) / F.sqrt(mean(F.square(x - mean(x, 3)), 3) + EPS),
    lambda x: (x - mean(x, 3)) * F.sqrt(mean(F.square(x - mean(x, 3)), 3) + EPS),
    lambda x: (x - mean(x, 3)) / (mean(F.square(x - mean(x, 3)), 3) + EPS),
    lambda x: (x - mean(x, 3)) / (F.sqrt(mean(F.square(x - mean(x, 3)), 3)) + EPS),
    lambda x: (x - mean(x, 3)) / (mean(F.abs(x - mean(x, 3)), 3) + EPS) ** 0.5,
    lambda x: (x - mean(x, 3)) / (mean((x - mean(x, 3)) ** 3.0, 3) + 99.0) ** 0.5,
    lambda x: standard(x, (1, 3)),
    lambda x: standard(x, 2),
    lambda x: standard(x, 0),
    lambda x: standard(x, -1, w(6, 1, 1) ** 2),
    lambda x: standard(x, -1, np.full((1, 1, 1, 1, 1), EPS, np.float32)),
    lambda x: x / F.sqrt(F.sum(F.square(x), 3, True) + EPS),
])  # fmt: skip
def test_what_is_no_layer_norm_stays(forward):
    assert not {"layer_norm", "rms_norm", "group_norm", "instance_norm"} & set(names(after(forward)))


@pytest.mark.parametrize("asked", [False, True], ids=["read", "asked for"])
@pytest.mark.parametrize("norm", [standard, root_mean_square])
def test_what_lies_between_and_is_needed_elsewhere_stays(norm, asked):
    for i in range(len(record(norm, X_SHAPE).nodes) - 1):

        def forward(x, i=i):
            y = norm(x)
            between = y.graph.nodes[i].outputs[0]
            return y, between if asked else F.sin(between)

        found = names(after(forward))
        assert "layer_norm" not in found, i
        if norm is root_mean_square:
            assert "rms_norm" not in found, i


def test_float16_keeps_its_constants_and_values():
    weight = w(7).astype(np.float16)

    def forward(x):
        return F.cast(standard(x) * weight, "float32")

    assert names(after(forward, dtype="float16")) == ["layer_norm", "cast"]
    graph = record(forward, X_SHAPE, dtype="float16")
    feeds = draw_feeds(graph)
    expected = truth(graph, feeds, np.float16)
    assert_true(Planned(record(forward, X_SHAPE, dtype="float16"), passes=RECOGNISE).run(feeds)["0"], expected["0"])


# -- by channel


@pytest.mark.parametrize(("norm", "name"), [(standard, "layer_norm"), (root_mean_square, "rms_norm")])
@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (2, 6, 5), (1, 3, 2, 4, 3)])
def test_over_axis_1_alone_it_is_a_norm_of_rows_between_permutations(norm, name, shape):
    """ConvNeXt's, of maps."""
    ones = (1,) * (len(shape) - 2)
    weight, bias = w(shape[1], *ones), w(1, shape[1], *ones)
    assert names(after(lambda x: weight * norm(x, 1) + bias, shape)) == ["permute", name, "permute"]


def test_where_memory_is_channels_last_those_permutations_move_nothing():
    weight = w(4, 6, 3, 3)

    def forward(x):
        return F.conv2d(standard(x, 1) * w(6, 1, 1) + w(6, 1, 1), weight)

    assert verify(record(forward, X_SHAPE, order="channels_last"), passes=PASSES).ops == ["layer_norm", "conv2d"]


@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (2, 6, 5), (1, 3, 2, 4, 3)])
def test_over_the_map_with_weights_by_channel_it_is_an_instance_norm(shape):
    ones, dims = (1,) * (len(shape) - 2), tuple(range(2, len(shape)))
    weight, bias = w(shape[1], *ones), w(1, shape[1], *ones)
    for form in (lambda x: standard(x, dims) * weight + bias, lambda x: standard(x, dims) * weight, lambda x: standard(x, dims) + bias):
        (node,) = after(form, shape).nodes
        assert node.op == GroupNorm(None, float(np.float32(EPS)))
    (node,) = after(lambda x: standard(x, (1, *dims)) * weight + bias, shape).nodes
    assert node.op == GroupNorm(1, float(np.float32(EPS)))


def test_without_weights_a_map_is_normalised_by_channel_and_a_row_as_a_row():
    assert names(after(lambda x: standard(x, (2, 3)))) == ["instance_norm"]
    assert names(after(lambda x: standard(x, (2,)), (2, 6, 5))) == ["layer_norm"]
    assert names(after(lambda x: root_mean_square(x, (2, 3)))) == ["rms_norm"]


def test_means_that_are_recorded_as_pools():
    def forward(x):
        d = x - F.global_avg_pool2d(x)
        return d / F.sqrt(F.global_avg_pool2d(d * d) + EPS)

    assert names(after(forward)) == ["instance_norm"]


# -- group norm


def grouped(x, groups, inner=lambda rows: F.instance_norm(rows, eps=EPS), shape=None):
    rows = F.reshape(x, shape or (x.shape[0], groups, -1))
    return F.reshape(inner(rows), x.shape)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (2, 6, 5), (2, 6), (1, 6, 2, 3, 2)])
def test_as_torchscript_exports_it(shape, groups):
    ones = (1,) * (len(shape) - 2)
    weight, bias = w(6, *ones), w(1, 6, *ones)
    unit = np.ones(groups, np.float32), np.zeros(groups, np.float32)
    inner = lambda rows: F.instance_norm(rows, weight=unit[0], bias=unit[1], eps=EPS)  # noqa: E731
    (node,) = after(lambda x: grouped(x, groups, inner) * weight + bias, shape).nodes
    assert node.op == GroupNorm(groups, EPS)
    np.testing.assert_array_equal(node.inputs[1].data, weight.reshape(-1))
    np.testing.assert_array_equal(node.inputs[2].data, bias.reshape(-1))


@pytest.mark.parametrize("affine", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("behind", [
    lambda y: y, lambda y: y * w(6, 1, 1), lambda y: y + w(6, 1, 1), lambda y: y * w(6, 1, 1) + w(6, 1, 1),
])  # fmt: skip
def test_weights_of_the_groups_are_those_of_their_channels(affine, behind):
    weight, bias = (w(3) if there else None for there in affine)
    state = RNG.bit_generator.state

    def forward(x):
        RNG.bit_generator.state = state  # the same weights whenever it is recorded
        return behind(grouped(x, 3, lambda r: F.instance_norm(r, weight=weight, bias=bias, eps=EPS)))

    assert names(after(forward)) == ["group_norm"]


@pytest.mark.parametrize("inner", [
    lambda r: F.layer_norm(r, r.shape[2:], eps=EPS),
    lambda r: standard(r, 2),
    lambda r: F.instance_norm(r, eps=EPS),
])  # fmt: skip
def test_rows_may_be_normalised_in_any_way(inner):
    (node,) = after(lambda x: grouped(x, 2, inner) * w(6, 1, 1)).nodes
    assert node.op.groups == 2


def test_groups_may_keep_their_map():
    assert names(after(lambda x: grouped(x, 2, shape=(2, 2, 15, 7)))) == ["group_norm"]


@pytest.mark.parametrize("forward", [
    lambda x: F.reshape(F.instance_norm(F.reshape(x, (2, 2, -1))), (2, 6, 7, 5)),
    lambda x: F.reshape(F.instance_norm(F.reshape(x, (4, 3, -1))), x.shape),
    lambda x: F.reshape(F.instance_norm(F.reshape(x, (2, 5, -1))), x.shape),
    lambda x: F.reshape(F.group_norm(F.reshape(x, (2, 6, -1)), 2), x.shape),
    lambda x: F.reshape(F.layer_norm(F.reshape(x, (2, 2, 15, 7)), 7), x.shape),
    lambda x: F.reshape(F.layer_norm(F.reshape(x, (2, 2, -1)), 105, w(105)), x.shape),
    lambda x: F.reshape(F.rms_norm(F.reshape(x, (2, 2, -1)), 105), x.shape),
    lambda x: F.reshape(F.sin(F.reshape(x, (2, 2, -1))), x.shape),
    lambda x: (lambda r: F.reshape(F.instance_norm(r), x.shape) + F.reshape(r, x.shape))(F.reshape(x, (2, 2, -1))),
    lambda x: (lambda y: (F.reshape(y, x.shape), y))(F.instance_norm(F.reshape(x, (2, 2, -1)))),
])  # fmt: skip
def test_what_is_no_group_norm_stays(forward):
    graph = record(forward, X_SHAPE)
    recorded = names(graph)
    assert names(after(forward)) == recorded


# -- division by a norm


def norm(x, p=2.0, dim=1):
    return x.graph.append(Reduce("norm", (dim,), keepdim=True, p=p), (x,))[0]


@pytest.mark.parametrize("p", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("dim", [1, -1])
@pytest.mark.parametrize("form", [
    lambda x, n: x / F.maximum(n, 0.5),
    lambda x, n: x / F.hardtanh(n, 0.5, float("inf")),
    lambda x, n: x / F.expand(F.hardtanh(n, 0.5, float("inf")), x.shape),
    lambda x, n: x * F.reciprocal(F.maximum(0.5, n)),
])  # fmt: skip
def test_a_vector_over_its_norm(form, dim, p):
    (node,) = after(lambda x: form(x, norm(x, p, dim))).nodes
    assert node.op == Normalize(p, dim % 4, 0.5)


def test_a_norm_that_is_written_out():
    for squares in (lambda x: F.sum(x * x, 1, True), lambda x: x.graph.append(Reduce("sum_square", (1,), keepdim=True), (x,))[0]):
        (node,) = after(lambda x, s=squares: x / F.maximum(F.sqrt(s(x)), 0.5)).nodes
        assert node.op == Normalize(2.0, 1, 0.5)
        (node,) = after(lambda x, s=squares: x * F.rsqrt(F.maximum(s(x), 0.25))).nodes
        assert node.op == Normalize(2.0, 1, 0.5)
        (node,) = after(lambda x, s=squares: x * F.rsqrt(s(x))).nodes
        assert node.op == Normalize(2.0, 1, 0.0)
    (node,) = after(lambda x: x / norm(x)).nodes
    assert node.op == Normalize(2.0, 1, 0.0)


@pytest.mark.parametrize("form", [
    lambda x: x / (norm(x) + 0.5),
    lambda x: F.sin(x) / F.maximum(norm(x), 0.5),
    lambda x: x / F.hardtanh(norm(x), 0.5, 9.0),
    lambda x: x / F.maximum(norm(x), w(1, 1, 5, 7) ** 2 + np.float32(0.1)),
    lambda x: x / F.maximum(F.maximum(norm(x), 0.5), norm(x, 1.0)),
    lambda x: x / F.maximum(x.graph.append(Reduce("norm", (1, 2), keepdim=True), (x,))[0], 0.5),
    lambda x: (lambda n: (x / F.maximum(n, 0.5), n))(norm(x)),
    lambda x: norm(x) / F.maximum(norm(x), 0.5),
    lambda x: x / F.maximum(norm(x), np.full((1, 1, 1, 1, 1), 0.5, np.float32)),
    lambda x: x / F.maximum(norm(x, 0.0), 0.5),
    lambda x: x / F.maximum(norm(x, -float("inf")), 0.5),
    lambda x: x * F.rsqrt(F.maximum(F.sum(x * x, 1, True), -0.25)),
])  # fmt: skip
def test_what_is_no_such_division_stays(form):
    assert "normalize" not in names(after(form))


@pytest.mark.parametrize("values", [[0, 0, 0], [np.nan, 1, 2], [np.inf, 1, 2], [-np.inf, np.inf, 0], [3, 0, 4]])
def test_nan_infinity_and_zeros_are_those_of_the_formula(values):
    x = np.float32(values).reshape(1, 3)
    for form in (standard, root_mean_square, lambda x: x / norm(x), lambda x: x / F.maximum(norm(x), 1e-12)):
        graph = record(form, x.shape)
        known: dict[Any, Any] = {graph.inputs["x0"]: x}
        for node in graph.nodes:
            with np.errstate(all="ignore"):
                known[node.outputs[0]] = node.op.reference(np, *(v.data if v.is_constant else known[v] for v in node.inputs))[0]
        expected = known[graph.outputs["0"]]
        recognise_norms(graph)
        (node,) = graph.nodes
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(node.op.reference(np, x)[0], expected, rtol=1e-6)


# -- keep_reduced_axes


@pytest.mark.parametrize(("forward", "left"), [
    (lambda x: F.reshape(F.amax(x, 3), (2, 6, 5, 1)), ["amax"]),
    (lambda x: F.reshape(F.sum(x, (1, 3)), (2, 1, 5, 1)), ["sum"]),
    (lambda x: F.reshape(F.amax(x, 3, True), (2, 6, 5, 1)), ["amax"]),
    (lambda x: F.reshape(F.amax(x), (1, 1, 1, 1)), ["amax"]),
    (lambda x: F.reshape(F.amax(x, 3), (2, 6, 1, 5)), ["amax", "reshape"]),
    (lambda x: F.reshape(F.amax(x, 3), (2, 30)), ["amax", "reshape"]),
    (lambda x: (lambda y: (F.reshape(y, (2, 6, 5, 1)), y))(F.amax(x, 3)), ["amax", "reshape"]),
    (lambda x: (lambda y: (F.reshape(y, (2, 6, 5, 1)), F.sin(y)))(F.amax(x, 3)), ["amax", "reshape", "sin"]),
])  # fmt: skip
def test_axes_that_are_put_back_are_kept(forward, left):
    verify(record(forward, X_SHAPE), passes=(keep_reduced_axes, assign_layouts, alias_buffers))
    graph = record(forward, X_SHAPE)
    keep_reduced_axes(graph)
    graph.check()
    assert names(graph) == left


def test_a_variance_whose_axes_are_put_back():
    """As dynamo writes var(keepdim=True)."""

    def forward(x):
        d = x - mean(x, 3)
        variance = F.reshape(x.graph.append(Reduce("mean", (3,)), (d * d,))[0], (2, 6, 5, 1))
        return (x - mean(x, 3)) * F.reciprocal(F.sqrt(variance + EPS))

    graph = record(forward, X_SHAPE)
    for one in SIMPLIFY:
        one(graph)
    assert names(graph) == ["layer_norm"]
    verify(record(forward, X_SHAPE))


# -- in a net


@pytest.mark.parametrize("passes", [PASSES, PASSES_FLOAT16], ids=["float32", "float16"])
def test_with_all_passes(passes):
    weight, row, channel = w(6, 6, 1, 1), w(7), w(6, 1, 1)

    def forward(x):
        y = F.conv2d(x, weight)
        y = standard(y, 1) * channel + channel
        y = grouped(y, 3) * channel + channel
        return F.conv2d(standard(y) * row + row, weight)

    made = Planned(record(forward, X_SHAPE, order="channels_last"), passes=passes)
    assert [op for op in made.ops if op not in ("cast", "reorder")] == ["conv2d", "layer_norm", "group_norm", "layer_norm", "conv2d"]
    if passes is PASSES:
        verify(record(forward, X_SHAPE, order="channels_last"))


def test_the_notes_say_how_many():
    graph = record(lambda x: standard(x) + grouped(x, 2) + x / F.maximum(norm(x), 0.5), X_SHAPE)
    for one in SIMPLIFY:
        one(graph)
    assert graph.notes["norms recognised"] == 3
