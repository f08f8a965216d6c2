"""Activations that are written out as arithmetic: recognised in every order, at the constants of the formula alone, and worth the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import inf, nextafter, pi, sqrt
from typing import Any

import numpy as np
import pytest
from truth import Planned, assert_true, draw_feeds, record, truth, verify

from gpucnn import functional as F
from gpucnn.graph import Graph, Value
from gpucnn.ops import Conv
from gpucnn.passes import PASSES, PASSES_FLOAT16, alias_buffers, assign_layouts, formulas, recognise_activations
from gpucnn.passes.formulas import X, erf, exp

X_SHAPE = (2, 3, 5, 7)
RECOGNISE = (recognise_activations, assign_layouts, alias_buffers)
EPS = float(np.finfo(np.float32).eps)


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def after(forward: Callable[..., Any], *shapes: tuple[int, ...], dtype: str = "float32") -> Graph:
    """The graph after the pass; in float32 its values are held to the truth of the graph as recorded."""
    shapes = shapes or (X_SHAPE,)
    if dtype == "float32":
        verify(record(forward, *shapes), passes=RECOGNISE)
    graph = record(forward, *shapes, dtype=dtype)
    recognise_activations(graph)
    graph.check()
    return graph


def number(value: float, *shape: int, dtype: Any = np.float32) -> Any:
    return np.full(shape, value, dtype)


def softplus(x: Any) -> Any:
    return F.softplus(x, threshold=inf)  # as ONNX has it


K, C = sqrt(2 / pi), 0.044715
GELU = {
    "torch": lambda x: x * (F.erf(x / 1.4142135381698608) + 1.0) * 0.5,
    "dynamo": lambda x: 0.5 * (x * (F.erf(x / sqrt(2)) + 1.0)),
    "tensorflow": lambda x: 0.5 * x * (1.0 + F.erf(x / sqrt(2))),
    "keras": lambda x: x * 0.5 * (1.0 + F.erf(x * sqrt(0.5))),
    "distribution": lambda x: x * (0.5 * (1.0 + F.erf(x * sqrt(0.5)))),
    "jax": lambda x: x * ((F.erf(x / sqrt(2)) + 1.0) / 2.0),
    "halved": lambda x: (x / 2.0) * (F.erf(sqrt(0.5) * x) + 1.0),
    "distributed": lambda x: x * (0.5 * F.erf(x * sqrt(0.5)) + 0.5),
    "sum": lambda x: 0.5 * x + 0.5 * x * F.erf(x / sqrt(2)),
    "sum, halved": lambda x: (x + F.erf(x / sqrt(2)) * x) / 2.0,
    "signs": lambda x: -x * (-1.0 - F.erf(x / sqrt(2))) * 0.5,
}
GELU_TANH = {
    "power": lambda x: 0.5 * x * (1.0 + F.tanh(K * (x + C * x**3.0))),
    "dynamo": lambda x: 0.5 * (x * (1.0 + F.tanh(K * (x + C * x**3.0)))),
    "products": lambda x: x * 0.5 * (F.tanh((x + x * x * x * C) * K) + 1.0),
    "square": lambda x: 0.5 * x * (1.0 + F.tanh(x * K * (1.0 + C * x * x))),
    "squared": lambda x: 0.5 * x * (1.0 + F.tanh(x * (K + K * C * F.square(x)))),
    "distributed": lambda x: x * (0.5 + 0.5 * F.tanh(K * x + K * C * x**3.0)),
}
HARDSWISH = {
    "clipped": lambda x: x * F.relu6(x + 3.0) / 6.0,
    "inside": lambda x: x * (F.relu6(x + 3.0) / 6.0),
    "product": lambda x: x * (F.relu6(3.0 + x) * (1 / 6)),
    "divided": lambda x: (x / 6.0) * F.relu6(x + 3.0),
    "before": lambda x: x * (1 / 6) * F.hardtanh(x + 3.0, 0, 6),
    "pair": lambda x: x * F.minimum(F.maximum(x + 3.0, 0.0), 6.0) / 6.0,
    "pair, the other way": lambda x: F.maximum(F.minimum(x + 3.0, 6.0), 0.0) * x / 6.0,
    "relu": lambda x: F.minimum(F.relu(x - -3.0), 6.0) * x * (1 / 6),
    "hardsigmoid": lambda x: x * F.hardsigmoid(x),
    "float32": lambda x: F.hardsigmoid(x, float(np.float32(1 / 6)), 0.5) * x,
    "unit": lambda x: x * F.hardtanh(x / 6.0 + 0.5, 0, 1),
}
HARDSIGMOID = {
    "clipped": lambda x: F.relu6(x + 3.0) / 6.0,
    "product": lambda x: F.relu6(3.0 + x) * (1 / 6),
    "pair": lambda x: (1 / 6) * F.minimum(F.maximum(x + 3.0, 0.0), 6.0),
    "unit": lambda x: F.hardtanh(x / 6.0 + 0.5, 0, 1),
    "pair, unit": lambda x: F.maximum(F.minimum(x * (1 / 6) + 0.5, 1.0), 0.0),
}
SIGMOID = {
    "divided": lambda x: 1.0 / (1.0 + F.exp(-x)),
    "reciprocal": lambda x: F.reciprocal(F.exp(-x) + 1.0),
    "product": lambda x: F.reciprocal(F.exp(x * -1.0) + 1.0),
}
SILU = {
    "sigmoid": lambda x: x * F.sigmoid(x),
    "sigmoid first": lambda x: F.sigmoid(x) * x,
    "divided": lambda x: x / (1.0 + F.exp(-x)),
    "written out": lambda x: x * (1.0 / (1.0 + F.exp(-x))),
}
MISH = {
    "softplus": lambda x: x * F.tanh(softplus(x)),
    "threshold": lambda x: F.tanh(F.softplus(x)) * x,
    "log": lambda x: x * F.tanh(F.log(1.0 + F.exp(x))),
    "log1p": lambda x: x * F.tanh(F.log1p(F.exp(x))),
}
OTHERS = {
    "softsign": lambda x: x / (1.0 + F.abs(x)),
    "tanhshrink": lambda x: x - F.tanh(x),
    "relu": lambda x: F.maximum(x, 0.0),
    "leaky_relu": lambda x: F.maximum(x, 0.2 * x),
}

FORMS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "gelu": GELU,
    "gelu_tanh": GELU_TANH,
    "hardswish": HARDSWISH,
    "hardsigmoid": HARDSIGMOID,
    "sigmoid": SIGMOID,
    "silu": SILU,
    "mish": MISH,
    **{name: {"written out": form} for name, form in OTHERS.items()},
}
every_form = pytest.mark.parametrize(
    ("kind", "form"), [pytest.param(kind, form, id=f"{kind}-{way}") for kind, forms in FORMS.items() for way, form in forms.items()]
)


@every_form
def test_written_out_it_is_one_activation(kind, form):
    graph = after(form)
    assert names(graph) == [kind]
    assert graph.notes["activations recognised"] >= 1


@every_form
def test_in_float16_and_float64(kind, form):
    for dtype in ("float16", "float64"):
        if dtype == "float64" and form in (HARDSWISH["float32"], GELU["torch"]):
            continue  # constants of float32: see below
        assert names(after(form, dtype=dtype)) == [kind]


@every_form
def test_float16_values_move_by_rounding_alone(kind, form):
    def forward(x):
        return F.cast(form(x), "float32")

    graph = record(forward, X_SHAPE, dtype="float16")
    feeds = draw_feeds(graph)
    expected = truth(graph, feeds, np.float16)
    planned = Planned(record(forward, X_SHAPE, dtype="float16"), passes=RECOGNISE)
    assert planned.ops == [kind, "cast"]
    assert_true(planned.run(feeds)["0"], expected["0"])


SPECIAL = np.array([inf, -inf, np.nan, 0.0, -0.0, 1e30, -1e30, 1e-30, -1e-30, 90, -90, 20.5], np.float32)


def by_reference(graph: Graph, x: Any) -> Any:
    known: dict[Value, Any] = {graph.inputs["x0"]: x}
    for node in graph.nodes:
        with np.errstate(all="ignore"):
            known.update(zip(node.outputs, node.op.reference(np, *(v.data if v.is_constant else known[v] for v in node.inputs))))
    return known[graph.outputs["0"]]


@every_form
def test_nan_and_infinity_are_those_of_the_formula(kind, form):
    """Of large and small x too, as long as no square or product of it overflows that the result does not show."""
    graph = record(form, SPECIAL.shape)
    expected = by_reference(graph, SPECIAL)
    recognise_activations(graph)
    assert names(graph) == [kind]
    np.testing.assert_allclose(by_reference(graph, SPECIAL), expected, rtol=8 * EPS, atol=8 * EPS)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (1, 1, 1, 1)])
@pytest.mark.parametrize("form", [
    lambda x, n: x * (F.erf(x / n(sqrt(2))) + n(1)) * n(0.5),
    lambda x, n: n(0.5) * (x * (n(1) + F.erf(n(sqrt(0.5)) * x))),
    lambda x, n: x * F.minimum(F.maximum(x + n(3), n(0)), n(6)) / n(6),
    lambda x, n: F.maximum(n(0), F.minimum(n(6), n(3) + x)) * n(1 / 6) * x,
    lambda x, n: x * n(0.5) * (F.tanh((x + x ** n(3) * n(C)) * n(K)) + n(1)),
    lambda x, n: F.maximum(n(0.1) * x, x),
    lambda x, n: F.maximum(x, x / n(10)),
])  # fmt: skip
def test_a_constant_may_have_any_rank(form, shape):
    assert len(after(lambda x: form(x, lambda value: number(value, *shape))).nodes) == 1


@pytest.mark.parametrize("shape", [(1, 1, 1, 1, 1), (3, 1, 1), (7,)])
@pytest.mark.parametrize("form", [
    lambda x, n: x * (F.erf(x / n(sqrt(2))) + 1.0) * 0.5,
    lambda x, n: x * (F.erf(x / sqrt(2)) + 1.0) * n(0.5),
    lambda x, n: x * F.relu6(x + n(3)) / 6.0,
    lambda x, n: F.log1p(F.exp(x)) * n(1),
    lambda x, n: F.maximum(x, n(0)),
    lambda x, n: F.maximum(x, x * n(0.1)),
])  # fmt: skip
def test_a_constant_that_makes_the_shape_grow_stays(form, shape):
    graph = record(lambda x: form(x, lambda value: number(value, *shape)), X_SHAPE)
    recorded = names(graph)
    recognise_activations(graph)
    graph.check()
    assert names(graph)[-1] == recorded[-1]


# -- near misses


def near_misses() -> list[Any]:
    """Formulas with their constants as arguments, and each constant eight units in the last place off."""
    forms: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
        "gelu": (lambda x, a, b, c: a * x * (b + F.erf(x / c)), (0.5, 1.0, sqrt(2))),
        "gelu_tanh": (lambda x, a, b, c, d: a * x * (b + F.tanh(c * (x + d * x**3.0))), (0.5, 1.0, K, C)),
        "hardswish": (lambda x, a, b, c: x * F.minimum(F.maximum(x + a, 0.0), b) / c, (3.0, 6.0, 6.0)),
        "sigmoid": (lambda x, a, b: a / (b + F.exp(-x)), (1.0, 1.0)),
        "softsign": (lambda x, a: x / (a + F.abs(x)), (1.0,)),
        "mish": (lambda x, a: x * F.tanh(F.log(a + F.exp(x))), (1.0,)),
    }
    found = []
    for kind, (form, exact) in forms.items():
        for i, value in enumerate(exact):
            for off in (1 - 8 * EPS, 1 + 8 * EPS, 1.002):
                constants = (*exact[:i], value * off, *exact[i + 1 :])
                found.append(pytest.param(kind, form, exact, constants, id=f"{kind}-{i}-{off:.7f}"))
    return found


@pytest.mark.parametrize(("kind", "form", "exact", "constants"), near_misses())
def test_a_constant_that_is_a_little_off_stays(kind, form, exact, constants):
    assert names(after(lambda x: form(x, *exact))) == [kind]
    assert kind not in names(after(lambda x: form(x, *constants)))


def test_constants_of_float32_are_not_those_of_a_float64_formula():
    assert names(after(HARDSWISH["float32"], dtype="float64")) == ["hardsigmoid", "mul"]
    assert "gelu" not in names(after(lambda x: GELU["torch"](x), dtype="float64"))


@pytest.mark.parametrize(("kind", "form"), [
    ("silu", lambda x: x * F.sigmoid(1.702 * x)),
    ("silu", lambda x: x * F.sigmoid(F.tanh(x))),
    ("silu", lambda x: x * 2.0**24 * (F.sigmoid(x) * 2.0**-24)),  # an x that overflows there would not here
    ("silu", lambda x: x * F.sigmoid(-x)),
    ("silu", lambda x: x * x * F.sigmoid(x)),
    ("silu", lambda x: 2.0 * x * F.sigmoid(x) * x),
    ("sigmoid", lambda x: 1.0 / (1.0 + F.exp(x))),
    ("mish", lambda x: x * F.tanh(F.softplus(x, threshold=1.0))),
    ("mish", lambda x: x * F.tanh(F.softplus(x, beta=2.0))),
    ("gelu", lambda x: 0.5 * x * (1.0 - F.erf(x / sqrt(2)))),
    ("gelu", lambda x: 0.5 * x * F.erf(x / sqrt(2))),
    ("gelu_tanh", lambda x: 0.5 * x * (1.0 + F.tanh(K * (x + C * x**2.0)))),
    ("gelu_tanh", lambda x: 0.5 * x * (1.0 + F.tanh(K * x))),
    ("hardswish", lambda x: x * F.hardsigmoid(x, 0.2)),
    ("hardswish", lambda x: x * F.hardtanh(x + 3.0, -1.0, 6.0) / 6.0),
    ("hardswish", lambda x: x * F.relu6(x + 3.0)),
    ("hardsigmoid", lambda x: F.relu6(x + 3.0)),
    ("hardsigmoid", lambda x: F.hardtanh(x + 3.0, 1.0, 6.0) / 6.0),
    ("hardsigmoid", lambda x: F.relu6(x) / 6.0),
    ("leaky_relu", lambda x: F.maximum(x, 1.5 * x)),
    ("leaky_relu", lambda x: F.maximum(x, -0.1 * x)),
    ("leaky_relu", lambda x: F.minimum(x, 0.1 * x)),
    ("leaky_relu", lambda x: F.maximum(x, 0.1 * F.tanh(x))),
    ("softsign", lambda x: x / (1.0 - F.abs(x) * 0.01)),
    ("tanhshrink", lambda x: F.tanh(x) - x),
    ("tanhshrink", lambda x: x - F.tanh(2.0 * x)),
])  # fmt: skip
def test_what_is_another_formula_stays(kind, form):
    assert kind not in names(after(form))


@pytest.mark.parametrize("form", [lambda x, y: x * F.sigmoid(y), lambda x, y: 0.5 * x * (1.0 + F.erf(y / sqrt(2))),
                                  lambda x, y: x * F.relu6(y + 3.0) / 6.0, lambda x, y: F.maximum(x, 0.1 * y),
                                  lambda x, y: F.maximum(x, y)])  # fmt: skip
def test_two_variables_are_no_formula_of_one(form):
    graph = record(form, X_SHAPE, X_SHAPE)
    recorded = names(graph)
    recognise_activations(graph)
    assert names(graph) == recorded


def test_a_gate_that_is_broadcast_stays():
    """Squeeze and excitation: the sigmoid is of another value."""
    assert names(after(lambda x: x * F.sigmoid(F.global_avg_pool2d(x)))) == ["global_avg_pool", "sigmoid", "mul"]
    assert names(after(lambda x: x * (F.relu6(F.global_avg_pool2d(x) + 3.0) / 6.0))) == ["global_avg_pool", "hardsigmoid", "mul"]
    assert names(after(lambda x: x * F.sigmoid(x), (2, 3, 1, 1))) == ["silu"]


def test_integers_are_left_alone():
    for form in (lambda x: F.maximum(x, np.int32(0)), lambda x: F.minimum(F.maximum(x, np.int32(0)), np.int32(6))):
        graph = record(form, X_SHAPE, dtype="int32")
        recorded = names(graph)
        recognise_activations(graph)
        assert names(graph) == recorded


# -- what others need


def every_value_between(form: Callable[[Any], Any]) -> int:
    return len(record(form, X_SHAPE).nodes) - 1


@pytest.mark.parametrize("asked", [False, True], ids=["read", "asked for"])
@pytest.mark.parametrize(("kind", "form"), [
    ("gelu", GELU["torch"]), ("gelu", GELU["sum"]), ("gelu_tanh", GELU_TANH["products"]), ("hardswish", HARDSWISH["clipped"]),
    ("mish", MISH["softplus"]), ("silu", SILU["sigmoid"]), ("silu", SILU["divided"]), ("leaky_relu", OTHERS["leaky_relu"]),
])  # fmt: skip
def test_what_lies_between_and_is_needed_elsewhere_stays(kind, form, asked):
    for i in range(every_value_between(form)):

        def forward(x, i=i):
            y = form(x)
            between = y.graph.nodes[i].outputs[0]
            return y, between if asked else F.sin(between)

        assert kind not in names(after(forward)), i


def test_the_result_may_be_read_by_many_and_asked_for():
    def forward(x):
        y = GELU["torch"](F.sin(x))
        return F.cos(y) + y, y

    assert names(after(forward)) == ["sin", "gelu", "cos", "add"]


def test_the_variable_may_be_computed_by_arithmetic():
    """x is where the formula begins, not where arithmetic does."""
    assert names(after(lambda x: GELU["torch"](x * 2.0 + 1.0))) == ["mul", "add", "gelu"]
    assert names(after(lambda x, y: HARDSWISH["clipped"](x + y), X_SHAPE, X_SHAPE)) == ["add", "hardswish"]
    assert names(after(lambda x: GELU["torch"](SILU["divided"](HARDSWISH["pair"](x))))) == ["hardswish", "silu", "gelu"]


def test_the_name_of_the_result_stays():
    graph = record(lambda x: F.relu(GELU["torch"](x)), X_SHAPE)
    name = graph.nodes[-2].outputs[0].name
    recognise_activations(graph)
    assert (graph.nodes[0].name, graph.nodes[0].outputs[0].name) == (name, name)


# -- in a net


@pytest.mark.parametrize("passes", [PASSES, PASSES_FLOAT16], ids=["float32", "float16"])
@every_form
def test_behind_a_convolution_it_is_fused(kind, form, passes):
    weight = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    planned = Planned(record(lambda x: form(F.conv2d(x, weight)), X_SHAPE), passes=passes)
    convs = [step.node.op for step in planned.plan.steps if isinstance(step.node.op, Conv)]
    assert [str(op.epilogue) for op in convs] == [kind]
    assert [op for op in planned.ops if op not in ("conv2d", "cast", "reorder")] == []


def test_a_long_chain_costs_time_in_proportion():
    """The formulas looked at do not grow with what stands before them."""

    def steps(count: int) -> int:
        graph = record(lambda x: reduce(lambda y, i: F.tanh(y * (1.5 + y)) * y, range(count), x), (2, 3))
        asked = 0
        is_step = formulas._is_step

        def counted(node):
            nonlocal asked
            asked += 1
            return is_step(node)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(formulas, "_is_step", counted)
            recognise_activations(graph)
        return asked

    assert 0 < steps(120) - steps(80) == steps(80) - steps(40)


# -- formulas


def test_formulas_are_equal_whatever_their_order():
    assert (0.5 * X * (1 + erf(X / 2))).equals(X * erf(0.5 * X) / 2 + X / 2, 0.0)
    assert not (0.5 * X * (1 + erf(X / 2))).equals(X * erf(nextafter(0.5, 1) * X * (1 + EPS)) / 2 + X / 2, 0.0)
    assert not (X + 1).equals(X + exp(X), 1.0)
    assert not (X * X).equals(X, 1.0)
