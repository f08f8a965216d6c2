"""``CupyDriver``: the driver of real life. The only file that imports CuPy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DeviceError, LimitError, ShapeError
from ...settings import settings
from ...spec import Array, Spec
from ..base import Call
from .compiler import Compiler
from .cublas import WORKSPACE, Cublas, load_cublas
from .driver import Dim3, Kernel, Limits
from .probe import find_headers
from .source import Source, load_source

__all__ = ["CupyDriver"]

# cudaDeviceAttr
_MULTIPROCESSORS, _MAJOR, _MINOR, _SHARED_PER_BLOCK = 16, 75, 76, 97

_STATIC_LIMIT = 48 << 10  # bytes of shared memory that a block may have without asking
_PIECE = 8 << 20  # bytes that cross to the device while the host prepares the next ones
_HEAD_START = 100_000  # turns of kernels/spin.cu, of some ten cycles each: about half a millisecond, not timed on hardware yet


class CupyDriver:
    """One GPU: a stream of its own, CuPy's memory, kernels compiled when first asked for, and a cuBLAS handle.

    Parameters
    ----------
    index : int
        Of the GPU, as CUDA counts.

    Raises
    ------
    DeviceError
        Something that is needed is missing; which, and what to install.
    """

    def __init__(self, index: int = 0) -> None:
        try:
            import cupy
        except Exception as error:  # a broken installation raises whatever its libraries raise
            raise DeviceError(f"CuPy cannot be imported: {error}") from error
        self._cuda = int(cupy.cuda.nvrtc.getVersion()[0])
        headers = find_headers(self._cuda)
        if headers is None:
            raise DeviceError(f"cuda_fp16.h of CUDA {self._cuda} was not found; `gpucnn devices` says what to install")
        self.xp: Any = cupy
        self.name = f"cuda:{index}"
        try:
            major, minor, multiprocessors, shared = (
                int(cupy.cuda.runtime.deviceGetAttribute(number, index)) for number in (_MAJOR, _MINOR, _MULTIPROCESSORS, _SHARED_PER_BLOCK)
            )
            self._device = cupy.cuda.Device(index)
            with self._device:
                self.stream = cupy.cuda.Stream(non_blocking=True)
                self._entered, self._left = (cupy.cuda.Event(disable_timing=True) for _ in range(2))
                self._staging = [_Staging(cupy.cuda.Event(disable_timing=True)) for _ in range(2)]
        except Exception as error:  # CUDARuntimeError: out of memory, a process that owns the GPU alone, a broken driver
            raise DeviceError(f"{self.name} cannot be started: {error}") from error
        self.limits = Limits(10 * major + minor, multiprocessors, shared)
        self._lock = threading.RLock()
        self._kernels: dict[Any, Kernel] = {}
        self._compiler = Compiler(
            cupy.cuda.nvrtc, self.limits.arch, headers, Path(settings().cache) / "kernels", settings().threads
        )
        self._cublas: Cublas | None = None
        self._workspace: Array | None = None
        self._idle: Array | None = None

    # -- memory

    def allocate(self, nbytes: int) -> Array:
        """Flat uint8 memory; CuPy's pool aligns it to 512 bytes.

        Raises
        ------
        LimitError
            The GPU has not so much left.
        """
        with self.session():
            try:
                return self.xp.ndarray((nbytes,), np.uint8, self.xp.cuda.alloc(max(nbytes, 1)))
            except self.xp.cuda.memory.OutOfMemoryError as error:
                raise LimitError(
                    f"{self.name}: {nbytes >> 20} MiB are needed, {self.free_memory() >> 20} MiB are free; "
                    "use smaller batches, or another GPU"
                ) from error

    def view(self, memory: Array, offset: int, spec: Spec, strides: tuple[int, ...]) -> Array:
        """An array inside ``memory``."""
        if spec.size == 0:
            with self.session():
                return self.xp.empty(spec.shape, spec.dtype)
        return self.xp.ndarray(spec.shape, spec.dtype, memory.data + offset, tuple(s * spec.dtype.itemsize for s in strides))

    def upload(self, array: Any) -> Array:
        """A copy on the device, C-contiguous, there when this returns."""
        with self.session():
            copy = self.xp.ndarray(array.shape, array.dtype, self.allocate(array.nbytes).data)
            if array.size:
                copy.set(np.asarray(array, order="C"), stream=self.stream)
                self.stream.synchronize()
            return copy

    def write(self, target: Array, source: Any) -> None:
        """Copy, converting dtype and order on the host, through pinned memory; from an array on the device, on the device."""
        if target.size == 0:
            return
        with self.session():
            if isinstance(source, self.xp.ndarray):
                target[...] = source
                return
            if target.ndim == 0:
                target, source = target.reshape(1), np.asarray(source).reshape(1)
            rows = max(1, _PIECE * len(target) // target.nbytes)  # the first axis is the outermost in either order
            for start in range(0, len(target), rows):
                self._staging.reverse()
                self._staging[0].send(self.xp, source[start : start + rows], target[start : start + rows], self.stream)

    def empty(self, spec: Spec) -> Array:
        """Memory of the caller's: on this device, on the caller's stream, so that its reuse is ordered there."""
        with self._device:
            return self.xp.empty(spec.shape, spec.dtype)

    def read(self, source: Array, out: Any = None) -> Any:
        """A copy on the host, which waits for what was launched before; on the device where ``out`` is there."""
        with self.session():
            if isinstance(out, self.xp.ndarray):
                out[...] = source
                return out
            return source.get(stream=self.stream, out=out)

    def adopt(self, array: Any) -> Any:
        """An array of another library that lies on the GPU, copied: its work so far comes before that (DLPack).

        The copy is there when this returns, because nothing would keep that library's stream from writing to the array meanwhile.
        """
        if isinstance(array, self.xp.ndarray):
            return array
        try:
            if not hasattr(array, "__cuda_array_interface__"):
                return array
            with self.session():
                copy = (self.xp.from_dlpack(array) if hasattr(array, "__dlpack__") else self.xp.asarray(array)).copy()
                self.stream.synchronize()
                return copy
        except (RuntimeError, BufferError, ValueError) as error:  # as torch for a tensor that requires a gradient
            raise ShapeError(f"the array ({type(array).__name__}) cannot be taken over on {self.name}: {error}") from error

    def free_memory(self) -> int:
        """Bytes that could still be allocated: what the GPU has free, and what CuPy's pool keeps."""
        with self._device:
            free, _ = self.xp.cuda.runtime.memGetInfo()
            return int(free) + int(self.xp.get_default_memory_pool().free_bytes())

    # -- work

    def kernel(self, source: Source, function: str, macros: Mapping[str, int]) -> Kernel:
        """The kernel; it is being compiled while this returns, and the first launch waits for it."""
        key = (source.digest, function, tuple(sorted(macros.items())))
        with self._lock:
            if key not in self._kernels:
                self._kernels[key] = _CupyKernel(self.xp, self._compiler.submit(source, macros), function, self.limits.shared)
            return self._kernels[key]

    def prepare_gemm(self) -> None:
        """Load cuBLAS and give it its workspace."""
        with self.session():
            if self._cublas is None:
                self._workspace = self.allocate(WORKSPACE)
                self._cublas = Cublas(load_cublas(self._cuda), self.stream.ptr, self._workspace.data.ptr)

    def gemm(self, a: Array, b: Array, out: Array) -> None:
        """``out = a @ bᵀ`` on the stream."""
        assert self._cublas is not None, "prepare_gemm comes first"
        (m, c), k, size = a.shape, b.shape[0], a.dtype.itemsize
        self._cublas.gemm(
            a.data.ptr, a.strides[0] // size, b.data.ptr, b.strides[0] // size, out.data.ptr, out.strides[0] // out.dtype.itemsize,
            m, k, c, a.dtype == np.float16,
        )  # fmt: skip

    @contextmanager
    def session(self) -> Iterator[None]:
        """While open, the device and the stream are current, and no other thread works on them.

        The stream goes after what the caller's stream was given before, and the caller's after what happened here: so arrays that a
        caller hands in or gets back need no synchronisation.
        """
        with self._lock, self._device:
            outside = self.xp.cuda.get_current_stream()
            if outside.ptr == self.stream.ptr:  # a session inside a session
                yield
                return
            self._entered.record(outside)
            self.stream.wait_event(self._entered)
            try:
                with self.stream:
                    yield
            finally:
                self._left.record(self.stream)
                outside.wait_event(self._left)

    def capture(self, run: Callable[[], None]) -> Call:
        """A CUDA graph of what ``run`` launches, which has run before: kernels are loaded, nothing is allocated."""
        self.stream.begin_capture()
        try:
            run()
        except BaseException:
            with suppress(Exception):  # that the capture is spoilt is known; why is what matters
                self.stream.end_capture()
            raise
        graph = self.stream.end_capture()
        return lambda: graph.launch(self.stream)

    def time(self, run: Callable[[], None]) -> float:
        """Seconds that the device takes for what ``run`` launches, given in advance while it is busy with nothing; inside a session."""
        begin, end = self.xp.cuda.Event(), self.xp.cuda.Event()
        if self._idle is None:
            self._idle = self.allocate(4)
        self.kernel(load_source("spin.cu"), "spin", {})((1, 1, 1), (1, 1, 1), (self._idle, np.int32(_HEAD_START)))
        begin.record(self.stream)
        run()
        end.record(self.stream)
        end.synchronize()
        return 1e-3 * float(self.xp.cuda.get_elapsed_time(begin, end))

    def synchronize(self) -> None:
        """Wait until everything launched is done."""
        self.stream.synchronize()

    def close(self) -> None:
        """Let go of everything but arrays that others hold."""
        with self._lock, self._device:
            try:
                self.synchronize()
            finally:  # a device that has failed keeps failing; what is held is let go all the same
                self._compiler.close()
                self._kernels.clear()
                self._staging.clear()
                if self._cublas is not None:
                    self._cublas.close()
                self._cublas = self._workspace = self._idle = None


class _Staging:
    """Pinned memory between the host and the device, and when it is free again."""

    def __init__(self, sent: Any) -> None:
        self._sent = sent
        self._memory: Any = None

    def send(self, cupy: Any, source: Any, target: Array, stream: Any) -> None:
        """Copy to the device in the order and type of ``target``, which has no gaps; returns while that is still under way."""
        self._sent.synchronize()
        if self._memory is None or self._memory.nbytes < target.nbytes:
            self._memory = np.frombuffer(cupy.cuda.alloc_pinned_memory(target.nbytes), np.uint8, target.nbytes)
        np.copyto(np.ndarray(target.shape, target.dtype, self._memory, 0, target.strides), source, casting="same_kind")
        target.data.copy_from_host_async(self._memory.ctypes.data, target.nbytes, stream)
        self._sent.record(stream)


class _CupyKernel:
    """A ``cupy.RawKernel`` that may still be on its way."""

    def __init__(self, cupy: Any, code: Future[Path], function: str, most: int) -> None:
        self._cupy, self._code, self._function, self._most = cupy, code, function, most
        self._kernel: Any = None
        self._may_have_most = False

    def __call__(self, grid: Dim3, block: Dim3, args: Sequence[Any], shared: int = 0) -> None:
        if self._kernel is None:
            self._kernel = self._cupy.RawModule(path=str(self._code.result())).get_function(self._function)
        if shared > _STATIC_LIMIT and not self._may_have_most:
            # CuPy hands the same function to all who load the file, so a smaller number here would take memory from another model's kernel.
            self._kernel.max_dynamic_shared_size_bytes = self._most
            self._may_have_most = True
        self._kernel(grid, block, tuple(_argument(a) for a in args), shared_mem=shared)


def _argument(value: Any) -> Any:
    """A pointer as the number that it is (CuPy passes None as no argument at all), a scalar as it is."""
    if value is None:
        return np.uint64(0)
    return value if isinstance(value, np.generic) else np.uint64(value.data.ptr)
