"""Formulas of one variable as sums of products, so that every order in which they can be written down compares equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..graph import Node, Value
from ..ops import Activation, Binary, Unary
from .numbers import scalar

__all__ = ["Coefficient", "Formula", "X", "abs_", "clip", "erf", "exp", "log", "read", "sigmoid", "softplus", "tanh", "variables"]

_NODES = 12
"""The largest formula of exporters has ten nodes."""

_READS = 32
"""How often a node is read, at most, before a graph is taken to be no formula: what is read twice is computed twice here."""

_MILD = 2.0**20
"""Constants beyond are no part of a formula: on their way to one, values would overflow that do not here."""


class _Unreadable(Exception):  # noqa: N818 (nothing went wrong)
    """What stands there is no formula of the variable, or none that a table here could have."""


@dataclass(frozen=True)
class Coefficient:
    """A number, and how many constants of the graph went into it, each rounded by its exporter."""

    value: float
    roundings: int = 0

    def is_near(self, exact: float, eps: float) -> bool:
        """Whether it is ``exact`` but for the last place of each constant."""
        return abs(self.value - exact) <= (self.roundings * eps + 2.0**-50) * abs(exact)


@dataclass(frozen=True, eq=False)
class Function:
    """A function of a formula: a factor that is not broken up."""

    kind: str
    of: Formula


Product = tuple[int, Function | None]
"""A power of the variable, times a function or nothing."""


class Formula:
    """A sum of coefficients times powers of one variable times at most one function; equal ones have equal terms.

    Parameters
    ----------
    terms : mapping of (power, function or None) to Coefficient
    """

    def __init__(self, terms: Mapping[Product, Coefficient]) -> None:
        self.terms = terms

    @classmethod
    def number(cls, value: float, roundings: int = 0) -> Formula:
        """A constant."""
        return cls({(0, None): Coefficient(value, roundings)})

    def __add__(self, other: Formula | float) -> Formula:
        addend = _formula(other)
        if self.terms.keys() & addend.terms.keys():
            raise _Unreadable  # like terms: nobody writes them, and where they cancel no rounding is small
        return Formula({**self.terms, **addend.terms})

    def __mul__(self, other: Formula | float) -> Formula:
        made: dict[Product, Coefficient] = {}
        for (p, f), a in self.terms.items():
            for (q, g), b in _formula(other).terms.items():
                key = p + q, f or g
                if (f and g) or key in made or p + q > 3:
                    raise _Unreadable
                made[key] = Coefficient(a.value * b.value, a.roundings + b.roundings)
        return Formula(made)

    def __truediv__(self, other: Formula | float) -> Formula:
        divisor = _formula(other)
        number = divisor.terms.get((0, None))
        if number is None or len(divisor.terms) > 1:
            return self * _function("reciprocal")(divisor)
        return self * Formula.number(1 / number.value, number.roundings)

    def __neg__(self) -> Formula:
        return self * -1.0

    def __sub__(self, other: Formula | float) -> Formula:
        return self + -_formula(other)

    def __rsub__(self, other: float) -> Formula:
        return _formula(other) - self

    def __rtruediv__(self, other: float) -> Formula:
        return _formula(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def equals(self, exact: Formula, eps: float) -> bool:
        """Whether the terms are those of ``exact``, the coefficients to the last place of a type with that eps."""
        return len(self.terms) == len(exact.terms) and all(
            any(_same_product(mine, theirs, eps) and a.is_near(b.value, eps) for mine, a in self.terms.items())
            for theirs, b in exact.terms.items()
        )

    def as_hardsigmoid(self, eps: float) -> tuple[Coefficient, Coefficient] | None:
        """alpha and beta, where this is ``min(max(alpha·x + beta, 0), 1)`` and neither is 0."""
        ((_, function), coefficient), *more = self.terms.items()
        if more or function is None or function.kind != "unit" or not coefficient.is_near(1.0, eps):
            return None
        line = function.of.terms
        if line.keys() != {(1, None), (0, None)} or any(power for power, f in self.terms):
            return None
        return line[1, None], line[0, None]


def _same_product(a: Product, b: Product, eps: float) -> bool:
    (p, f), (q, g) = a, b
    if p != q or f is None or g is None:
        return p == q and f is g
    return f.kind == g.kind and f.of.equals(g.of, eps)


def _formula(value: Formula | float) -> Formula:
    return value if isinstance(value, Formula) else Formula.number(value)


def _function(kind: str) -> Callable[[Formula], Formula]:
    return lambda of: Formula({(0, Function(kind, of)): Coefficient(1.0)})


X = Formula({(1, None): Coefficient(1.0)})
"""The variable."""

erf, tanh, sigmoid, softplus = map(_function, ("erf", "tanh", "sigmoid", "softplus"))
exp, log, abs_ = map(_function, ("exp", "log", "abs"))


def clip(of: Formula, high: float | Formula) -> Formula:
    """``min(max(of, 0), high)``, as a multiple of what is clipped to 0…1."""
    return _function("unit")(of / high) * high


_UNARY: dict[str, Callable[[Formula], Formula]] = {
    "neg": lambda f: -f,
    "square": lambda f: f * f,
    "reciprocal": lambda f: 1.0 / f,
    "exp": exp,
    "log": log,
    "log1p": lambda f: log(1.0 + f),
    "abs": abs_,
}

_BINARY: dict[str, Callable[[Formula, Formula], Formula]] = {
    "add": lambda f, g: f + g,
    "sub": lambda f, g: f - g,
    "mul": lambda f, g: f * g,
    "div": lambda f, g: f / g,
}

_BENT = 20.0
"""From here on softplus is x to the last place, so that a threshold above changes nothing that tanh would show."""


def _apply_activation(op: Activation, f: Formula) -> Formula:
    match op:
        case Activation("erf" | "tanh" | "sigmoid"):
            return _function(op.kind)(f)
        case Activation("softplus", 1.0, threshold) if threshold >= _BENT:
            return softplus(f)
        case Activation("hardsigmoid", alpha, beta) if 1 / _MILD <= abs(alpha) <= _MILD:
            line = f * Formula.number(alpha, 1)
            return clip(line + Formula.number(beta, 1) if beta else line, 1.0)
        case Activation("clip", 0.0, high) if 1 / _MILD <= high <= _MILD:
            return clip(f, Formula.number(high, 1))
        case _:
            raise _Unreadable


def _apply_binary(node: Node, of: Callable[[Value], Formula]) -> Formula:
    assert isinstance(node.op, Binary)
    x, y = node.inputs
    assert x is not None
    assert y is not None
    if node.op.kind != "pow":
        return _BINARY[node.op.kind](of(x), of(y))
    match scalar(y):
        case 2.0:
            return of(x) * of(x)
        case 3.0:
            return of(x) * of(x) * of(x)
        case _:
            raise _Unreadable


def _is_step(node: Node | None) -> bool:
    """Whether a node may be a step of a formula."""
    match node:
        case Node(op=Binary(kind)):
            return kind in _BINARY or kind == "pow"
        case Node(op=Unary(kind)):
            return kind in _UNARY
        case Node(op=Activation(kind)):
            return kind in ("erf", "tanh", "sigmoid", "softplus", "hardsigmoid", "clip")
        case _:
            return False


def _bends(node: Node) -> bool:
    return isinstance(node.op, Activation) or (isinstance(node.op, Unary) and node.op.kind in ("exp", "abs"))


def variables(last: Node) -> list[Value]:
    """What a formula that ends in a node may be a formula of, the furthest from it first; nothing where there is none.

    There is none of a single step, and none without a function in it.
    """
    steps, found, bends = [last], dict[Value, None](), _bends(last)
    for node in steps:
        for v in node.inputs:
            if v is not None and not v.is_constant and v not in found:
                found[v] = None
                if v.producer is not None and _is_step(v.producer) and len(steps) < _NODES:
                    steps.append(v.producer)
                    bends = bends or _bends(v.producer)
    return list(found)[::-1] if bends and len(steps) > 1 else []


def read(last: Node, x: Value) -> tuple[Formula, set[Node]] | None:
    """What a node computes, as a formula of x, and the nodes that do; None where it is none.

    No step may change the shape: a constant is a number, whatever its rank.
    """
    nodes: set[Node] = set()
    left = _READS

    def of(value: Value) -> Formula:
        nonlocal left
        left -= 1
        if value is x:
            return X
        number = scalar(value)
        if number is not None and (number == 0 or not 1 / _MILD <= abs(number) <= _MILD):
            raise _Unreadable
        if number is not None:
            return Formula.number(number, 1)
        node = value.producer
        if node is None or left < 0 or value.shape != x.shape or value.dtype != x.dtype or not _is_step(node):
            raise _Unreadable
        nodes.add(node)
        if isinstance(node.op, Binary):
            return _apply_binary(node, of)
        (only,) = node.inputs
        assert only is not None
        return _apply_activation(node.op, of(only)) if isinstance(node.op, Activation) else _UNARY[_kind(node)](of(only))

    try:
        return of(last.outputs[0]), nodes
    except _Unreadable:
        return None


def _kind(node: Node) -> str:
    assert isinstance(node.op, Unary)
    return node.op.kind
