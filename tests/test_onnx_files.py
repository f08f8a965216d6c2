"""Weights inside an ONNX file and beside it: every type, every place; and files that are damaged, or reach where they may not."""

from __future__ import annotations

import os
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import model

import gpucnn
from gpucnn.errors import LimitError, ModelError
from gpucnn.formats.onnx import read_onnx
from gpucnn.onnx_backend import prepare
from gpucnn.settings import settings

TYPES = {
    "FLOAT": [0.5, -2, np.inf, 1e-40, 3e38, -0.0], "DOUBLE": [0.5, -2, 1e300, 1e-300, 0.1, -0.0],
    "FLOAT16": [0.5, -2, 65504, 6e-8, 1, -0.0], "BFLOAT16": [0.5, -2, 3e38, 1e-38, 1, -0.0],
    "UINT8": [0, 1, 2, 3, 254, 255], "INT8": [0, 1, 2, 127, -128, -1],
    "UINT16": [0, 1, 2, 3, 65534, 65535], "INT16": [0, 1, 2, 32767, -32768, -1], "INT32": [0, 1, 2, 2**31 - 1, -(2**31), -1],
    "INT64": [0, 1, 2, 2**63 - 1, -(2**63), -1], "UINT32": [0, 1, 2, 3, 4, 2**32 - 1], "UINT64": [0, 1, 2, 3, 4, 2**64 - 1],
    "BOOL": [0, 1, 1, 0, 1, 0], "FLOAT8E4M3FN": [0.5, -2, 448, 0, 1, -1], "FLOAT8E5M2": [0.5, -2, 57344, 0, 1, -1],
    "UINT4": [0, 1, 2, 3, 14, 15], "INT4": [0, 1, 2, 7, -8, -1],
}  # fmt: skip


@pytest.mark.parametrize("raw", [False, True], ids=["typed field", "raw data"])
@pytest.mark.parametrize("name", TYPES)
def test_weights_of_every_type(name, raw):
    code = TensorProto.DataType.Value(name)
    expected = np.array(TYPES[name], helper.tensor_dtype_to_np_dtype(code)).reshape(2, 3)
    if raw:
        tensor = numpy_helper.from_array(expected, "w")
    else:
        tensor = helper.make_tensor("w", code, (2, 3), expected.reshape(-1).tolist())
    assert tensor.HasField("raw_data") == raw
    wide = TensorProto.DOUBLE if name in ("DOUBLE", "INT64", "UINT64", "INT32", "UINT32") else TensorProto.FLOAT
    made = model([("Cast", "w", "y", {"to": wide})], opset=21)
    made.graph.initializer.append(tensor)
    y = prepare(made).run([])[0]
    assert np.array_equal(y, expected.astype(y.dtype))


def test_16_bit_weights_are_held_once_as_they_are_computed_with():
    net = read_onnx(model([("Add", "x w", "y")], {"x": ("float16", (2,))}, constants={"w": np.float16([1, 2])}))
    assert net._file.graph.initializers["w"].dtype == np.float32
    assert not net._folded


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.ClearField("raw_data"), "initializer 'w' needs 6 entries in float_data, the file has 0; it is damaged"),
        (lambda t: setattr(t, "raw_data", t.raw_data[:-1]), "initializer 'w' needs 24 bytes for 6 elements of float32, the file has 23"),
        (lambda t: t.dims.__setitem__(0, -2), r"initializer 'w' has the shape \[-2, 3\], expected at most 32 sizes, none below 0"),
        (lambda t: setattr(t, "data_type", 99), "initializer 'w' is of the unknown type 99"),
        (lambda t: setattr(t, "data_type", TensorProto.STRING), "initializer 'w' is of type string; gpucnn computes with real numbers"),
        (lambda t: t.segment.__setattr__("begin", 1), "initializer 'w' is a segment of a tensor"),
    ],
)
def test_damaged_weights_are_refused(change, said):
    made = model([("Identity", "w", "y")], constants={"w": np.zeros((2, 3), np.float32)})
    change(made.graph.initializer[0])
    with pytest.raises(ModelError, match=f"net: {said}"):
        prepare(made)


def test_sizes_beyond_all_limits_are_refused_before_anything_is_made():
    made = model([("Identity", "w", "y")], constants={"w": np.zeros((2, 3), np.float32)})
    made.graph.initializer[0].dims[:] = [2**40, 2**40]
    with pytest.raises(LimitError, match=rf"declares {2**82} bytes .* the limit is {settings().max_weight_bytes}"):
        prepare(made)


# -- beside the file

W = np.random.default_rng(2).standard_normal((4, 3)).astype(np.float32)
X = np.ones((2, 3), np.float32)


@pytest.fixture
def beside(tmp_path):
    """A folder with a model whose weights lie in ``w.bin``, behind four other bytes; gives how to point elsewhere, and how to load."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.bin").write_bytes(b"1234" + W.tobytes())

    def load(**keys):
        made = model([("Gemm", "x w", "y", {"transB": 1})], {"x": ("float32", ("n", 3))}, constants={"w": W})
        tensor = made.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": "w.bin", "offset": "4", "length": str(W.nbytes), **keys}.items():
            if value is not None:
                tensor.external_data.add(key=key, value=value)
        (folder / "net.onnx").write_bytes(made.SerializeToString())
        with gpucnn.load(folder / "net.onnx", device="cpu") as loaded:
            return loaded(X)

    return folder, load


@pytest.mark.parametrize("keys", [{}, {"length": None}, {"location": "./w.bin"}, {"checksum": "?"}])
def test_weights_beside_the_file(beside, keys):
    folder, load = beside
    assert np.allclose(load(**keys), X @ W.T)
    (folder / "deep").mkdir()
    (folder / "w.bin").rename(folder / "deep" / "w.bin")
    if "location" not in keys:
        assert np.allclose(load(location="deep/w.bin", **keys), X @ W.T)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"location": "../w.bin"}, "must be named by a relative path inside the model's folder, got '../w.bin'"),
        ({"location": "deep/../../w.bin"}, "must be named by a relative path inside the model's folder"),
        ({"location": "/etc/passwd"}, "must be named by a relative path inside the model's folder, got '/etc/passwd'"),
        ({"location": "C:\\w.bin"}, "must be named by a relative path inside the model's folder"),
        ({"location": ""}, "must be named by a relative path inside the model's folder, got ''"),
        ({"location": None}, "must be named by a relative path inside the model's folder"),
        ({"location": "gone.bin"}, "its data file 'gone.bin' cannot be opened beside the model: No such file"),
        ({"location": "folder"}, "its data file 'folder' is not a regular file"),
        ({"location": "pipe"}, "its data file 'pipe' is not a regular file"),
        ({"location": "link.bin"}, "its data file 'link.bin' is reached over a link, which is not followed"),
        ({"location": "linked/w.bin"}, "its data file 'linked/w.bin' is reached over a link, which is not followed"),
        ({"location": "twice.bin"}, "its data file 'twice.bin' is not a regular file with one name"),
        ({"offset": "-4"}, "external data's offset must be a whole number, got '-4'"),
        ({"offset": "9" * 30}, "external data's offset must be a whole number"),
        ({"offset": "8"}, "asks for bytes 8 to 56 of 'w.bin', which has 52"),
        ({"offset": "99", "length": None}, "asks for bytes 99 to 52 of 'w.bin', which has 52"),
        ({"offset": "8", "length": None}, "needs 48 bytes for 12 elements of float32, the file has 44"),
        ({"length": "0"}, "needs 48 bytes for 12 elements of float32, the file has 0"),
        ({"__class__": "x"}, r"external data has unknown fields \['__class__'\]"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="has no pipes in folders, and lets few users make links")
def test_places_that_are_no_business_of_a_model(beside, keys, said):
    folder, load = beside
    (folder.parent / "w.bin").write_bytes(W.tobytes())
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "link.bin").symlink_to("w.bin")
    (folder / "linked").symlink_to(folder)
    if keys.get("location") == "twice.bin":
        os.link(folder / "w.bin", folder / "twice.bin")
    with pytest.raises(ModelError, match=f"net.onnx: initializer 'w'.* {said}"):
        load(**keys)


def test_a_model_that_is_no_file_has_nothing_beside_it():
    made = model([("Identity", "w", "y")], constants={"w": W})
    made.graph.initializer[0].data_location = TensorProto.EXTERNAL
    made.graph.initializer[0].external_data.add(key="location", value="w.bin")
    with pytest.raises(ModelError, match="a model that is not loaded from a file has no folder to look in"):
        prepare(made)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "holds no graph with outputs"),
        (b"hello world\n" * 9, "is no ONNX model, or is damaged"),
        (model([("Identity", "w", "y")], constants={"w": W}).SerializeToString()[:-9], "is no ONNX model, or is damaged"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "holds no graph with outputs"),
        (None, "there is no such file"),
    ],
)
def test_files_that_are_no_models(tmp_path, data, said):
    path = tmp_path / "net.onnx"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelError, match=f"net.onnx: {said}"):
        gpucnn.load(path)
