"""``CudaBackend``: a driver's memory and kernels behind the contract of a backend."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from ...ops import Activation, Op
from ...spec import Array, Spec
from ..base import Call, Impl
from .driver import Dim3, Driver, Kernel
from .source import load_source

__all__ = ["ACTIVATION_CODES", "CudaBackend", "activation_arguments", "launch"]

ACTIVATION_CODES = {"relu": 1, "clip": 2, "sigmoid": 3, "tanh": 4}
"""As in ``kernels/include/epilogue.cuh``; 0 is none."""


class CudaBackend:
    """One GPU, or what stands in for it.

    Parameters
    ----------
    driver : Driver
    """

    name = "cuda"
    lanes = 1

    def __init__(self, driver: Driver) -> None:
        from . import IMPLS

        self.driver = driver
        self.xp = driver.xp
        self.IMPLS: dict[type[Op], tuple[Impl, ...]] = IMPLS

    def allocate(self, nbytes: int) -> Array:
        """Flat uint8 device memory."""
        return self.driver.allocate(nbytes)

    def view(self, memory: Array, offset: int, spec: Spec, strides: tuple[int, ...]) -> Array:
        """An array inside ``memory``."""
        return self.driver.view(memory, offset, spec, strides)

    def upload(self, array: Any) -> Array:
        """A NumPy array on the device."""
        return self.driver.upload(array)

    def session(self) -> AbstractContextManager[None]:
        """While open, the device and the model's stream are current."""
        return self.driver.session()

    def write(self, target: Array, source: Array) -> None:
        """Copy a caller's array to the device."""
        self.driver.write(target, source)

    def read(self, source: Array) -> Any:
        """A NumPy copy."""
        return self.driver.read(source)

    def kernel(self, file: str, function: str, **macros: int) -> Kernel:
        """``function`` of ``kernels/<file>`` compiled with these macros."""
        return self.driver.kernel(load_source(file), function, macros)


def launch(kernel: Kernel, grid: Dim3, block: Dim3, args: Sequence[Any], shared: int = 0) -> Call:
    """A call that launches with everything bound."""
    fixed = tuple(args)
    return lambda: kernel(grid, block, fixed, shared)


def activation_arguments(act: Activation | None) -> tuple[int, float, float]:
    """Code and parameters of an activation as kernels take them."""
    return (0, 0.0, 0.0) if act is None else (ACTIVATION_CODES[act.kind], float(act.alpha), float(act.beta))
