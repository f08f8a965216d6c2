"""A softmax or sigmoid that the graph ends in is found, and none is applied twice."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_classifiers import classifier, scores, softmax

import gpucnn
from gpucnn import Classifier, Preprocess
from gpucnn.errors import ModelError

RECORD = Preprocess((8, 8), 8, mean=(0.0,) * 3, std=(1.0,) * 3)
PIXELS = np.random.default_rng(5).integers(0, 256, (6, 8, 8, 3), np.uint8)
SIGMOID = 1 / (1 + np.exp(-scores(PIXELS)))
NEAR = 64 * np.finfo(np.float32).eps  # a dozen float32 roundings on numbers up to 5, through an exponential


def probabilities(path, **options):
    with Classifier(path, preprocess=RECORD, device="cpu", top=4, **options) as made:
        rows = [sorted(r.predictions, key=lambda p: p.index) for r in made.predict(list(PIXELS))]
        return made.activation, np.array([[p.probability for p in row] for row in rows])


@pytest.mark.parametrize(
    ("tail", "attributes", "opset", "activation", "expected"),
    [
        ([], {}, 17, "softmax", softmax(scores(PIXELS))),
        (["Softmax"], {"axis": 1}, 17, "softmax", softmax(scores(PIXELS))),
        (["Softmax"], {"axis": -1}, 13, "softmax", softmax(scores(PIXELS))),
        (["Softmax"], {}, 9, "softmax", softmax(scores(PIXELS))),
        (["LogSoftmax"], {"axis": 1}, 17, "softmax", softmax(scores(PIXELS))),
        (["Sigmoid"], {}, 17, "sigmoid", SIGMOID),
    ],
)
def test_what_the_graph_ends_in_is_applied_once(tmp_path, tail, attributes, opset, activation, expected):
    used, found = probabilities(classifier(tmp_path / "net.onnx", tail=tail, opset=opset, **attributes))
    assert used == activation
    assert np.abs(found - expected).max() <= NEAR


def test_a_softmax_over_something_else_than_the_classes_is_not_taken_for_the_classifiers(tmp_path):
    path = classifier(tmp_path / "net.onnx", tail=["Softmax"], head="conv", axis=2)  # of a map of one pixel: ones
    used, found = probabilities(path)
    assert used == "softmax"
    assert np.abs(found - 0.25).max() <= NEAR


EXP = [("Exp", "scores", "e"), ("ReduceSum", "e axes", "sum"), ("Div", "e sum", "p")]
BEHIND = {
    "moved": ("conv", [("Softmax", "scores", "s", {"axis": 1}), ("Transpose", "s", "p", {"perm": [0, 2, 3, 1]})]),
    "over the last axis and back": (
        "conv",
        [("Transpose", "scores", "t", {"perm": [0, 2, 3, 1]}), ("Softmax", "t", "s"), ("Transpose", "s", "p", {"perm": [0, 3, 1, 2]})],
    ),
    "bounded": ("gemm", [("Softmax", "scores", "s"), ("Clip", "s zero one", "p")]),
    "written out": ("gemm", EXP),
    "written out below the largest": (
        "gemm",
        [("ReduceMax", "scores", "m", {"axes": [1]}), ("Sub", "scores m", "d"), ("Exp", "d", "e"), *EXP[1:]],
    ),
    "over all places, of which the first is taken": (
        "conv",
        [("Concat", "scores scores", "c", {"axis": 2}), ("Softmax", "c", "s", {"axis": 1}), ("Slice", "s from to place", "p")],
    ),
    "squeezed": ("conv", [("Softmax", "scores", "s", {"axis": 1}), ("Squeeze", "s maps", "p")]),
}
NUMBERS = {"zero": np.float32(0), "one": np.float32(1), "axes": np.int64([1]), "maps": np.int64([2, 3])}
NUMBERS |= {"from": np.int64([0]), "to": np.int64([1]), "place": np.int64([2])}


@pytest.mark.parametrize("name", BEHIND)
def test_a_softmax_is_found_behind_what_moves_it_and_written_out(tmp_path, name):
    head, nodes = BEHIND[name]
    used, found = probabilities(classifier(tmp_path / "net.onnx", head=head, behind=nodes, constants=NUMBERS))
    assert used == "softmax"
    assert np.abs(found - softmax(scores(PIXELS))).max() <= NEAR


@pytest.mark.parametrize("last", [("Reciprocal", "sum", "p"), ("Div", "one sum", "p")])
def test_a_sigmoid_is_found_written_out(tmp_path, last):
    nodes = [("Neg", "scores", "n"), ("Exp", "n", "e"), ("Add", "e one", "sum"), last]
    used, found = probabilities(classifier(tmp_path / "net.onnx", behind=nodes, constants=NUMBERS))
    assert used == "sigmoid"
    assert np.abs(found - SIGMOID).max() <= NEAR


def test_a_quantised_softmax_is_not_taken_for_scores(tmp_path):
    nodes = [("Softmax", "scores", "s"), ("QuantizeLinear", "s step", "q"), ("DequantizeLinear", "q step", "p")]
    used, found = probabilities(classifier(tmp_path / "net.onnx", behind=nodes, constants={"step": np.float32(1 / 256)}))
    assert used == "softmax"
    assert np.abs(found - softmax(scores(PIXELS))).max() <= 1 / 512 + NEAR


def test_one_class_that_is_cut_from_a_softmax_is_a_probability(tmp_path):
    nodes = [("Softmax", "scores", "s"), ("Slice", "s from to axes", "p")]
    path = classifier(tmp_path / "net.onnx", behind=nodes, constants={**NUMBERS, "from": np.int64([2]), "to": np.int64([3])})
    with Classifier(path, preprocess=RECORD, device="cpu") as made:
        found = [r.predictions[0].probability for r in made.predict(list(PIXELS))]
    assert np.abs(found - softmax(scores(PIXELS))[:, 2]).max() <= NEAR


@pytest.mark.parametrize("head", ["gemm", "conv"])
def test_a_softmax_behind_any_head(tmp_path, head):
    used, found = probabilities(classifier(tmp_path / "net.onnx", tail=["Softmax"], head=head, axis=1))
    assert used == "softmax"
    assert np.abs(found - softmax(scores(PIXELS))).max() <= NEAR


def test_a_softmax_can_be_handed_on_as_it_is_but_not_made_a_sigmoid(tmp_path):
    path = classifier(tmp_path / "net.onnx", tail=["Softmax"], axis=1)
    assert np.abs(probabilities(path, activation="none")[1] - softmax(scores(PIXELS))).max() <= NEAR
    with pytest.raises(ModelError, match="ends in a softmax of its own"):
        probabilities(path, activation="sigmoid")


def test_the_model_itself_gives_what_the_file_says(tmp_path):
    path = classifier(tmp_path / "net.onnx", tail=["Softmax"], axis=1)
    x = (PIXELS / np.float32(255)).transpose(0, 3, 1, 2).astype(np.float32)
    with gpucnn.load(path, device="cpu") as model:
        assert np.abs(model(x) - softmax(scores(PIXELS))).max() <= NEAR
