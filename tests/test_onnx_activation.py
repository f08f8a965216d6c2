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
