"""Quantised models, right in float32: one scale for all, one a channel, one a block; and what of it is left in a plan."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_graphs import model, run

from gpucnn.errors import ModelError, ShapeError, UnsupportedError
from gpucnn.formats.onnx import read_onnx
from gpucnn.graph import Graph
from gpucnn.onnx_backend import prepare
from gpucnn.spec import Spec

RNG = np.random.default_rng(7)
X = (RNG.standard_normal((2, 4, 5, 6)) * 40).astype(np.float32)
X.flat[:4] = [1e6, -1e6, 0.5, -0.5]
RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767), "uint4": (0, 15), "int4": (-8, 7)}


def quantised(x, scale, zero, name):
    """ONNX's formula, in float64 after the division."""
    low, high = RANGES[name]
    return np.clip(np.rint((x / scale).astype(np.float64)) + np.asarray(zero, np.float64), low, high)


def dequantised(q, scale, zero):
    return ((q.astype(np.int64) - np.asarray(zero, np.int64)).astype(np.float32) * scale).astype(np.float32)


# -- one node

TYPES = [("uint8", 10), ("uint8", 13), ("int8", 10), ("int8", 19), ("uint8", 23), ("uint16", 21), ("int16", 23)]


@pytest.mark.parametrize(("name", "opset"), TYPES)
def test_one_scale_for_all(name, opset):
    low, high = RANGES[name]
    scale, zero = np.float32(0.37), np.asarray((low + high) // 3, name)
    for stored in ((), (1, 2)):
        y = run("QuantizeLinear", X, scale, zero, opset=opset, constant=stored)
        assert y.dtype == name
        assert np.array_equal(y, quantised(X, scale, zero, name))
        assert {low, high} <= set(y.reshape(-1).tolist())  # of ±1e6 at least: saturated, not wrapped around
        x = run("DequantizeLinear", y, scale, zero, opset=opset, constant=stored)
        assert np.array_equal(x, dequantised(y, scale, zero))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize(("name", "opset"), [(name, opset) for name, opset in TYPES if opset >= 13])
def test_a_scale_for_each_place_along_an_axis(axis, name, opset):
    n = X.shape[axis]
    low, high = RANGES[name]
    scale, zero = RNG.random(n).astype(np.float32) + np.float32(0.05), RNG.integers(low // 2, high // 2, n).astype(name)
    shape = [n if a == axis % 4 else 1 for a in range(4)]
    for stored in ((), (1, 2)):
        y = run("QuantizeLinear", X, scale, zero, opset=opset, constant=stored, axis=axis)
        assert np.array_equal(y, quantised(X, scale.reshape(shape), zero.reshape(shape), name))
        x = run("DequantizeLinear", y, scale, zero, opset=opset, constant=stored, axis=axis)
        assert np.array_equal(x, dequantised(y, scale.reshape(shape), zero.reshape(shape)))


@pytest.mark.parametrize(("axis", "block"), [(1, 2), (1, 4), (2, 2), (3, 4), (-1, 3), (0, 1)])
@pytest.mark.parametrize("name", ["uint8", "int16"])
def test_a_scale_for_each_block(axis, block, name):
    shape = list(X.shape)
    shape[axis] = -(-shape[axis] // block)
    low, high = RANGES[name]
    scale, zero = RNG.random(shape).astype(np.float32) + np.float32(0.05), RNG.integers(low // 2, high // 2, shape).astype(name)
    wide = [np.take(np.repeat(a, block, axis), range(X.shape[axis]), axis) for a in (scale, zero)]
    for stored in ((), (1, 2)):
        y = run("QuantizeLinear", X, scale, zero, opset=21, constant=stored, axis=axis, block_size=block)
        assert np.array_equal(y, quantised(X, *wide, name))
        x = run("DequantizeLinear", y, scale, zero, opset=21, constant=stored, axis=axis, block_size=block)
        assert np.array_equal(x, dequantised(y, *wide))


def test_without_a_zero_point_it_is_0_and_the_type_uint8_unless_told():
    y = run("QuantizeLinear", X, np.float32(0.5), opset=13)
    assert np.array_equal(y, quantised(X, np.float32(0.5), 0, "uint8"))
    y = run("QuantizeLinear", X, np.float32(0.5), opset=21, output_dtype=TensorProto.INT16)
    assert y.dtype == np.int16
    assert np.array_equal(y, quantised(X, np.float32(0.5), 0, "int16"))
    assert np.array_equal(run("DequantizeLinear", y, np.float32(0.5)), y * np.float32(0.5))


def test_halves_are_rounded_to_even():
    x = np.float32([0.5, 1.5, 2.5, -0.5, -1.5])
    assert run("QuantizeLinear", x, np.float32(1), np.int8(0)).tolist() == [0, 2, 2, 0, -2]
    assert run("QuantizeLinear", x, np.float32(1), np.int8(1)).tolist() == [1, 3, 3, 1, -1]  # before the zero point is added


def test_wide_integers_and_vectors():
    q = np.int32([2**31 - 1, -(2**31), 16777217])
    assert np.array_equal(run("DequantizeLinear", q, np.float32(0.01)), q.astype(np.float32) * np.float32(0.01))
    x = RNG.standard_normal(4).astype(np.float32)
    scale = np.float32([0.1, 0.2, 0.3, 0.4])
    y = run("QuantizeLinear", x, scale, np.zeros(4, np.int8))  # of the one axis, whatever the attribute says
    assert np.array_equal(y, quantised(x, scale, 0, "int8"))
    assert np.array_equal(run("QuantizeLinear", np.int32([7, -9]), np.float32(2), np.int8(0)), [4, -4])


@pytest.mark.parametrize("name", ["int4", "uint4"])
def test_a_zero_point_of_4_bits_sets_the_range(name):
    kind = {"int4": TensorProto.INT4, "uint4": TensorProto.UINT4}[name]
    made = model([("QuantizeLinear", "x s z", "y")], {"x": ("float32", X.shape)}, constants={"s": np.float32(3)}, opset=21)
    made.graph.initializer.append(helper.make_tensor("z", kind, [], [2]))
    assert np.array_equal(prepare(made).run([X])[0], quantised(X, np.float32(3), 2, name))
    made = model([("QuantizeLinear", "x s z", "y")], {"x": ("float32", X.shape)}, constants={"s": np.float32(3)}, opset=21)
    made.graph.input.append(helper.make_tensor_value_info("z", kind, []))
    held = np.asarray(2, {"int4": "int8", "uint4": "uint8"}[name])
    assert np.array_equal(prepare(made).run([X, held])[0], quantised(X, np.float32(3), 2, name))
    assert np.array_equal(run("QuantizeLinear", X, np.float32(3), opset=21, output_dtype=kind), quantised(X, np.float32(3), 0, name))


def test_weights_of_4_bits_in_blocks():
    q = RNG.integers(-8, 8, (4, 6))
    scale = RNG.random((4, 2)).astype(np.float32)
    made = model([("DequantizeLinear", "q s", "w", {"axis": 1, "block_size": 3}), ("MatMul", "x w", "y")], {"x": ("float32", (3, 4))},
                 constants={"s": scale}, opset=21)  # fmt: skip
    made.graph.initializer.append(helper.make_tensor("q", TensorProto.INT4, q.shape, q.reshape(-1).tolist()))
    w = q.astype(np.float32) * np.repeat(scale, 3, 1)
    assert np.array_equal(prepare(made).run([np.eye(3, 4, dtype=np.float32)])[0], w[:3])


def test_a_scale_is_found_for_what_is_fed():
    for x in (X[0, 0], abs(X[1]), -abs(X[1]), np.zeros((2, 3), np.float32)):
        y, scale, zero = run("DynamicQuantizeLinear", x, outputs="y s z")
        low, high = min(x.min(), 0), max(x.max(), 0)
        assert scale == ((high - low) / np.float32(255) if high > low else 1)
        assert zero == np.clip(np.rint(-low / scale), 0, 255)
        assert (y.dtype, zero.dtype, scale.dtype) == (np.uint8, np.uint8, np.float32)
        assert np.array_equal(y, quantised(x, scale, zero, "uint8"))


# -- nets


def net(per_channel):
    """Conv, ReLU, global mean, as tools write them that put QuantizeLinear and DequantizeLinear around every layer."""
    w = RNG.integers(-127, 128, (3, 4, 3, 3)).astype(np.int8)
    ws = (RNG.random(3) if per_channel else RNG.random(1).reshape(())).astype(np.float32) / 100 + np.float32(0.001)
    b = RNG.integers(-1000, 1000, 3).astype(np.int32)
    constants = {"xs": np.float32(0.4), "xz": np.uint8(120), "w": w, "ws": ws, "wz": np.zeros(ws.shape, np.int8), "b": b,
                 "bs": (np.float32(0.4) * ws).astype(np.float32), "ys": np.float32(0.9), "yz": np.uint8(0)}  # fmt: skip
    axis = {"axis": 0} if per_channel else {}
    nodes = [("QuantizeLinear", "x xs xz", "xq"), ("DequantizeLinear", "xq xs xz", "xf"), ("DequantizeLinear", "w ws wz", "wf", axis),
             ("DequantizeLinear", "b bs", "bf", axis), ("Conv", "xf wf bf", "c"), ("Relu", "c", "r"), ("QuantizeLinear", "r ys yz", "q"),
             ("DequantizeLinear", "q ys yz", "f"), ("GlobalAveragePool", "f", "y")]  # fmt: skip
    return nodes, constants


@pytest.mark.parametrize("per_channel", [False, True])
def test_a_quantised_net(per_channel):
    nodes, c = net(per_channel)
    x = X * np.float32(0.5)
    y, q = prepare(model(nodes, {"x": ("float32", X.shape)}, ["y", "q"], c)).run([x])
    xf = dequantised(quantised(x, c["xs"], c["xz"], "uint8"), c["xs"], c["xz"]).astype(np.float64)
    ws = np.broadcast_to(c["ws"], 3).astype(np.float64)
    conv = np.zeros((2, 3, 3, 4))
    for i in range(3):
        for j in range(3):
            conv += np.einsum("nchw,oc->nohw", xf[:, :, i : i + 3, j : j + 4], c["w"][:, :, i, j].astype(np.float64))
    conv = (conv + c["b"][:, None, None] * 0.4) * ws[:, None, None]
    want = np.maximum(conv, 0) / 0.9
    assert q.dtype == np.uint8
    assert np.clip(want, 0, 255).std() > 1
    whole = np.clip(np.rint(want), 0, 255)
    sure = abs(want - np.floor(want) - 0.5) > want.max() * 36 * np.finfo(np.float32).eps  # not so near a half that rounding decides
    assert sure.mean() > 0.9
    assert np.array_equal(q[sure], whole[sure])
    assert abs(q - whole).max() <= 1
    np.testing.assert_allclose(y, (q * np.float32(0.9)).mean((2, 3), keepdims=True), rtol=12 * np.finfo(np.float32).eps)


def ops_of(made):
    graph = Graph()
    read_onnx(made).record(graph, graph.input("x", Spec(X.shape, np.dtype(np.float32))))
    return [node.op.name for node in graph.nodes]


def test_weights_are_dequantised_at_load():
    nodes, constants = net(True)
    pair = ["quantize_linear", "dequantize_linear"]
    assert ops_of(model(nodes, {"x": ("float32", X.shape)}, ["y"], constants)) == [*pair, "conv2d", "relu", *pair, "global_avg_pool"]


# -- what is refused


def test_scales_that_do_not_fit_are_named():
    ones = np.ones(3, np.float32)
    with pytest.raises(ShapeError, match=r"\(QuantizeLinear\): quantize_linear: scale must be one number, or 4 of them, one"):
        run("QuantizeLinear", X, ones, np.zeros(3, np.int8))
    with pytest.raises(ShapeError, match="zero_point must have the shape of scale"):
        run("QuantizeLinear", X, np.ones(4, np.float32), np.int8([1, 2]))
    with pytest.raises(ShapeError, match=r"dim must lie in \[-4, 3\] for a value of rank 4, got 4"):
        run("DequantizeLinear", X.astype(np.int8), ones, np.zeros(3, np.int8), axis=4)
    with pytest.raises(ShapeError, match=r"scale must have shape \(2, 2, 5, 6\), one a block of 3 along dim 1"):
        run("QuantizeLinear", X, np.ones_like(X), np.zeros(X.shape, np.int8), opset=21, block_size=3)


def test_types_that_disagree_or_are_not_whole_numbers_are_refused():
    with pytest.raises(ModelError, match="output_dtype is int16, the zero point is int8; they must agree"):
        run("QuantizeLinear", X, np.float32(1), np.int8(0), opset=21, output_dtype=TensorProto.INT16)
    with pytest.raises(UnsupportedError, match="quantises to float8e4m3fn; known are uint8, int8, uint16, int16, uint4, int4"):
        run("QuantizeLinear", X, np.float32(1), opset=21, output_dtype=TensorProto.FLOAT8E4M3FN)
    with pytest.raises(UnsupportedError, match="quantises to int32"):
        run("QuantizeLinear", X, np.float32(1), np.int32(0))
    made = model([("DequantizeLinear", "x s", "y")], {"s": ("float32", (2,))}, opset=21)
    made.graph.initializer.append(helper.make_tensor("x", TensorProto.FLOAT8E5M2, [1, 2], [1.0, 2.0]))
    with pytest.raises(UnsupportedError, match=r"dequantises float8e5m2 with a scale of shape \(2,\); known is one scale for all"):
        prepare(made)


def test_small_floats_are_dequantised():
    made = model([("DequantizeLinear", "x s z", "y")], {"s": ("float32", (1,))}, opset=21)
    made.graph.initializer.append(helper.make_tensor("x", TensorProto.FLOAT8E5M2, [3], [1.0, -2.0, 0.5]))
    made.graph.initializer.append(helper.make_tensor("z", TensorProto.FLOAT8E5M2, [], [0.25]))
    assert prepare(made).run([np.float32([3])])[0].tolist() == [2.25, -6.75, 0.75]
