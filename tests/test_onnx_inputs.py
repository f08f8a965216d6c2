"""Classifiers that take channels first or last, floating point of 32 or 16 bits, or bytes."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, save
from onnx_classifiers import classifier, scores, softmax
from onnx_graphs import model as written

import gpucnn
from gpucnn import Classifier, Preprocess
from gpucnn.errors import ModelError, ShapeError

ZERO_TO_ONE = Preprocess((8, 8), 8, mean=(0.0,) * 3, std=(1.0,) * 3)
BYTES = Preprocess((8, 8), 8, mean=(0.0,) * 3, std=(1.0,) * 3, divisor=1.0)
PIXELS = np.random.default_rng(6).integers(0, 256, (6, 8, 8, 3), np.uint8)
SINGLE, HALF = (64 * float(np.finfo(t).eps) for t in (np.float32, np.float16))


def probabilities(path, record):
    with Classifier(path, preprocess=record, device="cpu", top=4) as made:
        rows = [sorted(r.predictions, key=lambda p: p.index) for r in made.predict(list(PIXELS))]
        return np.array([[p.probability for p in row] for row in rows])


@pytest.mark.parametrize("nhwc", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("dtype", "record", "near"),
    [
        (TensorProto.FLOAT, ZERO_TO_ONE, SINGLE),
        (TensorProto.FLOAT16, ZERO_TO_ONE, HALF),
        (TensorProto.DOUBLE, ZERO_TO_ONE, SINGLE),
        (TensorProto.UINT8, BYTES, SINGLE),
    ],
    ids=["float", "float16", "double", "uint8"],
)
@pytest.mark.parametrize("batch", ["n", 1])
def test_layouts_and_types(tmp_path, nhwc, dtype, record, near, batch):
    shape = (batch, 8, 8, 3) if nhwc else (batch, 3, 8, 8)
    path = classifier(tmp_path / "net.onnx", shape=shape, nhwc=nhwc, dtype=dtype)
    assert np.abs(probabilities(path, record) - softmax(scores(PIXELS))).max() <= near


@pytest.mark.parametrize("nhwc", [False, True], ids=["NCHW", "NHWC"])
@pytest.mark.parametrize("batch", ["n", 1])
def test_every_pixel_is_where_the_file_reads_it(tmp_path, nhwc, batch):
    """A dense layer over all pixels of a wide picture tells lines from columns and from channels, which a mean does not."""
    weight = np.random.default_rng(9).standard_normal((4, 6 * 8 * 3)).astype(np.float32)
    shape = (batch, 6, 8, 3) if nhwc else (batch, 3, 6, 8)
    nodes = [("Flatten", "x", "f"), ("Gemm", "f w", "y", {"transB": 1})]
    save(written(nodes, {"x": ("float32", shape)}, constants={"w": weight}), tmp_path / "net.onnx")
    pixels, record = PIXELS[:, :6], Preprocess((6, 8), 8, mean=(0.0,) * 3, std=(1.0,) * 3)
    x = (pixels if nhwc else pixels.transpose(0, 3, 1, 2)).reshape(len(pixels), -1) / 255
    with gpucnn.load(tmp_path / "net.onnx", device="cpu") as model:
        found = model.scorer(record, "none")(pixels)
    bound = (x.shape[1] + 8) * float(np.finfo(np.float32).eps) * (x @ np.abs(weight.T.astype(np.float64)))
    assert (np.abs(found - x @ weight.T.astype(np.float64)) <= bound).all()


@pytest.mark.parametrize("nhwc", [False, True], ids=["NCHW", "NHWC"])
def test_sizes_left_open(tmp_path, nhwc):
    shape = ("n", "h", "w", 3) if nhwc else ("n", 3, "h", "w")
    path = classifier(tmp_path / "net.onnx", shape=shape, nhwc=nhwc)
    assert np.abs(probabilities(path, ZERO_TO_ONE) - softmax(scores(PIXELS))).max() <= SINGLE


def test_a_float16_model_gives_float16(tmp_path):
    path = classifier(tmp_path / "net.onnx", dtype=TensorProto.FLOAT16)
    with gpucnn.load(path, device="cpu") as model:
        assert (model.inputs[0].dtype, model.outputs[0].dtype) == (np.float16, np.float16)
        x = (PIXELS / 255).transpose(0, 3, 1, 2).astype(np.float16)
        y = model(x)
        scored = model.scorer(ZERO_TO_ONE)(PIXELS)
    assert y.dtype == np.float16
    assert np.abs(y.astype(np.float64) - scores(PIXELS)).max() <= 8 * HALF
    assert scored.dtype == np.float32


def test_bytes_must_be_left_as_they_are(tmp_path):
    path = classifier(tmp_path / "net.onnx", dtype=TensorProto.UINT8)
    with pytest.raises(ModelError, match="takes bytes .uint8. and normalises them itself"):
        Classifier(path, preprocess=ZERO_TO_ONE, device="cpu")


def test_a_size_that_the_file_fixes_is_kept_to(tmp_path):
    path = classifier(tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="the input is n×3×8×8, preprocess makes images of 16×16"):
        Classifier(path, preprocess=Preprocess((16, 16), 16), device="cpu")


def test_an_input_of_another_kind_is_refused_with_its_type(tmp_path):
    path = classifier(tmp_path / "net.onnx", dtype=TensorProto.FLOAT)
    with gpucnn.load(path, device="cpu") as model:
        with pytest.raises(ShapeError, match="input 'x' must be float32 .n×3×8×8., got 2×3×8×8 int64"):
            model(np.zeros((2, 3, 8, 8), np.int64))
        with pytest.raises(ShapeError, match="input 'x' must be n×3×8×8 float32, got 2×3×9×8 float32: axis 2 must have size 8"):
            model(np.zeros((2, 3, 9, 8), np.float32))
        with pytest.raises(ShapeError, match="input 'x' must have 4 axes .n×3×8×8 float32., got shape 3×8×8 float32"):
            model(np.zeros((3, 8, 8), np.float32))
        with pytest.raises(ShapeError, match=r"inputs are \['x'\], got \['image'\]"):
            model.run({"image": np.zeros((2, 3, 8, 8), np.float32)})


def test_what_is_computed_with_a_value_that_decides_shapes_is_that_of_the_call(tmp_path):
    nodes = [("Add", "x s", "sum"), ("Expand", "sum s", "y")]
    save(written(nodes, {"x": ("int64", (1,)), "s": ("int64", (1,))}), tmp_path / "net.onnx")
    with gpucnn.load(tmp_path / "net.onnx", device="cpu") as model:
        for n in (1, 2, 3, 1):
            size = np.array([n])
            assert model(np.array([10]), size).tolist() == [10 + n] * n
            size[:] = 7  # the caller's array, which a plan must not keep


def test_a_weight_that_decides_shapes_is_that_of_the_call_in_the_type_of_the_file(tmp_path):
    nodes = [("NonZero", "w", "places"), ("Shape", "places", "found"), ("Cast", "found", "number", {"to": TensorProto.FLOAT}),
             ("ReduceSum", "number", "sum", {"keepdims": 0}), ("Conv", "x w", "c"), ("Add", "c sum", "y")]  # fmt: skip
    save(written(nodes, {"x": ("float32", (1, 1, 2, 2)), "w": ("float32", (1, 1, 2, 2))}), tmp_path / "net.onnx")
    x = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    with gpucnn.load(tmp_path / "net.onnx", device="cpu") as model:
        for weight in ([0, 1, 2, 3], [4, 0, 0, 1], [0, 1, 2, 3]):
            w = np.array(weight, np.float64).reshape(1, 1, 2, 2)
            assert model(x, w).item() == (x * w).sum() + 4 + np.count_nonzero(w)


def loaded(path, nodes, inputs, **options):
    save(written(nodes, {k: ("float32", shape) for k, shape in inputs.items()}), path / "net.onnx")
    return gpucnn.load(path / "net.onnx", device="cpu", **options)


@pytest.mark.parametrize("batch", ["batch", 1, "n"])
def test_a_size_may_be_called_as_the_batch_is_here(tmp_path, batch):
    x = np.arange(-15, 15, dtype=np.float32).reshape(2, 3, 5)
    with loaded(tmp_path, [("Relu", "x", "y")], {"x": (batch, 3, "n")}) as model:
        assert model.inputs[0].shape == ("batch", 3, "n")
        assert model.outputs[0].shape[0] == "batch"
        assert np.array_equal(model(x), np.maximum(x, 0))


def test_sizes_of_one_name_must_agree(tmp_path):
    with loaded(tmp_path, [("MatMul", "a b", "y")], {"a": ("n", 2, "k"), "b": ("k", "m")}) as model:  # k leads one of them
        assert model(np.ones((4, 2, 3), np.float32), np.ones((3, 5), np.float32)).shape == (4, 2, 5)
        with pytest.raises(ShapeError, match="size 'k' must be the same everywhere; 'a' has 3, 'b' has 4"):
            model(np.ones((4, 2, 3), np.float32), np.ones((4, 5), np.float32))
    model = loaded(tmp_path, [("Add", "a b", "y")], {"a": ("n", 2), "b": ("n", 2)})
    with model, pytest.raises(ShapeError, match="all inputs must have one batch size; 'a' has 4, 'b' has 1"):
        model(np.ones((4, 2), np.float32), np.ones((1, 2), np.float32))


def test_first_sizes_without_a_name_need_not_agree(tmp_path):
    with loaded(tmp_path, [("Add", "a b", "y")], {"a": (None, 2), "b": (None, 2)}) as model:
        for n in (1, 4):
            assert np.array_equal(model(np.ones((4, 2), np.float32), np.ones((n, 2), np.float32)), np.full((4, 2), 2))


def test_what_is_no_array_and_no_name_is_refused(tmp_path):
    with loaded(tmp_path, [("Relu", "x", "y")], {"x": ("m", 3)}) as model:
        with pytest.raises(ShapeError, match="input 'x': .*inhomogeneous"):
            model([[1, 2, 3], [4]])
        with pytest.raises(ModelError, match="there is no layer or output 7"):
            model.run({"x": np.ones((1, 3), np.float32)}, outputs=[7])
    for shapes in ((1, 3), {"x": "13"}, {"x": (-1, 3)}, {"x": (1.0, 3)}):
        with pytest.raises(ShapeError, match="shapes must give sizes by input, such as"):
            loaded(tmp_path, [("Relu", "x", "y")], {"x": ("m", 3)}, shapes=shapes)


def test_weights_may_be_called_as_our_own_steps_are(tmp_path):
    """The scorer, which looks bytes up first, shares packed weights with the model by their names."""
    rng = np.random.default_rng(9)
    weights = {k: rng.standard_normal((3, 3, 1, 1)).astype(np.float32) for k in ("first", "lookup", "lookup_1")}
    nodes, y = [], "x"
    for k in weights:
        nodes += [("Conv", f"{y} {k}", f"by-{k}"), ("Relu", f"by-{k}", f"{k}+")]
        y = f"{k}+"
    nodes += [("GlobalAveragePool", y, "m"), ("Flatten", "m", "y")]
    save(written(nodes, {"x": ("float32", ("n", 3, 8, 8))}, constants=weights), tmp_path / "n.onnx")
    x = (PIXELS / np.float32(255)).transpose(0, 3, 1, 2).astype(np.float32)
    with gpucnn.load(tmp_path / "n.onnx", device="cpu") as model:
        y = model(x)
        scored = model.scorer(ZERO_TO_ONE, "none")(PIXELS)
    expected = x.transpose(0, 2, 3, 1).astype(np.float64)
    for w in weights.values():
        expected = np.maximum(expected @ w[:, :, 0, 0].T, 0)
    for found in (y, scored):
        assert np.abs(found - expected.mean((1, 2))).max() <= 64 * SINGLE
