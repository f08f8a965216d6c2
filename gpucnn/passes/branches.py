"""``Branch``: what a sum of convolutions makes of one value, and the one convolution that makes the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd, prod
from typing import Any

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Conv
from ..spec import Array
from .affine import Affine, Wide, as_precise, names_of, rounded, wide

__all__ = ["Branch"]

_AT_ONCE = 1 << 22
"""Elements of a weight that are summed up in float64 at once."""


@dataclass(frozen=True)
class _Reach:
    """Along one axis, the pixels that output i sees: ``i·stride + first`` and so on by ``step``, with ``after`` zeros behind x."""

    first: int
    count: int
    step: int
    after: int

    @property
    def last(self) -> int:
        return self.first + (self.count - 1) * self.step

    def part_of(self, whole: _Reach) -> slice:
        """Which taps of a reach that holds this one it has."""
        begin, step = (self.first - whole.first) // whole.step, self.step // whole.step if self.count > 1 else 1
        return slice(begin, begin + (self.count - 1) * step + 1, step)


def _around(several: Sequence[_Reach]) -> _Reach:
    """The smallest reach that holds all; they give as many outputs, and so does it."""
    first, furthest = min(r.first for r in several), max(several, key=lambda r: r.last)
    step = gcd(*(r.step for r in several if r.count > 1), *(r.first - first for r in several)) or 1
    return _Reach(first, (furthest.last - first) // step + 1, step, furthest.after)


@dataclass(frozen=True)
class _Part:
    """``scale·conv(x)`` without its bias, or ``scale·x`` where there is no convolution. The scale is a vector of k, or one number."""

    x: Value
    conv: Node | None
    scale: Wide

    @property
    def weight(self) -> Array:
        """(k, c/groups, …): of x itself, one tap of 1 in as many groups as there are channels."""
        if self.conv is None:
            return np.ones((self.x.shape[1], 1, *(1,) * (self.x.ndim - 2)), self.x.dtype)
        assert self.conv.inputs[1] is not None
        return np.asarray(self.conv.inputs[1].data)

    @property
    def groups(self) -> int:
        return self.conv.op.groups if self.conv is not None and isinstance(self.conv.op, Conv) else self.x.shape[1]

    @property
    def reaches(self) -> tuple[_Reach, ...]:
        if self.conv is None:
            return (_Reach(0, 1, 1, 0),) * (self.x.ndim - 2)
        op, (x, weight) = self.conv.op, self.conv.specs[:2]
        assert isinstance(op, Conv)
        assert x is not None
        assert weight is not None
        return tuple(_Reach(-a, n, d, b) for (a, b), n, d in zip(op.pads(x, weight), weight.shape[2:], op.dilation))

    def add_to(self, total: Wide, rows: slice, groups: int, reaches: Sequence[_Reach]) -> None:
        """Add the weights of some outputs to those of a convolution that has no more groups, and reaches as far."""
        weight, own = self.weight, self.groups
        each = wide(weight[rows]) * (self.scale[rows] if self.scale.ndim else self.scale).reshape(-1, *(1,) * (weight.ndim - 1))
        at: tuple[Any, ...] = (..., *(mine.part_of(whole) for mine, whole in zip(self.reaches, reaches)))
        seen = total[at]
        if own == groups:
            seen += each
            return
        k, c = weight.shape[0], self.x.shape[1]
        output = np.arange(rows.start, rows.stop)[:, None]
        first = output // (k // own) * (c // own) - output // (k // groups) * (c // groups)  # input in the group of the sum
        seen[output - rows.start, first + np.arange(c // own)] += each


@dataclass(frozen=True)
class Branch:
    """``Σ scale·conv(x) + shift``, computed in float64: a sum that may become one convolution.

    Attributes
    ----------
    x : Value
    parts : tuple
    shift : array
        A vector of k, or one number.
    nodes : tuple of Node
        What computes it, the last its result; none where it is x itself.
    text : str
        What is in it, for the names of its weights.
    """

    x: Value
    parts: tuple[_Part, ...]
    shift: Wide
    nodes: tuple[Node, ...]
    text: str

    @staticmethod
    def of(x: Value) -> Branch:
        """The value itself."""
        return Branch(x, (_Part(x, None, np.array(1.0)),), np.array(0.0), (), "x")

    @staticmethod
    def of_conv(node: Node) -> Branch | None:
        """A convolution with constants and no epilogue; None of anything else."""
        if not isinstance(node.op, Conv) or node.op.epilogue or any(v is not None for v in node.inputs[3:]):
            return None
        x, weight, bias = (*node.inputs, None)[:3]
        if x is None or weight is None or not weight.is_constant or not (bias is None or bias.is_constant):
            return None
        part = _Part(x, node, np.array(1.0))
        at = ",".join(f"{r.first}:{r.step}" for r in part.reaches)  # the same weights may lie elsewhere for images of another size
        return Branch(x, (part,), np.array(0.0) if bias is None else wide(bias.data), (node,), f"{names_of((weight, bias))} at {at}")

    @staticmethod
    def sum_of(branches: Sequence[Branch], signs: Sequence[int], nodes: Sequence[Node] = ()) -> Branch:
        """Their sum, of which ``nodes`` are the additions."""
        parts = tuple(replace(p, scale=sign * p.scale) for b, sign in zip(branches, signs) for p in b.parts)
        shift = sum((sign * b.shift for b, sign in zip(branches, signs)), np.array(0.0))
        text = " ".join(f"{'+' if sign > 0 else '-'} ({b.text})" for b, sign in zip(branches, signs))
        return Branch(branches[0].x, parts, shift, (*(n for b in branches for n in b.nodes), *nodes), text)

    def before(self, step: Affine, node: Node) -> Branch:
        """With an affine step behind it."""
        scale = np.array(1.0) if step.scale is None else step.scale
        parts = tuple(replace(p, scale=p.scale * scale) for p in self.parts)
        return Branch(self.x, parts, step.apply(self.shift), (*self.nodes, node), f"{self.text}; {step.text}")

    @property
    def has_conv(self) -> bool:
        """Whether there is any in it."""
        return any(p.conv is not None for p in self.parts)

    @property
    def stride(self) -> tuple[int, ...]:
        """Of its convolutions, which all have the same."""
        found = (p.conv.op.stride for p in self.parts if p.conv is not None and isinstance(p.conv.op, Conv))
        return next(found, (1,) * (self.x.ndim - 2))

    @property
    def cost(self) -> int:
        """Multiply-adds that an output takes in one convolution for all."""
        return self.x.shape[1] // self._groups * prod(r.count for r in self._reaches)

    @property
    def _groups(self) -> int:
        return gcd(*(p.groups for p in self.parts))

    @property
    def _reaches(self) -> tuple[_Reach, ...]:
        return tuple(_around(along) for along in zip(*(p.reaches for p in self.parts)))

    def convolution(self, graph: Graph) -> tuple[Conv, tuple[Value | None, ...]] | None:
        """The one convolution, and what it reads; None where its weights cannot hold what they should."""
        groups, reaches = self._groups, self._reaches
        convs = [p.conv for p in self.parts if p.conv is not None]
        weight = self._summed(groups, reaches)
        biases = [n.inputs[2] for n in convs if len(n.inputs) > 2]
        dtype = next((b.dtype for b in biases if b is not None), self.x.dtype)
        if weight is None:
            return None
        bias = None
        if self.shift.any():
            addend = rounded(np.broadcast_to(self.shift, weight.shape[:1]), dtype)
            if addend is None:
                return None
            bias = graph.constant(addend, f"merge.bias({self.text})")
        padding = tuple((-r.first, r.after) for r in reaches)
        op = Conv(self.stride, padding, tuple(r.step for r in reaches), groups)
        return op, (self.x, graph.constant(weight, f"merge({self.text})"), bias)

    def _summed(self, groups: int, reaches: Sequence[_Reach]) -> Array | None:
        """The weight, summed up in float64 and rounded once, without a float64 copy of the whole; None where the type cannot hold it."""
        weights = [p.weight for p in self.parts]
        k = weights[0].shape[0]
        out = np.empty((k, self.x.shape[1] // groups, *(r.count for r in reaches)), self.x.dtype)
        rows = max(1, _AT_ONCE // max(1, prod(out.shape[1:])))
        with np.errstate(all="ignore"):
            for begin in range(0, k, rows):
                some = slice(begin, min(k, begin + rows))
                total = np.zeros((some.stop - begin, *out.shape[1:]))
                for part in self.parts:
                    part.add_to(total, some, groups, reaches)
                out[some] = total
        return out if np.isfinite(out).all() and as_precise(out, weights) else None
