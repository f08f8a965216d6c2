"""NumPy archives: ``numpy.savez("net.npz", **net.state_dict())``."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import ModelError
from ..limits import check_limit

__all__ = ["read_npz"]

_SUFFIX = ".npy"
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays of a NumPy archive, by name; pickled objects are refused.

    What each member declares is compared with the member's size, and their sum with the limit, before anything is
    allocated: ``numpy.load`` alone would believe a header of 100 bytes that declares a terabyte.

    Raises
    ------
    ModelError
        The archive is broken, or holds something other than arrays of numbers.
    LimitError
        The arrays together exceed ``GPUCNN_MAX_WEIGHT_BYTES``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            total = sum(info.file_size for info in members)
            check_limit("weight bytes", total, f"{path}: unpacked, the arrays take {total} bytes")
            arrays = {}
            for info in members:
                if not info.filename.endswith(_SUFFIX):
                    raise ModelError(f"{path}: the member {info.filename!r} is not an array ({_SUFFIX})")
                with archive.open(info) as member:
                    arrays[info.filename[: -len(_SUFFIX)]] = _read_array(member, info)
            return arrays
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path}: the NumPy archive cannot be read: {error}") from error


def _read_array(member: IO[bytes], info: zipfile.ZipInfo) -> np.ndarray[Any, Any]:
    version = np.lib.format.read_magic(member)
    if version not in _HEADER_READERS:
        raise ValueError(f"array {info.filename!r}: format {version} is not one of numbers (1.0, 2.0)")
    try:
        shape, fortran_order, dtype = _HEADER_READERS[version](member)
    except Exception as error:  # NumPy parses it as Python source, and lets through whatever its parsers raise
        raise ValueError(f"array {info.filename!r}: broken header ({type(error).__name__})") from error
    if dtype.kind not in "biuf":
        raise ValueError(f"array {info.filename!r}: dtype {dtype} is not a number; pickled objects are never read")
    nbytes, held = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
    if min(shape, default=0) < 0 or nbytes != held:
        raise ValueError(f"array {info.filename!r}: shape {shape} takes {nbytes} bytes, the file holds {held}")
    data = member.read(nbytes)
    if len(data) != nbytes:
        raise ValueError(f"array {info.filename!r}: ends early")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
