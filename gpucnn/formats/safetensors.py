"""safetensors files, read with the library of that name; that a header means one thing only is checked before."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import ModelError
from ..limits import check_limit
from .bfloat16 import widen_bfloat16
from .elements import check_shape, elements

__all__ = ["looks_like_safetensors", "read_safetensors"]

_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_MOST_HEADER_BYTES = 16 << 20  # ours: of 100 bytes a tensor, enough for 160,000

_DTYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BF16": "u2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


class _Entry(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def looks_like_safetensors(head: bytes, file_bytes: int) -> bool:
    """Whether the first 9 bytes of a file are a safetensors header: a length that fits, then a JSON object."""
    if len(head) < 9 or head[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return bool(2 <= length <= min(file_bytes - 8, _MAX_HEADER_BYTES))


def read_safetensors(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of a safetensors file, by name; dtypes as stored, bfloat16 becomes float32.

    Raises
    ------
    ModelError
        The file is broken, names a tensor twice, or has a dtype that is not read.
    LimitError
        The tensors together exceed ``GPUCNN_MAX_WEIGHT_BYTES``.
    """
    import safetensors

    start, entries = _read_header(path)
    total = sum((e.end - e.begin) * (2 if e.dtype == "BF16" else 1) for e in entries.values())
    check_limit("weight bytes", total, f"{path}: the tensors take {total} bytes")
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    name = ""
    try:
        with safetensors.safe_open(str(path), framework="np") as file:
            for name, entry in entries.items():
                if entry.dtype != "BF16":  # which NumPy has not
                    arrays[name] = file.get_tensor(name)
    except (safetensors.SafetensorError, OSError) as error:  # the library's own word
        place = f", tensor {name!r}" if name else ""
        raise ModelError(f"{path}{place}: the safetensors file cannot be read: {error}") from None
    for name, entry in entries.items():
        if entry.dtype == "BF16":
            arrays[name] = widen_bfloat16(_read_bits(path, start, name, entry))
    return {name: arrays[name] for name in entries}


def _read_header(path: Path) -> tuple[int, dict[str, _Entry]]:
    """Where the data begins, and what the header says of it."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(8)
        length = int.from_bytes(head, "little")
        if len(head) < 8 or not 2 <= length <= size - 8:
            raise ModelError(f"{path}: the safetensors header is to take {length} bytes, the file has {size}; it is truncated or damaged")
        if length > _MOST_HEADER_BYTES:
            raise ModelError(f"{path}: the safetensors header takes {length} bytes, expected at most {_MOST_HEADER_BYTES}")
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:  # the JSON parser's own word
        raise ModelError(f"{path}: the safetensors header is not JSON ({error})") from None
    if not isinstance(header, _Pairs):
        raise ModelError(f"{path}: the safetensors header must be an object, got {type(header).__name__}")
    entries: dict[str, _Entry] = {}
    seen: set[str] = set()
    for name, value in header.pairs:
        if name in seen:
            raise ModelError(f"{path}: the safetensors header names {name[:200]!r} twice")
        seen.add(name)
        if name != "__metadata__":
            entries[name] = _entry(f"{path}, tensor {name[:200]!r}", value, size - 8 - length)
    _check_offsets(path, entries, size - 8 - length)
    return 8 + length, entries


class _Pairs:
    """A JSON object as it is written: one in which a name stands twice means what each reader likes."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _entry(what: str, value: Any, data_bytes: int) -> _Entry:
    fields = dict(value.pairs) if isinstance(value, _Pairs) else {}
    if set(fields) != {"dtype", "shape", "data_offsets"} or len(value.pairs) != 3:
        raise ModelError(f"{what} must have dtype, shape and data_offsets, once each and nothing else")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ModelError(f"{what} has the dtype {str(dtype)[:40]}, which is not read; expected one of {', '.join(_DTYPES)}")
    if not isinstance(shape, list):
        raise ModelError(f"{what}: the shape must be a list of sizes")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(o) is int for o in offsets):
        raise ModelError(f"{what}: data_offsets must be two whole numbers")
    begin, end = offsets
    if not 0 <= begin <= end <= data_bytes:
        raise ModelError(f"{what} lies at bytes {begin} to {end}, the file has {data_bytes} bytes of data")
    nbytes = check_shape(what, shape, np.dtype(_DTYPES[dtype]).itemsize)
    if nbytes != end - begin:
        raise ModelError(f"{what}: shape {tuple(shape)} of {dtype} takes {nbytes} bytes, data_offsets hold {end - begin}")
    return _Entry(dtype, tuple(shape), begin, end)


def _check_offsets(path: Path, entries: dict[str, _Entry], data_bytes: int) -> None:
    """One tensor after another, without gaps, as the format wants: nothing may be hidden, and nothing counted twice."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda pair: (pair[1].begin, pair[1].end)):
        if entry.begin != at:
            kind = "overlaps the one before" if entry.begin < at else "leaves a gap"
            raise ModelError(f"{path}, tensor {name[:200]!r}: lies at byte {entry.begin}, expected {at}: it {kind}")
        at = entry.end
    if at != data_bytes:
        raise ModelError(f"{path}: the tensors end at byte {at} of {data_bytes}; the file is damaged")


def _read_bits(path: Path, start: int, name: str, entry: _Entry) -> np.ndarray[Any, Any]:
    with open(path, "rb") as file:
        file.seek(start + entry.begin)
        data = file.read(entry.end - entry.begin)
    return elements(f"{path}, tensor {name[:200]!r}", data, np.dtype("<u2"), entry.shape)
