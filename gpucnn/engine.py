"""``Engine``: a device at work for a model: its backends, in which precision, and how a batch is cut for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from .backends.base import Backend
from .backends.cpu import IMPLS_LATENCY, IMPLS_THROUGHPUT, CpuBackend, direct
from .backends.cpu.threads import blas_threads
from .device import Choice, open_gpu
from .errors import DeviceError, GpucnnError, UnsupportedError
from .graph import Graph, NeedsValues
from .passes import PASSES, PASSES_CPU, PASSES_FLOAT16, SIMPLIFY, lower_precision
from .plan import Choose, choose_first
from .settings import settings
from .spec import Array, Spec
from .tuner import Tuner, store

__all__ = ["LATENCY_BELOW", "MOST_AT_ONCE", "SUB_BATCH", "CpuEngine", "GpuEngine", "Way", "make_engine"]

SUB_BATCH = 4
"""Images that a program of the CPU's throughput plan takes at once: enough rows for a product on 7×7 maps, few enough to stay in cache."""

LATENCY_BELOW = 4
"""On a CPU, fewer images than this go one by one through the latency plan."""

MOST_AT_ONCE = 256
"""Images that a program on a GPU takes at most; fewer where memory is short."""

_SCORED_AT_ONCE = 64  # images that a Classifier hands to a GPU: enough for all multiprocessors, few enough to overlap with decoding

_log = logging.getLogger("gpucnn")

PRECISIONS = ("auto", "float32", "float16")


class Way(NamedTuple):
    """How a batch goes through a device.

    Attributes
    ----------
    backend : Backend
    batch : int
        Images that a program takes.
    replicas : int
        Programs side by side.
    """

    backend: Backend
    batch: int
    replicas: int


class CpuEngine:
    """The CPU: a latency plan for few images, a throughput plan for more; float32."""

    name = "cpu"
    kept = 8  # runners per model: shapes and sets of outputs in use; each has its own arenas
    precision = "float32"
    passes = PASSES_CPU

    def __init__(self) -> None:
        cores = settings().threads
        self.scored_at_once = SUB_BATCH * cores
        self._process = os.getpid()
        kept = dict if settings().winograd else direct
        self._side_by_side = CpuBackend(impls=kept(IMPLS_THROUGHPUT))
        self._alone = CpuBackend(cores, kept(IMPLS_LATENCY))
        self.pool = ThreadPoolExecutor(cores - 1, "gpucnn-replica", lambda: blas_threads().begin()) if cores > 1 else None

    def way(self, n: int, throughput: bool) -> Way:
        """For ``n`` images that do not mix."""
        if throughput or n >= LATENCY_BELOW:
            return Way(self._side_by_side, SUB_BATCH, settings().threads)
        return Way(self._alone, 1, 1)

    def whole(self, n: int) -> Way:
        """For a batch that can only be run as one."""
        return Way(self._alone, n, 1)

    def chooser(self) -> Choose:
        """What chooses the impls of a plan."""
        how = settings().tune
        return choose_first if how == "off" else Tuner(store(), free=how == "free").choose

    def adopt(self, array: Any) -> Array:
        """A caller's array as a model takes it."""
        return self._alone.adopt(array)

    def fetch(self, array: Array) -> Array:
        """An adopted array in the host's memory."""
        return array

    def empty(self, spec: Spec, inputs: Iterable[Array]) -> Array:
        """The result of no images: zeros where it has elements nevertheless."""
        return _zeroed(self._alone, spec, inputs)

    def sibling(self) -> CpuEngine:
        """An engine for a second model over the same weights: one of its own."""
        return CpuEngine()

    def survives_fork(self) -> bool:
        """Whether this still is the process that hired the threads; the parent's do not exist in a forked child."""
        return self._process == os.getpid()

    def close(self) -> None:
        """Let the threads go."""
        if self.pool is not None:
            self.pool.shutdown(wait=False)
        self._alone.close()


class GpuEngine:
    """One GPU: batches of a power of two, one program at a time on one arena.

    Parameters
    ----------
    backend : Backend
    precision : {"float32", "float16"}
    """

    pool = None
    kept = 32  # they share one arena, and there are nine sizes of batch
    scored_at_once = _SCORED_AT_ONCE

    def __init__(self, backend: Backend, precision: str) -> None:
        self.name, self.precision = backend.name, precision
        self.passes = PASSES_FLOAT16 if precision == "float16" else PASSES
        self._backend = backend
        self._process = os.getpid()
        self._models = 1

    def way(self, n: int, throughput: bool) -> Way:
        """For ``n`` images that do not mix: the next power of two. Bits do not depend on it: no kernel's order of summation does."""
        return Way(self._backend, min(1 << (n - 1).bit_length(), MOST_AT_ONCE), 1)

    def whole(self, n: int) -> Way:
        """For a batch that can only be run as one."""
        return Way(self._backend, n, 1)

    def chooser(self) -> Choose:
        """What chooses the impls of a plan: the rule."""
        return choose_first

    def adopt(self, array: Any) -> Array:
        """A caller's array as a model takes it: on the GPU it may stay there."""
        return self._backend.adopt(array)

    def fetch(self, array: Array) -> Array:
        """An adopted array in the host's memory."""
        if isinstance(array, np.ndarray):
            return array
        with self._backend.session():
            return np.asarray(self._backend.read(array))

    def empty(self, spec: Spec, inputs: Iterable[Array]) -> Array:
        """The result of no images: zeros where it has elements nevertheless."""
        return _zeroed(self._backend, spec, inputs)

    def sibling(self) -> GpuEngine:
        """An engine for a second model over the same weights: this one, so that both share arena and kernels."""
        self._models += 1
        return self

    def survives_fork(self) -> bool:
        """Always, or an error: CUDA does not work in a forked child."""
        if self._process != os.getpid():
            raise DeviceError(
                "a model on a GPU cannot be used in a forked process: load it there, "
                "or start processes with multiprocessing.set_start_method('spawn')"
            )
        return True

    def close(self) -> None:
        """Let the GPU go once no model uses it."""
        self._models -= 1
        if not self._models:
            self._backend.close()


def _zeroed(backend: Backend, spec: Spec, inputs: Iterable[Array]) -> Array:
    made = backend.result(spec, inputs)
    with backend.session():
        made[...] = 0
    return made


def make_engine(choice: Choice, precision: str, trace: Callable[[], Graph]) -> CpuEngine | GpuEngine:
    """Return the engine for a device and a precision.

    Parameters
    ----------
    choice : Choice
    precision : {"auto", "float32", "float16"}
        ``"auto"`` is float16 on a GPU, where the weights fit its range, and float32 on a CPU.
    trace : callable
        Records the net, to find out whether its weights fit.

    Raises
    ------
    GpucnnError
        There is no such precision.
    UnsupportedError
        The device does not have it, or a weight does not fit.
    """
    if choice.name == "cpu":
        if precision in ("auto", "float32"):
            return CpuEngine()
        if precision in PRECISIONS:
            raise UnsupportedError(f"precision {precision!r} needs a GPU; the CPU computes in 'float32'")
    if precision not in PRECISIONS:
        hint = f"; {precision!r} is not in this version" if precision in ("bfloat16", "tf32") else ""
        raise UnsupportedError(f"precision must be 'auto', 'float32' or 'float16', got {precision!r}{hint}")
    if precision != "float32":
        problem = _too_large_for_float16(trace)
        if problem and precision == "float16":
            raise problem
        if problem:
            _log.warning("computing in float32, not float16: %s", problem)
        precision = "float32" if problem else "float16"
    return GpuEngine(open_gpu(choice.name), precision)


def _too_large_for_float16(trace: Callable[[], Graph]) -> GpucnnError | None:
    try:
        graph = trace()
    except NeedsValues as request:
        return UnsupportedError(f"whether the weights fit cannot be said beforehand, because {request}")
    for one in (*SIMPLIFY, lower_precision):
        try:
            with np.errstate(all="ignore"):  # weights may be anything
                one(graph)
        except UnsupportedError as error:
            return error
    return None


