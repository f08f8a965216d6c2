"""Recognise normalisation that is written out as means, differences and quotients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Binary, Flatten, GroupNorm, LayerNorm, Normalize, Op, Reshape, Transpose
from .patterns import (
    Anything,
    Constant,
    Number,
    Pattern,
    at_least,
    expanded,
    find,
    inverse_root,
    mean,
    norm,
    over,
    root,
    square,
    sum_of_squares,
)
from .rewriter import Rewriter

__all__ = ["recognise_norms"]

_X, _EPS = Anything("x"), Number("eps")


def _over_root(v: Pattern, variance: Pattern) -> Pattern:
    return v / root(variance) | v * inverse_root(variance)


_CENTRED = _X - mean(_X)
_VARIANCE = mean(square(_CENTRED)) + _EPS
_LAYER_NORM = _over_root(_CENTRED, _VARIANCE)
_RMS_NORM = _over_root(_X, mean(square(_X)) + _EPS)

_PLAIN = inverse_root(_VARIANCE)
_SCALED = _PLAIN * Constant("weight")
_KERAS = tuple(
    _X * scale + shift
    for scale in (_SCALED, _PLAIN)
    for shift in (Constant("bias") - mean(_X) * scale, -mean(_X) * scale + Constant("bias"), -mean(_X) * scale)
) + tuple(_X * scale - mean(_X) * scale for scale in (_SCALED, _PLAIN))
"""``x·s + (bias − mean·s)`` with ``s = weight/√(var + eps)``, as Keras computes it."""

_BOUNDED = over(_X, expanded(at_least(norm(_X) | root(sum_of_squares(_X)))))
_UNBOUNDED = over(_X, expanded(norm(_X) | root(sum_of_squares(_X)))) | _X * inverse_root(sum_of_squares(_X))
_SQUARE_BOUNDED = _X * inverse_root(at_least(sum_of_squares(_X)))

_STANDARD: dict[str, tuple[tuple[Pattern, bool], ...]] = {
    "div": ((_LAYER_NORM, True), (_RMS_NORM, False)),
    "mul": ((_LAYER_NORM, True), (_RMS_NORM, False)),
    "add": tuple((pattern, True) for pattern in _KERAS),
    "sub": tuple((pattern, True) for pattern in _KERAS),
}
"""Patterns by the kind of their last node, and whether the mean is subtracted in them."""

_NORMALIZE: tuple[tuple[Pattern, Callable[[float], float]], ...] = (
    (_BOUNDED, lambda least: least),
    (_SQUARE_BOUNDED, sqrt),
    (_UNBOUNDED, lambda least: least),
)
"""Patterns, and what the norm's bound is by theirs."""


@dataclass(frozen=True)
class _Scaled:
    """A normalised value, by the last of the nodes that make it; what it is multiplied by and added to, if that is in it."""

    nodes: frozenset[Node]
    last: Node
    weight: Value | None = None
    bias: Value | None = None


def recognise_norms(graph: Graph) -> None:
    """Put a layer, RMS, group or instance norm, or a division by a norm, where it is written out; scale and shift behind it go in.

    Over the last axes it is a layer norm, over all spatial ones an instance norm, over axis 1 alone a layer norm between two
    permutations, which cost nothing where memory is channels last.

    Notes
    -----
    NaN and infinity are what they are in the formula. Only squares that overflow or underflow on the way do not in the op, which
    keeps sums in a wider type.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            if isinstance(node.op, Binary):
                done = _standard(rewriter, node) or _normalize(rewriter, node)
            elif isinstance(node.op, (Reshape, Flatten)):
                done = _group_norm(rewriter, node)
            else:
                continue
            if done:
                graph.note("norms recognised")


def _standard(rewriter: Rewriter, node: Node) -> bool:
    """A value less its mean, or the value itself, over the root of its variance."""
    assert isinstance(node.op, Binary)
    for pattern, centred in _STANDARD.get(node.op.kind, ()):
        found = find(pattern, node)
        if found is None or node.outputs[0].shape != found["x"].shape or not rewriter.is_closed(found.nodes, node):
            continue
        x, axes, eps = found["x"], found["axes"], found["eps"]
        bare = _Scaled(found.nodes, node, found.names.get("weight"), found.names.get("bias"))
        forms = _forms(x, axes, eps, centred)
        for scaled in _scaled(rewriter, bare):
            for form in forms:
                weight, bias = form.fit(scaled.weight), form.fit(scaled.bias)
                if (weight is None) == (scaled.weight is None) and (bias is None) == (scaled.bias is None):
                    _put(rewriter, scaled, form, (x, weight, bias))
                    return True
    return False


def _scaled(rewriter: Rewriter, bare: _Scaled) -> list[_Scaled]:
    """With the multiplication and addition behind it, as far as there are some and none is in it: the most first."""
    found = [bare]
    if bare.weight is not None or bare.bias is not None:
        return found
    for kind in ("mul", "add"):
        before = found[0]
        reader = rewriter.only_reader(before.last.outputs[0])
        if reader is None or reader.op != Binary(kind):
            continue
        constant = next((v for v in reader.inputs if v is not None and v.is_constant), None)
        if constant is not None:
            field = "weight" if kind == "mul" else "bias"
            found.insert(0, replace(before, nodes=before.nodes | {before.last}, last=reader, **{field: constant}))
    return found


@dataclass(frozen=True)
class _Form:
    """A norm of x as an op; ``shape`` is that of its weight as it broadcasts to x."""

    op: Op
    shape: tuple[int, ...]
    ndim: int
    turned: bool = False

    def fit(self, constant: Value | None) -> Value | None:
        """A constant that has that shape, less ones in front, as the op takes it; None where it has another one."""
        if constant is None or (1,) * (len(self.shape) - constant.ndim) + constant.shape != self.shape:
            return None
        wanted = self.shape[len(self.shape) - self.ndim :] if self.ndim else (self.shape[1],)
        return constant if constant.shape == wanted else constant.graph.constant(np.ascontiguousarray(constant.data.reshape(wanted)))


def _forms(x: Value, axes: tuple[int, ...], eps: float, centred: bool) -> list[_Form]:
    """What a norm over some axes may be, by what its weight has to look like; the better one first where there is no weight."""
    n, lead = x.ndim, x.ndim - len(axes)
    channels = tuple(size if a == 1 else 1 for a, size in enumerate(x.shape))
    found = []
    if centred and n >= 3 and axes == tuple(range(2, n)):
        found.append(_Form(GroupNorm(None, eps), channels, 0))
    if axes == tuple(range(lead, n)):
        rows = _Form(LayerNorm(len(axes), eps, centred), (*(1,) * lead, *x.shape[lead:]), len(axes))
        found.insert(0 if n < 4 else 1, rows)
    if centred and n >= 2 and axes == tuple(range(1, n)):
        found.append(_Form(GroupNorm(1, eps), channels, 0))
    if n >= 3 and axes == (1,):
        found.append(_Form(LayerNorm(1, eps, centred), channels, 0, turned=True))
    return found


def _put(rewriter: Rewriter, scaled: _Scaled, form: _Form, inputs: tuple[Value | None, ...]) -> None:
    x, *parameters = inputs
    assert x is not None
    if not form.turned:
        rewriter.change(scaled.last, form.op, inputs, scaled.nodes)
        return
    n = x.ndim
    turned = rewriter.put_before(scaled.last, Transpose((0, *range(2, n), 1)), (x,))
    rows = rewriter.put_before(scaled.last, form.op, (turned, *parameters))
    rewriter.change(scaled.last, Transpose((0, n - 1, *range(1, n - 1))), (rows,), scaled.nodes)


def _group_norm(rewriter: Rewriter, node: Node) -> bool:
    """An instance norm of groups that are laid out as channels, and back."""
    inner = node.inputs[0].producer if node.inputs[0] is not None else None
    rows = inner.inputs[0] if inner is not None else None
    before = rows.producer if rows is not None else None
    if inner is None or rows is None or before is None or not isinstance(before.op, (Reshape, Flatten)):
        return False
    x = before.inputs[0]
    if x is None or x.shape != node.outputs[0].shape or x.ndim < 2 or rows.ndim < 3 or not x.spec.size:
        return False
    c, groups = x.shape[1], rows.shape[1]
    if rows.shape[0] != x.shape[0] or c % groups or not rewriter.is_closed([inner, before], node):
        return False
    weight, bias = (*inner.inputs, None, None)[1:3]
    match inner.op:
        case GroupNorm(None, eps) if all(v is None or v.is_constant for v in (weight, bias)):
            gain, shift = (None if v is None else np.repeat(v.data, c // groups) for v in (weight, bias))
        case LayerNorm(dims, eps, True) if dims == rows.ndim - 2 and weight is None and bias is None:
            gain = shift = None
        case _:
            return False
    form = _Form(GroupNorm(groups, eps), tuple(size if a == 1 else 1 for a, size in enumerate(x.shape)), 0)
    for scaled in _scaled(rewriter, _Scaled(frozenset({inner, before}), node)):
        w, b = form.fit(scaled.weight), form.fit(scaled.bias)
        if (w is None) == (scaled.weight is None) and (b is None) == (scaled.bias is None):
            _put(rewriter, scaled, form, (x, *_together(rewriter.graph, gain, shift, w, b)))
            return True
    return False


def _together(graph: Graph, gain: Any, shift: Any, weight: Value | None, bias: Value | None) -> tuple[Value | None, Value | None]:
    """Weight and bias of ``(y·gain + shift)·weight + bias``; what is 1 or 0 throughout is left out."""
    gain = None if gain is None or (gain == 1).all() else gain
    shift = None if shift is None or (shift == 0).all() else shift
    if gain is None and shift is None:
        return weight, bias
    w = 1.0 if weight is None else weight.data.astype(np.float64)
    product = None if gain is None else np.asarray(gain * w, gain.dtype)
    total = None if shift is None else np.asarray(shift * w + (0.0 if bias is None else bias.data), shift.dtype)
    return (weight if product is None else graph.constant(product)), (bias if total is None else graph.constant(total))


def _normalize(rewriter: Rewriter, node: Node) -> bool:
    """A vector over its norm, which may have a lower bound, or the square of which may have one."""
    assert isinstance(node.op, Binary)
    if node.op.kind not in ("div", "mul"):
        return False
    for pattern, least in _NORMALIZE:
        found = find(pattern, node)
        if found is None or not rewriter.is_closed(found.nodes, node):
            continue
        p, bound = found.names.get("p", 2.0), found.names.get("least", 0.0)
        if len(found["axes"]) == 1 and p > 0 and bound >= 0 and node.outputs[0].shape == found["x"].shape:
            rewriter.change(node, Normalize(p, found["axes"][0], least(bound)), (found["x"],), found.nodes)
            return True
    return False
