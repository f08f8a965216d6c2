"""``EmulatorDriver``: the CUDA backend's driver on a CPU, so that packing, geometry, binding and kernels are those of real life."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from emulator import Module
from kernel_variants import assert_listed, limits_of

from gpucnn.backends.cuda.driver import Kernel
from gpucnn.backends.cuda.source import Source
from gpucnn.spec import Spec

ALIGNMENT = 256


class EmulatorDriver:
    """NumPy memory and emulated launches.

    Parameters
    ----------
    arch : int
        Compute capability that kernels are compiled for.
    check : bool
        Look for races, uninitialised shared memory and addresses out of bounds.
    """

    xp: Any = np

    def __init__(self, arch: int = 80, check: bool = False, multiprocessors: int = 4) -> None:
        self.name = f"emulated sm_{arch}{', checked' if check else ''}"
        self.check = check
        self.limits = limits_of(arch, multiprocessors)
        self._kernels: dict[Any, Kernel] = {}
        self._recording: list[Any] | None = None
        self.launched: list[str] = []
        self.captured: list[int] = []
        self.memory = 1 << 34
        self.closed = self.gemm_is_prepared = False

    def adopt(self, array: Any) -> Any:
        return array

    def empty(self, spec: Spec) -> Any:
        return np.empty(spec.shape, spec.dtype)

    def kernel(self, source: Source, function: str, macros: Mapping[str, int]) -> Kernel:
        key = (source.digest, function, tuple(sorted(macros.items())))
        if key not in self._kernels:
            folder, _, file = source.name.rpartition("/")
            if folder == "kernels":  # what is launched is what kernel_budgets.py compiles for every GPU
                assert_listed(file, function, macros, self.limits.arch)
            options = tuple(f"-D{name}={value}" for name, value in sorted(macros.items()))
            module = Module(f'#line 1 "{source.name}"\n{source.text}', source.name, options, arch=str(self.limits.arch), check=self.check)
            emulated = module.get_function(function)

            def run(grid: Any, block: Any, args: Any, shared: int = 0) -> None:
                self.launched.append(function)
                if shared > 48 << 10:  # as on a GPU, more has to be asked for
                    emulated.max_dynamic_shared_size_bytes = shared
                self._launch(lambda: emulated(grid, block, args, shared_mem=shared))

            self._kernels[key] = run
        return self._kernels[key]

    def allocate(self, nbytes: int) -> Any:
        raw = np.full(nbytes + ALIGNMENT, 0xFF, np.uint8)  # NaNs, so that what nobody wrote is seen
        start = -raw.ctypes.data % ALIGNMENT
        if not nbytes:
            return raw[:0]
        # No view of ``raw``: check mode allows a kernel the whole base of an array, which must end where the array does.
        return np.frombuffer(memoryview(raw)[start : start + nbytes], np.uint8)

    def view(self, memory: Any, offset: int, spec: Spec, strides: tuple[int, ...]) -> Any:
        if spec.size == 0:
            return np.empty(spec.shape, spec.dtype)
        return np.ndarray(spec.shape, spec.dtype, memory, offset, tuple(s * spec.dtype.itemsize for s in strides))

    def upload(self, array: Any) -> Any:
        memory = self.allocate(array.nbytes)
        copy = memory.view(array.dtype).reshape(array.shape) if array.nbytes else np.empty(array.shape, array.dtype)
        np.copyto(copy, array)
        return copy

    def write(self, target: Any, source: Any) -> None:
        np.copyto(target, source, casting="same_kind")

    def read(self, source: Any, out: Any = None) -> Any:
        if out is None:
            return np.array(source, order="C")
        assert out.flags.c_contiguous
        np.copyto(out, source, casting="no")
        return out

    def prepare_gemm(self) -> None:
        self.gemm_is_prepared = True

    def gemm(self, a: Any, b: Any, out: Any) -> None:
        assert self.gemm_is_prepared
        self._launch(lambda: self._gemm(a, b, out))

    def _gemm(self, a: Any, b: Any, out: Any) -> None:
        assert a.shape[1] == b.shape[1]
        assert out.dtype == np.float32
        weight = b.astype(np.float32).T
        with np.errstate(all="ignore"):  # rows that only fill up hold anything
            for row, sums in zip(a, out):  # one by one: BLAS gives a row other bits at other places of a matrix
                np.matmul(row.astype(np.float32), weight, out=sums)

    def capture(self, run: Any) -> Any:
        """Remember the launches, as a CUDA graph does: what the host does between them happens once, now."""
        launches: list[Any] = []
        self._recording = launches
        try:
            run()
        finally:
            self._recording = None
        self.captured.append(len(launches))

        def replay() -> None:
            for launch in launches:
                launch()

        return replay

    def time(self, run: Any) -> float:
        begin = time.perf_counter()
        run()
        return time.perf_counter() - begin

    def synchronize(self) -> None:
        pass

    def free_memory(self) -> int:
        return self.memory

    def close(self) -> None:
        self.closed = True

    def _launch(self, call: Any) -> None:
        """Now, or while a graph is captured, when that is replayed."""
        if self._recording is None:
            call()
        else:
            self._recording.append(call)

    @contextmanager
    def session(self) -> Iterator[None]:
        yield
