"""ONNX's layers, as the backend suite does not hold them: old opsets, attributes, broadcasts, and what they are recorded as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from close import FEW
from onnx_models import answers, assert_equal, assert_near, draw, evaluated, one_node, op_names, recorded, whole
from oracles.conv_transpose import conv_transpose_by_scipy

from gpucnn.ops import ConvTranspose
from gpucnn.rows import keeps_batch

f32 = np.float32
inf = np.inf


# -- convolutions


@pytest.mark.parametrize(
    ("opset", "x", "w", "attributes"),
    [
        (1, (2, 4, 7), (6, 2, 3), {"group": 2, "pads": [2, 0], "strides": [2]}),
        (11, (1, 3, 6, 8), (2, 3, 3, 2), {"pads": [1, 0, 2, 3], "dilations": [2, 1], "kernel_shape": [3, 2]}),
        (11, (1, 2, 7, 8), (2, 2, 2, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
        (11, (1, 2, 7, 8), (2, 2, 2, 4), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
        (22, (1, 2, 9, 8), (2, 2, 3, 2), {"auto_pad": "SAME_UPPER", "dilations": [2, 3]}),
        (22, (1, 1, 4, 5, 6), (2, 1, 2, 3, 2), {"auto_pad": "VALID", "strides": [1, 2, 2]}),
    ],
)
@pytest.mark.parametrize("constants", [(), ("w", "b")])
def test_conv(opset, x, w, attributes, constants):
    feeds = {"x": whole(*x), "w": whole(*w, seed=1), "b": whole(w[0], seed=2)}
    model = one_node("Conv", feeds, opset, constants=constants, **attributes)
    assert_equal(model, feeds, *evaluated(model, feeds))


@pytest.mark.parametrize(
    ("x", "w", "attributes", "fields"),
    [
        ((2, 4, 5), (4, 3, 3), {"group": 2, "strides": [3], "output_padding": [1], "pads": [1, 2]}, ((3,), ((1, 2),), (1,), 2, (1,))),
        ((1, 2, 4, 5), (2, 3, 3, 4), {"dilations": [2, 1], "strides": [2, 3]}, ((2, 3), "valid", (2, 1))),
        ((1, 2, 4, 5), (2, 3, 3, 4), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}, ((2, 3), "same")),
        ((1, 2, 4, 5), (2, 3, 3, 4), {"output_shape": [8, 15], "strides": [2, 3]}, ((2, 3), "same_lower", (1, 1), 1, (0, 0), (8, 15))),
    ],
)
def test_conv_transpose(x, w, attributes, fields):
    feeds = {"x": whole(*x), "w": whole(*w, seed=1), "b": whole(w[1] * attributes.get("group", 1), seed=2)}
    (expected,) = conv_transpose_by_scipy(ConvTranspose(*fields), *feeds.values())
    assert_equal(one_node("ConvTranspose", feeds, 11, **attributes), feeds, expected.astype(f32))


def test_conv_transpose_by_hand():
    feeds = {"x": f32([[[1, 2]]]), "w": f32([[[1, 10, 100]]])}
    made = f32([[[1, 10, 102, 20, 200]]])

    def gives(*cut: slice, **attributes: Any) -> None:
        assert_equal(one_node("ConvTranspose", feeds, 11, strides=[2], **attributes), feeds, made[:, :, cut[0]])

    gives(slice(None))
    gives(slice(0, 4), auto_pad="SAME_UPPER")  # the odd pixel is cut at the end
    gives(slice(1, 5), auto_pad="SAME_LOWER")
    gives(slice(1, 5), output_shape=[4])  # and at the beginning where nothing is said
    gives(slice(0, 4), output_shape=[4], auto_pad="SAME_UPPER")
    gives(slice(1, 5), output_shape=[1, 1, 4])
    gives(slice(1, 4), output_shape=[3], pads=[0, 2])  # pads are not read beside it


def test_conv_transpose_same_adds_nothing():
    feeds = {"x": f32([[[1, 2]]]), "w": f32([[[1]]])}
    assert_equal(one_node("ConvTranspose", feeds, 11, strides=[3], auto_pad="SAME_UPPER"), feeds, f32([[[1, 0, 0, 2]]]))


# -- pools


@pytest.mark.parametrize(
    ("op_type", "opset", "x", "attributes"),
    [
        ("MaxPool", 1, (2, 3, 7), {"kernel_shape": [3], "strides": [2], "pads": [2, 0]}),
        ("MaxPool", 8, (1, 2, 6, 7), {"kernel_shape": [2, 3], "pads": [1, 0, 0, 2]}),
        ("MaxPool", 10, (1, 2, 6, 7), {"kernel_shape": [2, 3], "ceil_mode": 1, "strides": [3, 2]}),
        ("MaxPool", 11, (1, 2, 7, 8), {"kernel_shape": [2, 2], "dilations": [2, 3]}),
        ("AveragePool", 1, (1, 2, 6, 7), {"kernel_shape": [2, 2], "strides": [2, 3], "pads": [1, 0, 0, 1]}),
        ("AveragePool", 7, (1, 2, 6, 7), {"kernel_shape": [2, 4], "pads": [1, 0, 0, 1], "count_include_pad": 1}),
        ("AveragePool", 10, (1, 2, 6, 7), {"kernel_shape": [2, 2], "strides": [3, 4], "ceil_mode": 1}),
        ("AveragePool", 19, (1, 2, 9), {"kernel_shape": [2], "dilations": [3], "pads": [1, 1], "count_include_pad": 1}),
        ("LpPool", 2, (1, 2, 6, 7), {"kernel_shape": [2, 2], "strides": [2, 3], "pads": [1, 0, 0, 1]}),
        ("LpPool", 18, (1, 2, 6, 7), {"kernel_shape": [2, 2], "dilations": [2, 3], "p": 3}),
    ],
)
def test_pools(op_type, opset, x, attributes):
    feeds = {"x": draw(*x)}
    newest = one_node(op_type, feeds, 19, **attributes)  # older ones have fewer attributes, which the evaluator does not always know
    assert_near(one_node(op_type, feeds, opset, **attributes), feeds, *evaluated(newest, feeds))


@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool", "LpPool"])
@pytest.mark.parametrize(
    ("attributes", "pads"),
    [
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, [1, 0, 2, 1]),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, [2, 1, 1, 0]),
        ({"auto_pad": "SAME_UPPER", "dilations": [1, 2]}, [1, 2, 2, 2]),
        ({"auto_pad": "VALID", "strides": [1, 3]}, [0, 0, 0, 0]),
    ],
)
def test_pools_that_pad_by_a_rule(op_type, attributes, pads):
    feeds = {"x": draw(1, 2, 7, 8)}
    explicit = {"pads": pads, **{k: v for k, v in attributes.items() if k != "auto_pad"}}
    by_rule, by_pads = (one_node(op_type, feeds, 22, kernel_shape=[4, 3], **a) for a in (attributes, explicit))
    assert_near(by_rule, feeds, *evaluated(by_pads, feeds))


def test_global_pools():
    feeds = {"x": whole(2, 3, 4, 2)}
    assert_equal(one_node("GlobalMaxPool", feeds, 1), feeds, feeds["x"].max(axis=(2, 3), keepdims=True))
    assert_equal(one_node("GlobalAveragePool", feeds, 1), feeds, feeds["x"].mean(axis=(2, 3), keepdims=True))


def test_padding_counts_where_it_is_asked_for():
    feeds = {"x": f32([[[4, 8, 12]]])}
    pool = {"kernel_shape": [2], "pads": [1, 0]}
    assert_equal(one_node("AveragePool", feeds, 7, **pool), feeds, f32([[[4, 6, 10]]]))
    assert_equal(one_node("AveragePool", feeds, 7, count_include_pad=1, **pool), feeds, f32([[[2, 6, 10]]]))


def test_powers_are_floats_in_the_first_opset():
    feeds = {"x": f32([[[3, -4, 0, 5]]])}
    assert_near(one_node("LpPool", feeds, 1, kernel_shape=[2], strides=[2], p=2.0), feeds, f32([[[5, 5]]]))
    assert_near(one_node("LpPool", feeds, 1, kernel_shape=[2], strides=[2], p=1.0), feeds, f32([[[7, 5]]]))
    assert_near(one_node("GlobalLpPool", feeds, 1, p=1.0), feeds, f32([[[12]]]))
    assert_near(one_node("GlobalLpPool", feeds, 2, p=2), feeds, f32([[[50**0.5]]]))


@pytest.mark.parametrize("dtype", [f32, np.uint8, np.int8])
@pytest.mark.parametrize("by_columns", [0, 1])
def test_max_pool_indices_count_through_the_array(dtype, by_columns):
    x = np.random.default_rng(3).permutation(2 * 2 * 4 * 5).reshape(2, 2, 4, 5).astype(dtype)
    feeds = {"x": x}
    model = one_node("MaxPool", feeds, 12, outputs=2, kernel_shape=[2, 2], strides=[2, 3], storage_order=by_columns)
    windows = np.stack([x[:, :, r : r + 3 : 2, c : c + 4 : 3] for r in (0, 1) for c in (0, 1)])
    best = windows.max(axis=0)
    flat = x.reshape(4, 4, 5).transpose(0, 2, 1).reshape(-1) if by_columns else x.reshape(-1)  # every number is there once
    places = np.argsort(flat)[best.astype(np.int64) - int(x.min())] if dtype != np.float32 else np.argsort(flat)[best.astype(np.int64)]
    assert_equal(model, feeds, best, places)


def test_max_unpool_takes_what_max_pool_gives():
    x = draw(2, 3, 4, 6)
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    values, places = answers(one_node("MaxPool", {"x": x}, 12, outputs=2, **pool), {"x": x})
    back = answers(one_node("MaxUnpool", {"x": values, "i": places}, 11, **pool), {"x": values, "i": places})[0]
    np.testing.assert_array_equal(back, np.where(np.isin(np.arange(x.size).reshape(x.shape), places), x, 0))


def test_places_go_from_pool_to_unpool_as_they_are():
    x = {"x": draw(2, 3, 4, 6)}
    pool, unpool = (one_node(op, x, 11, kernel_shape=[2, 2], strides=[2, 2]).graph.node[0] for op in ("MaxPool", "MaxUnpool"))
    pool.output[:], unpool.input[:], unpool.name = ["best", "places"], ["best", "places"], "back"
    model = one_node("Identity", x, 11)
    model.graph.ClearField("node")
    model.graph.node.extend([pool, unpool])
    graph = recorded(model, x)
    graph.prune()
    assert [node.op.name for node in graph.nodes] == ["max_pool2d", "max_unpool2d"]
    assert keeps_batch(graph)
    assert_equal(model, x, *evaluated(model, x))


def test_max_unpool_with_an_output_shape():
    feeds = {"x": f32([[[5, 6]]]), "i": np.array([[[1, 2]]]), "shape": np.array([1, 1, 6])}
    pool = {"kernel_shape": [2], "strides": [2], "constants": ["shape"]}
    assert_equal(one_node("MaxUnpool", feeds, 11, **pool), feeds, f32([[[0, 5, 6, 0, 0, 0]]]))


# -- norms


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 3, 5)])
def test_batch_norm(opset, shape):
    feeds = {"x": draw(*shape), "s": draw(4, seed=1), "b": draw(4, seed=2), "m": draw(4, seed=3), "v": draw(4, seed=4) ** 2}
    model = one_node("BatchNormalization", feeds, opset, constants="sbmv", epsilon=1e-3, momentum=0.5)
    newest = one_node("BatchNormalization", feeds, 15, epsilon=1e-3)
    assert_near(model, feeds, *evaluated(newest, feeds))


@pytest.mark.parametrize(("opset", "attributes"), [(1, {"is_test": 1, "consumed_inputs": [0] * 5}), (6, {"is_test": 1}), (7, {})])
def test_batch_norm_of_single_features(opset, attributes):
    shape = (2, 3, 5)
    feeds = {"x": whole(4, *shape), "s": whole(*shape, seed=1), "b": whole(*shape, seed=2), "m": whole(*shape, seed=3)}
    feeds["v"] = f32([1, 4, 16]).reshape(3, 1) * np.ones(shape, f32)
    model = one_node("BatchNormalization", feeds, opset, epsilon=0.0, spatial=0, **attributes)
    assert_equal(model, feeds, (feeds["x"] - feeds["m"]) / np.sqrt(feeds["v"]) * feeds["s"] + feeds["b"])


def test_batch_norm_of_one_axis_has_one_channel():
    feeds = {"x": f32([3, 7, 1]), "s": f32([2]), "b": f32([10]), "m": f32([3]), "v": f32([4])}
    assert_equal(one_node("BatchNormalization", feeds, 9, epsilon=0.0), feeds, f32([10, 14, 8]))


def test_batch_norm_with_statistics_of_another_type():
    feeds = {"x": draw(2, 2, 3), **{k: np.float64(v) for k, v in {"s": [1, 2], "b": [0, 1], "m": [1, 0], "v": [1, 4]}.items()}}
    same = {k: v.astype(f32) for k, v in feeds.items()}
    expected = answers(one_node("BatchNormalization", same, 15), same)
    assert_equal(one_node("BatchNormalization", feeds, 15, constants="sbmv"), feeds, *expected)


@pytest.mark.parametrize(("opset", "outputs", "attributes"), [(9, 5, {}), (14, 3, {"training_mode": 1}), (15, 1, {"training_mode": 1})])
def test_batch_norm_of_a_constant_by_its_own_statistics(opset, outputs, attributes):
    """Weights that a net standardises while it runs, as NFNets do."""
    stored = {"w": f32([[[1, 3, 1, 3], [2, 2, 6, 6]]]), "s": f32([2, 1]), "b": f32([10, 0]), "m": f32([0, 2]), "v": f32([3, 0])}
    options = {"constants": "wsbmv", "epsilon": 0.0, "momentum": 0.5, "outputs": outputs, **attributes}
    expected = [[[[8, 12, 8, 12], [-1, -1, 1, 1]]], [1, 3], [2, 2], [2, 4], [1, 4]]
    assert_equal(one_node("BatchNormalization", stored, opset, **options), stored, *map(f32, expected[:outputs]))


def test_instance_norm_of_the_first_opset():
    feeds = {"x": draw(2, 3, 7), "s": draw(3, seed=1), "b": draw(3, seed=2)}
    model = one_node("InstanceNormalization", feeds, 1, consumed_inputs=[0, 0, 0], epsilon=0.01)
    assert_near(model, feeds, *evaluated(one_node("InstanceNormalization", feeds, 6, epsilon=0.01), feeds))


@pytest.mark.parametrize("constants", ["", "sb"])
def test_group_norm_had_scales_by_group(constants):
    feeds = {"x": draw(2, 6, 3, 4), "s": draw(3, seed=1), "b": draw(3, seed=2)}
    by_channel = {**feeds, "s": feeds["s"].repeat(2), "b": feeds["b"].repeat(2)}
    old = one_node("GroupNormalization", feeds, 18, num_groups=3, constants=constants)
    new = one_node("GroupNormalization", by_channel, 21, num_groups=3, stash_type=1)
    rows = feeds["x"].astype(np.float64).reshape(2, 3, -1)
    norm = (rows - rows.mean(axis=2, keepdims=True)) / np.sqrt(rows.var(axis=2, keepdims=True) + 1e-5)
    expected = norm * feeds["s"][:, None] + feeds["b"][:, None]
    assert_near(old, feeds, expected.reshape(2, 6, 3, 4))
    assert_near(new, by_channel, expected.reshape(2, 6, 3, 4))


@pytest.mark.parametrize("axis", [-1, 1, -3])
@pytest.mark.parametrize("shape", [(), (1,), (5,), (4, 5), (3, 1, 5)])
@pytest.mark.parametrize("biased", [False, True])
def test_layer_norm_scales_broadcast(axis, shape, biased):
    feeds = {"x": draw(3, 4, 5), "s": draw(*shape, seed=1)} | ({"b": draw(*shape, seed=2)} if biased else {})
    model = one_node("LayerNormalization", feeds, 17, axis=axis, epsilon=1e-3)
    assert_near(model, feeds, *evaluated(model, feeds))


@pytest.mark.parametrize(("axis", "shape"), [(-1, (5,)), (1, (4, 5)), (-1, (1, 4, 1))])
def test_rms_norm(axis, shape):
    feeds = {"x": draw(3, 4, 5), "s": draw(*shape, seed=1)}
    x, axes = feeds["x"].astype(np.float64), tuple(range(axis % 3, 3))
    expected = x / np.sqrt((x * x).mean(axis=axes, keepdims=True) + 1e-5) * feeds["s"]
    assert_near(one_node("RMSNormalization", feeds, 23, axis=axis), feeds, expected)


@pytest.mark.parametrize(("stash_type", "dtype"), [(1, f32), (10, f32), (11, np.float64), (16, f32)])
def test_layer_norm_gives_its_statistics(stash_type, dtype):
    feeds = {"x": f32([[1, 3], [2, 10]]), "s": f32([1, 2]), "b": f32([0, 5])}
    model = one_node("LayerNormalization", feeds, 17, outputs=3, epsilon=0.0, stash_type=stash_type)
    assert_equal(model, feeds, f32([[-1, 7], [-1, 7]]), dtype([[2], [6]]), dtype([[1], [0.25]]))


@pytest.mark.parametrize("p", [1, 2])
def test_lp_norm_leaves_zeros(p):
    feeds = {"x": f32([[3, -4], [0, 0], [1e-18, 0]])}
    expected = f32([[3 / 7, -4 / 7], [0, 0], [1, 0]] if p == 1 else [[0.6, -0.8], [0, 0], [1, 0]])
    assert_near(one_node("LpNormalization", feeds, 1, p=p), feeds, expected)


@pytest.mark.parametrize("axes", [None, [2, 3], [0, 1, 2, 3], [-1]])
def test_mean_variance_norm(axes):
    x = whole(2, 3, 2, 2) * 2 + 1  # as the means are whole, only the root and the quotient are rounded
    feeds = {"x": x}
    model = one_node("MeanVarianceNormalization", feeds, 9, **({} if axes is None else {"axes": axes}))
    wide, dims = x.astype(np.float64), (0, 2, 3) if axes is None else tuple(axes)
    expected = (wide - wide.mean(axis=dims, keepdims=True)) / (wide.std(axis=dims, keepdims=True) + 1e-9)
    largest = 1 + np.abs(wide).max() / (wide.std(axis=dims, keepdims=True) + 1e-9)  # of what is subtracted, in deviations
    off = np.abs(answers(model, feeds)[0] - expected)
    assert (off <= FEW * np.finfo(f32).eps * largest * (1 + np.abs(expected))).all()


# -- dense layers


@pytest.mark.parametrize("opset", [7, 9, 11, 13])
@pytest.mark.parametrize("c", [(), (1,), (3,), (1, 3), (2, 1), (2, 3), (1, 1)])
@pytest.mark.parametrize(("a_turned", "b_turned"), [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("constants", ["", "bc"])
def test_gemm(opset, c, a_turned, b_turned, constants):
    a, b = whole(2, 4), whole(4, 3, seed=1)
    feeds = {"a": a.T if a_turned else a, "b": b.T if b_turned else b, "c": whole(*c, seed=2)}
    model = one_node("Gemm", feeds, opset, constants=constants, transA=a_turned, transB=b_turned, alpha=0.5, beta=2.0)
    assert_equal(model, feeds, f32(0.5 * (a @ b) + 2 * feeds["c"]))


@pytest.mark.parametrize("opset", [1, 6])
def test_gemm_with_the_old_broadcast(opset):
    feeds = {"a": whole(2, 4), "b": whole(4, 3, seed=1), "c": whole(3, seed=2)}
    assert_equal(one_node("Gemm", feeds, opset, broadcast=1), feeds, feeds["a"] @ feeds["b"] + feeds["c"])
    feeds["c"] = whole(2, 3, seed=2)
    assert_equal(one_node("Gemm", feeds, opset), feeds, feeds["a"] @ feeds["b"] + feeds["c"])


def test_gemm_of_whole_numbers_and_without_c():
    feeds = {"a": np.array([[1, 2]]), "b": np.array([[3], [2**40]]), "c": None}
    assert_equal(one_node("Gemm", feeds, 11, alpha=3.0), feeds, np.array([[9 + 6 * 2**40]]))
    nothing = {"a": f32([[1, 2]]), "b": f32([[3], [4]]), "c": f32([inf])}
    assert_equal(one_node("Gemm", nothing, 11, beta=0.0), nothing, f32([[11]]))


@pytest.mark.parametrize("a", [(4,), (2, 4), (3, 2, 4), (2, 1, 3, 4)])
@pytest.mark.parametrize("b", [(4,), (4, 5), (3, 4, 5)])
@pytest.mark.parametrize("constants", ["", "b", "ab"])
@pytest.mark.parametrize("dtype", [f32, np.int32])
def test_matmul(a, b, constants, dtype):
    feeds = {"a": whole(*a).astype(dtype), "b": whole(*b, seed=1).astype(dtype)}
    assert_equal(one_node("MatMul", feeds, 9, constants=constants), feeds, np.asarray(feeds["a"] @ feeds["b"]))


# -- what they are recorded as


@pytest.mark.parametrize(
    ("op_type", "opset", "feeds", "constants", "attributes", "ops"),
    [
        ("MatMul", 13, {"a": draw(2, 4), "b": draw(4, 3)}, "b", {}, ["linear"]),
        ("MatMul", 13, {"a": draw(5, 2, 4), "b": draw(4, 3)}, "b", {}, ["linear"]),
        ("MatMul", 13, {"a": draw(2, 4), "b": draw(4, 3)}, "", {}, ["matmul"]),
        ("MatMul", 13, {"a": draw(2, 4), "b": draw(5, 4, 3)}, "b", {}, ["matmul"]),
        ("Gemm", 13, {"a": draw(2, 4), "b": draw(3, 4), "c": draw(1, 3)}, "bc", {"transB": 1, "alpha": 2.0, "beta": 3.0}, ["linear"]),
        ("Gemm", 13, {"a": draw(2, 4), "b": draw(4, 3), "c": draw(1)}, "bc", {}, ["linear"]),
        ("Gemm", 13, {"a": draw(2, 4), "b": draw(4, 3), "c": draw(2, 1)}, "bc", {}, ["linear", "add"]),
        ("Gemm", 13, {"a": draw(2, 4), "b": draw(4, 3), "c": draw(3)}, "b", {}, ["linear", "add"]),
        ("Gemm", 13, {"a": draw(2, 4), "b": draw(4, 3), "c": draw(3)}, "", {}, ["matmul", "add"]),
        ("Clip", 13, {"x": draw(2), "min": f32(0), "max": f32(6)}, ["min", "max"], {}, ["relu6"]),
        ("Clip", 6, {"x": draw(2)}, "", {}, []),
        ("LayerNormalization", 17, {"x": draw(2, 3), "s": draw(3), "b": draw(3)}, "sb", {}, ["layer_norm"]),
        ("GroupNormalization", 18, {"x": draw(2, 4, 3), "s": draw(2), "b": draw(2)}, "sb", {"num_groups": 2}, ["group_norm"]),
        ("Swish", 24, {"x": draw(2)}, "", {}, ["silu"]),
        ("MaxPool", 12, {"x": draw(1, 3, 4)}, "", {"kernel_shape": [2], "storage_order": 1}, ["max_pool1d"]),
    ],
)  # fmt: skip
def test_what_is_recorded(op_type, opset, feeds, constants, attributes, ops):
    assert op_names(one_node(op_type, feeds, opset, constants=constants, **attributes), feeds) == ops
