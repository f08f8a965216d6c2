"""NumPy archives: ``numpy.savez("net.npz", **net.state_dict())``."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError
from ..limits import check_limit
from .archive import Archive
from .elements import check_shape, elements

__all__ = ["read_npz"]

_SUFFIX = ".npy"
_MAGIC = b"\x93NUMPY"
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_MOST_HEADER_BYTES = 10_012  # a magic of 8 bytes, a length, and what NumPy takes of the header itself


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
    with open(path, "rb") as file:
        archive = Archive(path, file)
        total = sum(info.file_size for info in archive.members.values())
        check_limit("weight bytes", total, f"{path}: unpacked, the arrays take {total} bytes")
        arrays = {}
        for name in archive.members:
            if not name.endswith(_SUFFIX):
                raise ModelError(f"{path}: the member {name!r} is not an array ({_SUFFIX})")
            arrays[name[: -len(_SUFFIX)]] = _read_array(archive, name, f"{path}: array {name!r}")
        return arrays


def _read_array(archive: Archive, name: str, what: str) -> np.ndarray[Any, Any]:
    size = archive.member(name).file_size
    head = BytesIO(archive.take(name, min(size, _MOST_HEADER_BYTES)))
    magic = head.read(8)
    if not magic.startswith(_MAGIC) or len(magic) < 8:
        raise ModelError(f"{what} does not begin as one (with \\x93NUMPY)")
    version = (magic[6], magic[7])
    if version not in _HEADER_READERS:
        raise ModelError(f"{what}: format {version} is not one of numbers (1.0, 2.0)")
    try:
        shape, fortran_order, dtype = _HEADER_READERS[version](head)
    except Exception as error:  # NumPy parses it as Python source, and lets through whatever Python's parser raises
        raise ModelError(f"{what}: broken header ({type(error).__name__})") from None
    if dtype.kind not in "biuf":
        raise ModelError(f"{what}: dtype {dtype} is not a number; pickled objects are never read")
    start = head.tell()
    nbytes = check_shape(what, shape, dtype.itemsize)
    if nbytes != size - start:
        raise ModelError(f"{what}: shape {shape} takes {nbytes} bytes, the file holds {size - start}")
    array = elements(what, memoryview(archive.take(name, size))[start:], dtype, shape, bool(fortran_order))
    return array.astype(dtype.newbyteorder("="), copy=False)
