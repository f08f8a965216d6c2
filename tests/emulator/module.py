"""What users see: modules, kernels and launches, with the signatures of ``cupy.RawModule`` and ``cupy.RawKernel``."""

from __future__ import annotations

import ctypes
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import build, nvrtc
from .errors import KernelError, LaunchError, UnavailableError
from .ptx import Ptx
from .translate import translate

__all__ = ["Kernel", "Module", "available", "require"]

SHARED_LIMIT = {75: 64, 80: 163, 86: 99, 87: 163, 88: 99, 89: 99, 90: 227, 100: 227, 103: 227, 107: 227, 110: 227, 120: 99, 121: 99}
"""KiB of shared memory that a block may have, by compute capability. CUDA C++ Programming Guide, technical specifications."""

DEFAULT_DYNAMIC = 48 << 10
TIME_LIMIT = 120.0


class _Array(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("address", ctypes.c_size_t), ("bytes", ctypes.c_uint64), ("writable", ctypes.c_uint32))


class _Launch(ctypes.Structure):
    _fields_ = (
        ("kernel", ctypes.c_void_p),
        ("grid", ctypes.c_uint32 * 3),
        ("block", ctypes.c_uint32 * 3),
        ("params", ctypes.POINTER(ctypes.c_void_p)),
        ("dynamic_bytes", ctypes.c_uint32),
        ("check", ctypes.c_uint32),
        ("workers", ctypes.c_uint32),
        ("seconds", ctypes.c_double),
        ("buffers", ctypes.POINTER(_Array)),
        ("buffer_count", ctypes.c_uint32),
        ("message", ctypes.c_char_p),
        ("message_bytes", ctypes.c_uint32),
    )


def available(run: bool = True) -> tuple[bool, str]:
    """Whether kernels can be emulated here (compiled for a GPU, where not ``run``), and if not, why and what to install."""
    try:
        nvrtc.identity()
        build.cache_folder()
        if run:
            build.compiler()
    except UnavailableError as error:
        return False, str(error)
    return True, ""


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Module:
    """A source text, compiled by NVRTC; its kernels are translated and built when they are asked for.

    Parameters
    ----------
    source : str
        CUDA C++ with ``extern "C"`` kernels.
    name : str
        File name for messages; ``#line`` in the source overrides it.
    options : tuple of str
        NVRTC's options, such as ``-DTILE=64``.
    arch : str
        Compute capability without the dot, such as ``"80"`` or ``"90a"``.
    check : bool
        Look for races, uninitialised shared memory and illegal addresses; ten to fifty times slower.

    Raises
    ------
    UnavailableError
        Without NVRTC or g++.
    CompileError
        With the compiler's log.
    """

    def __init__(self, source: str, name: str, options: tuple[str, ...] = (), arch: str = "80", check: bool = False) -> None:
        self.name, self.arch, self.check = name, arch, check
        self.capability = int(re.sub(r"\D", "", arch))
        self._key = build.digest(nvrtc.identity(), source, name, *options, arch)

        def make(path: Path) -> None:
            path.write_text(nvrtc.compile_ptx(source, name, options, arch))

        self.ptx = build.cached(f"{self._key}.ptx", make).read_text()
        self.kernels = tuple(re.findall(r"^\.(?:visible|weak) \.entry ([\w$]+)", self.ptx, re.M))
        self._parsed: Ptx | None = None

    def get_function(self, name: str) -> Kernel:
        """A kernel by name."""
        if name not in self.kernels:
            raise LaunchError(f"{self.name} has no kernel {name!r}; it has: {', '.join(self.kernels) or 'none'}")
        library = build.load_kernel(build.digest(self._key, name), self.check, lambda: self._translate(name))
        return Kernel(self, name, library)

    def _translate(self, name: str) -> str:
        if self._parsed is None:
            self._parsed = Ptx(self.ptx)
        return translate(self._parsed, name, self.capability)


class Kernel:
    """One kernel; calling it launches it and waits.

    Attributes
    ----------
    max_threads_per_block : int
        1024, or what ``__launch_bounds__`` says.
    shared_size_bytes : int
        Static shared memory of a block.
    max_dynamic_shared_size_bytes : int
        Dynamic shared memory that a launch may ask for; 48 KiB less the static part until it is raised.
    """

    def __init__(self, module: Module, name: str, library: ctypes.CDLL) -> None:
        self.name = name
        self._module, self._library = module, library
        about = json.loads(ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, "emu_about"))))
        self._parameters: list[dict[str, Any]] = about["parameters"]
        self._address = ctypes.addressof(ctypes.c_char.in_dll(library, "emu_kernel"))
        self.max_threads_per_block: int = about["max_threads"]
        self.shared_size_bytes: int = about["static_shared"]
        self._limit: int = (SHARED_LIMIT.get(module.capability, 227) << 10) - self.shared_size_bytes
        self._dynamic_limit: int = DEFAULT_DYNAMIC - self.shared_size_bytes

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self._dynamic_limit

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        if size > self._limit:
            raise LaunchError(f"{self.name}: {size} bytes of dynamic shared memory; sm_{self._module.arch} has {self._limit} left for it")
        self._dynamic_limit = size

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared_mem: int = 0) -> None:
        """Run the kernel over a grid of blocks.

        Parameters
        ----------
        grid, block : tuples of 1 to 3 int
            Blocks in the grid, threads in a block.
        args : sequence
            NumPy arrays and views (the address of their first element is passed), None (a null pointer), and NumPy scalars.
        shared_mem : int
            Bytes of dynamic shared memory.

        Raises
        ------
        LaunchError
            What a GPU would refuse, and arguments that do not fit the parameters.
        KernelError
            What went wrong inside, with block, thread, file and line.
        """
        grid3, block3 = _three(grid), _three(block)
        self._check_launch(grid3, block3, shared_mem)
        values = self._values(args)
        params = (ctypes.c_void_p * max(1, len(values)))(*(v.ctypes.data for v in values))
        buffers = _buffers(args) if self._module.check else []
        message = ctypes.create_string_buffer(2048)
        blocks = grid3[0] * grid3[1] * grid3[2]
        launch = _Launch(
            kernel=self._address,
            grid=(ctypes.c_uint32 * 3)(*grid3),
            block=(ctypes.c_uint32 * 3)(*block3),
            params=params,
            dynamic_bytes=shared_mem,
            check=self._module.check,
            workers=1 if self._module.check else min(_usable_cores(), blocks),
            seconds=float(os.environ.get("GPUCNN_EMULATOR_SECONDS", TIME_LIMIT)),
            buffers=(_Array * max(1, len(buffers)))(*buffers),
            buffer_count=len(buffers),
            message=ctypes.cast(message, ctypes.c_char_p),
            message_bytes=len(message),
        )
        if build.runtime_library().emu_launch(ctypes.byref(launch)):
            raise KernelError(f"{self.name}: {message.value.decode(errors='replace')}")

    def _check_launch(self, grid: tuple[int, ...], block: tuple[int, ...], shared_mem: int) -> None:
        threads = block[0] * block[1] * block[2]
        if min(*grid, *block) < 1:
            raise LaunchError(f"{self.name}: grid {grid} and block {block} must be positive")
        if grid[0] > 2**31 - 1 or max(grid[1:]) > 65535:
            raise LaunchError(f"{self.name}: grid {grid}; the most is (2147483647, 65535, 65535)")
        if threads > 1024 or block[2] > 64:
            raise LaunchError(f"{self.name}: block {block} has {threads} threads; the most is 1024, and 64 along z")
        if threads > self.max_threads_per_block:
            raise LaunchError(f"{self.name}: block {block} has {threads} threads; __launch_bounds__ says {self.max_threads_per_block}")
        if not 0 <= shared_mem <= self._dynamic_limit:
            raise LaunchError(
                f"{self.name}: {shared_mem} bytes of dynamic shared memory; allowed are {self._dynamic_limit}"
                f" (max_dynamic_shared_size_bytes; sm_{self._module.arch} has up to {self._limit})"
            )

    def _values(self, args: Sequence[Any]) -> list[np.ndarray]:
        """The bytes of every parameter."""
        if len(args) != len(self._parameters):
            raise LaunchError(f"{self.name}: {len(self._parameters)} parameters, {len(args)} arguments")
        return [self._value(i, arg, p["kind"], p["bytes"]) for i, (arg, p) in enumerate(zip(args, self._parameters))]

    def _value(self, i: int, arg: Any, kind: str, size: int) -> np.ndarray:
        if arg is None or isinstance(arg, np.ndarray):
            if size != 8 or kind not in ("pointer", "integer", "any"):
                raise LaunchError(f"{self.name}: argument {i} is a pointer, the parameter {kind} of {size} bytes")
            address = 0 if arg is None else arg.__array_interface__["data"][0]
            return np.array([address], np.uint64)
        if not isinstance(arg, np.generic):
            raise LaunchError(f"{self.name}: argument {i} is {arg!r}, of no definite size; write np.int32(...) or np.float32(...)")
        fits = {"integer": "iub", "float": "f", "pointer": "u", "bytes": "Vf", "any": "iubfV"}[kind]
        if arg.nbytes != size or arg.dtype.kind not in fits:
            raise LaunchError(f"{self.name}: argument {i} is {arg.dtype} ({arg.nbytes} bytes), the parameter {kind} of {size} bytes")
        return np.frombuffer(arg.tobytes() + bytes(16), np.uint8)


def _three(extent: Sequence[int]) -> tuple[int, int, int]:
    values = tuple(int(v) for v in extent)
    if not 1 <= len(values) <= 3:
        raise LaunchError(f"a grid or block has one to three extents, not {len(values)}")
    x, y, z = (*values, 1, 1)[:3]
    return x, y, z


def _base(array: np.ndarray) -> np.ndarray:
    """The array that owns a view's memory, or the outermost that is known."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _extent(array: np.ndarray) -> tuple[int, int]:
    """First address and the one after the last of what an array covers."""
    start = array.__array_interface__["data"][0]
    if array.size == 0:
        return start, start
    steps = [(n - 1) * s for n, s in zip(array.shape, array.strides)]
    return start + sum(s for s in steps if s < 0), start + sum(s for s in steps if s > 0) + array.itemsize


def _buffers(args: Sequence[Any]) -> list[_Array]:
    """The memory that a launch may touch: the whole base of every array; what overlaps is one buffer."""
    extents = sorted((*_extent(_base(a)), i, a.flags.writeable) for i, a in enumerate(args) if isinstance(a, np.ndarray))
    merged: list[tuple[int, int, list[int], bool]] = []
    for start, end, i, writable in extents:
        if merged and start < merged[-1][1]:
            last = merged[-1]
            merged[-1] = (last[0], max(last[1], end), [*last[2], i], last[3] or writable)
        else:
            merged.append((start, end, [i], writable))
    return [
        _Array(f"argument {', '.join(map(str, sorted(numbers)))}".encode(), start, end - start, writable)
        for start, end, numbers, writable in merged
    ]


def require(run: bool = True) -> None:
    """For tests: skip with the reason where kernels cannot be emulated (or compiled, if not ``run``).

    With GPUCNN_REQUIRE_EMULATOR=1 the test fails instead.
    """
    usable, reason = available(run)
    if not usable:
        import pytest

        (pytest.fail if os.environ.get("GPUCNN_REQUIRE_EMULATOR") == "1" else pytest.skip)(reason)
