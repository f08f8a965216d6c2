"""Numbers as small integers: by hand, in nets, and wrong use."""

from __future__ import annotations

import numpy as np
import pytest
from truth import Planned

from gpucnn import functional as F
from gpucnn.errors import ShapeError
from gpucnn.graph import Graph
from gpucnn.ops import Dequantize, Quantize
from gpucnn.passes import lower_precision
from gpucnn.spec import Spec

f32, u8, i8 = np.float32, np.uint8, np.int8


def test_as_onnx_shows_it():
    """The examples of ONNX's QuantizeLinear and DequantizeLinear."""
    x = f32([0, 2, 3, 1000, -254, -1000])
    assert F.quantize_linear(x, f32(2), u8(128)).tolist() == [128, 129, 130, 255, 1, 0]
    assert F.dequantize_linear(u8([0, 3, 128, 255]), f32(2), u8(128)).tolist() == [-256, -250, 0, 254]
    maps = f32([[[[-162, 10], [-100, 232], [-20, -50]], [[-76, 0], [0, 252], [32, -44]], [[245, -485], [-960, -270], [-375, -470]]]])
    y = F.quantize_linear(maps, f32([2, 4, 5]), u8([84, 24, 196]))
    assert y[0].tolist() == [[[3, 89], [34, 200], [74, 59]], [[5, 24], [24, 87], [32, 13]], [[245, 99], [4, 142], [121, 102]]]
    np.testing.assert_array_equal(F.dequantize_linear(y, f32([2, 4, 5]), u8([84, 24, 196])), maps)


def test_ties_go_to_the_even_number_and_the_ends_hold():
    assert F.quantize_linear(f32([0.5, 1.5, 2.5, -0.5, -1.5]), f32(1), i8(0)).tolist() == [0, 2, 2, 0, -2]
    assert F.quantize_linear(f32([np.nan, np.inf, -np.inf, 1e38]), f32(0.5), i8(3)).tolist() == [-128, 127, -128, 127]
    assert F.quantize_linear(f32([3, -3]), f32(1)).tolist() == [3, 0]
    assert F.quantize_linear(f32([40000, -40000]), f32(1), dtype="int16").tolist() == [32767, -32768]


def test_the_quotient_is_rounded_in_float32():
    """2.25/0.3, which in 16 bits is 0.30005, is 7.499; in 16 bits that were 7.5, and then 8."""
    assert F.quantize_linear(np.float16([2.25]), np.float16(0.3)).tolist() == [7]


def test_blocks_share_a_scale():
    """Two scales along the columns: three elements have the first, and two the second."""
    x, scale = f32([[1, 2, 3, 4, 5]]), f32([[1, 0.5]])
    assert F.quantize_linear(x, scale, block_size=3).tolist() == [[1, 2, 3, 8, 10]]
    assert F.dequantize_linear(u8([[1, 2, 3, 8, 10]]), scale, block_size=3).tolist() == x.tolist()


def recorded(dtype=np.float32):
    """x, to integers and back, with one scale a channel."""
    graph = Graph()
    x = graph.input("x", Spec((2, 3, 4, 4), np.dtype(dtype)), "channels_last")
    scale, zero = f32([0.25, 0.5, 2]), u8([3, 128, 7])
    graph.outputs = {"y": F.dequantize_linear(F.quantize_linear(F.relu(x), scale, zero), scale, zero)}
    return graph


def test_there_and_back_in_a_net_that_lies_channels_last():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(f32) * 20
    scale, zero = f32([0.25, 0.5, 2]).reshape(3, 1, 1), np.float64([3, 128, 7]).reshape(3, 1, 1)
    planned = Planned(recorded())
    expected = (np.clip(np.rint(np.maximum(x, 0) / scale) + zero, 0, 255) - zero) * scale
    np.testing.assert_array_equal(planned.run({"x": x})["y"], expected)
    assert [s.impl.name for s in planned.plan.steps if "quantize" in s.node.op.name] == ["quantize", "dequantize"]


def test_scales_keep_their_precision_in_sixteen_bits():
    graph = recorded()
    lower_precision(graph)
    for node in graph.nodes:
        if isinstance(node.op, (Quantize, Dequantize)):
            assert node.inputs[1].dtype == f32
    graph.check()


def test_rows_of_a_batch_have_the_same_scales():
    x, scale, one, rows = (Spec(s, np.dtype(f32)) for s in ((4, 3, 5), (3,), (), (4,)))
    for op in (Quantize("uint8"), Dequantize()):
        assert op.keeps_batch((True, False, False), x, scale, None)
        assert op.keeps_batch((True, False, False), x, one, None)
        assert not op.keeps_batch((True, True, False), x, scale, None)
    assert not Quantize("uint8", 0).keeps_batch((True, False, False), x, rows, None)
    assert not Quantize("uint8", 1, 2).keeps_batch((True, False, False), x, Spec((4, 2, 5), np.dtype(f32)), None)


X, Q = np.zeros((2, 6, 5), f32), np.zeros((2, 6, 5), u8)

WRONG = {
    "type": (lambda: F.quantize_linear(Q, f32(1)), "quantize_linear: x must be floating point, got uint8", "x 2×6×5 uint8"),
    "target": (lambda: F.quantize_linear(X, f32(1), dtype="int32"), "quantize_linear: dtype must be one of uint8, int8, uint16, int16"),
    "scale": (lambda: F.quantize_linear(X, np.int64(1)), "quantize_linear: scale must be floating point, got int64", "x 2×6×5 float32"),
    "scale type": (lambda: F.quantize_linear(X, np.float64(1)), "quantize_linear: scale is float64 where x is float32; convert one"),
    "scales": (lambda: F.quantize_linear(X, np.ones(5, f32)), "scale must be one number, or 6 of them, one an index of dim 1", "scale 5"),
    "dim": (lambda: F.quantize_linear(X, np.ones(5, f32), dim=3), "quantize_linear: dim must lie in [-3, 2]"),
    "points": (lambda: F.quantize_linear(X, np.ones(6, f32), u8(1)), "quantize_linear: zero_point must have the shape of scale"),
    "point type": (lambda: F.quantize_linear(X, f32(1), u8(1), dtype="int8"), "zero_point must have the result's type int8, got uint8"),
    "block": (lambda: F.quantize_linear(X, X[:, :2], block_size=-1), "quantize_linear: block_size must be at least 0, got -1"),
    "blocks": (lambda: F.quantize_linear(X, X[:, :2], block_size=2), "scale must have shape (2, 3, 5), one a block of 2 along dim 1"),
    "back": (lambda: F.dequantize_linear(X, f32(1)), "x must be one of uint8, int8, uint16, int16 and int32, got float32"),
    "back point": (lambda: F.dequantize_linear(Q, f32(1), i8(1)), "dequantize_linear: zero_point must have the type of x, uint8, got int8"),
    "back block": (lambda: Dequantize(1, -2), "dequantize_linear: block_size must be at least 0, got -2"),
}


@pytest.mark.parametrize("case", WRONG)
def test_message_says_what_is_wrong(case):
    call, *said = WRONG[case]
    with pytest.raises(ShapeError) as error:
        call()
    for part in said:
        assert part in str(error.value)
