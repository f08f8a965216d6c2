"""safetensors files that lie, each built here: refused with the reason, before memory is taken."""

from __future__ import annotations

import json
import struct

import pytest
from hostile import refused_cleanly

from gpucnn.errors import LimitError
from gpucnn.formats import read_weights

# ---- safetensors ------------------------------------------------------------------------------------------------------


def write_safetensors(path, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(begin=0, end=24, dtype="F32", shape=(2, 3), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


A = json.dumps(entry()).encode()
HEADERS = {
    "overlapping": ({"a": entry(), "b": entry(12, 36)}, 36, "overlaps"),
    "the same bytes": ({"a": entry(), "b": entry()}, 24, "overlaps"),
    "decreasing": ({"a": entry(24, 0)}, 24, "lies at bytes 24 to 0"),
    "negative": ({"a": entry(-24, 0)}, 24, "lies at bytes -24 to 0"),
    "beyond the data": ({"a": entry(0, 24)}, 20, "the file has 20 bytes of data"),
    "a gap": ({"a": entry(0, 24), "b": entry(28, 52)}, 52, "leaves a gap"),
    "bytes at the end": ({"a": entry()}, 25, "end at byte 24 of 25"),
    "a shape that overflows": ({"a": entry(shape=(1 << 32, 1 << 32))}, 24, "more than memory has addresses"),
    "a shape that overflows to the right size": ({"a": entry(shape=(1 << 63, 1 << 63, 6))}, 24, "more than memory has addresses"),
    "an empty shape that overflows": ({"a": entry(0, 0, shape=(1 << 62, 0, 1 << 62))}, 0, "more than memory has addresses"),
    "another size": ({"a": entry(shape=(2, 4))}, 24, "takes 32 bytes, data_offsets hold 24"),
    "a negative size": ({"a": entry(shape=(-2, -3))}, 24, "none below 0"),
    "a size that is no number": ({"a": entry(shape=("2", 3))}, 24, "none below 0"),
    "a size that is a fraction": ({"a": entry(shape=(2.0, 3))}, 24, "none below 0"),
    "a size that is true": ({"a": entry(shape=(True, 6))}, 24, "none below 0"),
    "100 axes": ({"a": entry(shape=(1,) * 99 + (6,))}, 24, "at most 32 sizes"),
    "no such type": ({"a": entry(dtype="F33")}, 24, "dtype F33, which is not read"),
    "a type that is no text": ({"a": entry(dtype=[32])}, 24, "which is not read"),
    "a type of a byte and less": ({"a": entry(0, 6, dtype="F8_E4M3")}, 6, "F8_E4M3, which is not read"),
    "more fields": ({"a": entry(extra=1)}, 24, "nothing else"),
    "a missing field": ({"a": {"dtype": "F32", "shape": [6]}}, 24, "nothing else"),
    "no entry": ({"a": 5}, 24, "nothing else"),
    "offsets that are no pair": ({"a": {**entry(), "data_offsets": [0, 12, 24]}}, 24, "two whole numbers"),
    "offsets that are no numbers": ({"a": {**entry(), "data_offsets": [0.0, 24]}}, 24, "two whole numbers"),
    "a name twice": (b'{"a":' + A + b',"a":' + A + b"}", 24, "names 'a' twice"),
    "a field twice": (b'{"a":{"dtype":"F32","dtype":"I32","shape":[6],"data_offsets":[0,24]}}', 24, "once each"),
    "a list": (b"[" + A + b"]", 24, "must be an object, got list"),
    "no JSON": (b'{"a":', 24, "is not JSON"),
    "no UTF-8": (b'{"\xff":' + A + b"}", 24, "is not JSON"),
    "deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 0, "is not JSON"),
    "a long number": (b'{"a":' + b"9" * 10_000 + b"}", 0, ""),
    "not a number": ({"a": entry(shape=(float("nan"),))}, 24, "none below 0"),
    "metadata that is no text": ({"a": entry(), "__metadata__": {"x": 5}}, 24, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("header", "nbytes", "reason"), HEADERS.values(), ids=HEADERS)
def test_safetensors_headers_that_lie(tmp_path, header, nbytes, reason):
    refused_cleanly(write_safetensors(tmp_path / "a.safetensors", header, bytes(nbytes)), reason)


@pytest.mark.parametrize("length", [0, 1, 1000, 100_000_001, 1 << 62, (1 << 64) - 1])
def test_a_safetensors_header_longer_than_the_file(tmp_path, length):
    refused_cleanly(write_safetensors(tmp_path / "a.safetensors", {"a": entry()}, bytes(24), length), "the safetensors header")


def test_a_safetensors_header_longer_than_any_net_needs(tmp_path):
    with open(tmp_path / "a.safetensors", "wb") as file:
        file.write(struct.pack("<Q", 20 << 20) + b"{")
        file.truncate(21 << 20)
    refused_cleanly(tmp_path / "a.safetensors", f"takes {20 << 20} bytes, expected at most {16 << 20}")


def test_safetensors_that_take_more_than_the_limit(tmp_path, set_limits):
    path = tmp_path / "a.safetensors"
    with open(path, "wb") as file:
        text = json.dumps({"a": entry(0, 4 << 30, shape=(1 << 30,))}).encode()
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + (4 << 30))  # a hole in the file takes no disk
    set_limits(max_weight_bytes=1 << 30)
    with pytest.raises(LimitError, match=r"the tensors take 4294967296 bytes, the limit is 1073741824"):
        read_weights(path)
    set_limits(max_file_bytes=1 << 30)
    with pytest.raises(LimitError, match=r"GPUCNN_MAX_FILE_BYTES"):
        read_weights(path)
