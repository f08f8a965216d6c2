"""A trained ONNX network on real images: the exact number that it gets right, and its scores within the computed bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from truth import assert_true, truth

import gpucnn
from gpucnn import Classifier, Preprocess
from gpucnn.formats.onnx import read_onnx
from gpucnn.graph import Graph
from gpucnn.spec import Spec

FOLDER = Path(__file__).parent / "data" / "fashion_mnist"
FILE = FOLDER / "fashion_mnist_cnn.onnx"
RIGHT = 933  # of the first thousand, as in ONNX Runtime
RECORD = Preprocess((28, 28), 28, mean=(0.2860,), std=(0.3530,), order="L")
NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


@pytest.fixture(scope="module")
def images():
    with np.load(FOLDER / "first_1000.npz") as data:
        return data["images"], data["labels"]


def normalised(pixels):
    return ((pixels / np.float32(255) - np.float32(0.2860)) / np.float32(0.3530)).astype(np.float32)[:, None]


def test_the_classifier_gets_exactly_as_many_right(images):
    pixels, labels = images
    with Classifier(FILE, preprocess=RECORD, labels=NAMES, device="cpu", top=1) as classifier:
        found = [result.predictions[0] for result in classifier.predict(list(pixels))]
    assert sum(p.index == label for p, label in zip(found, labels)) == RIGHT
    assert all(p.label == NAMES[p.index] for p in found)


@pytest.mark.parametrize("batch", [1, 3, 16, 1000])
def test_so_does_the_model_at_every_batch(images, batch):
    pixels, labels = images
    with gpucnn.load(FILE, device="cpu") as model:
        found = np.concatenate([model(normalised(pixels[i : i + batch])) for i in range(0, 1000, batch)])
    assert (found.argmax(1) == labels).sum() == RIGHT


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("kind", ["random", "real"])
def test_scores_lie_within_the_computed_bound(images, batch, kind):
    x = normalised(images[0][40 : 40 + batch])
    if kind == "random":
        x = np.random.default_rng(batch).standard_normal(x.shape).astype(np.float32)
    graph = Graph()
    value = graph.input("x", Spec(x.shape, x.dtype))
    graph.outputs = dict(zip(["logits"], read_onnx(FILE).record(graph, value)))
    expected = truth(graph, {"x": x})["logits"]
    with gpucnn.load(FILE, device="cpu") as model:
        assert_true(model(x), expected)
