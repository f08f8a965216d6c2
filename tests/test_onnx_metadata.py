"""Labels and preprocessing from the metadata of an ONNX file, and what is assumed without."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from onnx import TensorProto, helper, save
from onnx_classifiers import classifier
from onnx_graphs import model as model_of

import gpucnn
from gpucnn import Classifier, Preprocess
from gpucnn.errors import ModelError

NAMES = ("ant", "bee", "it's", "dog")
PICTURE = np.zeros((8, 8, 3), np.uint8)


def load(path, **options):
    return gpucnn.load(path, device="cpu", **options)


@pytest.mark.parametrize(
    "metadata",
    [
        {"names": "{0: 'ant', 1: 'bee', 2: \"it's\", 3: 'dog'}"},
        {"names": str(dict(enumerate(NAMES)))},
        {"names": str(dict(reversed(list(enumerate(NAMES)))))},
        {"names": json.dumps(list(NAMES))},
        {"classes": json.dumps({str(i): n for i, n in enumerate(NAMES)})},
        {"character": "\n".join(NAMES)},
        {"labels": str(NAMES)},
    ],
    ids=["Ultralytics", "dict", "backwards", "JSON list", "JSON dict", "lines", "tuple"],
)
def test_names_of_classes(tmp_path, metadata):
    with load(classifier(tmp_path / "net.onnx", metadata=metadata)) as model:
        assert model.labels == NAMES
        assert "metadata" in model.labels_source


def test_names_are_read_not_evaluated(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr("os.system", called.append)
    path = classifier(tmp_path / "net.onnx", metadata={"names": "{0: __import__('os').system('x'), 1: 'b', 2: 'c', 3: 'd'}"})
    with pytest.raises(ModelError, match="has 1 names, its output 4 classes"):  # a text of one line
        load(path)
    assert not called


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("{0: 'a', 1: 'b'}", "metadata 'names' has 2 names, its output 4 classes; pass labels="),
        ("{1: 'a', 2: 'b', 3: 'c', 4: 'd'}", "must number the classes 0, 1, 2"),
        ("{'a': 'b'}", "expected numbers and names"),
    ],
)
def test_names_that_do_not_fit_are_an_error(tmp_path, names, said):
    path = classifier(tmp_path / "net.onnx", metadata={"names": names})
    with pytest.raises(ModelError, match=said):
        load(path)


@pytest.mark.parametrize("names", ["4", "1000", "None", "null", "", "{}"])
def test_a_number_of_classes_is_no_name(tmp_path, names):
    with load(classifier(tmp_path / "net.onnx", metadata={"classes": names})) as model:
        assert model.labels is None


def test_names_are_taken_for_classifiers_only(tmp_path):
    """A detector's have nothing to do with the width of its output, and need not be numbered from 0."""
    nodes = [("Concat", "x x", "y", {"axis": 1})]
    for names in (str({i: f"class {i}" for i in range(80)}), "{1: 'a', 2: 'b'}", "{'person': 1}"):
        made = model_of(nodes, {"x": ("float32", (1, 3, 8, 8))})
        helper.set_model_props(made, {"names": names, "task": "detect", "author": "Ultralytics", "imgsz": "[8, 8]"})
        save(made, tmp_path / "net.onnx")
        with load(tmp_path / "net.onnx") as model:
            assert model.labels is None
            assert model(np.zeros((2, 3, 8, 8), np.float32)).shape == (2, 6, 8, 8)


def test_given_labels_go_before_the_files(tmp_path):
    path = classifier(tmp_path / "net.onnx", metadata={"names": str(dict(enumerate(NAMES)))})
    with load(path, labels=["a", "b", "c", "d"]) as model:
        assert model.labels == ("a", "b", "c", "d")


def test_imagenet_names_only_where_asked(tmp_path):
    with load(classifier(tmp_path / "net.onnx")) as model:
        assert model.labels is None
    with pytest.raises(ModelError, match="1000 labels were given, the output is probs n×4"):
        load(tmp_path / "net.onnx", labels="imagenet")


@pytest.mark.parametrize(
    ("metadata", "record"),
    [
        (
            {"pretrained_cfg": json.dumps({"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5], "crop_pct": 0.8, "interpolation": "bicubic"})},
            Preprocess((8, 8), 10, "bicubic", (0.1, 0.2, 0.3), (0.5, 0.5, 0.5)),
        ),
        (
            {"mean": "[0.1, 0.2, 0.3]", "std": "0.5", "crop_pct": "1.0", "color_order": "BGR", "divisor": "1"},
            Preprocess((8, 8), 8, "bilinear", (0.1, 0.2, 0.3), (0.5, 0.5, 0.5), 1.0, "BGR"),
        ),
        ({"author": "Ultralytics", "task": "classify", "imgsz": "[8, 8]"}, Preprocess((8, 8), 8, "bilinear", (0.0,) * 3, (1.0,) * 3)),
        (
            {"Image.NominalPixelRange": "Normalized_1_1", "Image.BitmapPixelFormat": "Bgr8"},
            Preprocess((8, 8), 8, "bilinear", (0.5,) * 3, (0.5,) * 3, order="BGR"),
        ),
        ({"Image.NominalPixelRange": "NominalRange_0_255"}, Preprocess((8, 8), 8, "bilinear", (0.0,) * 3, (1.0,) * 3, 1.0)),
    ],
)
def test_how_photographs_are_prepared(tmp_path, caplog, metadata, record):
    path = classifier(tmp_path / "net.onnx", metadata=metadata)
    with load(path) as model:
        assert model.preprocess == record
    with Classifier(path, device="cpu") as made:
        assert made.model.preprocess == record
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    given = Preprocess((8, 8), 8)
    with load(path, preprocess=given) as model:
        assert model.preprocess == given


@pytest.mark.parametrize(
    ("metadata", "size", "resize"),
    [
        ({"author": "Ultralytics", "imgsz": "[16, 12]"}, (16, 12), 16),
        ({"author": "Ultralytics", "imgsz": "16"}, (16, 16), 16),
        ({"pretrained_cfg": json.dumps({"input_size": [3, 12, 12], "mean": 0.5, "std": 0.5, "crop_pct": 0.75})}, (12, 12), 16),
        ({"input_size": "[3, 12, 16]", "mean": "0.5", "std": "0.5", "crop_pct": "1"}, (12, 16), 16),
    ],
)
def test_where_the_input_takes_any_size_the_metadata_says_which(tmp_path, metadata, size, resize):
    path = classifier(tmp_path / "net.onnx", shape=("n", 3, "h", "w"), metadata=metadata)
    with Classifier(path, device="cpu") as made:
        assert (made.model.preprocess.size, made.model.preprocess.resize) == (size, resize)
        assert all(r.error is None for r in made.predict([PICTURE] * 3))
    with load(path, shapes={"x": (1, 3, 20, 20)}) as model:  # asked for
        assert model.preprocess.size == (20, 20)


@pytest.mark.parametrize(
    "metadata",
    [
        {"mean": "[0.1, 0.2]", "std": "[1, 1]"},
        {"pretrained_cfg": '{"mean": "x", "std": 1}'},
        {"mean": "0", "std": "0"},
        {"mean": "0", "std": "1", "interpolation": "random"},
        {"Image.NominalPixelRange": "NominalRange_16_235"},
        {"Image.NominalPixelRange": "Normalized_0_1", "Image.BitmapPixelFormat": "Bgra8"},
    ],
)
def test_a_record_that_cannot_be_understood_is_an_error(tmp_path, metadata):
    with pytest.raises(ModelError, match=r"net.onnx: the metadata on preprocessing cannot be understood: .*; pass preprocess="):
        load(classifier(tmp_path / "net.onnx", metadata=metadata))


@pytest.mark.parametrize(
    ("options", "preset", "record"),
    [
        ({}, "torchvision", Preprocess((8, 8), 9)),
        ({"shape": ("n", 8, 8, 3), "nhwc": True}, "tf", Preprocess((8, 8), 9, mean=(0.5,) * 3, std=(0.5,) * 3)),
        ({"dtype": TensorProto.UINT8}, "bytes as they are", Preprocess((8, 8), 9, mean=(0.0,) * 3, std=(1.0,) * 3, divisor=1.0)),
    ],
)
def test_without_a_record_one_warning_names_the_preset(tmp_path, caplog, options, preset, record):
    path = classifier(tmp_path / "net.onnx", **options)
    with Classifier(path, device="cpu") as made:
        list(made.predict([PICTURE] * 3))
        assert made._record == record
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert f"assumed: {preset}" in warning
    assert "pass preprocess=" in warning
    caplog.clear()
    with Classifier(path, device="cpu", preprocess=record) as made:
        list(made.predict([PICTURE]))
    assert not caplog.records
