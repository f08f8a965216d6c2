"""Recognise activations that are written out as arithmetic."""

from __future__ import annotations

from math import inf, pi, sqrt

import numpy as np

from ..graph import Graph, Node, Value
from ..ops import Activation, Binary, LogSoftmax, Softmax, Unary
from .formulas import Coefficient, X, abs_, clip, erf, exp, log, read, sigmoid, softplus, tanh, variables
from .numbers import scalar
from .patterns import Anything, amax, find, over, total
from .patterns import exp as exp_of
from .rewriter import Rewriter

__all__ = ["recognise_activations"]

FORMULAS = (
    (1 / (1 + exp(-X)), Activation("sigmoid")),
    (X * sigmoid(X), Activation("silu")),
    (X / (1 + exp(-X)), Activation("silu")),
    (X * clip(X + 3, 6) / 6, Activation("hardswish")),
    (X * tanh(softplus(X)), Activation("mish")),
    (X * tanh(log(1 + exp(X))), Activation("mish")),
    (0.5 * X * (1 + erf(X / sqrt(2))), Activation("gelu")),
    (0.5 * X * (1 + tanh(sqrt(2 / pi) * (X + 0.044715 * X * X * X))), Activation("gelu_tanh")),
    (X / (1 + abs_(X)), Activation("softsign")),
    (X - tanh(X), Activation("tanhshrink")),
)
"""Each in whatever order; that of a hard sigmoid has parameters, and is read off."""

_LAST = ("add", "sub", "mul", "div")

_E = exp_of(Anything("x") - amax(Anything("x")))
_SOFTMAX = over(_E, total(_E))


def recognise_activations(graph: Graph) -> None:
    """Put an activation where a formula of one is written out, whatever the order of its sums and products.

    Constants must be those of the formula to the last place of their type; nothing else may read what lies between.

    Notes
    -----
    NaN and infinity are what they are in the formula: ``−Inf·0`` is NaN in SiLU, hard swish, Mish and GELU alike. Only what overflows or
    underflows on the way differs: ``x·min(max(x + 3, 0), 6)/6`` of an x near the end of its type is x here and infinite there, and
    ``log(softmax(x))`` is finite here where the probability underflows to 0 there.
    """
    with Rewriter(graph) as rewriter:
        for node in rewriter:
            match node.op:
                case Activation("relu" | "clip") | Binary("maximum" | "minimum"):
                    done = _leaky(rewriter, node) or _clip(rewriter, node)
                    done = _formula(rewriter, node) or done
                case Unary("log"):
                    done = _log_softmax(rewriter, node)
                case Binary(kind) if kind in _LAST:
                    done = _softmax(rewriter, node) or _formula(rewriter, node)
                case Unary("reciprocal"):
                    done = _formula(rewriter, node)
                case _:
                    continue
            if done:
                graph.note("activations recognised")


def _formula(rewriter: Rewriter, node: Node) -> bool:
    if node.outputs[0].dtype.kind != "f":
        return False
    for x in variables(node):
        found = _activation(node, x)
        if found is not None and rewriter.is_closed(found[1], node):
            rewriter.change(node, found[0], (x,), found[1])
            return True
    return False


def _activation(node: Node, x: Value) -> tuple[Activation, set[Node]] | None:
    """What a node computes of x, where that is an activation, and the nodes that do."""
    known = read(node, x)
    if known is None:
        return None
    formula, nodes = known
    eps = float(np.finfo(x.dtype).eps)
    line = formula.as_hardsigmoid(eps)
    if line is not None:
        return Activation("hardsigmoid", _exactly(line[0], 1 / 6, eps), _exactly(line[1], 0.5, eps)), nodes
    return next(((op, nodes) for exact, op in FORMULAS if formula.equals(exact, eps)), None)


def _exactly(found: Coefficient, known: float, eps: float) -> float:
    return known if found.is_near(known, eps) else found.value


def _bounds(node: Node | None) -> tuple[Value, float, float] | None:
    """What a node clips, and to what."""
    match node:
        case Node(op=Activation("relu"), inputs=(Value() as x,)):
            return x, 0.0, inf
        case Node(op=Activation("clip", low, high), inputs=(Value() as x,)):
            return x, low, high
        case Node(op=Binary("maximum" | "minimum" as kind), inputs=(Value() as a, Value() as b)):
            x, number = (a, scalar(b)) if not a.is_constant else (b, scalar(a))
            if number is None or number != number or x.shape != node.outputs[0].shape:
                return None
            return (x, number, inf) if kind == "maximum" else (x, -inf, number)
        case _:
            return None


def _clip(rewriter: Rewriter, node: Node) -> bool:
    """One clip instead of several, and of a minimum and a maximum; one below at 0 is a ReLU."""
    outer = _bounds(node)
    if outer is None or node.outputs[0].dtype.kind != "f":
        return False
    x, low, high = outer
    inside: list[Node] = []
    while x.producer is not None and (inner := _bounds(x.producer)) is not None and rewriter.only_reader(x) is not None:
        inside.append(x.producer)
        x, below, above = inner
        low, high = min(max(below, low), high), max(min(above, high), low)
    op = Activation("relu") if (low, high) == (0.0, inf) else Activation("clip", low, high)
    if (low, high) == (-inf, inf) or (op == node.op and not inside):
        return False
    rewriter.change(node, op, (x,), inside)
    return True


def _leaky(rewriter: Rewriter, node: Node) -> bool:
    """``max(x, a·x)`` with a between 0 and 1."""
    if node.op != Binary("maximum"):
        return False
    for line, x in (node.inputs, node.inputs[::-1]):
        before = line.producer if line is not None else None
        slope = None if before is None or x is None else _slope(before, x)
        if before is not None and slope is not None and 0 < slope < 1 and rewriter.is_closed([before], node):
            rewriter.change(node, Activation("leaky_relu", slope), (x,), [before])
            return True
    return False


def _slope(node: Node, x: Value) -> float | None:
    """By how much a node multiplies x."""
    if node.outputs[0].shape != x.shape or x.dtype.kind != "f":
        return None
    match node:
        case Node(op=Binary("mul"), inputs=(a, b)) if x in (a, b):
            return scalar(b if a is x else a)
        case Node(op=Binary("div"), inputs=(a, b)) if a is x:
            divisor = scalar(b)
            return 1 / divisor if divisor else None
        case _:
            return None


def _log_softmax(rewriter: Rewriter, node: Node) -> bool:
    (p,) = node.inputs
    match p.producer if p is not None else None:
        case Node(op=Softmax(dim)) as before if rewriter.is_closed([before], node):
            rewriter.change(node, LogSoftmax(dim), before.inputs, [before])
            return True
        case _:
            return False


def _softmax(rewriter: Rewriter, node: Node) -> bool:
    """``e/Σe`` with ``e = exp(x − max x)``. Without the maximum it is left alone: there a large x is NaN."""
    found = find(_SOFTMAX, node)
    if found is None or len(found["axes"]) != 1 or node.outputs[0].shape != found["x"].shape or not rewriter.is_closed(found.nodes, node):
        return False
    rewriter.change(node, Softmax(found["axes"][0]), (found["x"],), found.nodes)
    return True
