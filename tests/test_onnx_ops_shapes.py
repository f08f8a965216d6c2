"""ONNX's operators on shapes, parts and places, where the suite of onnx has no case: old opsets, text that decides, what is recorded."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest
from onnx_models import assert_equal, draw, evaluated, one_node, op_names, recorded

import gpucnn.model
from gpucnn.errors import ModelError, ShapeError
from gpucnn.formats.onnx import read_onnx
from gpucnn.from_onnx import model_from_onnx
from gpucnn.onnx_backend import GpucnnBackend

X = draw(2, 3, 4, 5)
FIRST, LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def i64(*values):
    return np.array(values, np.int64)


def parsed(text, opset=17):
    """A model in ONNX's own notation."""
    return onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> m {text}')


def at_once(op_type, inputs, opset, *expected, **kw):
    """Every input but the first is stored in the file."""
    stored = [k for k in list(inputs)[1:] if inputs[k] is not None]
    assert_equal(one_node(op_type, inputs, opset, constants=stored, outputs=len(expected), **kw), inputs, *expected)


# -- old opsets


@pytest.mark.parametrize(
    ("op_type", "opset", "attributes", "expected"),
    [
        ("Reshape", 1, {"shape": (0, -1, 10)}, X.reshape(2, 6, 10)),
        ("Reshape", 4, {"shape": (24, 5), "consumed_inputs": (0,)}, X.reshape(24, 5)),
        ("Flatten", 1, {}, X.reshape(2, 60)),
        ("Flatten", 9, {"axis": 4}, X.reshape(120, 1)),
        ("Flatten", 11, {"axis": -1}, X.reshape(24, 5)),
        ("Transpose", 1, {}, X.T),
        ("Transpose", 1, {"perm": (0, 2, 3, 1)}, X.transpose(0, 2, 3, 1)),
        ("Unsqueeze", 1, {"axes": (0, 5)}, X[None, ..., None]),
        ("Unsqueeze", 11, {"axes": (-1, 1)}, X[:, None, ..., None]),
        ("Split", 2, {"axis": 1, "split": (3,)}, X),
        ("Slice", 1, {"starts": (1, -3), "ends": (2, LAST), "axes": (1, 3)}, X[:, 1:2, :, -3:]),
        ("Slice", 9, {"starts": (0, -2), "ends": (-1, 9)}, X[0:-1, -2:9]),
        ("Pad", 1, {"paddings": (0, 0, 1, 2, 0, 0, 3, 0)}, np.pad(X, ((0, 0), (0, 0), (1, 3), (2, 0)))),
        ("Pad", 2, {"pads": (0, 1, 0, 0, 0, 0, 0, 2), "value": -1.5}, np.pad(X, ((0, 0), (1, 0), (0, 0), (0, 2)), constant_values=-1.5)),
        ("Pad", 10, {"pads": (0, 0, 3, 0, 0, 0, 2, 4), "mode": "reflect"}, np.pad(X, ((0, 0), (0, 0), (3, 2), (0, 4)), "reflect")),
        ("Pad", 2, {"pads": (0, 0, -1, 1, 0, 0, -2, -2), "mode": "edge"}, np.pad(X[:, :, 1:2, :3], ((0,) * 2,) * 3 + ((1, 0),), "edge")),
    ],
)
def test_attributes_of_old_opsets(op_type, opset, attributes, expected):
    at_once(op_type, {"x": X}, opset, expected, **attributes)


def test_squeeze_by_attribute():
    x = draw(1, 3, 1, 5)
    at_once("Squeeze", {"x": x}, 1, x[0], axes=(0,))
    at_once("Squeeze", {"x": x}, 11, x[:, :, 0], axes=(-2,))
    at_once("Squeeze", {"x": x}, 11, x[0, :, 0])


def test_concat_of_opset_1_joins_channels():
    y = draw(2, 1, 4, 5)
    at_once("Concat", {"x": X, "y": y}, 1, np.concatenate([X, y], 1))
    at_once("Concat", {"x": X, "y": y}, 4, np.concatenate([X, y], 1), axis=1)
    with pytest.raises(ModelError, match="lacks the attribute 'axis'"):
        at_once("Concat", {"x": X, "y": y}, 4, X)


def test_split_takes_sizes_from_wherever_its_opset_has_them():
    parts = X[..., :2], X[..., 2:]
    at_once("Split", {"x": X}, 1, *parts, axis=3, split=(2, 3))
    at_once("Split", {"x": X, "split": np.array([2, 3], np.float32).astype(np.int64)}, 1, *parts, axis=3)
    at_once("Split", {"x": X}, 11, *parts, axis=-1, split=(2, 3))
    at_once("Split", {"x": X, "split": i64(2, 3)}, 13, *parts, axis=-1)
    at_once("Split", {"x": X}, 2, X[:, :, :2], X[:, :, 2:], axis=2)
    at_once("Split", {"x": X}, 13, X[:1], X[1:])
    at_once("Split", {"x": X}, 18, X[..., :2], X[..., 2:4], X[..., 4:], axis=-1, num_outputs=3)


def test_tile_of_opset_1_repeats_one_axis():
    at_once("Tile", {"x": X, "tiles": np.float32(3), "axis": np.float32(1)}, 1, np.tile(X, (1, 3, 1, 1)))
    at_once("Tile", {"x": X, "repeats": i64(1, 2, 1, 0)}, 6, np.tile(X, (1, 2, 1, 0)))


def test_scatter_of_opset_9():
    x, places, updates = draw(3, 4), i64(2, -4, 1).reshape(1, 3).repeat(3, 0), draw(3, 3, seed=1)
    expected = x.copy()
    np.put_along_axis(expected, places, updates, 1)
    at_once("Scatter", {"x": x, "i": places, "u": updates}, 9, expected, axis=1)


def test_blocks_of_pixels():
    x = np.arange(8, dtype=np.float32).reshape(1, 8, 1, 1)
    at_once("DepthToSpace", {"x": x}, 1, x.reshape(2, 2, 2).transpose(2, 0, 1)[None], blocksize=2)
    at_once("DepthToSpace", {"x": x}, 11, x.reshape(1, 2, 2, 2), blocksize=2, mode="CRD")
    at_once("SpaceToDepth", {"x": x.reshape(1, 2, 2, 2)}, 1, x.reshape(2, 2, 2).transpose(1, 2, 0).reshape(1, 8, 1, 1), blocksize=2)


# -- where the text decides


def by_text(n, start, end, step):
    """ONNX's rules for one axis of a slice, word by word."""
    start, end = (v + n if v < 0 else v for v in (start, end))
    start = min(max(start, 0), n) if step > 0 else min(max(start, 0), n - 1)
    end = min(max(end, 0), n) if step > 0 else min(max(end, -1), n - 1)
    return list(range(start, end, step))


@pytest.mark.parametrize("step", [1, 2, -1, -3])
@pytest.mark.parametrize("start", [0, 2, 4, 9, LAST, -1, -5, -6, -9, FIRST])
def test_every_range_of_a_slice(start, step):
    x = draw(3, 5)
    for end in (0, 3, 5, 7, LAST, -1, -5, -6, FIRST):
        inputs = {"x": x, "s": i64(start), "e": i64(end), "a": i64(-1), "p": i64(step)}
        at_once("Slice", inputs, 13, x[:, by_text(5, start, end, step)])


def test_slice_without_axes_and_steps_is_of_the_first_axes():
    at_once("Slice", {"x": X, "s": i64(1, 1), "e": i64(2, LAST)}, 10, X[1:2, 1:])
    at_once("Slice", {"x": X, "s": i64(3, 1), "e": i64(FIRST, 2), "a": None, "p": i64(-1, 1)}, 11, X[3::-1, 1:2])
    at_once("Slice", {"x": X, "s": i64(), "e": i64()}, 13, X)


@pytest.mark.parametrize(
    ("shape", "allowzero", "sizes", "expected"),
    [
        ((2, 3, 4), 0, (0, -1), (2, 12)),
        ((2, 3, 4), 0, (0, 0, 0), (2, 3, 4)),
        ((2, 3, 4), 1, (4, -1, 1), (4, 6, 1)),
        ((1, 1), 0, (), ()),
        ((0, 3, 4), 0, (0, -1), (0, 12)),
        ((0, 3, 4), 0, (-1, 12), (0, 12)),
        ((0, 3, 4), 0, (0, 2, -1), (0, 2, 6)),
        ((3, 0, 4), 1, (4, 0, 7), (4, 0, 7)),
    ],
)
def test_reshape(shape, allowzero, sizes, expected):
    x = draw(*shape)
    at_once("Reshape", {"x": x, "s": i64(*sizes)}, 14, x.reshape(expected), allowzero=allowzero)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [(0, 2, 1, 0), (2, 0, 0, 2), (-1, 3, 0, -1), (5, 11, 7, 9)])
def test_pad(mode, pads):
    x = draw(3, 4)
    cut = x[max(0, -pads[0]) : 3 - max(0, -pads[2]), max(0, -pads[1]) : 4 - max(0, -pads[3])]
    width = [(max(0, pads[0]), max(0, pads[2])), (max(0, pads[1]), max(0, pads[3]))]
    at_once("Pad", {"x": x, "p": i64(*pads)}, 19, np.pad(cut, width, mode), mode=mode)
    at_once("Pad", {"x": x, "p": i64(*pads[::-1]), "v": None, "a": i64(-1, 0)}, 19, np.pad(*by_axes(x, pads[::-1]), mode), mode=mode)


def by_axes(x, pads):
    """Pads of the axes 1 and 0, in this order, as the array that is left and what is added to it."""
    (b1, b0, e1, e0), (n0, n1) = pads, x.shape
    left = x[max(0, -b0) : n0 - max(0, -e0), max(0, -b1) : n1 - max(0, -e1)]
    return left, [(max(0, b0), max(0, e0)), (max(0, b1), max(0, e1))]


@pytest.mark.parametrize(("dtype", "value"), [("float32", -2.5), ("int64", 2**53 + 1), ("int32", -7), ("bool", True), ("uint8", 255)])
def test_pad_with_a_value_of_every_type(dtype, value):
    x = (draw(2, 3) > 0).astype(dtype)
    expected = np.pad(x, ((1, 0), (0, 2)), constant_values=value)
    for shape in ((), (1,)):
        at_once("Pad", {"x": x, "p": i64(1, 0, 0, 2), "v": np.full(shape, value, dtype)}, 13, expected)
    at_once("Pad", {"x": x, "p": i64(1, 0, 0, 2)}, 13, np.pad(x, ((1, 0), (0, 2))))


def test_squeeze_and_unsqueeze_by_input():
    x = draw(1, 3, 1)
    at_once("Squeeze", {"x": x, "a": i64(-1)}, 13, x[..., 0])
    at_once("Squeeze", {"x": x}, 13, x[0, :, 0])
    at_once("Unsqueeze", {"x": x, "a": i64(2, -1)}, 13, x.reshape(1, 3, 1, 1, 1))


# -- places


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("places", [0, -1, [1], [0, 1, 2], [2, 1, 0], [-1, -2], [0, 2], [[0, 1], [2, 3]], [2, 0, 0, 1], [1, 1], []])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_gather(axis, places, dtype):
    x = draw(4, 3, 5)
    places = np.clip(np.asarray(places, dtype), -x.shape[axis], x.shape[axis] - 1)
    inputs, expected = {"x": x, "i": places}, x.take(places, axis)
    at_once("Gather", inputs, 13, expected, axis=axis)
    assert_equal(one_node("Gather", inputs, 11, axis=axis), inputs, expected)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (i64(1)[0], ["slice", "flatten"]),
        (i64(2, 3), ["slice"]),
        (i64(3, 2, 1, 0), ["slice"]),
        (i64(0, 2), ["slice"]),
        (i64(0, 1, 3), ["gather"]),
        (i64(0, 1, 2, 3), []),
        (i64(0, 1, 2, 3).reshape(2, 2), ["reshape"]),
    ],
)
def test_places_in_a_row_are_a_slice(places, expected):
    inputs = {"x": draw(2, 4, 5), "i": places}
    assert op_names(one_node("Gather", inputs, 13, constants=["i"], axis=1), inputs) == expected


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scatter_reductions(reduction):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    inputs = {"x": x, "i": i64(2, 0, -1).reshape(3, 1), "u": np.array([[5], [-2], [3]], np.float32)}
    assert_equal(one_node("ScatterElements", inputs, 18, axis=1, reduction=reduction), inputs, *evaluated(
        one_node("ScatterElements", inputs, 18, axis=1, reduction=reduction), inputs
    ))  # fmt: skip
    inputs = {"x": x, "i": i64(2, 0).reshape(2, 1), "u": draw(2, 4)}
    model = one_node("ScatterND", inputs, 18, reduction=reduction)
    assert_equal(model, inputs, *evaluated(model, inputs))


# -- what is recorded


def test_a_reshape_that_keeps_the_batch_is_a_flattening():
    for op_type, inputs, kw in (
        ("Flatten", {"x": X}, {}),
        ("Reshape", {"x": X, "s": i64(0, -1)}, {}),
        ("Reshape", {"x": X, "s": i64(2, 60)}, {}),
        ("Squeeze", {"x": draw(2, 3, 1, 1), "s": i64(2, 3)}, {}),
    ):
        assert op_names(one_node(op_type, inputs, 13, constants=list(inputs)[1:], **kw), inputs) == ["flatten"]
    assert op_names(one_node("Reshape", {"x": X, "s": i64(6, 20)}, 13, constants=["s"]), {"x": X}) == ["reshape"]
    assert op_names(one_node("Reshape", {"x": X, "s": i64(0, 0, 0, 0)}, 13, constants=["s"]), {"x": X}) == []


def test_of_two_reshapes_the_last_is_left():
    model = parsed("(float[2,3,4,5] x) => (y) { a = Constant<value = int64[2] {6, 20}>() t = Reshape(x, a) y = Flatten(t) }")
    assert_equal(model, {"x": X}, X.reshape(6, 20))
    model = parsed("(float[2,3,4,5] x) => (y) { to = Constant<value_ints = [-1]>() t = Reshape(x, to) s = Shape(x) y = Reshape(t, s) }")
    assert recorded(model, {"x": X}).outputs["y"].producer is None
    assert_equal(model, {"x": X}, X)


TORCH_VIEW = """(float[n,3,h,w] x) => (y) {
    s = Shape(x) zero = Constant<value = int64 {0}>() n = Gather<axis = 0>(s, zero) axes = Constant<value = int64[1] {0}>()
    n1 = Unsqueeze(n, axes) rest = Constant<value = int64[1] {-1}>() to = Concat<axis = 0>(n1, rest) y = Reshape(x, to)
}"""
TORCH_PAD = """(float[n,3,h,w] x) => (y) {
    given = Constant<value = int64[4] {1, 2, 3, 4}>() four = Constant<value_ints = [4]>()
    zeros = ConstantOfShape<value = int64[1] {0}>(four) all = Concat<axis = 0>(given, zeros)
    two = Constant<value = int64[2] {-1, 2}>() pairs = Reshape(all, two)
    first = Constant<value = int64[1] {-1}>() end = Constant<value = int64[1] {-9223372036854775807}>()
    axis = Constant<value = int64[1] {0}>() back = Slice(pairs, first, end, axis, first)
    turned = Transpose<perm = [1, 0]>(back) one = Constant<value = int64[1] {-1}>() flat = Reshape(turned, one)
    pads = Cast<to = 7>(flat) value = Constant<value = float {0.5}>() y = Pad(x, pads, value)
}"""
TORCH_STRIDED = """(float[n,4,2,2] x) => (y) {
    to = Constant<value_ints = [-1]>() flat = Reshape(x, to) s = Shape<start = 0, end = 1>(x) n = Squeeze(s)
    zero = Constant<value_int = 0>() one = Constant<value_int = 1>() rows = Range(zero, n, one) size = Constant<value_int = 16>()
    ends = Range(zero, size, one) at = Mul(rows, size) axes = Constant<value_ints = [1]>() first = Unsqueeze(at, axes)
    places = Add(first, ends) y = Gather(flat, places)
}"""
TORCH_CHUNK = """(float[n,4,h,w] x) => (y, z) {
    s = Shape(x) one = Constant<value = int64 {1}>() c = Gather(s, one) axes = Constant<value = int64[1] {0}>() c1 = Unsqueeze(c, axes)
    two = Constant<value = int64 {2}>() half = Div(c, two) h1 = Unsqueeze(half, axes) zero = Constant<value = int64[1] {0}>()
    at = Constant<value = int64[1] {1}>() y = Slice(x, zero, h1, at) z = Slice(x, h1, c1, at)
}"""


def test_shape_arithmetic_is_computed_while_recording():
    x = draw(2, 3, 4, 5)
    assert op_names(parsed(TORCH_VIEW), {"x": x}) == ["flatten"]
    assert op_names(parsed(TORCH_PAD), {"x": x}) == ["pad"]
    assert op_names(parsed(TORCH_CHUNK), {"x": draw(2, 4, 3, 3)}) == ["slice", "slice"]
    assert_equal(parsed(TORCH_PAD), {"x": x}, np.pad(x, ((0, 0), (0, 0), (3, 4), (1, 2)), constant_values=0.5))


def test_a_flattening_by_places_keeps_the_batch():
    """What is passed over mixes it, and is no layer that can be asked for."""
    with model_from_onnx(read_onnx(parsed(TORCH_STRIDED, 18)), "strided", device="cpu") as model:
        assert model.batching == "any"
        assert "y" in model.layers
        assert "flat" not in model.layers
        x = draw(13, 4, 2, 2)
        np.testing.assert_array_equal(model(x), x.reshape(13, 16))


@pytest.fixture
def planned(monkeypatch):
    """Shapes of the first input, one a plan that is made."""
    seen, real = [], gpucnn.model.compile_graph

    def counted(graph, *args, **kwargs):
        seen.append(next(iter(graph.inputs.values())).shape)
        return real(graph, *args, **kwargs)

    monkeypatch.setattr(gpucnn.model, "compile_graph", counted)
    return seen


def test_any_batch_height_and_width_through_one_model(planned):
    rep = GpucnnBackend.prepare(parsed(TORCH_PAD))
    shapes = [(1, 3, 4, 5), (2, 3, 7, 3), (1, 3, 4, 5), (3, 3, 1, 1), (2, 3, 7, 3)]
    for seed, shape in enumerate(shapes):
        x = draw(*shape, seed=seed)
        np.testing.assert_array_equal(rep.run([x])[0], np.pad(x, ((0, 0), (0, 0), (3, 4), (1, 2)), constant_values=0.5))
    assert planned == [shapes[0], shapes[1], shapes[3]]


# -- run-time shapes


def numbers(x):
    return np.asarray(x, np.int64)


@pytest.mark.parametrize(
    ("op_type", "opset", "first", "second", "attributes", "expected"),
    [
        ("Reshape", 14, ([0, -1],), ([-1, 10],), {}, lambda x, s: x.reshape([x.shape[0] if n == 0 else n for n in s])),
        ("Expand", 13, ([7, 2, 1, 4, 1],), ([3, 1, 1, 1, 1],), {}, lambda x, s: np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(s)))),
        ("Tile", 13, ([1, 2, 1, 1],), ([2, 1, 1, 3],), {}, np.tile),
        ("Unsqueeze", 13, ([0],), ([-1],), {}, lambda x, a: np.expand_dims(x, tuple(a))),
        ("Pad", 13, ([0, 0, 1, 1, 0, 0, 1, 1],), ([0] * 7 + [2],), {}, lambda x, p: np.pad(x, list(zip(p[:4], p[4:])))),
        ("Slice", 13, ([1], [3], [2]), ([0], [-1], [3]), {}, lambda x, s, e, a: np.moveaxis(np.moveaxis(x, a[0], 0)[s[0] : e[0]], 0, a[0])),
        ("Gather", 13, ([[0, 1]],), ([[2, 0]],), {"axis": 1}, lambda x, i: x.take(i, 1)),
    ],
)
def test_a_second_value_is_planned_anew(planned, op_type, opset, first, second, attributes, expected):
    """And the plan for the first one is kept. Places are data: they need no plan of their own."""
    names = [f"s{i}" for i in range(len(first))]
    rep = GpucnnBackend.prepare(one_node(op_type, {"x": X, **dict(zip(names, map(numbers, first)))}, opset, **attributes))
    for values in (first, second, first, second):
        arrays = list(map(numbers, values))
        np.testing.assert_array_equal(rep.run([X, *arrays])[0], expected(X, *arrays))
    assert len(planned) == (1 if op_type == "Gather" else 2)


def test_split_by_values_at_run_time(planned):
    rep = GpucnnBackend.prepare(one_node("Split", {"x": X, "s": i64(1, 4)}, 13, outputs=2, axis=-1))
    for sizes in ((1, 4), (3, 2), (1, 4), (5, 0)):
        for part, expected in zip(rep.run([X, i64(*sizes)]), (X[..., : sizes[0]], X[..., sizes[0] :])):
            np.testing.assert_array_equal(part, expected)
    assert len(planned) == 3
    with pytest.raises(ShapeError, match=r"sizes must be at least 0 and add up to axis 3 of x, got \(2, 2\) \(x 2×3×4×5 float32\)"):
        rep.run([X, i64(2, 2)])
