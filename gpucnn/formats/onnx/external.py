"""Tensors that lie beside an ONNX file: read from its own folder only."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ...errors import ModelError
from ...limits import check_limit

__all__ = ["read_external"]


def read_external(tensor: Any, folder: Path | None, what: str) -> bytes:
    """The bytes of a tensor whose ``data_location`` is EXTERNAL.

    The file must be a regular one with a relative path inside ``folder``, the model's, reached over no link, and the range asked for must
    lie in it.
    """
    keys: dict[str, str] = {}
    for entry in tensor.external_data:
        if isinstance(entry.key, bytes) or isinstance(entry.value, bytes):  # as protobuf hands it out
            raise ModelError(f"{what}: external data is described by text that is not UTF-8")
        if entry.key in keys:
            raise ModelError(f"{what}: external data names {entry.key!r} twice")
        keys[entry.key] = entry.value
    if unknown := set(keys) - {"location", "offset", "length", "checksum", "basepath"}:
        raise ModelError(f"{what}: external data has unknown fields {sorted(unknown)}")
    if folder is None:
        raise ModelError(f"{what}: lies in another file, and a model that is not loaded from a file has no folder to look in")
    location = keys.get("location", "")
    path = _inside(folder, location, what)
    offset, length = (_number(keys, name, what) for name in ("offset", "length"))
    try:
        state = os.lstat(path)  # before it is opened: opening a device may do something
        if not stat.S_ISREG(state.st_mode):
            raise ModelError(f"{what}: its data file {location!r} is not a regular file")
        # Neither a pipe, which would wait for ever, nor a link may be opened; what is then open is looked at once more.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise ModelError(f"{what}: its data file {location!r} cannot be opened beside the model: {error.strerror or error}") from None
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode) or info.st_nlink > 1:
        os.close(handle)
        raise ModelError(f"{what}: its data file {location!r} is not a regular file with one name; links are not followed")
    with os.fdopen(handle, "rb") as file:
        start = offset or 0
        count = info.st_size - start if length is None else length
        if start > info.st_size or count < 0 or start + count > info.st_size:
            raise ModelError(f"{what}: asks for bytes {start} to {start + count} of {location!r}, which has {info.st_size}")
        check_limit("weight bytes", count, f"{what}: {count} bytes of {location!r}")
        file.seek(start)
        data = file.read(count)
    if len(data) != count:
        raise ModelError(f"{what}: {location!r} ended while it was read")
    return data


def _inside(folder: Path, location: str, what: str) -> Path:
    """The path of a data file, every part of which is a name of a folder or file below, none of them a link."""
    parts = PurePosixPath(location).parts
    odd = not parts or "\0" in location or "\\" in location or PureWindowsPath(location).drive or PurePosixPath(location).is_absolute()
    if odd or ".." in parts:
        raise ModelError(f"{what}: its data file must be named by a relative path inside the model's folder, got {location!r}")
    path = folder
    for part in parts:
        path = path / part
        if os.path.islink(path):
            raise ModelError(f"{what}: its data file {location!r} is reached over a link, which is not followed; put the file itself there")
    return path


def _number(keys: dict[str, str], name: str, what: str) -> int | None:
    text = keys.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ModelError(f"{what}: external data's {name} must be a whole number, got {text!r}")
    return int(text)
