"""What ``CupyDriver`` uses of CuPy, in NumPy's memory and on the emulator, so that every line of the driver runs without a GPU.

Streams are queues: launches and copies happen when somebody waits for them, in the order in which they were given. A copy out of host
memory that is overwritten too early, a result read before it is there, or a launch on the wrong stream then shows. Memory begins as
NaNs, and is aligned as CuPy aligns it; given back, it stays as it is until the streams have run what they were given before, as in CuPy's
pool. A launch, or a graph with one, on memory that was given back already is an error. Signatures follow CuPy 14 and CUDA 13; what is not
here is not used.
"""

from __future__ import annotations

import bisect
import ctypes
import itertools
import json
import weakref
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import emulator
import numpy as np

ALIGNMENT = 512


class OutOfMemoryError(MemoryError):
    pass


class MemoryPointer:
    def __init__(self, raw: Any, offset: int = 0) -> None:
        self.raw, self.offset = raw, offset

    @property
    def ptr(self) -> int:
        return int(self.raw.ctypes.data) + self.offset

    def __add__(self, nbytes: int) -> MemoryPointer:
        return MemoryPointer(self.raw, self.offset + nbytes)

    def copy_from_host_async(self, source: int, nbytes: int, stream: Any = None) -> None:
        there = ctypes.cast(self.ptr, ctypes.c_void_p)
        (stream or FakeCupy.current).give(lambda: ctypes.memmove(there, source, nbytes), (self.ptr,))


class Memory:
    """What was allocated: where it begins, and the array that owns it; and what of it was given back."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.owners: dict[int, weakref.ref[Any]] = {}
        self.gone: list[range] = []

    def add(self, raw: Any) -> None:
        start, nbytes = int(raw.ctypes.data), raw.nbytes

        def forget(_: Any) -> None:
            self.starts.remove(start)
            del self.owners[start]
            self.gone.append(range(start, start + nbytes))

        bisect.insort(self.starts, start)
        self.owners[start] = weakref.ref(raw, forget)

    def owner(self, value: int) -> Any:
        """The array that keeps the byte at an address from being given back; None where a number is no address."""
        at = bisect.bisect_right(self.starts, value)
        raw = self.owners[self.starts[at - 1]]() if at else None
        if raw is not None and value < raw.ctypes.data + raw.nbytes:
            return raw
        assert not any(value in there for there in self.gone), "memory that was given back"
        return None


class Array(np.ndarray):
    """``cupy.ndarray``. Writing to it is work for the current stream."""

    def __new__(cls, shape: Any, dtype: Any = float, memptr: MemoryPointer | None = None, strides: Any = None) -> Array:
        if memptr is None:
            memptr = FakeCupy.alloc(max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize))
        made = np.ndarray.__new__(cls, shape, dtype, memptr.raw, memptr.offset, strides)
        made.on = FakeCupy.device
        return made

    def copy(self, order: str = "C") -> Array:
        made = Array(self.shape, self.dtype)
        made[...] = self
        return made

    @property
    def data(self) -> MemoryPointer:  # type: ignore[override]
        base: Any = self
        while isinstance(base.base, np.ndarray):
            base = base.base
        raw = np.asarray(base).view(np.ndarray)
        return MemoryPointer(raw, self.__array_interface__["data"][0] - raw.ctypes.data)

    @property
    def device(self) -> int:  # type: ignore[override]
        return getattr(self, "on", FakeCupy.device)

    def astype(self, dtype: Any) -> Array:
        made = Array(self.shape, dtype)
        made[...] = self
        return made

    def plain(self) -> Any:
        return self.view(np.ndarray)

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
        (stream or FakeCupy.current).synchronize()
        if out is None:
            return np.array(self.plain(), order="C")
        assert out.flags.c_contiguous
        np.copyto(out, self.plain(), casting="no")
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        assert self.shape == arr.shape
        assert self.dtype == arr.dtype
        assert self.flags.c_contiguous
        target = self.plain()
        (stream or FakeCupy.current).give(lambda: np.copyto(target, arr))

    def __setitem__(self, key: Any, value: Any) -> None:
        assert not isinstance(value, np.ndarray) or isinstance(value, Array), "CuPy takes no NumPy array here"
        target, source = self.plain()[key], value.plain() if isinstance(value, Array) else value
        FakeCupy.current.give(lambda: np.copyto(target, source, casting="unsafe"))


class Event:
    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.stream: Stream | None = None
        self.timed = not disable_timing
        self.at = 0

    def record(self, stream: Stream | None = None) -> None:
        self.stream = stream or FakeCupy.current
        self.at = self.stream.given

    def synchronize(self) -> None:
        if self.stream is not None:
            self.stream.run_to(self.at)


class Stream:
    numbers = itertools.count(1)

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr = 0 if null else next(Stream.numbers)
        self.queue: deque[Any] = deque()
        self.given = self.done = 0
        self.capturing: list[Any] | None = None
        self._outer: list[Stream] = []

    def give(self, work: Any, addresses: tuple[int, ...] = ()) -> None:
        """``work`` comes after what was given before; memory at ``addresses`` is there until then. Other numbers among them are let be."""
        if self.capturing is not None:
            self.capturing.append((work, addresses))
            return
        self.queue.append((work, [FakeCupy.memory.owner(address) for address in addresses]))
        self.given += 1

    def run_to(self, number: int) -> None:
        assert self.capturing is None, "waiting for a stream that is being captured is an error of CUDA"
        while self.done < number:
            work, _ = self.queue.popleft()
            work()
            self.done += 1

    def synchronize(self) -> None:
        self.run_to(self.given)

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """For what the event stands for now; it may be recorded anew before this stream comes to it."""
        stream, at = event.stream, event.at
        if stream is not None:
            self.give(lambda: stream.run_to(at))

    def begin_capture(self, mode: Any = None) -> None:
        assert self.ptr, "the null stream cannot be captured"
        self.capturing = []

    def end_capture(self) -> Graph:
        assert self.capturing is not None
        graph, self.capturing = Graph(self.capturing), None
        return graph

    def __enter__(self) -> Stream:
        self._outer.append(FakeCupy.current)
        FakeCupy.current = self
        return self

    def __exit__(self, *_: Any) -> None:
        FakeCupy.current = self._outer.pop()


class Graph:
    def __init__(self, work: list[Any]) -> None:
        self.work = work
        self.launches = 0

    def launch(self, stream: Stream | None = None) -> None:
        self.launches += 1
        FakeCupy.graphs.append(self)
        for one in self.work:
            (stream or FakeCupy.current).give(*one)


class Device:
    def __init__(self, index: int) -> None:
        self.id = index

    def __enter__(self) -> Device:
        self._outer = [*getattr(self, "_outer", []), FakeCupy.device]
        FakeCupy.device = self.id
        return self

    def __exit__(self, *_: Any) -> None:
        FakeCupy.device = self._outer.pop()


class RawModule:
    def __init__(self, *, path: str) -> None:
        self.path = path
        made = json.loads(Path(path).read_bytes())
        macros = tuple(o for o in made["options"] if o.startswith("-D"))
        (arch,) = (o.rpartition("_")[2] for o in made["options"] if o.startswith("-arch="))
        assert path.endswith(".cubin" if f"-arch=sm_{arch}" in made["options"] else ".ptx")
        self._module = emulator.Module(made["source"], made["name"], macros, arch)

    def get_function(self, name: str) -> Any:
        return RawKernel(self._module.get_function(name), (self.path, name))


class RawKernel:
    """CuPy loads a file once for all, so what is set of a function is set for everybody."""

    most: dict[Any, int] = {}  # noqa: RUF012

    def __init__(self, kernel: Any, key: Any) -> None:
        self._kernel, self._key = kernel, key

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return RawKernel.most.get(self._key, 48 << 10)

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, nbytes: int) -> None:
        RawKernel.most[self._key] = nbytes

    def __call__(self, grid: Any, block: Any, args: tuple[Any, ...], *, shared_mem: int = 0) -> None:
        assert all(isinstance(a, np.generic) for a in args), "an array, or None, would need CuPy's own way of passing it"
        assert FakeCupy.current.ptr, "a launch outside of the driver's stream"
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        if shared_mem > 48 << 10:
            self._kernel.max_dynamic_shared_size_bytes = shared_mem
        addresses = tuple(int(a) for a in args if isinstance(a, np.uint64))  # pointers, as the driver passes them
        FakeCupy.current.give(lambda: self._kernel(grid, block, args, shared_mem=shared_mem), addresses)


class Nvrtc:
    """``cupy.cuda.nvrtc``: its "machine code" is what it was given, for ``RawModule``; what does not compile is refused."""

    accepted: set[Any] = set()  # noqa: RUF012 - through all tests: NVRTC takes half a second

    def __init__(self) -> None:
        self.programs: dict[int, dict[str, Any]] = {}
        self.compiled: list[str] = []
        self.archs = [75, 80, 90]

    def getVersion(self) -> tuple[int, int]:
        return (13, 0)

    def getSupportedArchs(self) -> list[int]:
        return self.archs

    def createProgram(self, src: str, name: str, headers: Any, include_names: Any) -> int:
        self.programs[len(self.programs) + 1] = {"source": src, "name": name, "log": ""}
        return len(self.programs)

    def compileProgram(self, program: int, options: Any) -> None:
        made = self.programs[program]
        made["options"] = list(options)
        macros = tuple(o for o in options if o.startswith("-D"))
        try:
            if (made["source"], macros) not in Nvrtc.accepted:
                emulator.compile_ptx(made["source"], made["name"], macros)
                Nvrtc.accepted.add((made["source"], macros))
        except emulator.CompileError as error:
            made["log"] = str(error)
            raise RuntimeError("NVRTC_ERROR_COMPILATION") from error
        self.compiled.append(made["name"])

    def getProgramLog(self, program: int) -> str:
        return str(self.programs[program]["log"])

    def getCUBIN(self, program: int) -> bytes:
        return json.dumps(self.programs[program]).encode()

    def getPTX(self, program: int) -> str:
        return json.dumps(self.programs[program])

    def destroyProgram(self, program: int) -> None:
        self.programs[program] = {}


class FakeCupy:
    """The module."""

    null = Stream(null=True)
    current = null
    device = 0
    graphs: list[Graph] = []  # noqa: RUF012
    memory = Memory()
    limit = 1 << 33

    ndarray = Array
    RawModule = RawModule
    lib = SimpleNamespace(stride_tricks=SimpleNamespace())

    @staticmethod
    def alloc(nbytes: int) -> MemoryPointer:
        if nbytes > FakeCupy.limit:
            raise OutOfMemoryError
        raw = np.full(nbytes + ALIGNMENT, 0xFF, np.uint8)
        FakeCupy.memory.add(raw)
        return MemoryPointer(raw[-raw.ctypes.data % ALIGNMENT :][:nbytes])

    @staticmethod
    def as_strided(x: Array, shape: Any, strides: Any) -> Array:
        return Array(shape, x.dtype, x.data, strides)

    def __init__(self, arch: int = 80, multiprocessors: int = 1000) -> None:
        self.arrays = Array
        self.float16, self.float32 = np.float16, np.float32
        self.lib = SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=self.as_strided))
        attributes = {16: multiprocessors, 75: arch // 10, 76: arch % 10, 97: 163 << 10}
        self.nvrtc = Nvrtc()
        self.cuda = SimpleNamespace(
            Device=Device,
            Stream=Stream,
            Event=Event,
            alloc=self.alloc,
            alloc_pinned_memory=lambda nbytes: bytearray(nbytes),
            get_current_stream=lambda: FakeCupy.current,
            get_elapsed_time=lambda begin, end: 1.5 if begin.timed and end.timed else None,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            nvrtc=self.nvrtc,
            runtime=SimpleNamespace(
                deviceGetAttribute=lambda number, index: attributes[number], memGetInfo=lambda: (FakeCupy.limit, FakeCupy.limit)
            ),
        )

    def empty(self, shape: Any, dtype: Any) -> Array:
        return Array(shape, dtype)

    def moveaxis(self, x: Array, source: int, target: int) -> Array:
        return np.moveaxis(x, source, target)

    def pad(self, x: Array, *args: Any, **kwargs: Any) -> Array:
        """For the one reference step that is run here."""
        FakeCupy.current.synchronize()
        made = np.pad(x.plain(), *args, **kwargs)
        result = Array(made.shape, made.dtype)
        result.plain()[...] = made
        return result

    def get_default_memory_pool(self) -> Any:
        return SimpleNamespace(free_bytes=lambda: 0, free_all_blocks=lambda: None)


class FakeCublas:
    """cuBLAS by its C signatures, column-major as it is, on the stream that the handle was given."""

    def __init__(self, streams: dict[int, Stream]) -> None:
        self.streams = streams
        self.calls: list[tuple[int, int, int]] = []
        self.state: dict[str, Any] = {}
        for name in ("Create_v2", "Destroy_v2", "SetStream_v2", "SetWorkspace_v2", "SetMathMode", "GemmEx"):
            setattr(self, f"cublas{name}", _Function(getattr(self, f"_{name}")))

    def _Create_v2(self, out: Any) -> int:
        out._obj.value = 77
        return 0

    def _Destroy_v2(self, handle: int) -> int:
        self.state["destroyed"] = handle
        return 0

    def _SetStream_v2(self, handle: int, stream: int) -> int:
        self.state["stream"] = stream
        return 0

    def _SetWorkspace_v2(self, handle: int, address: int, nbytes: int) -> int:
        assert address % 256 == 0
        self.state["workspace"] = nbytes
        return 0

    def _SetMathMode(self, handle: int, mode: int) -> int:
        self.state["mode"] = mode
        return 0

    def _GemmEx(
        self, handle: int, transa: int, transb: int, m: int, n: int, k: int, alpha: int, a: int, atype: int, lda: int,
        b: int, btype: int, ldb: int, beta: int, c: int, ctype: int, ldc: int, compute: int, algorithm: int,
    ) -> int:  # fmt: skip
        if handle != 77 or compute != 68:
            return 7  # CUBLAS_STATUS_INVALID_VALUE
        kinds = {0: np.float32, 2: np.float16}
        one, zero = (ctypes.c_float.from_address(p).value for p in (alpha, beta))

        def columns(address: int, rows: int, count: int, kind: int, pitch: int) -> Any:
            assert pitch >= rows
            dtype = np.dtype(kinds[kind])
            flat = np.ctypeslib.as_array((ctypes.c_uint8 * (((count - 1) * pitch + rows) * dtype.itemsize)).from_address(address))
            return np.lib.stride_tricks.as_strided(flat.view(dtype), (rows, count), (dtype.itemsize, pitch * dtype.itemsize))

        left = columns(a, *((k, m) if transa else (m, k)), atype, lda)
        right = columns(b, *((n, k) if transb else (k, n)), btype, ldb)
        result = columns(c, m, n, ctype, ldc)

        def work() -> None:
            x = (left.T if transa else left).astype(np.float32)
            y = (right.T if transb else right).astype(np.float32)
            with np.errstate(all="ignore"):
                for j in range(n):  # column by column: their bits must not depend on their neighbours
                    result[:, j] = one * (x @ y[:, j]) + (zero * result[:, j] if zero else 0)

        self.calls.append((m, n, k))
        self.streams[self.state["stream"]].give(work, (a, b, c))
        return 0


class _Function:
    """A function of a C library: arguments are held to ``argtypes``, as ctypes does."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.argtypes: Any = None
        self.restype: Any = ctypes.c_int

    def __call__(self, *args: Any) -> Any:
        assert self.argtypes is not None, "a C function without argtypes would cut addresses to 32 bits"
        assert len(args) == len(self.argtypes)
        return self._function(*(self._converted(a, kind) for a, kind in zip(args, self.argtypes)))

    @staticmethod
    def _converted(value: Any, kind: Any) -> Any:
        if hasattr(value, "_obj"):  # byref
            return value
        if isinstance(value, ctypes.c_void_p):
            return value.value
        return kind(value).value
