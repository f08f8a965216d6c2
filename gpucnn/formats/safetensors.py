"""safetensors files, read with the library of that name, which checks the header and every offset."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError
from .bfloat16 import widen_bfloat16

__all__ = ["looks_like_safetensors", "read_safetensors"]

_MAX_HEADER_BYTES = 100_000_000  # the format's own limit


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
        The file is broken, or has a dtype that NumPy has not.
    """
    import safetensors

    arrays: dict[str, np.ndarray[Any, Any]] = {}
    name = ""
    try:
        with safetensors.safe_open(str(path), framework="np") as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                if file.get_slice(name).get_dtype() == "BF16":
                    arrays[name] = _read_bfloat16(path, name)
                else:
                    arrays[name] = file.get_tensor(name)
    except Exception as error:  # the library's Rust core raises its own errors and, for dtypes, anything
        place = f", tensor {name!r}" if name else ""
        raise ModelError(f"{path}{place}: the safetensors file cannot be read: {error}") from error
    return arrays


def _read_bfloat16(path: Path, name: str) -> np.ndarray[Any, Any]:
    """Read one tensor's bytes directly: NumPy has no bfloat16. The library has checked the header by now."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        entry = json.loads(file.read(length))[name]
        begin, end = entry["data_offsets"]
        file.seek(8 + length + begin)
        bits = np.frombuffer(file.read(end - begin), "<u2").reshape(entry["shape"])
    return widen_bfloat16(bits)
