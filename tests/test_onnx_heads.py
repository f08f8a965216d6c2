"""Heads of the shapes (n, c), (n, c, 1, 1), (n, 1, 1, c) and (n, 1)."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, save
from onnx_classifiers import classifier, scores, softmax
from onnx_graphs import model

import gpucnn
from gpucnn import Classifier, Preprocess
from gpucnn.errors import ModelError

RECORD = Preprocess((8, 8), 8, mean=(0.0,) * 3, std=(1.0,) * 3)
PIXELS = np.random.default_rng(7).integers(0, 256, (6, 8, 8, 3), np.uint8)
NEAR = 64 * np.finfo(np.float32).eps


def results(path, **options):
    with Classifier(path, preprocess=RECORD, device="cpu", **options) as made:
        return list(made.predict(list(PIXELS)))


@pytest.mark.parametrize(
    ("head", "tail", "attributes"),
    [("gemm", [], {}), ("conv", [], {}), ("conv", ["Transpose"], {"perm": [0, 2, 3, 1]})],
    ids=["(n, c)", "(n, c, 1, 1)", "(n, 1, 1, c)"],
)
def test_a_row_of_scores_whatever_axes_are_about_it(tmp_path, head, tail, attributes):
    path = classifier(tmp_path / "net.onnx", head=head, tail=tail, **attributes)
    found = [sorted(r.predictions, key=lambda p: p.index) for r in results(path, top=4)]
    assert np.abs(np.array([[p.probability for p in row] for row in found]) - softmax(scores(PIXELS))).max() <= NEAR
    with gpucnn.load(path, device="cpu", labels=["a", "b", "c", "d"]) as loaded:
        assert loaded.labels == ("a", "b", "c", "d")


@pytest.mark.parametrize("tail", [[], ["Sigmoid"]])
@pytest.mark.parametrize("head", ["gemm", "conv"])
def test_one_output_is_the_probability_of_the_positive_class(tmp_path, head, tail):
    path = classifier(tmp_path / "net.onnx", head=head, tail=tail, classes=1)
    expected = 1 / (1 + np.exp(-scores(PIXELS)[:, 0]))
    assert np.abs(np.array([r.predictions[0].probability for r in results(path)]) - expected).max() <= NEAR
    both = [{p.label: p.probability for p in r.predictions} for r in results(path, labels=["no", "yes"])]
    assert np.abs(np.array([b["yes"] for b in both]) - expected).max() <= NEAR
    assert np.abs(np.array([b["no"] for b in both]) - (1 - expected)).max() <= NEAR


def test_a_softmax_over_one_output_is_refused(tmp_path):
    with pytest.raises(ModelError, match="softmax"):
        results(classifier(tmp_path / "net.onnx", classes=1), activation="softmax")


def test_the_number_of_labels_must_be_that_of_the_classes(tmp_path):
    path = classifier(tmp_path / "net.onnx")
    with pytest.raises(ModelError, match="3 labels were given, the output is probs n×4"):
        gpucnn.load(path, device="cpu", labels=["a", "b", "c"])


def test_features_are_what_the_last_dense_layer_reads(tmp_path):
    for head in ("gemm", "conv"):
        path = classifier(tmp_path / f"{head}.onnx", head=head, tail=["Softmax"], axis=1)
        with Classifier(path, preprocess=RECORD, device="cpu") as made:
            vectors = np.array([f.vector for f in made.features(list(PIXELS))])
        assert np.abs(vectors - (PIXELS / 255).mean((1, 2))).max() <= NEAR


@pytest.mark.parametrize(
    ("nodes", "shape", "said"),
    [
        ([("Transpose", "x", "p", {"perm": [0, 2, 3, 1]})], ("n", "h", "w", 3), "its output has shape n×h×w×3, not .n, classes."),
        ([("Relu", "x", "p")], ("n", 3, "h", "w"), "its output has shape n×3×h×w, not .n, classes."),
        ([("Relu", "x", "p"), ("Neg", "x", "q")], None, "its outputs are 'p' .*, 'q' .*; cut it to one with onnx.utils.extract_model"),
        ([("Flatten", "x", "f", {"axis": 2}), ("ReduceMean", "f", "p", {"axes": [1]})], None, "gives for one image is not one row"),
    ],
)
def test_what_is_no_classifier_is_told_why(tmp_path, nodes, shape, said):
    made = model(nodes, {"x": ("float32", ("n", 3, "h", "w"))}, [outputs for _, _, outputs, *_ in nodes if outputs in "pq"])
    if shape:
        made.graph.output[0].CopyFrom(helper.make_tensor_value_info("p", TensorProto.FLOAT, shape))
    save(made, tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=f"is no image classifier; .*{said}"):
        results(tmp_path / "net.onnx")
