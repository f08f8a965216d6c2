"""Let a float32 net compute in 16 bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..graph import Graph, Node, Value
from ..ops import (
    Activation,
    BatchNorm,
    Cast,
    Conv,
    ConvTranspose,
    Dequantize,
    FractionalMaxPool,
    GroupNorm,
    LayerNorm,
    Linear,
    LogSoftmax,
    Op,
    Quantize,
    Softmax,
    TopK,
)

__all__ = ["lower_precision"]

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)

_STAYS: dict[type[Any], tuple[int, ...]] = {
    Conv: (2,), ConvTranspose: (2,), Linear: (2,), BatchNorm: (1, 2, 3, 4), LayerNorm: (1, 2), GroupNorm: (1, 2),
    FractionalMaxPool: (1,), Quantize: (1,), Dequantize: (1,),
}  # fmt: skip
"""Inputs that stay float32 where they are constant: they meet float32 sums, a variance leaves float16's range, other samples would
be other windows, and other scales other integers."""

Twins = dict[tuple[Value, "np.dtype[Any]"], Value]


def lower_precision(graph: Graph) -> None:
    """Store every float32 value in float16; sums stay float32, and so do the graph's inputs and outputs.

    What the net ends in keeps its precision: a dense layer whose scores leave the net writes its float32 sums as they are, and a softmax,
    a sigmoid or a choice of the best behind it works on those. Norms must have been folded and activations fused before, so that every
    constant is rounded once.

    Raises
    ------
    UnsupportedError
        A constant lies beyond float16's range.
    """
    users = graph.users()
    twins: Twins = {(v, v.dtype): v for v in graph.inputs.values()}
    for node in list(graph.nodes):
        y, op = node.outputs[0], node.op
        kind = _SINGLE if _is_end(op) and _leaves(graph, y, users) else _HALF
        inputs: list[Value | None] = []
        for i, v in enumerate(node.inputs):
            if v is None:
                inputs.append(None)
                continue
            stays = v.is_constant and i in _STAYS.get(type(op), ())
            inputs.append(_twin(graph, twins, v, v.dtype if stays or v.dtype != _SINGLE else kind, node))
        if isinstance(op, Linear) and y.dtype == _SINGLE and not any(v is not None for v in inputs[3:]) and _leaves(graph, y, users):
            op = replace(op, out_dtype="float32")
        made = graph.insert(op, inputs, y.name, before=node, instead=y)
        graph.nodes.remove(node)
        twins.update(((old, new.dtype), new) for old, new in zip(node.outputs, made))
    for name, v in graph.outputs.items():
        graph.outputs[name] = _twin(graph, twins, v, v.dtype, None)
    graph.note("values in float16", sum(v.dtype == _HALF for node in graph.nodes for v in node.outputs))


def _is_end(op: Op) -> bool:
    """What may stand between the last dense layer and the net's results without costing precision: it works on float32 there."""
    return isinstance(op, (Softmax, LogSoftmax, TopK)) or (isinstance(op, Activation) and op.kind == "sigmoid")


def _leaves(graph: Graph, value: Value, users: dict[Value, list[Node]]) -> bool:
    """Whether a value is nothing but the net's result, as it is or through a softmax or a choice of the best."""
    readers = users.get(value, [])
    if not readers:
        return graph.is_output(value)
    return all(_is_end(r.op) and _leaves(graph, r.outputs[0], users) for r in readers)


def _twin(graph: Graph, twins: Twins, value: Value, wanted: np.dtype[Any], before: Node | None) -> Value:
    """A value in the type wanted: as it was made, rounded where constant, or cast just before its first reader."""
    if (value, wanted) not in twins:
        if value.is_constant:
            made = value if value.dtype == wanted else graph.constant(_rounded(value), f"float16({value.name})")
        else:
            other = next(v for (old, _), v in twins.items() if old is value)
            made = graph.insert(Cast(str(wanted)), (other,), f"{value.name}.{wanted}", before=before)[0]
        twins[value, wanted] = made
    return twins[value, wanted]


def _rounded(value: Value) -> np.ndarray[Any, Any]:
    """A constant in float16; raises where a finite number would become infinite."""
    wide = np.asarray(value.data)
    with np.errstate(over="ignore"):
        narrow = wide.astype(_HALF)
    if not np.array_equal(np.isfinite(narrow), np.isfinite(wide)):
        worst = float(np.abs(wide[np.isfinite(wide)]).max())
        raise UnsupportedError(f"{value.name}: holds numbers up to {worst:.3g}, float16 ends at 65504; use precision='float32'")
    return narrow
