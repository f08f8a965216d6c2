"""Readers of weight files. Each gives names and arrays, and none runs anything that a file brings along.

=================  ====================================  =======================================================
reader             files                                 note
=================  ====================================  =======================================================
`safetensors`      ``.safetensors``                      bfloat16 becomes float32
`torch_checkpoint` ``.pth``, ``.pt``, ``.bin``, …        without PyTorch; tensors only, anything else is refused
`npz`              ``.npz``                              arrays of numbers only
=================  ====================================  =======================================================
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError
from ..limits import check_limit
from .state_dict import without_wrappers

__all__ = ["read_state", "read_weights"]

_log = logging.getLogger("gpucnn")

_ZIP_START = b"PK\x03\x04"
_LEGACY_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"  # a pickled number, with which PyTorch before 1.6 begins
_READABLE = "safetensors (.safetensors), PyTorch state dicts (.pth, .pt) and NumPy archives (.npz)"


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Read a file of weights, whatever its format; the content decides, not the suffix.

    What a training program put around the weights is undone: a state dict under a name such as ``"model"``, a prefix ``"module."``.

    Parameters
    ----------
    path : str or path-like
        A safetensors file, a PyTorch checkpoint or a NumPy archive.

    Returns
    -------
    dict of str to array
        dtypes as stored; bfloat16 becomes float32.

    Raises
    ------
    ModelError
        There is no such file, it is broken, or it is none of these.
    LimitError
        The file exceeds ``GPUCNN_MAX_FILE_BYTES``, or its tensors ``GPUCNN_MAX_WEIGHT_BYTES``.
    """
    state, notes = read_state(path)
    for note in notes:
        _log.info("%s: %s", os.fspath(path), note)
    return state


def read_state(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray[Any, Any]], tuple[str, ...]]:
    """What `read_weights` gives, and what was undone for it, for people."""
    path = Path(path)
    try:
        size, head = _look(path)
        read = _reader(path, size, head)
        return read(path)
    except OSError as error:  # the system's own word
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None


_Read = Callable[[Path], tuple[dict[str, np.ndarray[Any, Any]], tuple[str, ...]]]


def _reader(path: Path, size: int, head: bytes) -> _Read:
    if head.startswith(_ZIP_START):
        return _read_zip
    if _LEGACY_MAGIC in head[:32]:
        from .torch_checkpoint import read_torch_checkpoint

        return read_torch_checkpoint
    from .safetensors import looks_like_safetensors, read_safetensors

    if looks_like_safetensors(head, size) or (head and path.suffix.lower() == ".safetensors"):
        return lambda path: without_wrappers(read_safetensors(path))
    raise ModelError(f"{path}: {_describe(path, head)}; readable are {_READABLE}")


def _look(path: Path) -> tuple[int, bytes]:
    """Size and first bytes of a file, or why it is not one; a pipe is not opened, for that would wait."""
    if "\0" in str(path):
        raise ModelError(f"{str(path)!r}: a path cannot hold a null character")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    if stat.S_ISDIR(mode):
        raise ModelError(f"{path}: is a folder, expected a file of weights: {_READABLE}")
    if not stat.S_ISREG(mode):
        raise ModelError(f"{path}: is not a regular file, expected a file of weights: {_READABLE}")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        check_limit("file bytes", size, f"{path}: has {size} bytes")
        return size, file.read(512)


def _read_zip(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], tuple[str, ...]]:
    from .archive import Archive
    from .npz import read_npz
    from .torch_checkpoint import read_torch_checkpoint

    with open(path, "rb") as file:
        members = Archive(path, file).members
    if members and all(name.endswith(".npy") for name in members):
        return without_wrappers(read_npz(path))
    return read_torch_checkpoint(path)


def _describe(path: Path, head: bytes) -> str:
    """What the file seems to be instead, for the error."""
    if not head:
        return "is empty"
    if path.suffix.lower() == ".onnx":
        return "is an ONNX file, a whole network rather than weights: give it as the model itself"
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file it stands for (fetch it with 'git lfs pull')"
    if head.startswith(b"\x89HDF"):
        return "is an HDF5 file (Keras), which is not read"
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        return "is a plain Python pickle, which is never read"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return "is a text file"
    return "has a content that is not known"
