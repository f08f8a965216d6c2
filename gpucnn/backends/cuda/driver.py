"""``Driver``: all that the CUDA backend asks of the world, so that a test can stand in for the GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ...spec import Array, Spec
from ..base import Call
from .source import Source

__all__ = ["Dim3", "Driver", "Kernel", "Limits"]

Dim3 = tuple[int, int, int]


@dataclass(frozen=True)
class Limits:
    """What a device can hold.

    Attributes
    ----------
    arch : int
        Compute capability; 90 is sm_90.
    multiprocessors : int
    shared : int
        Bytes of shared memory that one block may have.
    """

    arch: int
    multiprocessors: int
    shared: int


class Kernel(Protocol):
    """A compiled kernel."""

    def __call__(self, grid: Dim3, block: Dim3, args: Sequence[Any], shared: int = 0) -> None:
        """Launch; pointers are arrays (or None for null), scalars NumPy scalars of the parameter's type."""
        ...


class Driver(Protocol):
    """Memory, copies, compilation, launches and matrix products of one device.

    Attributes
    ----------
    name : str
        For people.
    xp : module
        CuPy, or NumPy in the emulator.
    limits : Limits
    """

    name: str
    xp: Any
    limits: Limits

    def adopt(self, array: Any) -> Any:
        """A caller's array that lies on the device, as one of ``xp``; any other as it is."""
        ...

    def empty(self, spec: Spec) -> Array:
        """Memory of the caller's, on the device."""
        ...

    def kernel(self, source: Source, function: str, macros: Mapping[str, int]) -> Kernel:
        """Compile, or find what is compiled already."""
        ...

    def allocate(self, nbytes: int) -> Array:
        """Flat uint8 memory, aligned to 256 bytes."""
        ...

    def view(self, memory: Array, offset: int, spec: Spec, strides: tuple[int, ...]) -> Array:
        """An array inside ``memory``: ``offset`` in bytes, ``strides`` in elements."""
        ...

    def upload(self, array: Any) -> Array:
        """A NumPy array on the device."""
        ...

    def write(self, target: Array, source: Any) -> None:
        """Copy a caller's array, host or device, to the device; dtype and order may differ."""
        ...

    def read(self, source: Array, out: Any = None) -> Any:
        """A NumPy copy, C-contiguous: fresh, or in ``out``."""
        ...

    def prepare_gemm(self) -> None:
        """Load what ``gemm`` needs, so that no step has to."""
        ...

    def gemm(self, a: Array, b: Array, out: Array) -> None:
        """``out = a @ bᵀ`` for row-major a (m, c), b (k, c), float32 sums."""
        ...

    def session(self) -> AbstractContextManager[None]:
        """While open, this device and its stream are current, and other threads wait."""
        ...

    def capture(self, run: Callable[[], None]) -> Call:
        """What ``run`` launches as one call, without Python in between; ``run`` has run once before."""
        ...

    def time(self, run: Callable[[], None]) -> float:
        """Seconds that the device takes for what ``run`` launches."""
        ...

    def synchronize(self) -> None:
        """Wait until everything launched is done."""
        ...

    def free_memory(self) -> int:
        """Bytes that could still be allocated."""
        ...

    def close(self) -> None:
        """Let go of the device."""
        ...
