"""Small ONNX models of several nodes, written down in a line or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from gpucnn.onnx_backend import prepare

Node = tuple[Any, ...]
"""Operator, names of its inputs, names of its outputs, and a dict of attributes where it has any."""


def graph(
    nodes: Sequence[Node], inputs: Sequence[Any] = (), outputs: Sequence[str] = ("y",), constants: Mapping[str, Any] | None = None
) -> Any:
    """A graph of nodes; its outputs leave their types to inference."""
    stored = [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()]
    made = [helper.make_node(op, i.split(), o.split(), **(rest[0] if rest else {})) for op, i, o, *rest in nodes]
    ends = [helper.make_empty_tensor_value_info(o) for o in outputs]
    return helper.make_graph(made, "net", list(inputs), ends, stored)


def model(
    nodes: Sequence[Node],
    inputs: Mapping[str, tuple[str, Sequence[int | str]]] | None = None,
    outputs: Sequence[str] = ("y",),
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
) -> ModelProto:
    """A model of nodes; inputs are given by type and shape."""
    ports = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
        for name, (dtype, shape) in (inputs or {}).items()
    ]
    return helper.make_model(graph(nodes, ports, outputs, constants), opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def run(op: str, *arrays: Any, opset: int = 17, outputs: str = "y", constant: Sequence[int] = (), **attributes: Any) -> Any:
    """What one node makes of arrays, those at the places ``constant`` stored in the file; a tuple where there are several outputs."""
    given = {f"x{i}": np.asarray(a) for i, a in enumerate(arrays)}
    stored = {f"x{i}": given[f"x{i}"] for i in constant}
    fed = {k: v for k, v in given.items() if k not in stored}
    ports = {k: (v.dtype.name, v.shape) for k, v in fed.items()}
    made = prepare(model([(op, " ".join(given), outputs, attributes)], ports, outputs.split(), stored, opset)).run(fed)
    return made if len(made) > 1 else made[0]
