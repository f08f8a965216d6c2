"""A float32 model in another type."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["retyped"]


def retyped(model: onnx.ModelProto, element: int) -> onnx.ModelProto:
    """With every float32 in the file, weights, casts, inputs and outputs, in another floating-point type."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    dtype = helper.tensor_dtype_to_np_dtype(element)

    def change(tensor: Any) -> None:
        if tensor.data_type == TensorProto.FLOAT:
            with np.errstate(over="ignore"):
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(dtype), tensor.name))

    for tensor in made.graph.initializer:
        change(tensor)
    for node in made.graph.node:
        for attribute in list(node.attribute):
            if attribute.type == onnx.AttributeProto.TENSOR:
                change(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = element
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                numbers = np.array(attribute.f if attribute.name == "value_float" else list(attribute.floats), dtype)
                node.attribute.remove(attribute)
                node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(numbers)))
    for port in (*made.graph.input, *made.graph.output):
        if port.type.tensor_type.elem_type == TensorProto.FLOAT:
            port.type.tensor_type.elem_type = element
    return made
