"""Patterns of nodes, written as the formulas that they are of: ``x / sqrt(mean(square(x)) + eps)``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..graph import Node, Value
from ..ops import Activation, Binary, Expand, GlobalAvgPool, Reduce, Unary
from .numbers import scalar

__all__ = [
    "Anything", "Constant", "Found", "Number", "Pattern", "amax", "at_least", "exp", "expanded", "find", "inverse_root", "mean", "norm",
    "over", "root", "square", "total",
]  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What the names in a pattern stand for, and the nodes that it covers."""

    names: Mapping[str, Any]
    nodes: frozenset[Node] = frozenset()

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    def but(self, names: Mapping[str, Any], *nodes: Node) -> Found | None:
        """With more in it; None where a name stands for something else already."""
        if any(name in self.names and not _same(self.names[name], thing) for name, thing in names.items()):
            return None
        return Found({**self.names, **names}, self.nodes.union(nodes))


def _same(a: Any, b: Any) -> bool:
    return a is b if isinstance(a, Value) else bool(a == b)


Ways = Iterator[Found]


class Pattern:
    """Something that a value may be made as. Arithmetic on patterns is the pattern of that arithmetic."""

    def ways(self, value: Value, found: Found) -> Ways:
        """All ways in which the value is this, together with what is found already."""
        raise NotImplementedError

    def __or__(self, other: Pattern) -> Pattern:
        return _Either((self, other))

    def __add__(self, other: Pattern) -> Pattern:
        return _Made(_binary("add"), (self, other), commutes=True)

    def __sub__(self, other: Pattern) -> Pattern:
        return _Made(_binary("sub"), (self, other))

    def __mul__(self, other: Pattern) -> Pattern:
        return _Made(_binary("mul"), (self, other), commutes=True)

    def __truediv__(self, other: Pattern) -> Pattern:
        return _Made(_binary("div"), (self, other))

    def __pow__(self, exponent: float) -> Pattern:
        return _Made(_binary("pow"), (self, Number(exponent)))

    def __neg__(self) -> Pattern:
        return _Made(_unary("neg"), (self,))


@dataclass(frozen=True)
class Anything(Pattern):
    """Any value that is computed, the same wherever the name stands."""

    name: str

    def ways(self, value: Value, found: Found) -> Ways:
        """One, or none."""
        more = None if value.is_constant else found.but({self.name: value})
        if more is not None:
            yield more


@dataclass(frozen=True)
class Constant(Pattern):
    """A constant, of any shape."""

    name: str

    def ways(self, value: Value, found: Found) -> Ways:
        """One, or none."""
        more = found.but({self.name: value}) if value.is_constant else None
        if more is not None:
            yield more


@dataclass(frozen=True)
class Number(Pattern):
    """A constant of one element: the number given, or any that a name then stands for."""

    is_: float | str

    def ways(self, value: Value, found: Found) -> Ways:
        """One, or none."""
        number = scalar(value)
        if number is None:
            return
        more = found.but({self.is_: number}) if isinstance(self.is_, str) else found if number == self.is_ else None
        if more is not None:
            yield more


@dataclass(frozen=True)
class _Either(Pattern):
    patterns: tuple[Pattern, ...]

    def ways(self, value: Value, found: Found) -> Ways:
        for pattern in self.patterns:
            yield from pattern.ways(value, found)


@dataclass(frozen=True)
class _Made(Pattern):
    """Made by a node of which ``reads`` gives the names that its op settles, or None where the op is another one."""

    reads: Callable[[Node], Mapping[str, Any] | None]
    arguments: tuple[Pattern, ...]
    commutes: bool = False

    def ways(self, value: Value, found: Found) -> Ways:
        node = value.producer
        names = self.reads(node) if node is not None else None
        more = None if node is None or names is None else found.but(names, node)
        if node is None or more is None:
            return
        inputs = node.inputs[: len(self.arguments)]
        yield from _all_ways(self.arguments, inputs, more)
        if self.commutes and inputs[0] is not inputs[1]:
            yield from _all_ways(self.arguments, inputs[::-1], more)


def _all_ways(patterns: tuple[Pattern, ...], values: tuple[Value | None, ...], found: Found) -> Ways:
    if not patterns:
        yield found
    elif values[0] is not None:
        for more in patterns[0].ways(values[0], found):
            yield from _all_ways(patterns[1:], values[1:], more)


def find(pattern: Pattern, node: Node) -> Found | None:
    """What a pattern that ends in a node covers, in the first way that there is."""
    return next(pattern.ways(node.outputs[0], Found({})), None)


# -- ops


def _binary(kind: str) -> Callable[[Node], Mapping[str, Any] | None]:
    return lambda node: {} if node.op == Binary(kind) else None


def _unary(kind: str) -> Callable[[Node], Mapping[str, Any] | None]:
    return lambda node: {} if node.op == Unary(kind) else None


def _reduced(kind: str) -> Callable[[Node], Mapping[str, Any] | None]:
    """Axes that stay, of size 1."""

    def reads(node: Node) -> Mapping[str, Any] | None:
        (x, *_), op = node.inputs, node.op
        assert x is not None
        if kind == "mean" and isinstance(op, GlobalAvgPool):
            return {"axes": tuple(range(2, x.ndim))}
        if not isinstance(op, Reduce) or op.kind != kind or not op.keepdim:
            return None  # one in another type does not meet x again without a cast
        return {"axes": op.axes(x.ndim), "p": op.p} if kind == "norm" else {"axes": op.axes(x.ndim)}

    return reads


def _clipped_below(node: Node) -> Mapping[str, Any] | None:
    match node.op:
        case Activation("clip", low, high) if high == float("inf"):
            return {"least": low}
        case _:
            return None


def _is_expanded(node: Node) -> Mapping[str, Any] | None:
    return {} if isinstance(node.op, Expand) else None


def exp(v: Pattern) -> Pattern:
    """``exp(v)``."""
    return _Made(_unary("exp"), (v,))


def mean(v: Pattern) -> Pattern:
    """The mean along ``axes``, which stay."""
    return _Made(_reduced("mean"), (v,))


def total(v: Pattern) -> Pattern:
    """The sum along ``axes``, which stay."""
    return _Made(_reduced("sum"), (v,))


def amax(v: Pattern) -> Pattern:
    """The largest along ``axes``, which stay."""
    return _Made(_reduced("amax"), (v,))


def norm(v: Pattern) -> Pattern:
    """The norm of the power ``p`` along ``axes``, which stay."""
    return _Made(_reduced("norm"), (v,))


def sum_of_squares(v: Pattern) -> Pattern:
    """The sum of squares along ``axes``, which stay."""
    return _Made(_reduced("sum_square"), (v,)) | total(square(v))


def square(v: Pattern) -> Pattern:
    """``v²``, however it is computed."""
    return _Made(_binary("mul"), (v, v)) | v**2.0 | _Made(_unary("square"), (v,))


def root(v: Pattern) -> Pattern:
    """``√v``, however it is computed."""
    return _Made(_unary("sqrt"), (v,)) | v**0.5


def inverse_root(v: Pattern) -> Pattern:
    """``1/√v``, however it is computed."""
    return _Made(_unary("rsqrt"), (v,)) | _Made(_unary("reciprocal"), (root(v),)) | Number(1.0) / root(v) | v**-0.5


def over(v: Pattern, divisor: Pattern) -> Pattern:
    """``v/divisor``, by division or as a product."""
    return v / divisor | v * _Made(_unary("reciprocal"), (divisor,)) | v * (Number(1.0) / divisor)


def at_least(v: Pattern) -> Pattern:
    """``max(v, least)``."""
    return _Made(_clipped_below, (v,)) | _Made(_binary("maximum"), (v, Number("least")), commutes=True)


def expanded(v: Pattern) -> Pattern:
    """v, or v repeated to some shape."""
    return v | _Made(_is_expanded, (v,))
