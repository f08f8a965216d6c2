"""ONNX files that are damaged, or none, and metadata that is odd: an error of ours, soon."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
from hostile import W, assert_ours, ints, net, refused
from onnx import helper

import gpucnn
from gpucnn.errors import GpucnnError, LimitError, ModelError, UnsupportedError
from gpucnn.onnx_backend import prepare

# ---- files ------------------------------------------------------------------------------------------------------------


def small():
    """A net with one of everything that a file holds."""
    made = net(
        [
            ("Conv", "x w", "a", {"pads": [1, 1, 1, 1], "auto_pad": "NOTSET"}),
            ("LeakyRelu", "a", "b", {"alpha": 0.5}),
            ("Reshape", "b s", "y"),
        ],
        {"w": W, "s": ints(1, -1)},
    )
    helper.set_model_props(made, {"labels": "[]"})
    return made.SerializeToString()


def tried(data, path):
    path.write_bytes(data)
    try:
        with gpucnn.load(path, device="cpu") as loaded:
            loaded.run(
                {port.name: np.ones([1 if isinstance(d, str) else min(d, 16) for d in port.shape], port.dtype) for port in loaded.inputs}
            )
    except GpucnnError as error:
        assert_ours(error)
        return error
    return None


def test_truncated_at_every_byte(tmp_path, caplog):
    data = small()
    results = [tried(data[:n], tmp_path / "net.onnx") for n in range(len(data))]
    assert sum(error is not None for error in results) > 0.9 * len(data)
    assert tried(data, tmp_path / "net.onnx") is None


def test_every_byte_flipped(tmp_path, set_limits, caplog):
    caplog.set_level("ERROR", "gpucnn")
    set_limits(max_elements=1 << 22, max_weight_bytes=1 << 24)
    data = small()
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        tried(bytes(changed), tmp_path / "net.onnx")


OTHERS = {
    "empty": b"",
    "text": b"this is no model\n" * 9,
    "json": b'{"a": 1}',
    "a zip": b"PK\x03\x04" + bytes(60),
    "a pickle": b"\x80\x02}q\x00.",
    "safetensors": b"\x02\0\0\0\0\0\0\0{}",
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(30),
    "zeros": bytes(100),
    "ones": b"\xff" * 100,
}


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_what_is_no_model(data, tmp_path):
    (tmp_path / "net.onnx").write_bytes(data)
    refused(tmp_path / "net.onnx", ModelError, "net.onnx")


def test_what_is_no_file(tmp_path):
    (tmp_path / "folder.onnx").mkdir()
    refused(tmp_path / "folder.onnx", ModelError, "folder.onnx")
    os.mkfifo(tmp_path / "pipe.onnx")
    refused(tmp_path / "pipe.onnx", ModelError, "is not a regular file")
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    refused(tmp_path / "zero.onnx", ModelError, "is not a regular file")
    (tmp_path / "gone.onnx").symlink_to(tmp_path / "nowhere")
    refused(tmp_path / "gone.onnx", ModelError, "there is no such file")
    refused(tmp_path / "none.onnx", ModelError, "there is no such file")
    refused(tmp_path / ("a" * 300 + ".onnx"), ModelError)
    refused(str(tmp_path / "a\0b.onnx"), ModelError)


def test_a_file_beyond_the_limit_is_not_read(tmp_path, set_limits):
    path = tmp_path / "net.onnx"
    with open(path, "wb") as file:
        file.truncate(1 << 40)  # a hole
    refused(path, LimitError, f"has {1 << 40} bytes", "GPUCNN_MAX_FILE_BYTES")


def test_a_file_larger_than_protobuf_can_hold_is_not_read(tmp_path):
    path = tmp_path / "net.onnx"
    with open(path, "wb") as file:
        file.truncate(3 << 30)
    refused(path, ModelError, "2 GiB")


def test_text_that_is_not_utf8(tmp_path):
    data = small()
    for old, new in ((b"Conv", b"C\xff\xfenv"[:4]), (b"labels", b"\xfflabel"), (b"LeakyRelu", b"\xc3LeakyRel"), (b"NOTSET", b"\xff" * 6)):
        assert old in data
        (tmp_path / "net.onnx").write_bytes(data.replace(old, new))
        refused(tmp_path / "net.onnx", ModelError, "not UTF-8")


# ---- metadata ----------------------------------------------------------------------------------------------------------

METADATA = {
    "deep": "[" * 100_000,
    "a power": "9**9**9",
    "a product": "[0] * 10**9",
    "source": "__import__('os').system('touch mark')",
    "long": "a" * (5 << 20),
    "numbers": "[" + "9" * 5000 + "]",
    "nested": "{0: [[['a']]]}",
    "set": "{0, 1}",
    "bytes": "b'x'",
    "infinite": "[1e999]",
    "surrogates": '["\\ud800"]',
}


@pytest.mark.parametrize("text", METADATA.values(), ids=METADATA)
@pytest.mark.parametrize("key", ["labels", "names", "pretrained_cfg", "mean", "input_size", "crop_pct", "imgsz", "Image.NominalPixelRange"])
def test_metadata_that_is_odd(key, text, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("ERROR", "gpucnn")
    made = net([("GlobalAveragePool", "x", "a"), ("Flatten", "a", "y")])
    helper.set_model_props(made, {key: text, "author": "Ultralytics", **({} if key == "mean" else {"std": "1"})})
    began = time.monotonic()
    assert_ok_or_ours(made, tmp_path / "net.onnx")
    assert time.monotonic() - began < 5
    assert not (tmp_path / "mark").exists()


def assert_ok_or_ours(made, path):
    path.write_bytes(made.SerializeToString())
    try:
        with gpucnn.Classifier(path) as classifier:
            list(classifier.predict([np.zeros((8, 8, 3), np.uint8)]))
    except GpucnnError as error:
        assert_ours(error)


def test_names_of_a_hundred_megabytes(tmp_path):
    made = net([("Relu", "x", "y")])
    made.graph.node[0].op_type = "a" * 1000
    with pytest.raises(UnsupportedError) as caught:
        prepare(made)
    assert len(str(caught.value)) < 5000
