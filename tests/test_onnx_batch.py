"""A batch that the file fixes at 1: any number of images where they provably do not mix, else one after another; and open batches."""

from __future__ import annotations

import gc
import logging

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from onnx_classifiers import BIAS, WEIGHT, classifier, scores, softmax
from onnx_graphs import graph

import gpucnn
from gpucnn import Classifier, Preprocess
from gpucnn.errors import ModelError, ShapeError

RECORD = Preprocess((8, 8), 8, mean=(0.0,) * 3, std=(1.0,) * 3)
PIXELS = np.random.default_rng(8).integers(0, 256, (7, 8, 8, 3), np.uint8)
X = (PIXELS / np.float32(255)).transpose(0, 3, 1, 2).astype(np.float32)
NEAR = 64 * np.finfo(np.float32).eps


def net(path, nodes, constants, shape=(1, 3, 8, 8), out=(1, 3)):
    made = helper.make_graph(
        [helper.make_node(op, i, o, **a) for op, i, o, a in nodes],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None if out is None else list(out))],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize(
    ("shape", "head", "batching"),
    [(("n", 3, 8, 8), "gemm", "any"), ((1, 3, 8, 8), "gemm", "any"), ((4, 3, 8, 8), "gemm", "any"), ((1, 3, 8, 8), "fixed", "single")],
)
def test_any_number_of_images_gives_the_right_scores(tmp_path, shape, head, batching):
    path = classifier(tmp_path / "net.onnx", shape=shape, head=head)
    with gpucnn.load(path, device="cpu") as model:
        assert model.batching == batching
        assert model.inputs[0].shape == ("n", 3, 8, 8)
        assert model.outputs[0].shape == ("n", 4)
        for n in (0, 1, 3, 7):
            y = model(X[:n])
            assert y.shape == (n, 4)
            assert n == 0 or np.abs(y - scores(PIXELS[:n])).max() <= NEAR
    with Classifier(path, preprocess=RECORD, device="cpu", top=4) as made:
        found = [sorted(r.predictions, key=lambda p: p.index) for r in made.predict(list(PIXELS))]
    assert np.abs(np.array([[p.probability for p in row] for row in found]) - softmax(scores(PIXELS))).max() <= NEAR


def test_that_images_are_run_one_by_one_is_said(tmp_path, caplog):
    path = classifier(tmp_path / "net.onnx", shape=(1, 3, 8, 8), head="fixed")
    with caplog.at_level(logging.INFO, "gpucnn"), gpucnn.load(path, device="cpu") as model:
        assert "takes one image, and is run image by image" in model.describe()
    assert any("takes one image, and is run image by image" in m for m in caplog.messages)


def test_scores_do_not_depend_on_the_batch(tmp_path):
    for head in ("gemm", "fixed"):
        path = classifier(tmp_path / f"{head}.onnx", shape=(1, 3, 8, 8), head=head)
        with gpucnn.load(path, device="cpu") as model:
            scorer = model.scorer(RECORD)
            whole = scorer(PIXELS)
            assert all(np.array_equal(whole[i : i + 1], scorer(PIXELS[i : i + 1])) for i in range(7))


ONE_WAY_OR_THE_OTHER = {
    "then_branch": graph([("Sub", "r a", "p")], outputs=["p"]),
    "else_branch": graph([("Sub", "a r", "q")], outputs=["q"]),
}
MIXES = {
    "a mean over the batch": ([("ReduceMean", ["x"], ["m"], {"axes": [0], "keepdims": 1}), ("Sub", ["x", "m"], ["y"], {})], {}),
    "the batch's size as a number": (
        [
            ("Shape", ["x"], ["s"], {"start": 0, "end": 1}),
            ("Cast", ["s"], ["f"], {"to": TensorProto.FLOAT}),
            ("Div", ["x", "f"], ["y"], {}),
        ],
        {},
    ),
    "a bound that is the batch's size": (
        [
            ("Shape", ["x"], ["s"], {"start": 0, "end": 1}),
            ("Cast", ["s"], ["f"], {"to": TensorProto.FLOAT}),
            ("Div", ["f", "ten"], ["most"], {}),
            ("Clip", ["x", "", "most"], ["y"], {}),
        ],
        {"ten": np.float32([10])},
    ),
    "another channel for another size": (
        [
            ("Shape", ["x"], ["s"], {"start": 0, "end": 1}),
            ("Mod", ["s", "three"], ["first"], {}),
            ("Add", ["first", "one"], ["last"], {}),
            ("Slice", ["x", "first", "last", "one"], ["c"], {}),
            ("Sub", ["x", "c"], ["y"], {}),
        ],
        {"three": np.array([3]), "one": np.array([1])},
    ),
    "the difference for one image, and the other way round for more": (
        [
            ("Shape", ["x"], ["s"], {"start": 0, "end": 1}),
            ("Equal", ["s", "one"], ["c"], {}),
            ("Relu", ["x"], ["r"], {}),
            ("Abs", ["x"], ["a"], {}),
            ("If", ["c"], ["y"], ONE_WAY_OR_THE_OTHER),
        ],
        {"one": np.array([1])},
    ),
    "an axis that one image lacks": (
        [("Reshape", ["x", "to"], ["r"], {}), ("Softmax", ["r"], ["t"], {"axis": 0}), ("Reshape", ["t", "back"], ["y"], {})],
        {"to": np.array([-1, 8]), "back": np.array([-1, 3, 8, 8])},
    ),
}


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_images_that_mix_are_never_cut_apart(tmp_path, name, batch):
    nodes, constants = MIXES[name]
    path = net(tmp_path / "net.onnx", nodes, constants, (batch, 3, 8, 8), (batch, 3, 8, 8))
    with gpucnn.load(path, device="cpu") as model:
        assert model.batching == ("single" if batch == 1 else "whole")
        n = 2 if batch == 2 else 5
        if batch == 1:  # each alone, as the file says
            expected = np.concatenate([by_hand(name, X[i : i + 1]) for i in range(n)])
        else:
            expected = by_hand(name, X[:n])
        assert np.abs(model(X[:n]) - expected).max() <= NEAR
        if batch == 2:
            with pytest.raises(ShapeError, match="input 'x' must be 2×3×8×8 float32, got 5×3×8×8 float32: axis 0 must have size 2"):
                model(X[:5])


def by_hand(name, x):
    x = x.astype(np.float64)
    if name.startswith("a mean"):
        return x - x.mean(0, keepdims=True)
    if name.startswith("the batch"):
        return x / len(x)
    if name.startswith("a bound"):
        return np.minimum(x, np.float32(len(x)) / np.float32(10))
    if name.startswith("another"):
        k = len(x) % 3
        return x - x[:, k : k + 1]
    if name.startswith("the difference"):
        y = np.maximum(x, 0) - np.abs(x)
        return y if len(x) == 1 else -y
    e = np.exp(x.reshape(-1, 8))
    return (e / e.sum(0)).reshape(x.shape)


@pytest.mark.parametrize("batch", ["n", 1])
def test_images_that_mix_at_some_sizes_alone(tmp_path, batch):
    """Of 4×4 pixels an image is one row, of 8×8 four: then nothing says which rows are whose, and a batch is run as a whole."""
    weight = np.random.default_rng(5).standard_normal((48, 5)).astype(np.float32)
    nodes = [("Reshape", ["x", "to"], ["r"], {}), ("MatMul", ["r", "w"], ["y"], {})]
    path = net(tmp_path / "net.onnx", nodes, {"to": np.array([-1, 48]), "w": weight}, (batch, 3, "h", "w"), None)
    small, large = X[:5, :, :4, :4], X[:5]
    with gpucnn.load(path, device="cpu", shapes={"x": (1, 3, 4, 4)}) as model:
        assert model.batching == "any"
        for images in (small, large[:1], large, small, np.concatenate([large, large], 3)):
            rows = images.reshape(-1, 48).astype(np.float64)
            limit = NEAR * (np.abs(rows) @ np.abs(weight))
            if batch == "n" or images.shape[0] == 1 or images is small:
                y = model(images)
                assert y.shape == (len(rows), 5)
                assert (np.abs(y - rows @ weight) <= limit).all()
            else:
                with pytest.raises(ShapeError, match="axis 0 must have size 1"):
                    model(images)
        assert model(small[:0]).shape == (0, 5)


MOVED = [
    ("Transpose", ["x"], ["t"], {"perm": [1, 2, 3, 0]}),
    ("ReduceMean", ["t"], ["m"], {"axes": [1, 2], "keepdims": 0}),
    ("Transpose", ["m"], ["f"], {"perm": [1, 0]}),
    ("Gemm", ["f", "w", "b"], ["y"], {"transB": 1}),
]


@pytest.mark.parametrize("mixed", [False, True], ids=["apart", "mixed"])
def test_photographs_go_one_by_one_through_a_net_whose_images_cannot_be_shown_not_to_mix(tmp_path, mixed):
    """As through attention that moves the axis of the batch. Each score is what the file gives for that image alone."""
    above = [("ReduceMean", ["p"], ["all"], {"axes": [0], "keepdims": 1}), ("Sub", ["p", "all"], ["d"], {}), ("Add", ["d", "p"], ["y"], {})]
    nodes = [*MOVED[:3], ("Gemm", ["f", "w", "b"], ["p"], {"transB": 1}), *above] if mixed else MOVED
    path = net(tmp_path / "net.onnx", nodes, {"w": WEIGHT, "b": BIAS}, ("n", 3, 8, 8), ("n", 4))
    with gpucnn.load(path, device="cpu") as model:
        assert model.batching == "whole"
        whole = scores(PIXELS) * 2 - scores(PIXELS).mean(0) if mixed else scores(PIXELS)
        assert np.abs(model(X) - whole).max() <= 2 * NEAR
        assert "photographs are scored one by one" in model.describe()
    with Classifier(path, preprocess=RECORD, device="cpu", top=4, activation="none") as made:
        assert made.one_by_one
        found = [sorted(r.predictions, key=lambda p: p.index) for r in made.predict(list(PIXELS))]
        assert np.abs(np.array([[p.probability for p in row] for row in found]) - scores(PIXELS)).max() <= NEAR
        if not mixed:
            assert np.abs(np.array([f.vector for f in made.features(list(PIXELS))]) - (PIXELS / 255).mean((1, 2))).max() <= NEAR


def test_photographs_are_not_put_into_a_batch_of_a_size_that_the_file_fixes(tmp_path):
    path = net(tmp_path / "net.onnx", MOVED, {"w": WEIGHT, "b": BIAS}, (2, 3, 8, 8), (2, 4))
    with pytest.raises(ModelError, match="these are only run as a whole batch"):
        Classifier(path, preprocess=RECORD, device="cpu")


def test_a_layer_without_an_axis_of_images_is_whole_or_refused(tmp_path):
    """Where images are run one by one, what one of them makes of the batch's axis must not be cut to its first row."""
    nodes = [("Reshape", ["x", "fold"], ["folded"], {}), ("Relu", ["folded"], ["r"], {}), ("Reshape", ["r", "back"], ["y"], {})]
    path = net(tmp_path / "net.onnx", nodes, {"fold": np.array([3, 1, 8, 8]), "back": np.array([1, 3, 8, 8])}, out=(1, 3, 8, 8))
    relu = np.maximum(X, 0)
    with gpucnn.load(path, device="cpu") as model:
        assert model.batching == "single"
        assert np.array_equal(model.run({"x": X[:1]}, ["r", "y"])["r"], relu[:1].reshape(3, 1, 8, 8))
        assert np.array_equal(model.run({"x": X[:3]}, ["y"])["y"], relu[:3])
        for n in (0, 2):
            with pytest.raises(ModelError, match="'r' is 3×1×8×8 for one image, so that its first axis is not the images'.* one image"):
                model.run({"x": X[:n]}, ["r"])


def test_a_constant_spread_over_the_batch_keeps_images_apart(tmp_path):
    nodes = [
        ("Shape", ["x"], ["s"], {"start": 0, "end": 1}),
        ("Concat", ["s", "rest"], ["size"], {"axis": 0}),
        ("Expand", ["token", "size"], ["tokens"], {}),
        ("Concat", ["tokens", "x"], ["y"], {"axis": 1}),
    ]
    token = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8)
    constants = {"rest": np.array([1, 8, 8]), "token": token}
    path = net(tmp_path / "net.onnx", nodes, constants, ("n", 3, 8, 8), ("n", 4, 8, 8))
    with gpucnn.load(path, device="cpu") as model:
        assert model.batching == "any"
        for n in (1, 2, 7):
            assert np.array_equal(model(X[:n]), np.concatenate([np.repeat(token, n, 0), X[:n]], 1))


def test_three_sizes_through_one_model_and_plans_are_kept(tmp_path):
    weight = np.random.default_rng(3).standard_normal((2, 3, 3, 3)).astype(np.float32)
    nodes = [("Conv", ["x", "w"], ["c"], {"pads": [1, 1, 1, 1]}), ("GlobalAveragePool", ["c"], ["y"], {})]
    path = net(tmp_path / "net.onnx", nodes, {"w": weight}, ("n", 3, "h", "w"), ("n", 2, 1, 1))
    rng = np.random.default_rng(4)
    with gpucnn.load(path, device="cpu") as model:
        assert model.inputs[0].shape == ("n", 3, "h", "w")
        plans = []
        for _ in range(2):
            for h, w in ((8, 8), (5, 11), (16, 7)):
                x = rng.standard_normal((2, 3, h, w)).astype(np.float32)
                padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
                windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
                expected = np.einsum("nchwij,kcij->nk", windows, weight.astype(np.float64)) / (h * w)
                terms = np.einsum("nchwij,kcij->nk", np.abs(windows), np.abs(weight).astype(np.float64)) / (h * w)
                assert (np.abs(model(x)[:, :, 0, 0] - expected) <= 60 * np.finfo(np.float32).eps * terms).all()
            plans.append([runner.plan for runner in model._runners.values()])
        assert len(plans[0]) == 3
        assert list(map(id, plans[0])) == list(map(id, plans[1]))


def test_constants_of_sizes_that_are_gone_are_let_go_and_weights_are_held_once(tmp_path):
    nodes = [
        ("Conv", ["x", "w"], ["c"], {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", ["c", "one", "zero", "zero", "one"], ["n"], {}),
        ("Relu", ["n"], ["r"], {}),
        ("Shape", ["r"], ["size"], {}),
        ("Expand", ["k", "size"], ["ks"], {}),
        ("Add", ["r", "ks"], ["y"], {}),
    ]
    constants = {"w": np.ones((4, 3, 3, 3), np.float32), "one": np.ones(4, np.float32), "zero": np.zeros(4, np.float32)}
    constants["k"] = np.arange(4, dtype=np.float32).reshape(4, 1, 1)
    path = net(tmp_path / "net.onnx", nodes, constants, ("n", 3, "h", "w"), None)
    with gpucnn.load(path, device="cpu") as model:
        for h in range(3, 43):
            model(np.ones((1, 3, h, 5), np.float32))
        gc.collect()
        assert len(model._packed) <= 2 * model._engine.kept
        convolutions = [s for r in model._runners.values() for s in r.plan.steps if s.node.op.name == "conv2d"]
        assert len(convolutions) == model._engine.kept
        assert len({id(step.constants[1]) for step in convolutions}) == 1
        # What was packed is not held as it was too: an array of one number stands for it.
        assert {step.node.inputs[1].data.strides for step in convolutions} == {(0, 0, 0, 0)}
