"""Tensors of ONNX files as NumPy arrays, checked before anything is allocated."""

from __future__ import annotations

import sys
from math import prod
from typing import Any

import numpy as np

from ...errors import ModelError
from ...limits import check_limit
from ..bfloat16 import widen_bfloat16
from ..elements import check_shape

__all__ = ["ELEMENT_TYPES", "declared_bytes", "element_type", "file_type", "held_as", "to_array", "widened"]

Bits = np.ndarray[Any, np.dtype[Any]]

ELEMENT_TYPES: dict[int, str] = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool", 10: "float16",
    11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8e4m3fn",
    18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1", 24: "float8e8m0",
    25: "uint2", 26: "int2",
}  # fmt: skip
"""Names of ``TensorProto.DataType``."""

_STORED = {
    **{name: name for name in ("float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "bool", "float16", "float64", "uint32")},
    "uint64": "uint64", "bfloat16": "uint16",
}  # fmt: skip
"""Types that lie in a file as whole elements, and as which NumPy type."""

_HELD_AS = {"bfloat16": "float32", "uint4": "uint8", "int4": "int8", "uint2": "uint8", "int2": "int8"}
"""Types that NumPy lacks, and the one that holds their numbers exactly. The small floats become float32."""

_SMALL_FLOATS = ("float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "float8e8m0", "float4e2m1")
_BITS = {"uint4": 4, "int4": 4, "float4e2m1": 4, "uint2": 2, "int2": 2}

_FIELDS = {
    "float32": "float_data", "float64": "double_data", "int64": "int64_data", "uint32": "uint64_data", "uint64": "uint64_data",
}  # fmt: skip
"""Where the elements are if not in ``raw_data``; all other types lie in ``int32_data``, 16-bit floats as bit patterns."""


def element_type(code: int, what: str) -> np.dtype[Any]:
    """The NumPy type in which tensors of ONNX's type ``code`` are held; raises where there is none."""
    name = ELEMENT_TYPES.get(code)
    if name is None or name in ("string", "complex64", "complex128"):
        kind = f"of type {name}" if name else f"of the unknown type {code}" if code else "of no type"
        raise ModelError(f"{what} is {kind}; gpucnn computes with real numbers and bool")
    return _marked(name) if name in _SMALL_FLOATS or name in _BITS else np.dtype(held_as(name))


def held_as(name: str) -> str:
    """The NumPy type that holds numbers of ONNX's type ``name``."""
    return "float32" if name in _SMALL_FLOATS else _HELD_AS.get(name, name)


def _marked(name: str) -> np.dtype[Any]:
    """The type that holds a small one, and says so: what converts to it must know its range."""
    return np.dtype(np.dtype(held_as(name)), metadata={"onnx": name})


def file_type(dtype: np.dtype[Any]) -> str:
    """ONNX's name of the type that values of ``dtype`` have in the file: a small one, where it is marked so."""
    return str(dtype.metadata["onnx"]) if dtype.metadata and "onnx" in dtype.metadata else dtype.name


def declared_bytes(tensor: Any, what: str) -> int:
    """What a ``TensorProto`` says that its array takes; raises where no array is so large, or of that type."""
    shape = tuple(int(d) for d in tensor.dims)
    dtype = element_type(tensor.data_type, what)
    nbytes = prod(shape) * dtype.itemsize
    if min(shape, default=0) >= 0:
        check_limit("weight bytes", nbytes, f"{what} declares {nbytes} bytes ({shape})")
    return check_shape(what, shape, dtype.itemsize)


def to_array(tensor: Any, what: str, raw: bytes | memoryview | None = None) -> Bits:
    """The array of a ``TensorProto``.

    Parameters
    ----------
    tensor : onnx.TensorProto
    what : str
        Names the tensor in errors.
    raw : bytes, optional
        Its elements where they lie in another file.

    Returns
    -------
    array
        Read-only where it shares memory with the file.
    """
    declared_bytes(tensor, what)
    shape = tuple(int(d) for d in tensor.dims)
    size = prod(shape)
    name = ELEMENT_TYPES[tensor.data_type]
    if raw is None and tensor.HasField("raw_data"):
        raw = tensor.raw_data
    array = _from_raw(raw, name, size, what) if raw is not None else _from_fields(tensor, name, size, what)
    return array.reshape(shape)


def widened(array: Bits) -> Bits:
    """float16 is computed in float32; a net is put back into 16 bits where a GPU does that."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _from_raw(raw: bytes | memoryview, name: str, size: int, what: str) -> Bits:
    bits = 8 * np.dtype(_STORED[name]).itemsize if name in _STORED else _BITS.get(name, 8)
    expected = (size * bits + 7) // 8
    if len(raw) != expected:
        raise ModelError(f"{what} needs {expected} bytes for {size} elements of {name}, the file has {len(raw)}; it is damaged")
    if name not in _STORED:
        return _unpacked(np.frombuffer(raw, np.uint8), name, size)
    array = np.frombuffer(raw, np.dtype(_STORED[name]).newbyteorder("<"))
    if sys.byteorder == "big":
        array = array.astype(array.dtype.newbyteorder("="))
    if name == "bool":
        array = array.view(np.uint8) != 0  # a file may hold other bytes than 0 and 1
    return widen_bfloat16(array) if name == "bfloat16" else array


def _from_fields(tensor: Any, name: str, size: int, what: str) -> Bits:
    field = _FIELDS.get(name, "int32_data")
    values = np.array(getattr(tensor, field), np.dtype(name) if name in ("float32", "float64", "uint64") else np.int64)
    count = (size * _BITS[name] + 7) // 8 if name in _BITS else size
    if len(values) != count:
        raise ModelError(f"{what} needs {count} entries in {field}, the file has {len(values)}; it is damaged")
    if name in ("float16", "bfloat16"):
        bits = values.astype(np.uint16)
        return bits.view(np.float16) if name == "float16" else widen_bfloat16(bits)
    if name not in _STORED:
        return _unpacked(values.astype(np.uint8), name, size)
    return values.astype(_STORED[name])


def _unpacked(packed: Bits, name: str, size: int) -> Bits:
    """Elements of less than a byte, the first in the lowest bits; and the floats of a byte or less, by their code."""
    bits = _BITS.get(name, 8)
    codes = ((packed[:, None] >> np.arange(0, 8, bits, dtype=np.uint8)) & np.uint8((1 << bits) - 1)).reshape(-1)[:size]
    if name in _SMALL_FLOATS:
        codes = _table(name)[codes]
    elif name.startswith("int"):
        sign = 1 << (bits - 1)
        codes = np.asarray((codes.astype(np.int16) ^ sign) - sign, np.int8)
    return np.asarray(codes.view(_marked(name)))


def _table(name: str) -> Bits:
    """The value of every code of a small float; onnx's ml_dtypes knows them."""
    import ml_dtypes

    kinds = {
        "float8e4m3fn": "float8_e4m3fn", "float8e4m3fnuz": "float8_e4m3fnuz", "float8e5m2": "float8_e5m2",
        "float8e5m2fnuz": "float8_e5m2fnuz", "float8e8m0": "float8_e8m0fnu", "float4e2m1": "float4_e2m1fn",
    }  # fmt: skip
    kind = getattr(ml_dtypes, kinds[name])
    values: Bits = np.arange(16 if name == "float4e2m1" else 256, dtype=np.uint8).view(kind).astype(np.float32)
    return values
