"""``CupyDriver``: the driver of real life. The only file that imports CuPy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DeviceError, LimitError
from ...settings import settings
from ...spec import Array, Spec
from ..base import Call
from .compiler import Compiler
from .cublas import WORKSPACE, Cublas, load_cublas
from .driver import Dim3, Kernel, Limits
from .probe import find_headers
from .source import Source

__all__ = ["CupyDriver"]

# cudaDeviceAttr
_MULTIPROCESSORS, _MAJOR, _MINOR, _SHARED_PER_BLOCK = 16, 75, 76, 97

_STATIC_LIMIT = 48 << 10  # bytes of shared memory that a block may have without asking


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
        headers = find_headers()
        if headers is None:
            raise DeviceError("cuda_fp16.h was not found; `gpucnn devices` says what to install")
        self.xp: Any = cupy
        self.name = f"cuda:{index}"
        try:
            major, minor, multiprocessors, shared = (
                int(cupy.cuda.runtime.deviceGetAttribute(number, index)) for number in (_MAJOR, _MINOR, _MULTIPROCESSORS, _SHARED_PER_BLOCK)
            )
            self._device = cupy.cuda.Device(index)
            with self._device:
                self.stream = cupy.cuda.Stream(non_blocking=True)
                self._staged = cupy.cuda.Event(disable_timing=True)
        except Exception as error:  # CUDARuntimeError: out of memory, a process that owns the GPU alone, a broken driver
            raise DeviceError(f"{self.name} cannot be started: {error}") from error
        self.limits = Limits(10 * major + minor, multiprocessors, shared)
        self._lock = threading.RLock()
        self._kernels: dict[Any, Kernel] = {}
        self._compiler = Compiler(
            cupy.cuda.nvrtc, self.limits.arch, headers, Path(settings().cache) / "kernels", settings().threads
        )
        self._staging: Any = None
        self._cublas: Cublas | None = None
        self._workspace: Array | None = None

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
            self._staged.synchronize()  # the last copy out of the staging memory
            if self._staging is None or self._staging.nbytes < target.nbytes:
                self._staging = np.frombuffer(self.xp.cuda.alloc_pinned_memory(target.nbytes), np.uint8, target.nbytes)
            host = np.ndarray(target.shape, target.dtype, self._staging, 0, target.strides)  # in the order of the target's memory
            np.copyto(host, source, casting="same_kind")
            target.data.copy_from_host_async(self._staging.ctypes.data, target.nbytes, self.stream)
            self._staged.record(self.stream)

    def read(self, source: Array, out: Any = None) -> Any:
        """A copy on the host, which waits for what was launched before; on the device where ``out`` is there."""
        with self.session():
            if isinstance(out, self.xp.ndarray):
                out[...] = source
                return out
            return source.get(stream=self.stream, out=out)

    def adopt(self, array: Any) -> Any:
        """An array of another library that lies on the GPU, in its own memory; its work so far comes before ours (DLPack)."""
        if isinstance(array, self.xp.ndarray) or not hasattr(array, "__cuda_array_interface__"):
            return array
        with self.session():
            return self.xp.from_dlpack(array) if hasattr(array, "__dlpack__") else self.xp.asarray(array)

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
                self._kernels[key] = _CupyKernel(self.xp, self._compiler.submit(source, macros), function)
            return self._kernels[key]

    def prepare_gemm(self) -> None:
        """Load cuBLAS and give it its workspace."""
        with self.session():
            if self._cublas is None:
                self._workspace = self.allocate(WORKSPACE)
                self._cublas = Cublas(load_cublas(), self.stream.ptr, self._workspace.data.ptr)

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
            self.stream.wait_event(outside.record())
            with self.stream:
                yield
            outside.wait_event(self.stream.record())

    def capture(self, run: Callable[[], None]) -> Call:
        """A CUDA graph of what ``run`` launches, which has run before: kernels are loaded, nothing is allocated."""
        self.stream.begin_capture()
        try:
            run()
        finally:
            graph = self.stream.end_capture()
        return lambda: graph.launch(self.stream)

    def time(self, run: Callable[[], None]) -> float:
        """Seconds that the device takes for what ``run`` launches."""
        begin, end = self.xp.cuda.Event(), self.xp.cuda.Event()
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
        with self._lock:
            self.synchronize()
            self._compiler.close()
            self._kernels.clear()
            self._staging = None
            if self._cublas is not None:
                self._cublas.close()
                self._cublas = self._workspace = None


class _CupyKernel:
    """A ``cupy.RawKernel`` that may still be on its way."""

    def __init__(self, cupy: Any, code: Future[Path], function: str) -> None:
        self._cupy, self._code, self._function = cupy, code, function
        self._kernel: Any = None
        self._shared = _STATIC_LIMIT

    def __call__(self, grid: Dim3, block: Dim3, args: Sequence[Any], shared: int = 0) -> None:
        if self._kernel is None:
            self._kernel = self._cupy.RawModule(path=str(self._code.result())).get_function(self._function)
        if shared > self._shared:
            self._kernel.max_dynamic_shared_size_bytes = shared
            self._shared = shared
        self._kernel(grid, block, tuple(_argument(a) for a in args), shared_mem=shared)


def _argument(value: Any) -> Any:
    """A pointer as the number that it is (CuPy passes None as no argument at all), a scalar as it is."""
    if value is None:
        return np.uint64(0)
    return value if isinstance(value, np.generic) else np.uint64(value.data.ptr)
