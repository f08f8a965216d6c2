"""What ONNX's layers say where a file is wrong, or asks for what inference has not."""

from __future__ import annotations

import re

import numpy as np
import pytest
from onnx_models import answers, draw, one_node

from gpucnn.errors import ModelError, ShapeError, UnsupportedError

f32 = np.float32
X = {"x": draw(1, 2, 5, 5)}
CONV = {**X, "w": draw(2, 2, 3, 3)}
ROW = {"x": draw(5, 5)}
NORM = {**X, "s": draw(2), "b": draw(2), "m": draw(2), "v": f32([1, 2])}
SCALED = {**X, "s": draw(2), "b": draw(2)}
PRODUCT = {"a": draw(2, 4), "b": draw(4, 3)}
TURNED = {"a": draw(2, 4), "b": draw(3, 4)}
PAIR = {"kernel_shape": [2, 2]}

WRONG = [
    # attributes
    ("Conv", 11, CONV, {"strides": [1]}, ModelError, "strides must have 2 number(s) for 2 spatial axes, got (1,)"),
    ("Conv", 11, CONV, {"dilations": [1] * 3}, ModelError, "dilations must have 2 number(s) for 2 spatial axes, got (1, 1, 1)"),
    ("Conv", 11, CONV, {"pads": [1, 1]}, ModelError, "pads must have 4 numbers for 2 spatial axes, got (1, 1)"),
    ("Conv", 11, CONV, {"pads": [-1, 0, 0, 0]}, ShapeError, "padding must not be negative, got ((-1, 0), (0, 0))"),
    ("Conv", 11, CONV, {"kernel_shape": [2, 2]}, ModelError, "kernel_shape is (2, 2), the weight has (3, 3)"),
    ("Conv", 11, CONV, {"auto_pad": "SAME"}, ModelError, "auto_pad must be one of NOTSET, SAME_UPPER, SAME_LOWER, VALID, got 'SAME'"),
    ("Conv", 11, CONV, {"group": 3}, ShapeError, "groups 3 must divide both channel counts, x has 2, the output 2"),
    ("Conv", 11, CONV, {"group": 1.0}, ModelError, "attribute 'group' must be of type int, got float"),
    ("Conv", 11, CONV, {"stride": [1, 1]}, UnsupportedError, "attribute 'stride' is not known here; known are auto_pad, dilations, group"),
    ("ConvTranspose", 11, CONV, {"kernel_shape": [3, 2]}, ModelError, "kernel_shape is (3, 2), the weight has (3, 3)"),
    ("ConvTranspose", 11, CONV, {"output_shape": [1, 2, 3]}, ModelError, "output_shape must have 2 number(s) for 2 spatial axes"),
    ("ConvTranspose", 11, CONV, {"output_padding": [1, 1]}, ShapeError, "output_padding must be at least 0 and below stride or dilation"),
    ("MaxPool", 12, X, {}, ModelError, "lacks the attribute 'kernel_shape'"),
    ("MaxPool", 12, X, {"kernel_shape": 3}, ModelError, "attribute 'kernel_shape' must be of type Ints, got int"),
    ("MaxPool", 12, X, {"kernel_shape": [3]}, ModelError, "kernel_shape must have 2 number(s) for 2 spatial axes, got (3,)"),
    ("AveragePool", 11, X, {**PAIR, "count_include_pad": 1.0}, ModelError, "'count_include_pad' must be of type int, got float"),
    ("LpPool", 1, X, {**PAIR, "p": 2}, ModelError, "attribute 'p' must be of type float, got int"),
    ("LpPool", 2, X, {**PAIR, "p": 2.0}, ModelError, "attribute 'p' must be of type int, got float"),
    ("GlobalLpPool", 2, X, {"p": 0}, ShapeError, "norm_type must be a finite number above 0, got 0.0"),
    ("BatchNormalization", 9, NORM, {"spatial": 1}, UnsupportedError, "attribute 'spatial' is not known here; known are epsilon, momentum"),
    ("GroupNormalization", 21, SCALED, {}, ModelError, "lacks the attribute 'num_groups'"),
    ("GroupNormalization", 21, SCALED, {"num_groups": 1, "stash_type": 7}, ModelError, "stash_type must be one of 1, 10, 11, 16"),
    ("LayerNormalization", 17, {**X, "s": draw(5)}, {"axis": 4}, ShapeError, "axis must lie in [-4, 3] for x 1×2×5×5 float32, got 4"),
    ("LRN", 13, X, {}, ModelError, "lacks the attribute 'size'"),
    ("LpNormalization", 1, X, {"p": 3}, ModelError, "p must be 1 or 2, got 3"),
    ("LpNormalization", 1, X, {"axis": 4}, ShapeError, "dim must lie in [-4, 3] for a value of rank 4, got 4"),
    ("MeanVarianceNormalization", 13, ROW, {}, ShapeError, "dim must lie in [-2, 1] for a value of rank 2, got 2"),
    ("Gemm", 7, {**PRODUCT, "c": draw(3)}, {"broadcast": 1}, UnsupportedError, "attribute 'broadcast' is not known here"),
    ("Einsum", 12, PRODUCT, {}, ModelError, "lacks the attribute 'equation'"),
    ("Einsum", 12, PRODUCT, {"equation": "ij,jk,kl"}, ShapeError, "'ij,jk,kl' is for 3 operands, got 2"),
    ("LeakyRelu", 6, X, {"alpha": 1}, ModelError, "attribute 'alpha' must be of type float, got int"),
    ("Gelu", 20, X, {"approximate": "erf"}, ModelError, "approximate must be 'none' or 'tanh', got 'erf'"),
    ("Celu", 12, X, {"alpha": 0.0}, ShapeError, "alpha must be above 0, got 0.0"),
    ("Shrink", 9, X, {"lambd": -1.0}, ShapeError, "lambd must be at least 0, got -1.0"),
    ("Clip", 11, X, {"min": 0.0}, UnsupportedError, "attribute 'min' is not known here; known are none"),
    ("Softmax", 6, X, {"axis": 4}, ShapeError, "axis must lie in [-4, 3] for x 1×2×5×5 float32, got 4"),
    ("Softmax", 13, X, {"axis": 4}, ShapeError, "dim must lie in [-4, 3] for a value of rank 4, got 4"),
    ("Dropout", 13, X, {"ratio": 0.5}, UnsupportedError, "attribute 'ratio' is not known here; known are seed"),
    # inputs
    ("Conv", 11, X, {}, ModelError, "takes 2 to 3 inputs, got 1"),
    ("Conv", 11, {**X, "w": None, "b": draw(2)}, {}, ModelError, "lacks an input: x, (none), b"),
    ("Conv", 11, {**CONV, **ROW}, {}, ShapeError, "x must have batch, channels and at least 1 spatial axis, got 5×5 float32"),
    ("Conv", 11, {**X, "w": draw(2, 2, 3)}, {}, ShapeError, "x and weight must have 4 axes (n, c, …) and (k, c/groups, …), got 4 and 3"),
    ("ConvTranspose", 11, {**X, "w": draw(2, 3)}, {"auto_pad": "SAME_UPPER"}, ShapeError, "x and weight must have 4 axes"),
    ("MaxPool", 12, ROW, PAIR, ShapeError, "x must have batch, channels and at least 1 spatial axis, got 5×5 float32"),
    ("MaxPool", 12, {"x": np.ones((1, 1, 3, 3), bool)}, PAIR, ShapeError, "x must be a number, got bool"),
    ("MaxPool", 12, X, {"kernel_shape": [9, 9]}, ShapeError, "the kernel reaches over 9 pixels, the padded input has 5"),
    ("MaxUnpool", 11, {**X, "i": X["x"]}, PAIR, ShapeError, "indices must be int64, got 1×2×5×5 float32"),
    ("GlobalAveragePool", 11, ROW, {}, ShapeError, "x needs at least 3 axes, got shape 5×5"),
    ("BatchNormalization", 7, NORM, {"spatial": 0}, ShapeError, "with spatial=0 scale must have the shape of an image, (2, 5, 5), got 2"),
    ("BatchNormalization", 15, {**NORM, "m": draw(1, 2, 1, 1)}, {}, ShapeError, "running_mean must have shape 2, one value a channel of x"),
    ("InstanceNormalization", 6, {**ROW, "s": draw(5), "b": draw(5)}, {}, ShapeError, "x needs at least 3 axes, got shape 5×5"),
    ("GroupNormalization", 18, SCALED, {"num_groups": 1}, ShapeError, "scale must have shape 1, one value a group (before opset 21)"),
    ("GroupNormalization", 18, {**X, "s": draw(3), "b": draw(3)}, {"num_groups": 3}, ShapeError, "num_groups 3 must be at least 1"),
    ("LayerNormalization", 17, {**X, "s": draw(4)}, {}, ShapeError, "scale must broadcast to x 1×2×5×5 float32: its axes, from the last"),
    ("LayerNormalization", 17, {**X, "s": draw(5), "b": draw(2, 1, 1, 1, 1)}, {}, ShapeError, "bias must broadcast to x 1×2×5×5 float32"),
    ("Gemm", 13, {**PRODUCT, "a": draw(4)}, {}, ShapeError, "A and B must have 2 axes, got A 4 float32 and B 4×3 float32"),
    ("Gemm", 13, TURNED, {}, ShapeError, "A gives rows of 4, B takes 3 (A 2×4 float32, B 3×4 float32, transA=0, transB=0)"),
    ("Gemm", 13, {**PRODUCT, "c": draw(2)}, {}, ShapeError, "C must broadcast to the product, 2×3, got 2 float32"),
    ("Gemm", 13, {**PRODUCT, "c": draw(1, 2, 3)}, {}, ShapeError, "C must broadcast to the product, 2×3, got 1×2×3 float32"),
    ("Gemm", 6, {**PRODUCT, "c": draw(3)}, {}, ShapeError, "with broadcast=0 C must have the shape of the product, (2, 3), got 3 float32"),
    ("Gemm", 11, {k: v.astype(int) for k, v in PRODUCT.items()}, {"alpha": 0.5}, UnsupportedError, "scaled by whole numbers alone"),
    ("MatMul", 13, TURNED, {}, ShapeError, "the last axis of x has 4 elements, the axis before the last of y has 3"),
    ("MatMul", 13, TURNED, {"constants": "b"}, ShapeError, "the last axis of x has 4 elements, the axis before the last of y has 3"),
    ("PRelu", 6, {**X, "s": draw(5)}, {}, ShapeError, "slope must have 1 value, or one a channel of x 1×2×5×5 float32 (before opset 7)"),
    ("PRelu", 9, {**X, "s": draw(3)}, {}, ShapeError, "weight does not broadcast to x"),
    ("Clip", 11, {**X, "min": draw(2)}, {}, ShapeError, "min must be one float32 number like x 1×2×5×5 float32, got 2 float32"),
    ("Clip", 13, {**X, "min": None, "max": np.array(1)}, {}, ShapeError, "max must be one float32 number like x 1×2×5×5 float32"),
    # what only training has
    ("BatchNormalization", 6, NORM, {}, UnsupportedError, "normalises by the batch that it sees (is_test=0), as in training"),
    ("BatchNormalization", 7, NORM, {"outputs": 5}, UnsupportedError, "(it gives statistics as outputs), as in training; export the model"),
    ("BatchNormalization", 9, NORM, {"outputs": 3}, UnsupportedError, "(it gives statistics as outputs), as in training; export the model"),
    ("BatchNormalization", 15, NORM, {"training_mode": 1}, UnsupportedError, "(training_mode=1), as in training; export the model"),
    ("BatchNormalization", 15, NORM, {"outputs": 3}, UnsupportedError, "output 'y1' is asked for, only 1 can be given"),
    ("Dropout", 6, X, {}, UnsupportedError, "drops a share of 0.5 at random (is_test=0), as in training; export the model for inference"),
    ("Dropout", 13, {**X, "r": None, "t": np.array(True)}, {}, UnsupportedError, "drops a share of 0.5 at random (training_mode is true)"),
    ("Dropout", 13, {**X, "r": f32(0.2), "t": np.array(True)}, {"constants": "rt"}, UnsupportedError, "drops a share of 0.2 at random"),
    # what ONNX leaves open
    ("MaxPool", 12, X, {**PAIR, "pads": [0, 3, 0, 0], "outputs": 2}, UnsupportedError, "a window lies in the padding alone"),
]  # fmt: skip


@pytest.mark.parametrize(("op_type", "opset", "feeds", "given", "error", "message"), WRONG)
def test_what_is_wrong_is_said(op_type, opset, feeds, given, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        answers(one_node(op_type, feeds, opset, **given), feeds)
    assert str(caught.value).startswith(f"model, node 'the node' ({op_type}): ")


def test_max_unpool_says_what_its_output_is_at_least():
    feeds = {**X, "i": np.zeros((1, 2, 5, 5), np.int64), "s": np.array([1, 2, 5, 6])}
    with pytest.raises(ShapeError, match=re.escape("output_shape must be at least (1, 2, 6, 6), which kernel_shape, strides and")):
        answers(one_node("MaxUnpool", feeds, 11, **PAIR), feeds)
