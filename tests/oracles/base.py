"""ONNX's reference evaluator, one node at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, checker, helper
from onnx.reference import ReferenceEvaluator

Oracle = Callable[..., tuple[Any, ...]]
"""``oracle(op, *arrays)`` to the outputs, in float64."""

OPSET = 21

_TYPES = {
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float16): TensorProto.FLOAT16,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.int16): TensorProto.INT16,
    np.dtype(np.uint16): TensorProto.UINT16,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(bool): TensorProto.BOOL,
}


def onnx(kind: str, *arrays: Any, outputs: int = 1, wide: bool = True, **attributes: Any) -> tuple[Any, ...]:
    """One ONNX node on arrays; floating point is computed in float64, unless not ``wide``."""
    given = [a.astype(np.float64) if a is not None and a.dtype.kind == "f" and wide else a for a in arrays]
    names = ["" if a is None else f"x{i}" for i, a in enumerate(given)]
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(kind, names, made, **attributes)
    inputs = [helper.make_tensor_value_info(n, _TYPES[a.dtype], a.shape) for n, a in zip(names, given) if a is not None]
    results = [helper.make_empty_tensor_value_info(n) for n in made]
    graph = helper.make_graph([node], "one", inputs, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    checker.check_node(node, checker.DEFAULT_CONTEXT)
    with np.errstate(all="ignore"):
        return tuple(ReferenceEvaluator(model).run(None, {n: a for n, a in zip(names, given) if a is not None}))


def ints(*values: int) -> Any:
    return np.asarray(values, np.int64)


def auto_pad(padding: Any) -> dict[str, Any]:
    if isinstance(padding, str):
        return {"auto_pad": {"same": "SAME_UPPER", "same_lower": "SAME_LOWER", "valid": "VALID"}[padding]}
    return {"pads": [p[side] for side in (0, 1) for p in padding]}
