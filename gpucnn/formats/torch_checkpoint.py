"""PyTorch checkpoints, ``torch.save(net.state_dict(), "net.pth")``, read without PyTorch and without running anything.

Both containers are read: the zip of PyTorch 1.6 and later (``archive/data.pkl`` beside one member per storage), and the
older plain one, in which many published weights are still kept (five pickles one after another, then the storages). In
both the pickle says only which tensor is which window of which storage. `pickle_data` reads it as data, every window is
checked against its storage, and only storages that a tensor of the state dict needs are read at all.

Source: ``torch/serialization.py`` and ``torch/_utils.py`` describe the formats; no code is taken from there.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from ..errors import ModelError
from ..limits import check_limit
from .bfloat16 import widen_bfloat16
from .pickle_data import MAX_PICKLE_BYTES, PickleError, read_pickle

__all__ = ["read_torch_checkpoint"]

_log = logging.getLogger("gpucnn")

_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

_RESAVE = "; in PyTorch, save the tensors alone: torch.save(net.state_dict(), 'weights.pth')"

_DTYPES: dict[str, str] = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",  # widened after reading
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

_NESTS = ("state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class _Storage:
    """A run of elements kept under a key in the file."""

    key: str
    kind: str
    numel: int

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(_DTYPES[self.kind])

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True)
class _Tensor:
    """A window onto a storage, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


_ReadStorage = Callable[[_Storage], bytes]
_ByteOrder = Literal["little", "big"]


def read_torch_checkpoint(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Tensors of a PyTorch checkpoint, by name.

    Parameters
    ----------
    path : Path
        A file written by ``torch.save``: a state dict, or a training checkpoint that holds one under ``state_dict``,
        ``model_state_dict``, ``model`` or ``net``. A prefix that every name got from ``DataParallel`` or
        ``torch.compile`` is taken off.

    Returns
    -------
    dict of str to array
        dtypes as stored; bfloat16 becomes float32.

    Raises
    ------
    ModelError
        The file is broken, is TorchScript, or names anything but tensors and plain containers.
    LimitError
        The tensors together exceed ``GPUCNN_MAX_WEIGHT_BYTES``.
    """
    try:
        with open(path, "rb") as file:
            open_container = _open_zip if file.read(2) == b"PK" else _open_legacy
            tree, byte_order, read_storage = open_container(file)
            tensors = _strip_prefix(_find_state_dict(tree))
            _check(path, tensors)
            return _materialise(tensors, byte_order, read_storage)
    except PickleError as error:
        raise ModelError(f"{path}: {error}{_RESAVE}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        reason = f"the checkpoint is truncated or broken ({error}); copy or download it again"
        raise ModelError(f"{path}: {reason}") from error


# ---- what the pickle may name ----------------------------------------------------------------------------------------


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> _Tensor:
    """Stand for ``torch._utils._rebuild_tensor_v2``; gradients and hooks are not ours."""
    sizes = [offset, *shape, *stride]
    if not isinstance(storage, _Storage) or len(shape) != len(stride) or len(shape) > 32:
        raise PickleError("the pickle is broken (not a tensor)")
    if not all(type(size) is int and 0 <= size < 1 << 62 for size in sizes):
        raise PickleError("a tensor has an impossible offset, shape or stride")
    return _Tensor(storage, offset, tuple(shape), tuple(stride))


def _parameter(tensor: _Tensor, *_: Any) -> _Tensor:
    return tensor


def _plain_dict(pairs: Any = ()) -> dict[str, Any]:
    if not all(isinstance(key, str) for key, _ in pairs):
        raise PickleError("an OrderedDict has a key that is not text")
    return dict(pairs)


_KNOWN: dict[str, Any] = {
    "collections.OrderedDict": _plain_dict,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    **{f"torch.{kind}": kind for kind in _DTYPES},
}


def _storage(pid: Any) -> _Storage:
    """Turn the persistent id of a storage, ``("storage", kind, key, device, numel[, view])``, into a record."""
    match pid:
        case ("storage", str(kind), str(key), _, int(numel)) | ("storage", str(kind), str(key), _, int(numel), None):
            if kind in _DTYPES and len(key) <= 255 and numel >= 0:
                return _Storage(key, kind, numel)
    raise PickleError("the pickle refers to something that is not a storage of a tensor")


# ---- the two containers ----------------------------------------------------------------------------------------------


def _open_zip(file: BinaryIO) -> tuple[Any, _ByteOrder, _ReadStorage]:
    archive = zipfile.ZipFile(file)
    members = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if any("/code/" in name or name.endswith("constants.pkl") for name in members):
        raise PickleError(
            "the file is TorchScript, a program with its weights; to run the program, export it in PyTorch: "
            "torch.onnx.export(torch.jit.load(file), example_input, 'net.onnx')"
        )
    if len(pickles) != 1:
        raise PickleError(f"the file is a zip with {len(pickles)} members 'data.pkl', expected one: not a state dict")
    root = pickles[0][: -len("data.pkl")]
    file_bytes = os.fstat(file.fileno()).st_size

    def read(name: str, nbytes: int) -> bytes:
        info = members.get(name)
        if info is None:
            raise PickleError(f"the checkpoint has no member {name!r}")
        # torch.save stores members as they are, so a member is never longer than the file, whatever it declares.
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise PickleError(f"the member {name!r} is compressed, which torch.save never does")
        if nbytes > info.file_size or info.file_size > file_bytes:
            raise PickleError(f"the member {name!r} has {info.file_size} bytes, expected {nbytes}")
        with archive.open(info) as member:
            data = member.read(nbytes)
            if len(data) != nbytes:
                raise EOFError(f"the member {name!r} ends early")
            return data

    def read_all(name: str, limit: int) -> bytes:
        size = members[name].file_size
        if size > limit:
            raise PickleError(f"the member {name!r} has {size} bytes, expected at most {limit}")
        return read(name, size)

    big = root + "byteorder" in members and read_all(root + "byteorder", 16) == b"big"
    tree = read_pickle(BytesIO(read_all(pickles[0], MAX_PICKLE_BYTES)), _KNOWN, _storage)
    return tree, "big" if big else "little", lambda storage: read(f"{root}data/{storage.key}", storage.nbytes)


def _open_legacy(file: BinaryIO) -> tuple[Any, _ByteOrder, _ReadStorage]:
    file_bytes = os.fstat(file.fileno()).st_size
    file.seek(0)
    head = BytesIO(file.read(MAX_PICKLE_BYTES))
    storages: dict[str, _Storage] = {}

    def note(pid: Any) -> _Storage:
        storage = _storage(pid)
        if storages.setdefault(storage.key, storage) != storage:
            raise PickleError(f"the storage {storage.key!r} is described twice, differently")
        return storage

    for expected in (_LEGACY_MAGIC, _LEGACY_PROTOCOL):
        if read_pickle(head, {}) != expected:
            raise PickleError(f"the checkpoint does not say {expected:#x} where PyTorch's do")
    # What follows says which machine wrote the file, its byte order too; but storages are little-endian on all of them.
    read_pickle(head, {})
    tree = read_pickle(head, _KNOWN, note)
    keys = read_pickle(head, {})
    if not isinstance(keys, list):
        raise PickleError("the checkpoint is broken (no list of storages)")

    starts: dict[str, int] = {}
    position = head.tell()
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise PickleError("the checkpoint stores something that no tensor uses")
        file.seek(position)
        numel = int.from_bytes(file.read(8), "little", signed=True)
        if numel != storage.numel:
            raise PickleError(f"the storage {key!r} has {numel} elements, its tensors expect {storage.numel}")
        starts[key] = position + 8
        position += 8 + storage.nbytes
        if position > file_bytes:
            raise EOFError(f"{file_bytes} bytes, at least {position} expected")

    def read_storage(storage: _Storage) -> bytes:
        if storage.key not in starts:
            raise PickleError(f"the checkpoint does not store {storage.key!r}")
        file.seek(starts[storage.key])
        data = file.read(storage.nbytes)
        if len(data) != storage.nbytes:
            raise EOFError(f"the storage {storage.key!r} ends early")
        return data

    return tree, "little", read_storage


# ---- from the tree to arrays -----------------------------------------------------------------------------------------


def _find_state_dict(tree: Any) -> dict[str, _Tensor]:
    """The mapping of names to tensors inside what ``torch.save`` was given."""
    found = tree
    for _ in range(len(_NESTS)):  # {"model": {"state_dict": …}} exists; a dict within itself must end too
        nest = next((name for name in _NESTS if isinstance(found, dict) and isinstance(found.get(name), dict)), None)
        if nest is None:
            break
        _log.info("checkpoint: the state dict is under %r", nest)
        found = found[nest]
    if not isinstance(found, dict):
        raise PickleError(f"the file holds a {type(found).__name__}, expected a state dict (names and tensors)")
    tensors = {str(name): value for name, value in found.items() if isinstance(value, _Tensor)}
    if not tensors:
        names = ", ".join(repr(name)[:60] for name in list(found)[:8]) or "nothing"
        raise PickleError(f"the file holds {names}, expected names with tensors, or one of {', '.join(_NESTS)} with them")
    return tensors


def _strip_prefix(tensors: Mapping[str, _Tensor]) -> dict[str, _Tensor]:
    named = dict(tensors)
    for prefix in _PREFIXES * 2:  # either may be around the other
        if all(name.startswith(prefix) for name in named):
            _log.info("checkpoint: taking the prefix %r off every name", prefix)
            named = {name[len(prefix) :]: tensor for name, tensor in named.items()}
    return named


def _check(path: Path, tensors: Mapping[str, _Tensor]) -> None:
    """Refuse windows outside their storage, and totals beyond the limit, before anything is allocated."""
    total = 0
    for name, tensor in tensors.items():
        numel = math.prod(tensor.shape)
        end = 1 + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride)) if numel else 0
        if tensor.offset + end > tensor.storage.numel:
            raise PickleError(
                f"the tensor {name[:255]!r} (offset {tensor.offset}, shape {tensor.shape}, stride {tensor.stride}) "
                f"reaches outside its storage of {tensor.storage.numel} elements"
            )
        total += numel * max(4, tensor.storage.dtype.itemsize)
    # Tensors may be wide windows on one small storage, or small windows on storages that overlap: both sums count.
    total = max(total, sum(storage.nbytes for storage in {tensor.storage for tensor in tensors.values()}))
    check_limit("weight bytes", total, f"{path}: the tensors take {total} bytes")


def _materialise(tensors: Mapping[str, _Tensor], byte_order: _ByteOrder, read_storage: _ReadStorage) -> dict[str, np.ndarray[Any, Any]]:
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    storages: dict[_Storage, np.ndarray[Any, Any]] = {}
    for name, tensor in tensors.items():
        if tensor.storage not in storages:
            dtype = tensor.storage.dtype
            stored = np.frombuffer(read_storage(tensor.storage), dtype)
            storages[tensor.storage] = stored if byte_order == sys.byteorder else stored.byteswap()
        flat = storages[tensor.storage]
        strides = [step * flat.itemsize for step in tensor.stride]
        window = np.ndarray(tensor.shape, flat.dtype, flat, tensor.offset * flat.itemsize, strides)
        if tensor.storage.kind == "BFloat16Storage":
            arrays[name] = widen_bfloat16(window)
        else:
            arrays[name] = np.ascontiguousarray(window).reshape(tensor.shape)
    return arrays
