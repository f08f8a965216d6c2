"""What ONNX's operators on shapes, parts and places say of what they do not take."""

from __future__ import annotations

import re

import numpy as np
import pytest
from onnx_models import draw, one_node, recorded

from gpucnn.errors import LimitError, ModelError, ShapeError, UnsupportedError
from gpucnn.onnx_backend import GpucnnBackend

X = draw(2, 3, 4, 5)


def i64(*values):
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("op_type", "opset", "inputs", "attributes", "error", "says"),
    [
        ("Reshape", 14, {"s": i64(7, -1)}, {}, ShapeError, "the -1 of shape (7, -1) has no size: 120 elements do not divide by 7"),
        ("Reshape", 14, {"s": i64(-1, -1)}, {}, ShapeError, "at most one may be -1"),
        ("Reshape", 14, {"s": i64(0, 7)}, {}, ShapeError, "shape (0, 7), here 2×7, has 14 elements, x has 120 (x 2×3×4×5 float32)"),
        ("Reshape", 14, {"s": i64(2, 3, 4, 5, 0)}, {}, ShapeError, "copies the size of axis 4, x has 4 axes"),
        ("Reshape", 14, {"s": i64(0, -1)}, {"allowzero": 1}, ShapeError, "with allowzero 1 the shape may hold 0 or -1, not both"),
        ("Reshape", 14, {"s": i64(2, 60).reshape(1, 2)}, {}, ShapeError, "shape must be a list of whole numbers, got 1×2 int64"),
        ("Reshape", 1, {}, {}, ModelError, "lacks the attribute 'shape'"),
        ("Flatten", 13, {}, {"axis": 5}, ShapeError, "axis must lie in [-4, 4], got 5"),
        ("Transpose", 13, {}, {"perm": (0, 1)}, ShapeError, "dims (0, 1) names 2 axes, x has 4"),
        ("Squeeze", 13, {"a": i64(1)}, {}, ShapeError, "only axes of size 1 can be squeezed, axes are (1,) (x 2×3×4×5 float32)"),
        ("Unsqueeze", 13, {"a": i64(0, -6)}, {}, ShapeError, "axes must name each axis once, got (0, -6) for 6 axes"),
        ("Unsqueeze", 13, {"a": i64(5)}, {}, ShapeError, "dim must lie in [-5, 4] for a value of rank 5, got 5"),
        ("Split", 13, {"s": i64(2, 2)}, {"axis": 1}, ShapeError, "add up to axis 1 of x, got (2, 2)"),
        ("Split", 13, {"s": i64(1, 1, 1)}, {"axis": 1}, ModelError, "3 sizes are given, 1 outputs are named"),
        ("Split", 18, {"s": i64(3)}, {"axis": 1, "num_outputs": 1}, ModelError, "either sizes or num_outputs, got both"),
        ("Split", 18, {}, {"axis": 3, "num_outputs": 4}, ShapeError, "axis 3 of size 5 has no 4 parts"),
        ("Slice", 13, {"s": i64(0, 0), "e": i64(1)}, {}, ShapeError, "must be of one length"),
        ("Slice", 13, {"s": i64(0), "e": i64(1), "a": i64(4)}, {}, ShapeError, "dim must lie in [-4, 3]"),
        ("Slice", 13, {"s": i64(0, 0), "e": i64(1, 1), "a": i64(1, -3)}, {}, ShapeError, "axes must name each axis once"),
        ("Slice", 13, {"s": i64(0), "e": i64(1), "a": i64(1), "p": i64(0)}, {}, ShapeError, "a step must not be 0"),
        ("Gather", 13, {"i": i64(0, 3)}, {"axis": 1}, ShapeError, "indices must lie in [-3, 2] for axis 1, got 0 to 3 (x 2×3×4×5 float32)"),
        ("Gather", 13, {"i": np.float32(1)}, {}, ShapeError, "indices must be whole numbers, got float32"),
        ("ScatterND", 18, {"i": i64(0), "u": X[0]}, {"reduction": "mean"}, ModelError, "one of none, add, mul, max, min, got 'mean'"),
        ("Expand", 13, {"s": i64(2, 3, 4, 7)}, {}, ShapeError, "only an axis of size 1 expands, to 2×3×4×7"),
        ("Tile", 13, {"s": i64(1, 2)}, {}, ShapeError, "repeats (1, 2) are given for 2 axes, x has 4"),
        ("Pad", 13, {"p": i64(1, 1)}, {}, ShapeError, "pads must hold 8 numbers for 4 axes, got 2"),
        ("Pad", 13, {"p": i64(*[0] * 7, -6)}, {}, ShapeError, "pads (0, -6) cut more off axis 3 than it has"),
        ("Pad", 13, {"p": i64(*[1] * 8)}, {"mode": "mirror"}, ModelError, "must be one of constant, reflect, edge, wrap, got 'mirror'"),
        ("Pad", 13, {"p": i64(*[1] * 8), "v": draw(2)}, {}, ShapeError, "constant_value must be one number, got 2 float32"),
        ("Pad", 18, {"p": i64(1, 1), "v": None, "a": i64(7)}, {}, ShapeError, "dim must lie in [-4, 3]"),
        ("Pad", 2, {"p": i64(*[1] * 8)}, {"pads": (1,) * 8}, ModelError, "takes 1 inputs, got 2"),
        ("CenterCropPad", 18, {"s": i64(3)}, {}, ShapeError, "shape must hold 4 sizes, one an axis, got (3,)"),
        ("DepthToSpace", 13, {}, {"blocksize": 2}, ShapeError, "the channels must divide by 2·2, x has 3"),
        ("SpaceToDepth", 13, {}, {"blocksize": 2}, ShapeError, "height and width must divide by 2, got 4×5"),
        ("Concat", 13, {"y": draw(2, 3, 4, 6)}, {"axis": 1}, ShapeError, "all sizes but that of dim 1 must agree, tensors[1] differs"),
        ("Transpose", 13, {}, {"order": (0, 1)}, UnsupportedError, "attribute 'order' is not known here; known are perm"),
    ],
)  # fmt: skip
def test_refusals_say_what_came_and_what_was_expected(op_type, opset, inputs, attributes, error, says):
    inputs = {"x": X, **inputs}
    constants = [k for k, v in inputs.items() if k != "x" and v is not None]
    with pytest.raises(error, match=re.escape(says)) as raised:
        recorded(one_node(op_type, inputs, opset, constants=constants, **attributes), inputs)
    assert f"node 'the node' ({op_type})" in str(raised.value)


def test_constants_are_not_made_without_bound():
    inputs = {"x": np.ones(1, np.float32), "s": i64(2**40)}
    with pytest.raises(LimitError, match=r"a constant of 4398046511104 bytes would be made.* set GPUCNN_MAX_WEIGHT_BYTES to raise it"):
        GpucnnBackend.prepare(one_node("Expand", inputs, 13, constants=["x", "s"]))
