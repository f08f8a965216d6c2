from __future__ import annotations

import json
import pickle
import struct
import zipfile

import numpy as np
import pytest

from gpucnn.errors import LimitError, ModelError
from gpucnn.formats import read_weights

SIX = np.arange(6, dtype=np.float32)


def refused(path, *parts):
    with pytest.raises(ModelError) as caught:
        read_weights(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


# ---- safetensors -----------------------------------------------------------------------------------------------------


def write_safetensors(path, header, data=b""):
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)
    return path


def test_safetensors(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": SIX.reshape(2, 3), "half": SIX.astype(np.float16), "n": np.array(3)}, tmp_path / "net.safetensors")
    state = read_weights(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(state["w"], SIX.reshape(2, 3))
    assert state["half"].dtype == np.float16
    assert state["n"].shape == ()


def test_safetensors_bfloat16_by_content(tmp_path):
    bits = (SIX.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = {"w": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}}
    state = read_weights(write_safetensors(tmp_path / "any.name", header, bits))
    np.testing.assert_array_equal(state["w"], SIX.reshape(2, 3))
    assert state["w"].dtype == np.float32


@pytest.mark.parametrize(
    "header",
    [
        b"{}" + b" " * 10 + b"{",
        {"w": {"dtype": "F32", "shape": [7], "data_offsets": [0, 28]}},
        {"w": {"dtype": "F32", "shape": [6], "data_offsets": [24, 0]}},
        {"w": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 24]}},
        {"w": {"dtype": "F99", "shape": [6], "data_offsets": [0, 24]}},
        {"w": {"dtype": "F8_E4M3", "shape": [24], "data_offsets": [0, 24]}},
        {
            "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
            "b": {"dtype": "F32", "shape": [4], "data_offsets": [8, 24]},
        },
    ],
)
def test_broken_safetensors(tmp_path, header):
    refused(write_safetensors(tmp_path / "net.safetensors", header, SIX.tobytes()), "safetensors")


def test_safetensors_header_beyond_the_file(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + b'{"w": 1}')
    refused(path, "safetensors")


# ---- npz -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    save(
        tmp_path / "net.npz",
        w=SIX.reshape(2, 3),
        f=np.asfortranarray(SIX.reshape(2, 3)),
        big=SIX.astype(">f4"),
        s=SIX[0],
    )
    state = read_weights(tmp_path / "net.npz")
    for key in ("w", "f"):
        np.testing.assert_array_equal(state[key], SIX.reshape(2, 3))
    np.testing.assert_array_equal(state["big"], SIX)
    assert state["big"].dtype.isnative
    assert state["s"].shape == ()


def test_npz_of_objects_is_refused(tmp_path):
    np.savez(tmp_path / "net.npz", w=np.array([{"a": 1}], dtype=object))
    refused(tmp_path / "net.npz", "'w.npy'", "never read")


def test_npz_that_declares_a_terabyte(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (274877906944,)}"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n" + b"1234"
    with zipfile.ZipFile(tmp_path / "net.npz", "w") as archive:
        archive.writestr("w.npy", array)
    refused(tmp_path / "net.npz", "'w.npy'", "holds 4")


def test_npz_header_that_is_not_a_dict(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.npz", "w") as archive:
        archive.writestr("w.npy", b"\x93NUMPY\x01\x00\x02\x00((")
    refused(tmp_path / "net.npz", "'w.npy'", "broken header")


def test_npz_bomb_meets_the_limit(tmp_path, set_limits):
    np.savez_compressed(tmp_path / "net.npz", w=np.zeros(100_000, np.float32))
    set_limits(max_weight_bytes=10_000)
    with pytest.raises(LimitError, match=r"net\.npz.*GPUCNN_MAX_WEIGHT_BYTES"):
        read_weights(tmp_path / "net.npz")


def test_broken_npz(tmp_path):
    np.savez_compressed(tmp_path / "net.npz", w=SIX)
    data = (tmp_path / "net.npz").read_bytes()
    at = data.index(b"w.npy") + 25
    (tmp_path / "net.npz").write_bytes(data[:at] + bytes(3) + data[at + 3 :])
    refused(tmp_path / "net.npz")


# ---- files that are something else -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filename", "content", "expected"),
    [
        ("a.pth", b"", "is empty"),
        ("notes.txt", b"hello\nworld\n", "is a text file"),
        ("net.onnx", b"\x08\x08\x12\x07pytorch", "is an ONNX file"),
        ("net.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        ("net.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("net.pkl", pickle.dumps({"w": 1}, 4), "plain Python pickle"),
        ("net.bin", bytes(range(256)), "not known"),
    ],
)
def test_what_is_not_weights(tmp_path, filename, content, expected):
    path = tmp_path / filename
    path.write_bytes(content)
    refused(path, expected, "readable are safetensors")


def test_missing_file_and_folder(tmp_path):
    refused(tmp_path / "none.pth", "no such file")
    refused(tmp_path, "is a folder")


def test_file_beyond_the_limit(tmp_path, set_limits):
    (tmp_path / "net.pth").write_bytes(bytes(100))
    set_limits(max_file_bytes=99)
    with pytest.raises(LimitError, match="has 100 bytes, the limit is 99"):
        read_weights(tmp_path / "net.pth")
