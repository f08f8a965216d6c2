"""``gpucnn.load``: what it takes, and what it says when it cannot."""

import json
import os

import numpy as np
import pytest
from hostile import assert_ours

import gpucnn
from gpucnn import zoo
from gpucnn.errors import DeviceError, ModelError, UnsupportedError
from gpucnn.preprocess import Preprocess


@pytest.fixture(scope="module")
def lenet_state():
    rng = np.random.default_rng(0)
    shapes = zoo.create("lenet5").state_shapes()
    return {name: rng.standard_normal(shape).astype(np.float32) * 0.1 for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path, lenet_state):
    """A model folder."""
    from safetensors.numpy import save_file

    save_file(lenet_state, tmp_path / "model.safetensors")
    config = {
        "architecture": "lenet5",
        "num_classes": 10,
        "label_names": [f"digit {i}" for i in range(10)],
        "pretrained_cfg": {"input_size": [1, 32, 32], "crop_pct": 0.8, "interpolation": "nearest", "mean": [0.5], "std": [0.25]},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def change(folder, **fields):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def test_a_folder(folder, lenet_state):
    with gpucnn.load(folder) as model:
        assert model.name == "lenet5"
        assert model.labels == tuple(f"digit {i}" for i in range(10))
        assert model.preprocess == Preprocess((32, 32), 40, "nearest", (0.5,), (0.25,), order="L")
        assert [tuple(p) for p in model.inputs] == [("input", ("n", 1, 32, 32), np.float32)]
        assert [tuple(p) for p in model.outputs] == [("output", ("n", 10), np.float32)]
        x = np.random.default_rng(1).standard_normal((2, 1, 32, 32), np.float32)
        np.testing.assert_allclose(model(x), zoo.create("lenet5", weights=lenet_state)(x), rtol=1e-5, atol=1e-6)


def test_a_name_with_a_state_dict(lenet_state):
    with gpucnn.load("lenet5", weights=lenet_state, labels=list("abcdefghij")) as model:
        assert model.labels == tuple("abcdefghij")
        assert model.weights == "a state dict"


def test_labels_from_files(tmp_path, lenet_state):
    names = [f"class {i}" for i in range(10)]
    text, listed = tmp_path / "labels.txt", tmp_path / "labels.json"
    text.write_text("\ufeff" + "\n".join(names) + "\n\n", encoding="utf-8")
    listed.write_text(json.dumps(names))
    for file in (text, str(text), listed):
        with gpucnn.load("lenet5", weights=lenet_state, labels=file) as model:
            assert model.labels == tuple(names)


def test_imagenet_names_only_where_they_fit(lenet_state):
    with gpucnn.load("lenet5", weights=lenet_state) as model:
        assert model.labels is None
    with pytest.raises(ModelError, match="1000 labels were given, the output is output n×10"):
        gpucnn.load("lenet5", weights=lenet_state, labels="imagenet")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("nowhere.txt", "labels: nowhere.txt cannot be read"),
        (["one"], "1 labels were given, the output is output n×10; give one label a class"),
    ],
)
def test_labels_that_do_not_fit(labels, said, lenet_state):
    with pytest.raises(ModelError, match=said):
        gpucnn.load("lenet5", weights=lenet_state, labels=labels)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("resnet5O", "unknown model 'resnet5O'; did you mean .*resnet50"),
        ("mobilenet", "did you mean .*mobilenet_v2"),
        ("no/such/folder", "no such file or folder"),
        ("weights.pth", "weights.pth: there is no such file or folder"),
        ("", "unknown model"),
    ],
)
def test_unknown_sources(source, said):
    with pytest.raises(ModelError, match=said):
        gpucnn.load(source)


def test_files_that_are_no_model(tmp_path):
    onnx, weights = tmp_path / "net.onnx", tmp_path / "net.safetensors"
    onnx.write_bytes(b"\x08\x07")
    weights.write_bytes(b"\0" * 16)
    with pytest.raises(ModelError, match="net.onnx: holds no graph with outputs, so it is no ONNX model of a net"):
        gpucnn.load(onnx)
    with pytest.raises(ModelError, match="does not name its architecture"):
        gpucnn.load(weights)
    with pytest.raises(ModelError, match="there is no config.json"):
        gpucnn.load(tmp_path)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"architecture": None}, 'must name its "architecture"'),
        ({"architecture": "lenet7"}, "unknown model 'lenet7'; did you mean lenet5"),
        ({"num_classes": "ten"}, '"num_classes" must be a whole number'),
        ({"num_classes": 7}, "weights do not fit"),
        ({"label_names": ["just one"]}, "1 labels were given"),
        ({"pretrained_cfg": {"mean": "grey"}}, "mean must be a number, got 'grey'"),
        ({"pretrained_cfg": {"crop_pct": 0}}, "crop_pct must be a number above 0, got 0"),
        ({"pretrained_cfg": {"interpolation": "guess"}}, "interpolation must be one of"),
        ({"pretrained_cfg": {"std": [0.0]}}, "std and divisor must be positive"),
    ],
)
def test_folders_that_do_not_fit(folder, fields, said):
    change(folder, **fields)
    with pytest.raises(ModelError, match=said):
        gpucnn.load(folder)


def test_a_folder_without_weights(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="there is no model.safetensors"):
        gpucnn.load(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json is not JSON"):
        gpucnn.load(folder)


def test_weights_of_another_net(lenet_state):
    with pytest.raises(ModelError, match=r"resnet18.*missing.*conv1.weight.*unexpected.*c1\."):
        gpucnn.load("resnet18", weights=lenet_state)


def test_device_and_precision(lenet_state):
    with pytest.raises(UnsupportedError, match="'float16' needs a GPU"):
        gpucnn.load("lenet5", weights=lenet_state, precision="float16")
    with pytest.raises(UnsupportedError, match="precision must be"):
        gpucnn.load("lenet5", weights=lenet_state, precision="double")
    with pytest.raises(DeviceError, match="device must be"):
        gpucnn.load("lenet5", weights=lenet_state, device="tpu")
    with gpucnn.load("lenet5", weights=lenet_state, device="cpu") as model:
        assert (model.device, model.device_reason, model.precision) == ("cpu", "asked for", "float32")


def test_a_closed_model_says_so(lenet_state):
    with gpucnn.load("lenet5", weights=lenet_state) as model:
        pass
    with pytest.raises(gpucnn.errors.GpucnnError, match="lenet5: the model is closed"):
        model(np.zeros((1, 1, 32, 32), np.float32))


@pytest.mark.parametrize("make", ["pipe", "folder", "zero", "long", "no UTF-8", "deep", "no JSON"])
def test_files_of_labels_that_are_none(make, tmp_path, lenet_state):
    path = tmp_path / ("labels.json" if make in ("deep", "no JSON") else "labels.txt")
    match make:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "zero":
            path.symlink_to("/dev/zero")
        case "long":
            with open(path, "wb") as file:
                file.truncate(1 << 40)
        case "no UTF-8":
            path.write_bytes(b"one\n\xff\n")
        case _:
            path.write_text("[" * 100_000 if make == "deep" else "{")
    with pytest.raises(ModelError, match=rf"labels: {path}") as caught:
        gpucnn.load("lenet5", weights=lenet_state, labels=path)
    assert_ours(caught.value)
