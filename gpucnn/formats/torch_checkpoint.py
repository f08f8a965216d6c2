"""PyTorch checkpoints, ``torch.save(net.state_dict(), "net.pth")``, read without PyTorch and without running anything.

Both containers are read: the zip of PyTorch 1.6 and later (``archive/data.pkl`` beside one member per storage), and the
older plain one, in which many published weights are still kept (five pickles one after another, then the storages). In
both the pickle says only which tensor is which window of which storage. `pickle_data` reads it as data, every window is
checked against its storage, and only storages that a tensor of the state dict needs are read at all.

Source: ``torch/serialization.py`` and ``torch/_utils.py`` describe the formats; no code is taken from there.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from ..errors import ModelError
from ..limits import check_limit
from .archive import Archive
from .bfloat16 import widen_bfloat16
from .elements import check_shape
from .pickle_data import MAX_PICKLE_BYTES, PickleError, UnknownNameError, Unread, read_pickle
from .state_dict import NESTS, nested, without_wrappers

__all__ = ["read_torch_checkpoint"]

_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001

_SAVE = "in PyTorch, save the tensors alone: torch.save(net.state_dict(), 'weights.pth')"

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
    "UntypedStorage": "u1",  # bytes, of which the tensor knows the type
    "uint16": "u2",
    "uint32": "u4",
    "uint64": "u8",
}

_OTHER_NUMBERS = (
    "torch._utils._rebuild_qtensor", "torch._utils._rebuild_sparse", "torch.Complex", "torch.Q", "torch.float8", "torch.float4",
)  # fmt: skip

_UNREAD = (
    "argparse.Namespace",
    "collections.Counter",
    "collections.defaultdict",
    "datetime.datetime",
    "datetime.timedelta",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "torch.device",
)
"""What training programs save beside the weights. These names stand for nothing: neither they nor their arguments are looked at."""


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


def read_torch_checkpoint(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], tuple[str, ...]]:
    """Tensors of a PyTorch checkpoint, by name, and what was undone to get at them.

    Parameters
    ----------
    path : Path
        A file written by ``torch.save``: a state dict, or a training checkpoint that holds one under one of `state_dict.NESTS`. A
        prefix that every name got from ``DataParallel`` or ``torch.compile`` is taken off.

    Returns
    -------
    dict of str to array
        dtypes as stored; bfloat16 becomes float32.
    notes : tuple of str
        For people: ``"under 'model'"``, ``"prefix 'module.' taken off"``.

    Raises
    ------
    ModelError
        The file is broken, is TorchScript or a whole model, or names anything but tensors and plain containers.
    LimitError
        The tensors together exceed ``GPUCNN_MAX_WEIGHT_BYTES``.
    """
    try:
        with open(path, "rb") as file:
            open_container = _open_zip if file.read(2) == b"PK" else _open_legacy
            tree, byte_order, read_storage = open_container(path, file)
            tensors, notes = _state_dict(tree)
            tensors, prefixes = without_wrappers(tensors)
            _check(path, tensors)
            return _materialise(tensors, byte_order, read_storage), notes + prefixes
    except UnknownNameError as error:
        raise ModelError(f"{path}: {error}; {_instead(path, error)}") from None
    except PickleError as error:  # ours
        raise ModelError(f"{path}: {error}") from None


def _instead(path: Path, error: UnknownNameError) -> str:
    """What to do about a file that holds something else."""
    is_class = error.name.rsplit(".", 1)[-1][:1].isupper()
    if is_class and (error.first or error.name.startswith("torch.nn.modules.")):
        return (
            "it seems to be a whole model, which is code as well as weights; if you trust whoever made it, in PyTorch: "
            f"torch.save(torch.load({path.name!r}, weights_only=False).state_dict(), 'weights.pth'), or with the network itself: "
            f"torch.onnx.export(torch.load({path.name!r}, weights_only=False).eval(), example_input, 'net.onnx')"
        )
    if error.name.startswith(_OTHER_NUMBERS):
        return "its numbers are not plain ones: in PyTorch, .dequantize(), .to_dense() or .float() the tensors before torch.save"
    return _SAVE


# ---- what the pickle may name ----------------------------------------------------------------------------------------


def _tensor(*arguments: Any) -> _Tensor:
    """Stand for ``torch._utils._rebuild_tensor_v2(storage, offset, shape, stride, …)``; gradients and hooks are not ours."""
    if len(arguments) < 4:
        raise PickleError("the pickle is broken (a tensor without storage, offset, shape and stride)")
    storage, offset, shape, stride = arguments[:4]
    if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(stride, tuple):
        raise PickleError("the pickle is broken (not a tensor)")
    if len(shape) != len(stride) or len(shape) > 32 or not all(type(n) is int and 0 <= n < 1 << 62 for n in (offset, *shape, *stride)):
        raise PickleError("a tensor has an impossible offset, shape or stride")
    return _Tensor(storage, offset, shape, stride)


def _tensor_of_bytes(*arguments: Any) -> _Tensor:
    """Stand for ``_rebuild_tensor_v3``, which says the type: ``(storage, offset, shape, stride, requires_grad, hooks, dtype, …)``."""
    window = _tensor(*arguments)
    kind = arguments[6] if len(arguments) > 6 else None
    if window.storage.kind != "UntypedStorage" or not isinstance(kind, str) or kind not in _DTYPES:
        raise PickleError("a tensor has a type of numbers that is not read")
    return replace(window, storage=_Storage(window.storage.key, kind, window.storage.numel // np.dtype(_DTYPES[kind]).itemsize))


def _parameter(*arguments: Any) -> Any:
    if not arguments or not isinstance(arguments[0], _Tensor):
        raise PickleError("the pickle is broken (a parameter that is no tensor)")
    return arguments[0]


def _from_type(*arguments: Any) -> Any:
    """Stand for ``torch._tensor._rebuild_from_type_v2(function, type, arguments, state)``: a tensor with attributes of its own."""
    if len(arguments) < 3 or arguments[1] != "Tensor" or not isinstance(arguments[2], tuple):
        raise PickleError("the pickle is broken (not a tensor)")
    return _tensor(*arguments[2])


def _plain_dict(*arguments: Any) -> dict[str, Any]:
    pairs = arguments[0] if arguments else ()
    if not isinstance(pairs, (list, tuple)) or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        raise PickleError("an OrderedDict is made of something that is not pairs")
    if not all(isinstance(key, str) for key, _ in pairs):
        raise PickleError("an OrderedDict has a key that is not text")
    return dict(pairs)


def _size(*arguments: Any) -> tuple[Any, ...]:
    sizes = arguments[0] if arguments else ()
    if not isinstance(sizes, (list, tuple)):
        raise PickleError("the pickle is broken (a torch.Size that is no list)")
    return tuple(sizes)


_KNOWN: dict[str, Any] = {
    "collections.OrderedDict": _plain_dict,
    "torch.Size": _size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_of_bytes,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.Tensor": "Tensor",
    "torch.nn.parameter.Parameter": "Tensor",
    "torch.storage.UntypedStorage": "UntypedStorage",
    **{f"torch.{kind}": kind for kind in _DTYPES},
    **{name: Unread(name) for name in _UNREAD},
}


def _storage(pid: Any) -> _Storage:
    """Turn the persistent id of a storage, ``("storage", kind, key, device, numel[, view])``, into a record."""
    match pid:
        case ("storage", str(kind), str(key), _, int(numel)) | ("storage", str(kind), str(key), _, int(numel), None):
            if kind in _DTYPES and len(key) <= 255 and 0 <= numel < 1 << 60:
                return _Storage(key, kind, numel)
    raise PickleError("the pickle refers to something that is not a storage of a tensor")


# ---- the two containers ----------------------------------------------------------------------------------------------


def _open_zip(path: Path, file: BinaryIO) -> tuple[Any, _ByteOrder, _ReadStorage]:
    archive = Archive(path, file)
    members = archive.members
    if any("/code/" in name or name.endswith("constants.pkl") for name in members):
        raise ModelError(
            f"{path}: the file is TorchScript, a program with its weights; to run the program, export it in PyTorch: "
            f"torch.onnx.export(torch.jit.load({path.name!r}), example_input, 'net.onnx', dynamo=False); "
            f"for the weights alone: torch.save(torch.jit.load({path.name!r}).state_dict(), 'weights.pth')"
        )
    if any(name.endswith(("serialized_exported_program.json", "models/model.json", ".format")) for name in members):
        raise ModelError(
            f"{path}: the file is an exported program; to have its weights, in PyTorch: "
            f"torch.save(torch.export.load({path.name!r}).state_dict, 'weights.pth')"
        )
    pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ModelError(f"{path}: the file is a zip with {len(pickles)} members 'data.pkl', expected one: not a state dict; {_SAVE}")
    root = pickles[0][: -len("data.pkl")]

    def read_storage(storage: _Storage) -> bytes:
        name = f"{root}data/{storage.key}"
        if archive.member(name).compress_type:
            # torch.save stores members as they are, so that a member is never longer than the file, whatever it declares.
            raise ModelError(f"{path}: the member {name!r} is compressed, which torch.save never does")
        return archive.take(name, storage.nbytes)

    big = root + "byteorder" in members and archive.read(root + "byteorder", 16) == b"big"
    tree = read_pickle(BytesIO(archive.read(pickles[0], MAX_PICKLE_BYTES)), _KNOWN, _storage)
    return tree, "big" if big else "little", read_storage


def _open_legacy(path: Path, file: BinaryIO) -> tuple[Any, _ByteOrder, _ReadStorage]:
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
        said = read_pickle(head, {})
        if type(said) is not int or said != expected:
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
        if position + 8 + storage.nbytes > file_bytes:
            end = position + 8 + storage.nbytes
            raise PickleError(f"the checkpoint is truncated: {file_bytes} bytes, at least {end} expected; copy or download it again")
        file.seek(position)
        numel = int.from_bytes(file.read(8), "little", signed=True)
        if numel != storage.numel:
            raise PickleError(f"the storage {key!r} has {numel} elements, its tensors expect {storage.numel}")
        starts[key] = position + 8
        position += 8 + storage.nbytes

    def read_storage(storage: _Storage) -> bytes:
        if storage.key not in starts:
            raise PickleError(f"the checkpoint does not store {storage.key!r}")
        file.seek(starts[storage.key])
        data = file.read(storage.nbytes)
        if len(data) != storage.nbytes:
            raise PickleError(f"the storage {storage.key!r} ended while it was read")
        return data

    return tree, "little", read_storage


# ---- from the tree to arrays -----------------------------------------------------------------------------------------


def _state_dict(tree: Any) -> tuple[dict[str, _Tensor], tuple[str, ...]]:
    """The mapping of names to tensors inside what ``torch.save`` was given; numbers and text in it are no weights."""
    found, notes = nested(tree, lambda value: isinstance(value, _Tensor))
    if not isinstance(found, dict):
        raise PickleError(f"the file holds {_kind(found)}, expected a state dict (names and tensors); {_SAVE}")
    tensors: dict[str, _Tensor] = {}
    for name, value in found.items():
        if isinstance(value, Unread):
            raise PickleError(f"{str(name)[:100]!r} is {_kind(value)}, expected a tensor; {_SAVE}")
        if isinstance(value, _Tensor) and isinstance(name, str):
            tensors[name] = value
    if not tensors:
        names = ", ".join(repr(name)[:60] for name in list(found)[:8]) or "nothing"
        raise PickleError(f"the file holds {names}, expected names with tensors, or one of {', '.join(NESTS)} with them; {_SAVE}")
    return tensors, notes


def _kind(value: Any) -> str:
    return value.name if isinstance(value, Unread) else f"a {type(value).__name__.strip('_')}"


def _check(path: Path, tensors: Mapping[str, _Tensor]) -> None:
    """Refuse windows outside their storage, and totals beyond the limit, before anything is allocated."""
    total = 0
    for name, tensor in tensors.items():
        check_shape(f"{path}: the tensor {name[:255]!r}", tensor.shape, tensor.storage.dtype.itemsize)
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
        if not math.prod(tensor.shape):  # its strides may be anything
            arrays[name] = np.empty(tensor.shape, np.float32 if tensor.storage.kind == "BFloat16Storage" else tensor.storage.dtype)
            continue
        if tensor.storage not in storages:
            dtype = tensor.storage.dtype
            stored = np.frombuffer(read_storage(tensor.storage), dtype)
            storages[tensor.storage] = stored if byte_order == sys.byteorder else stored.byteswap()
        flat = storages[tensor.storage]
        # A step that is never taken may be any number, NumPy's must fit a pointer.
        strides = [step * flat.itemsize if size > 1 else 0 for step, size in zip(tensor.stride, tensor.shape)]
        window = np.ndarray(tensor.shape, flat.dtype, flat, tensor.offset * flat.itemsize, strides)
        if tensor.storage.kind == "BFloat16Storage":
            arrays[name] = widen_bfloat16(window)
        else:
            arrays[name] = np.ascontiguousarray(window).reshape(tensor.shape)
    return arrays
