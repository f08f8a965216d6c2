"""Activations written out as hypothesis draws: in every order they are recognised, and arithmetic at random keeps its values."""

from __future__ import annotations

from math import sqrt
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_passes_patterns import RECOGNISE, X_SHAPE, C, K, number, softplus
from truth import Planned, assert_true, draw_feeds, record, truth

from gpucnn import functional as F

PROFILE = settings(max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


class Writer:
    """Writes formulas down as hypothesis draws: factors and terms in any order and association, constants of any rank, inverted or not."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def of(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def constant(self, value: float) -> Any:
        return number(value, *self.of((), (1,), (1, 1, 1, 1)))

    def pair(self, parts: list[Any]) -> tuple[Any, Any, list[Any]]:
        order = self.draw(st.permutations(range(len(parts))))
        first, second, *rest = (parts[i] for i in order)
        return first, second, rest

    def times(self, *factors: Any) -> Any:
        parts = list(factors)
        while len(parts) > 1:
            a, b, rest = self.pair(parts)
            if isinstance(a, float) and isinstance(b, float):
                made: Any = a * b
            elif isinstance(b, float):
                made = a / self.constant(1 / b) if self.of(True, False) else a * self.constant(b)
            elif isinstance(a, float):
                made = self.constant(a) * b
            else:
                made = a * b
            parts = [*rest, made]
        return parts[0]

    def plus(self, *terms: Any) -> Any:
        parts = list(terms)
        while len(parts) > 1:
            a, b, rest = self.pair(parts)
            if isinstance(b, float):
                made = a - self.constant(-b) if self.of(True, False) else a + self.constant(b)
            else:
                made = (self.constant(a) if isinstance(a, float) else a) + b
            parts = [*rest, made]
        return parts[0]

    def square(self, x: Any) -> Any:
        return self.of(lambda: x * x, lambda: F.square(x), lambda: x ** self.constant(2.0))()

    def cube(self, x: Any) -> Any:
        return self.of(lambda: self.times(x, x, x), lambda: x ** self.constant(3.0), lambda: self.times(self.square(x), x))()

    def clip(self, x: Any, high: float) -> Any:
        low, top = self.constant(0.0), self.constant(high)
        return self.of(
            lambda: F.hardtanh(x, 0, high),
            lambda: F.minimum(F.maximum(x, low), top),
            lambda: F.maximum(F.minimum(top, x), low),
            lambda: F.minimum(F.relu(x), top),
        )()

    def gated(self, x: Any, function: Any) -> Any:
        """``x/2·(1 + function)``."""
        return self.of(
            lambda: self.times(0.5, x, self.plus(1.0, function)),
            lambda: self.times(x, self.plus(0.5, self.times(0.5, function))),
            lambda: self.times(0.5, self.plus(x, self.times(x, function))),
        )()

    def gelu(self, x: Any) -> Any:
        return self.gated(x, F.erf(self.times(x, sqrt(0.5))))

    def gelu_tanh(self, x: Any) -> Any:
        line = self.of(
            lambda: self.times(K, self.plus(x, self.times(C, self.cube(x)))),
            lambda: self.times(K, x, self.plus(1.0, self.times(C, self.square(x)))),
            lambda: self.plus(self.times(K, x), self.times(K * C, self.cube(x))),
        )()
        return self.gated(x, F.tanh(line))

    def hardswish(self, x: Any) -> Any:
        return self.of(
            lambda: self.times(x, self.clip(self.plus(x, 3.0), 6.0), 1 / 6),
            lambda: self.times(x, self.clip(self.plus(self.times(x, 1 / 6), 0.5), 1.0)),
            lambda: self.times(x, F.hardsigmoid(x)),
        )()

    def silu(self, x: Any) -> Any:
        return self.times(x, self.of(lambda: F.sigmoid(x), lambda: F.reciprocal(self.plus(1.0, F.exp(-x))))())

    def mish(self, x: Any) -> Any:
        return self.times(x, F.tanh(self.of(lambda: softplus(x), lambda: F.log(self.plus(1.0, F.exp(x))))()))


@PROFILE
@given(st.data())
def test_every_order_of_sums_and_products(data):
    kind = data.draw(st.sampled_from(["gelu", "gelu_tanh", "hardswish", "silu", "mish"]))
    graph = record(lambda x: getattr(Writer(data.draw), kind)(x), X_SHAPE)
    feeds = draw_feeds(graph)
    expected = truth(graph, feeds)
    planned = Planned(graph, passes=RECOGNISE)
    assert planned.ops == [kind], str(graph)
    assert_true(planned.run(feeds)["0"], expected["0"])


def step(draw: Any, values: list[Any]) -> Any:
    """Any small piece of arithmetic on the latest values."""
    a, b = (draw(st.sampled_from(values[-3:])) for _ in range(2))
    c = draw(st.sampled_from([0.5, 1.0, 3.0, 6.0, 1 / 6, -1.0, sqrt(0.5)]))
    return draw(st.sampled_from([
        lambda: a + c, lambda: a * c, lambda: a / c, lambda: c - a, lambda: a * b, lambda: a + b, lambda: F.sigmoid(a),
        lambda: F.tanh(a), lambda: F.erf(a), lambda: F.relu6(a), lambda: F.maximum(a, c), lambda: F.minimum(a, c),
        lambda: F.relu(a), lambda: F.hardsigmoid(a), lambda: F.maximum(a, b), lambda: F.softplus(a), lambda: F.maximum(a * 0.5, a),
    ]))()  # fmt: skip


@PROFILE
@given(st.data())
def test_arithmetic_at_random_keeps_its_values(data):
    """Whatever is recognised in it."""

    def forward(x):
        values = [x]
        for _ in range(data.draw(st.integers(2, 10))):
            values.append(step(data.draw, values))
        return values[-1], *data.draw(st.lists(st.sampled_from(values[1:]), max_size=1))

    graph = record(forward, (2, 3))
    feeds = draw_feeds(graph)
    expected = truth(graph, feeds)
    for name, y in Planned(graph, passes=RECOGNISE).run(feeds).items():
        assert_true(y, expected[name])
