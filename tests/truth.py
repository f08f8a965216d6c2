"""A graph's true values, and how far a float32 plan of it may lie from them, whatever the passes made of it.

``truth`` runs every node's reference in float64 and carries a bound of the error along (running error analysis, Higham 2002, 3.3): what
an op makes of the errors of its inputs, and what its own rounding adds. Constants that a pass folds in float64 and rounds once are
covered by the few roundings that ``close`` allows every op.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from close import FEW, local_error, magnitude
from curves import carried

from gpucnn import plan
from gpucnn.backends.cpu import CpuBackend
from gpucnn.graph import Graph, Value
from gpucnn.ops import (
    GLU,
    Activation,
    BatchNorm,
    Binary,
    Conv,
    ConvTranspose,
    Dequantize,
    Einsum,
    FractionalMaxPool,
    Gather,
    GatherElements,
    GatherND,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMinPool,
    GroupNorm,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    LpPool,
    MatMul,
    MaxPool,
    MaxUnpool,
    MinPool,
    Normalize,
    Op,
    Pad,
    PReLU,
    Quantize,
    Reduce,
    Resize,
    ScatterElements,
    ScatterND,
    Softmax,
    Unary,
    Where,
)
from gpucnn.passes import PASSES, PASSES_CPU
from gpucnn.spec import Spec

EPS = float(np.finfo(np.float32).eps)


_AT_THE_VALUES = (Softmax, LogSoftmax, LayerNorm, GroupNorm, LocalResponseNorm, Normalize, Unary)
"""What need not grow with its input: rounding is bounded at the values, and twice that allowed."""

_RISING = {"sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sinh", "asin", "acosh", "atanh"}
"""Functions that only rise, so that they are furthest off at an end; outside of where they are defined there is no bound."""


class AlwaysLanes(CpuBackend):
    """Splits every step that can be split, however small."""

    def lanes_for(self, flops: int, least: int = 0) -> int:
        return self.lanes


class _OneByOne:
    """In place of lanes: the last begins when nobody else has, and ends before anybody does. What is not apart then shows."""

    meetings = 0

    def run(self, calls: Sequence[Callable[[], None]]) -> None:
        self.meetings += 1
        for call in reversed(calls):
            call()

    def close(self) -> None:
        pass


class LastLaneFirst(AlwaysLanes):
    """Two lanes, of which the second does all that it has to do in a turn before the first begins."""

    def __init__(self) -> None:
        super().__init__(lanes=2)
        self._workers: Any = _OneByOne()

    @property
    def meetings(self) -> int:
        """How often work was shared out."""
        return int(self._workers.meetings)


def record(forward: Callable[..., Any], *shapes: tuple[int, ...], order: Any = "logical", dtype: str = "float32") -> Graph:
    """The graph of ``forward(x0, x1, …)``, with outputs "0", "1", …."""
    graph = Graph()
    inputs = [graph.input(f"x{i}", Spec(s, np.dtype(dtype)), order if len(s) >= 3 else "logical") for i, s in enumerate(shapes)]
    made = forward(*inputs)
    made = made if isinstance(made, (tuple, list)) else (made,)
    graph.outputs = {str(i): v for i, v in enumerate(made)}
    return graph


def _carry(op: Op, values: Sequence[Any], errors: Sequence[Any]) -> Any:
    """What the op makes of errors in its inputs."""
    e = errors[0]
    match op:
        case Conv() | ConvTranspose() | Linear():
            return op.reference(np, e, np.abs(values[1]))[0]
        case Activation():
            return carried(op, values[0], e)
        case MatMul() | Einsum():  # what the product of the largest values has beside that of the values
            sizes = tuple(map(np.abs, values))
            terms = (op.reference(np, *(e if i == j else s + (d if j < i else 0) for j, (s, d) in enumerate(zip(sizes, errors))))[0]
                     for i, e in enumerate(errors))
            return sum(terms)
        case Softmax():
            return np.broadcast_to(e.max(axis=op.dim, keepdims=True) / 2, e.shape) if e.size else e  # rows of its Jacobian: at most 1/2
        case LogSoftmax():
            return e + (e.max(axis=op.dim, keepdims=True) if e.size else e)  # the identity less rows that sum up to 1
        case PReLU():
            return e * np.maximum(1, np.abs(values[1])) + (np.abs(values[0]) + e) * errors[1]
        case GLU():
            (a, _), (da, db) = op.halves(values[0]), op.halves(e)
            return da + (np.abs(a) + da) * db / 4  # a sigmoid is at most 1, and no steeper than 1/4
        case Binary("add" | "sub"):
            return e + errors[1]
        case Binary("maximum" | "minimum"):
            return np.maximum(e, errors[1])
        case Binary("mul"):
            x, y = map(np.abs, values)
            return x * errors[1] + y * e + e * errors[1]
        case Binary("div"):  # none where the divisor may be 0
            x, y = map(np.abs, values)
            return np.where(y > errors[1], (e + x / y * errors[1]) / (y - errors[1]), np.nan)
        case Binary("pow") if not errors[1].any() and (values[1] >= 1).all() and (values[1] % 1 == 0).all():  # steepest at the far end
            x = np.abs(values[0])
            return (x + e) ** values[1] - x ** values[1]
        case Binary("pow") if not errors[1].any() and (values[0] > e).all():
            return _at_the_ends(op, values, e)
        case Binary():
            raise NotImplementedError("a power in general has no bound, what is compared or cut off no continuity")
        case Unary("neg" | "abs" | "sin" | "cos" | "atan" | "asinh"):
            return e  # no steeper than that
        case Unary("square" | "cosh"):  # steepest at the far end
            return np.abs(op.reference(np, np.abs(values[0]) + e)[0] - op.reference(np, np.abs(values[0]))[0])
        case Unary(kind) if kind in _RISING:
            return _at_the_ends(op, values, e)
        case Unary("reciprocal" | "rsqrt"):  # falls on either side of 0
            return np.where(np.abs(values[0]) > e, _at_the_ends(op, values, e), np.nan)
        case Unary():
            raise NotImplementedError(f"{op.kind} jumps, or is steep without a bound")
        case Where():
            assert not errors[0].any(), "what is chosen by must be exact"
            return np.where(values[0], errors[1], errors[2])
        case Quantize():
            raise NotImplementedError("it jumps from one whole number to the next")
        case Dequantize():
            assert not any(e.any() for e in errors if e is not None), "whole numbers and constants are exact"
            return np.zeros(e.shape)
        case BatchNorm():
            return replace(op).reference(np, e, 0 * values[1], values[2], None if values[3] is None else np.abs(values[3]))[0]
        case Reduce("amax" | "amin" | "logsumexp"):  # no further apart than the values that are furthest apart
            return replace(op, kind="amax").reference(np, e)[0]
        case Reduce("prod" | "log_sum" | "var" | "std"):
            raise NotImplementedError(f"{op.kind} has no bound here")
        case Reduce("sum_square"):
            return replace(op, kind="sum").reference(np, 2 * np.abs(values[0]) * e + e * e)[0]
        case Gather() | GatherElements() | GatherND():
            return op.reference(np, e, values[1])[0]
        case ScatterElements(reduction="prod") | ScatterND(reduction="prod"):
            raise NotImplementedError("a product of many has no bound here")
        case ScatterElements() | ScatterND():  # two extremes are no further apart than the values that are furthest apart
            kind = "amax" if op.reduction == "amin" else op.reduction
            return replace(op, reduction=kind).reference(np, e, values[1], errors[2])[0]
        case Resize():
            return magnitude(op, (e,))
        case LayerNorm():
            lead, row = e.shape[: e.ndim - op.dims], e.shape[e.ndim - op.dims :]
            return _carry_rows(values, errors, (*lead, prod(row)), op.eps, op.centred, row)
        case GroupNorm():
            n, c = e.shape[:2]
            groups = op.groups or c
            return _carry_rows(values, errors, (n, groups, prod(e.shape[1:]) // groups), op.eps, True, (c, *(1,) * (e.ndim - 2)))
        case LocalResponseNorm():
            x, share = np.abs(values[0]), op.alpha / op.size
            least = op.k + share * op.squares(np, np.maximum(x - e, 0))  # no smaller is the base of the power, no steeper the power
            more = share * (op.squares(np, x + e) - op.squares(np, x))
            return e / least**op.beta + x * op.beta * more / least ** (op.beta + 1)
        case Normalize():
            x, far = values[0], np.linalg.norm(np.moveaxis(e, op.dim, -1), op.p, axis=-1)
            left = np.maximum(np.linalg.norm(np.moveaxis(x, op.dim, -1), op.p, axis=-1) - far, op.eps)
            far, left = (np.expand_dims(v, op.dim) for v in (far, left))
            return np.minimum(2, (e + np.abs(op.reference(np, x)[0]) * far) / left)
        case Pad():
            return replace(op, value=0.0).reference(np, e)[0]
        case MinPool():  # two minima are no further apart than the values that are furthest apart
            return MaxPool(op.kernel_size, op.stride, op.padding, op.dilation, op.ceil_mode).reference(np, e)[0]
        case GlobalMinPool():
            return GlobalMaxPool().reference(np, e)[0]
        case LpPool() | GlobalLpPool() if op.p < 1:
            raise NotImplementedError("below 1 there is no triangle inequality")
        case FractionalMaxPool() | MaxUnpool():  # the same windows, the same places
            return op.reference(np, e, values[1])[0]
        case _:  # maxima, norms and means of errors, and what only moves them
            return op.reference(np, *errors)[0]


def _at_the_ends(op: Op, values: Any, e: Any) -> Any:
    """Of what only rises or only falls between x − e and x + e."""
    x, *rest = values
    y, below, above = (op.reference(np, v, *rest)[0] for v in (x, x - e, x + e))
    return np.maximum(np.abs(above - y), np.abs(y - below))


def _carry_rows(values: Any, errors: Any, rows: Any, eps: float, centred: bool, shape: Any) -> Any:
    """Of ``(x − mean)/sqrt(var + eps)·weight + bias``: the root is a norm, which moves no further than what it is taken of."""
    x, e = values[0].reshape(rows), errors[0].reshape(rows)
    d, far = (x - x.mean(axis=-1, keepdims=True), e + e.mean(axis=-1, keepdims=True)) if centred else (x, e)
    root = np.sqrt((d * d).mean(axis=-1, keepdims=True) + eps)
    moved = np.sqrt((e * e).mean(axis=-1, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        carried = np.where(root > moved, (far + np.abs(d) / root * moved) / (root - moved), np.inf)
    carried = np.minimum(carried, 2 * np.sqrt(x.shape[-1])).reshape(values[0].shape)  # no quotient is above the root of the length
    return carried if len(values) < 2 or values[1] is None else carried * np.abs(values[1]).reshape(shape)


def truth(graph: Graph, feeds: Mapping[str, Any], dtype: Any = np.float32) -> dict[str, tuple[Any, Any]]:
    """True value and bound of the error of every output of a graph as recorded; of every layer too, under its name.

    ``dtype`` is what values are stored in; inputs are rounded to it (constants too: that is one of the few roundings of their op).
    """
    known: dict[Value, tuple[Any, Any]] = {}
    for name, v in graph.inputs.items():
        wide = feeds[name].astype(np.float64) if v.dtype.kind == "f" else feeds[name]
        known[v] = wide, np.zeros(v.shape) if dtype == np.float32 else np.abs(wide) * float(np.finfo(dtype).eps)
    for node in graph.nodes:
        for v in node.inputs:
            if v is not None and v.is_constant:
                known[v] = (np.asarray(v.data, np.float64 if v.dtype.kind == "f" else v.dtype), np.zeros(v.shape))
        values = tuple(None if v is None else known[v][0] for v in node.inputs)
        errors = tuple(None if v is None else known[v][1] for v in node.inputs)
        largest = tuple(None if v is None else np.abs(v) + e for v, e in zip(values, errors))
        exact = node.op.reference(np, *values)[0]
        if node.op == Binary("div"):
            largest = (largest[0], np.abs(values[1]) - errors[1])
        if isinstance(node.op, BatchNorm):
            largest = (largest[0], *values[1:])
        local = 2 * local_error(node.op, values if isinstance(node.op, _AT_THE_VALUES) else largest, dtype)
        error = _carry(node.op, values, errors) + np.broadcast_to(local, exact.shape)
        known[node.outputs[0]] = (exact, error)
    everything = {**graph.layers, **graph.outputs}
    return {name: known[v] if v in known else (np.asarray(v.data, np.float64), np.zeros(v.shape)) for name, v in everything.items()}


def assert_true(actual: Any, expected: tuple[Any, Any], what: str = "") -> None:
    """Assert that float32 values lie within the bound of the true ones."""
    exact, error = expected
    assert actual.shape == exact.shape
    assert actual.dtype == np.float32
    limit = error + FEW * EPS * np.abs(exact) + float(np.finfo(np.float32).smallest_normal)
    wrong = ~(np.abs(actual - exact) <= limit)
    if wrong.any():
        at = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise AssertionError(f"{what}{int(wrong.sum())} of {wrong.size} wrong, first at {at}: {actual[at]} for {exact[at]} ± {limit[at]}")


class Planned:
    """A graph planned and bound; ``run`` fills the arena with NaNs (bytes of 0xFF) first."""

    def __init__(self, graph: Graph, *, backend: CpuBackend | None = None, passes: Any = None, choose: Any = plan.choose_first) -> None:
        self.backend = backend or CpuBackend()
        usual = PASSES_CPU if isinstance(self.backend, CpuBackend) else PASSES
        self.plan = plan.compile(graph, self.backend, passes=passes or usual, choose=choose)
        self.program = self.plan.bind()

    @property
    def ops(self) -> list[str]:
        """Names of the ops of the steps that run."""
        return [step.node.op.name for step in self.plan.steps]

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        with self.backend.session():
            self.program.arena[...] = 0xFF
            for name, array in feeds.items():
                self.backend.write(self.program.inputs[name], array)
            self.program.run()
        return {name: self.backend.read(v) for name, v in self.program.outputs.items()}


def draw_feeds(graph: Graph, seed: int = 0) -> dict[str, Any]:
    """Random inputs."""
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(v.shape).astype(v.dtype) for name, v in graph.inputs.items()}


def verify(graph: Graph, **planned: Any) -> Planned:
    """Plan a recorded graph, run it twice on poisoned memory, and hold its outputs to the truth; returns the plan."""
    feeds = draw_feeds(graph)
    expected = truth(graph, feeds)
    made = Planned(graph, **planned)
    first, second = made.run(feeds), made.run(feeds)
    for name, y in first.items():
        assert_true(y, expected[name], f"output {name!r}: ")
        np.testing.assert_array_equal(y.view(np.uint32) if y.ndim else y, second[name].view(np.uint32) if y.ndim else second[name])
    return made
