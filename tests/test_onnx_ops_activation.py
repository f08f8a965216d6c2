"""ONNX's activations, bounds, softmax and dropout, as the backend suite does not hold them: old opsets, absent and late inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx_models import assert_equal, assert_near, draw, evaluated, one_node, op_names, whole

f32 = np.float32
inf = np.inf


@pytest.mark.parametrize(
    ("op_type", "opset", "attributes"),
    [
        ("Relu", 6, {}), ("Sigmoid", 6, {}), ("Tanh", 6, {}), ("Softplus", 1, {}), ("Softsign", 1, {}), ("Erf", 9, {}),
        ("HardSigmoid", 6, {"alpha": 0.3, "beta": 0.4}), ("HardSwish", 14, {}), ("LeakyRelu", 6, {"alpha": 0.3}),
        ("Elu", 6, {"alpha": 0.3}),
        ("Selu", 6, {}), ("Selu", 6, {"alpha": 1.5, "gamma": 0.5}), ("Celu", 12, {"alpha": 2.0}), ("Mish", 18, {}),
        ("Gelu", 20, {"approximate": "tanh"}), ("Gelu", 20, {}), ("ThresholdedRelu", 10, {"alpha": 0.5}),
        ("Shrink", 9, {"lambd": 1.0, "bias": 0.5}), ("Clip", 6, {"min": -0.5}), ("Clip", 6, {"max": 0.5}), ("Clip", 6, {}),
    ],
)  # fmt: skip
def test_activations(op_type, opset, attributes):
    feeds = {"x": np.append(draw(60) * 4, f32([0, 30, -30, 90, -90])).reshape(13, 5)}
    model = one_node(op_type, feeds, opset, **attributes)
    assert_near(model, feeds, *evaluated(model, feeds))


@pytest.mark.parametrize("op_type", ["Relu", "Sigmoid", "Tanh", "HardSigmoid", "LeakyRelu", "Elu"])
def test_activations_of_the_first_opset(op_type):
    feeds = {"x": draw(3, 5)}
    model = one_node(op_type, feeds, 1, consumed_inputs=[1])
    assert_near(model, feeds, *evaluated(one_node(op_type, feeds, 6), feeds))


def test_selu_of_the_first_opset_has_rounded_factors():
    feeds = {"x": f32([2, -100])}
    assert_near(one_node("Selu", feeds, 1), feeds, f32([2 * 1.0507, -1.0507 * 1.6732]))


@pytest.mark.parametrize("alpha", [1.0, 1.5])
def test_swish(alpha):
    feeds = {"x": draw(3, 5) * 3}
    wide = feeds["x"].astype(np.float64)
    assert_near(one_node("Swish", feeds, 24, alpha=alpha), feeds, wide / (1 + np.exp(-alpha * wide)))


@pytest.mark.parametrize(("opset", "slope"), [(1, (3,)), (6, (3,)), (6, (1,)), (6, ()), (7, (3, 1)), (7, (1,)), (9, (4,)), (16, (2, 3, 4))])
def test_prelu(opset, slope):
    feeds = {"x": whole(2, 3, 4), "s": whole(*slope, seed=1)}
    s = feeds["s"].reshape(3, 1) if opset < 7 and slope == (3,) else feeds["s"]
    assert_equal(one_node("PRelu", feeds, opset), feeds, np.where(feeds["x"] > 0, feeds["x"], feeds["x"] * s))


def test_relu_of_whole_numbers():
    feeds = {"x": np.array([-3, 0, 2**40])}
    assert_equal(one_node("Relu", feeds, 14), feeds, np.array([0, 0, 2**40]))


# -- bounds


@pytest.mark.parametrize("opset", [11, 12, 13])
@pytest.mark.parametrize("constants", [(), ("min", "max"), ("max",)])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_clip_by_inputs(opset, constants, shape):
    x = f32([-5, -1, 0, 1, 5, inf, -inf, np.nan])
    low, high = f32(-1).reshape(shape), f32(2).reshape(shape)

    def gives(*expected: float, **bounds: Any) -> None:
        feeds = {"x": x, **bounds}
        known = [k for k in constants if bounds.get(k) is not None]
        assert_equal(one_node("Clip", feeds, opset, constants=known), feeds, f32(expected))

    gives(-1, -1, 0, 1, 2, 2, -1, np.nan, min=low, max=high)
    gives(-1, -1, 0, 1, 5, inf, -1, np.nan, min=low)
    gives(-5, -1, 0, 1, 2, 2, -inf, np.nan, min=None, max=high)
    gives(-1, -1, -1, -1, -1, -1, -1, np.nan, min=high, max=low)  # the upper bound wins where they cross
    gives(*x)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.int8, np.uint64])
def test_clip_of_whole_numbers_is_exact(dtype):
    limits = np.iinfo(dtype)
    x = np.array([limits.min, 3, 100, limits.max - 1, limits.max], dtype)
    feeds = {"x": x, "min": np.array(5, dtype), "max": np.array(limits.max - 1, dtype)}
    assert_equal(one_node("Clip", feeds, 12, constants=["min", "max"]), feeds, np.clip(x, feeds["min"], feeds["max"]))


def test_clip_of_old_opsets_where_the_bounds_cross():
    feeds = {"x": f32([-9, 0, 9])}
    assert_equal(one_node("Clip", feeds, 6, min=2.0, max=1.0), feeds, f32([1, 1, 1]))
    assert_equal(one_node("Clip", feeds, 1, min=-1.0, max=1.0, consumed_inputs=[0]), feeds, f32([-1, 0, 1]))


# -- softmax and its like


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize(("opset", "axis"), [(1, None), (6, 0), (6, 3), (11, -1), (11, -3), (11, 2)])
def test_softmax_was_over_all_axes_behind(op_type, opset, axis):
    feeds = {"x": draw(2, 3, 4, 5) * 3}
    model = one_node(op_type, feeds, opset, **({} if axis is None else {"axis": axis}))
    rows = {"x": feeds["x"].reshape(int(np.prod(feeds["x"].shape[: 1 if axis is None else axis % 4])), -1)}
    (expected,) = evaluated(one_node(op_type, rows, 13), rows)
    compare = assert_equal if op_type == "Hardmax" else assert_near
    compare(model, feeds, expected.reshape(2, 3, 4, 5))


@pytest.mark.parametrize("op_type", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_of_one_pixel_needs_no_reshape(op_type):
    assert len(op_names(one_node(op_type, {"x": draw(2, 3, 1, 1)}, 11), {"x": draw(2, 3, 1, 1)})) == 1


# -- dropout


@pytest.mark.parametrize(
    ("opset", "attributes", "mask"),
    [
        (1, {"is_test": 1, "consumed_inputs": [0]}, f32),
        (6, {"is_test": 1}, f32),
        (6, {"ratio": 0.0}, f32),
        (7, {}, f32),
        (10, {"ratio": 0.3}, bool),
    ],
)
def test_dropout_drops_nothing(opset, attributes, mask):
    feeds = {"x": draw(2, 3)}
    assert_equal(one_node("Dropout", feeds, opset, outputs=2, **attributes), feeds, feeds["x"], np.ones((2, 3), mask))
    assert op_names(one_node("Dropout", feeds, opset, **attributes), feeds) == []


@pytest.mark.parametrize("constants", [(), ("ratio", "mode")])
@pytest.mark.parametrize(("ratio", "mode"), [(None, None), (0.9, None), (0.9, False), (0.0, True), (None, False)])
def test_dropout_by_inputs(constants, ratio, mode):
    feeds = {"x": draw(2, 3), "ratio": None if ratio is None else f32(ratio), "mode": None if mode is None else np.array(mode)}
    known = [k for k in constants if feeds[k] is not None]
    model = one_node("Dropout", feeds, 13, outputs=2, constants=known, seed=3)
    assert_equal(model, feeds, feeds["x"], np.ones((2, 3), bool))
