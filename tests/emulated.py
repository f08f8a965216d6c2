"""``EmulatorDriver``: the CUDA backend's driver on a CPU, so that packing, geometry, binding and kernels are those of real life."""

from __future__ import annotations

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
        self.launched: list[str] = []

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
                emulated(grid, block, args, shared_mem=shared)

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

    def read(self, source: Any) -> Any:
        return np.array(source, order="C")

    def gemm(self, a: Any, b: Any, out: Any) -> None:
        np.copyto(out, np.matmul(a.astype(np.float32), b.astype(np.float32).T))

    @contextmanager
    def session(self) -> Iterator[None]:
        yield
