"""``CudaBackend``: a driver's memory and kernels behind the contract of a backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np

from ...ops import Activation, Op
from ...settings import settings
from ...spec import Array, Spec
from ..base import Bound, Call, Impl, Tenant, in_order
from .driver import Dim3, Driver, Kernel
from .source import load_source

__all__ = ["ACTIVATION_CODES", "CudaBackend", "activation_arguments", "launch"]

_ARENA_SHARE = 0.8
"""Of the free memory; the rest is for weights of further models and for whoever else uses the GPU."""

ACTIVATION_CODES = {
    "relu": 1,
    "clip": 2,
    "sigmoid": 3,
    "tanh": 4,
    "leaky_relu": 5,
    "elu": 6,
    "selu": 7,
    "celu": 8,
    "silu": 9,
    "mish": 10,
    "hardsigmoid": 11,
    "hardswish": 12,
    "erf": 13,
    "gelu": 14,
    "gelu_tanh": 15,
    "softplus": 16,
    "softsign": 17,
    "logsigmoid": 18,
    "shrink": 19,
    "tanhshrink": 20,
    "threshold": 21,
}
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
        from .impls import IMPLS

        self.driver = driver
        self.xp = driver.xp
        self.IMPLS: dict[type[Op], tuple[Impl, ...]] = IMPLS
        self._arena: Array | None = None
        self._tenants: WeakSet[Tenant] = WeakSet()

    def allocate(self, nbytes: int) -> Array:
        """Flat uint8 device memory."""
        return self.driver.allocate(nbytes)

    def arena(self, nbytes: int) -> Array:
        """At least ``nbytes``, shared by all programs of this backend, which run one at a time; grows, and then programs bind anew."""
        if self._arena is None or self._arena.nbytes < nbytes:
            for tenant in self._tenants:  # none of them runs: the caller has the session
                tenant.release()
            self._tenants.clear()
            self._arena = None  # before asking for more
            self._arena = self.driver.allocate(nbytes)
        return self._arena

    def house(self, tenant: Tenant) -> None:
        """Remember a program on the shared arena, to be asked to leave when that grows."""
        self._tenants.add(tenant)

    def arena_limit(self) -> int:
        """Bytes: most of what is free."""
        return int(_ARENA_SHARE * self.free_memory())

    def free_memory(self) -> int:
        """Bytes that are free, and those of the arena that is there."""
        held = 0 if self._arena is None else int(self._arena.nbytes)
        return self.driver.free_memory() + held

    def view(self, memory: Array, offset: int, spec: Spec, strides: tuple[int, ...]) -> Array:
        """An array inside ``memory``."""
        return self.driver.view(memory, offset, spec, strides)

    def upload(self, array: Any) -> Array:
        """A NumPy array on the device."""
        return self.driver.upload(array)

    def session(self) -> AbstractContextManager[None]:
        """While open, the device and the model's stream are current."""
        return self.driver.session()

    def adopt(self, array: Any) -> Array:
        """An array on the GPU as it is, whichever library made it; anything else as NumPy sees it."""
        mine = self.driver.adopt(array)
        return mine if isinstance(mine, self.xp.ndarray) else np.asarray(mine)

    def result(self, spec: Spec, inputs: Iterable[Array]) -> Array:
        """On the GPU where an input is, else on the host."""
        there = self.xp is not np and any(isinstance(a, self.xp.ndarray) for a in inputs)
        return self.driver.empty(spec) if there else np.empty(spec.shape, spec.dtype)

    def write(self, target: Array, source: Array) -> None:
        """Copy a caller's array to the device."""
        self.driver.write(target, source)

    def read(self, source: Array, out: Any = None) -> Any:
        """A NumPy copy."""
        return self.driver.read(source, out)

    def sequence(self, steps: Sequence[Bound]) -> Call:
        """One call for all: neighbours that only launch become one CUDA graph, between those that do more."""
        parts: list[Call] = []
        for only_launches, group in groupby(steps, key=attrgetter("only_launches")):
            run = in_order([step.call for step in group])
            parts.append(_Captured(self.driver, run) if only_launches and settings().graphs else run)
        return in_order(parts)

    def time(self, call: Call) -> float:
        """Seconds on the device."""
        return self.driver.time(call)

    def close(self) -> None:
        """Let go of the arena and the device."""
        self._arena = None
        self.driver.close()

    def kernel(self, file: str | Path, function: str, **macros: int) -> Kernel:
        """``function`` of ``kernels/<file>``, or of a file by its absolute path, compiled with these macros."""
        return self.driver.kernel(load_source(file), function, macros)


class _Captured:
    """Launches that are recorded as a CUDA graph. The first time they run one by one: that loads kernels, which a capture may not."""

    def __init__(self, driver: Driver, run: Call) -> None:
        self._driver, self._run, self._runs = driver, run, 0
        self._replay: Call | None = None

    def __call__(self) -> None:
        if self._replay is None and self._runs == 0:
            self._run()
        else:
            self._replay = self._replay or self._driver.capture(self._run)
            self._replay()
        self._runs += 1


def launch(kernel: Kernel, grid: Dim3, block: Dim3, args: Sequence[Any], shared: int = 0) -> Call:
    """A call that launches with everything bound."""
    fixed = tuple(args)
    return lambda: kernel(grid, block, fixed, shared)


def activation_arguments(act: Activation | None) -> tuple[int, float, float]:
    """Code and parameters of an activation as kernels take them."""
    return (0, 0.0, 0.0) if act is None else (ACTIVATION_CODES[act.kind], float(act.alpha), float(act.beta))
