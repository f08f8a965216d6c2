"""``CpuBackend``: NumPy memory, and who works on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, zip_longest
from math import gcd, prod
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ...errors import LimitError, ShapeError
from ...host_memory import check_host_memory, free_host_memory, size_text
from ...ops import Op
from ...spec import Array, Spec
from ..base import Bound, Call, Impl, Tenant, in_order
from .lanes import Lanes
from .threads import blas_threads

__all__ = ["CpuBackend", "Scratch"]

Together = Callable[[Array, Array], Array]

_TELLING = 1e30  # weights up to here give finite products
_LINE = 64  # bytes of a cache line
_LESS = "use smaller batches, or smaller images"


def _taken(make: Callable[[Any, Any], Array], shape: int | tuple[int, ...], dtype: Any) -> Array:
    """Fresh memory, where there is enough."""
    nbytes = prod((shape,) if isinstance(shape, int) else shape) * np.dtype(dtype).itemsize
    check_host_memory(nbytes, "cpu", _LESS)
    try:
        return make(shape, dtype)
    except MemoryError:  # the system's own word
        raise LimitError(f"cpu: {size_text(nbytes)} of memory cannot be had; {_LESS}") from None


class CpuBackend:
    """NumPy on the CPU.

    Parameters
    ----------
    lanes : int
        Python threads that may share one step. 1 for programs that run side by side, one per core (the throughput plan); the number
        of cores for a program that runs alone (the latency plan). BLAS has one thread in both: its own workers spin for 20 ms after a
        product, and beside them lanes hardly get their cores (VGG-16's second layer, two cores: 24 ms instead of 13).
    impls : mapping of type to tuple of Impl, optional
        What it can do; ``IMPLS`` if not given.
    """

    name = "cpu"
    xp: Any = np

    def __init__(self, lanes: int = 1, impls: dict[type[Op], tuple[Impl, ...]] | None = None) -> None:
        from . import IMPLS

        self.IMPLS = IMPLS if impls is None else impls
        self.lanes = lanes
        self._workers = Lanes(lanes, lambda: blas_threads().begin())
        self._agreed: dict[tuple[Any, ...], bool] = {}

    # -- memory

    def allocate(self, nbytes: int) -> Array:
        """Zeroed flat uint8 memory that starts on a cache line (pages come into being when they are first written)."""
        raw: Array = _taken(np.zeros, nbytes + _LINE, np.uint8)
        start = -raw.ctypes.data % _LINE
        return raw[start : start + nbytes]

    def arena(self, nbytes: int) -> Array:
        """Memory of the program's own: programs run side by side."""
        return self.allocate(nbytes)

    def house(self, tenant: Tenant) -> None:
        """Nothing: an arena is never shared."""

    def arena_limit(self) -> int | None:
        """None: batches are small here, and a smaller one may give other bits."""
        return None

    def free_memory(self) -> int:
        """Bytes of the host's memory."""
        return free_host_memory()

    def view(self, memory: Array, offset: int, spec: Spec, strides: tuple[int, ...]) -> Array:
        """An array inside ``memory``."""
        if spec.size == 0:
            return np.empty(spec.shape, spec.dtype)
        size = spec.dtype.itemsize
        return np.ndarray(spec.shape, spec.dtype, memory, offset, tuple(s * size for s in strides))

    def upload(self, array: Any) -> Array:
        """The array itself."""
        return np.asarray(array)

    def adopt(self, array: Any) -> Array:
        """What NumPy makes of it; an array on a GPU is refused rather than fetched without a word."""
        if hasattr(array, "__cuda_array_interface__") and not isinstance(array, np.ndarray):
            kind = type(array).__name__
            raise ShapeError(f"the array ({kind}) lies on a GPU, the model runs on the CPU: fetch it, or load with device='cuda'")
        return np.asarray(array)

    def result(self, spec: Spec, inputs: Iterable[Array]) -> Array:
        """Fresh memory."""
        return _taken(np.empty, spec.shape, spec.dtype)

    def write(self, target: Array, source: Array) -> None:
        """Copy, whatever the order in memory."""
        np.copyto(target, source, casting="same_kind")

    def read(self, source: Array, out: Any = None) -> Any:
        """A C-contiguous copy."""
        if out is None:
            return np.array(source, order="C")
        np.copyto(out, source)
        return out

    # -- work

    @contextmanager
    def session(self) -> Iterator[None]:
        """While open, BLAS has one thread: cores are shared out by lanes and replicas."""
        with blas_threads().hold(1), np.errstate(all="ignore"):
            yield

    def lanes_for(self, flops: int, least: int = 1 << 22) -> int:
        """Lanes that a step of so much work is split over: all, or one where handing it out costs more than it saves."""
        return self.lanes if flops >= least else 1

    def schedule(self, tasks: Sequence[Sequence[Call]], parts: int) -> Call | None:
        """One call that runs all tasks: in order, or task i on lane ``i % parts``."""
        if parts == 1 or len(tasks) == 1:
            calls = tuple(call for task in tasks for call in task)
            return in_order(calls) if calls else None
        lanes = [in_order([call for task in tasks[i::parts] for call in task]) for i in range(min(parts, len(tasks)))]
        return _Shared(self._workers, lanes)

    def places_agree(self, images: int, rows: int, weight: Array, k: int = 0, way: str = "", together: Together | None = None) -> bool:
        """Whether a product of ``images·rows`` rows gives an image the same bits at every place in it.

        BLAS chooses kernels by shape and treats the last rows and columns of a matrix differently; whether the bits then differ is a
        property of the library and the shape. It is found out by multiplying the same rows at every place, once a shape. A sum in
        another order often comes out the same: so sixteen of them are looked at, even where the last column is one alone.
        ``together`` does so where it is done in a ``way`` of its own, and returns (images, rows, k columns); else one product does.
        """
        k = k or weight.shape[1]
        key = (way, images, rows, k, *weight.shape, weight.strides[0] > weight.strides[1])
        if key not in self._agreed:
            last = weight[:, -16:]
            zeros = 2 * np.count_nonzero(last, axis=0).min(initial=len(last)) < len(last)
            if zeros or not (np.abs(last) < _TELLING).all():  # neither a sum of zeros nor one of NaN or infinities has an order
                plain = (np.abs(weight) < _TELLING) & (weight != 0)
                weight = np.where(plain, weight, np.random.default_rng(0).standard_normal(weight.shape[1], np.float32))
            draws = range(16 // gcd(k, 16))
            together = together or (lambda one, weight: np.matmul(np.tile(one, (images, 1)), weight))
            ones = (np.random.default_rng(i).standard_normal((rows, len(weight)), np.float32) for i in draws)
            with self.session():  # of its one thread: more of them cut a product in places of their own
                self._agreed[key] = all(_alike(images, together(one, weight)) for one in ones)
        return self._agreed[key]

    def columns_agree(self, images: int, rows: int, each: int, shape: tuple[int, int], products: Callable[..., list[Call]]) -> bool:
        """As ``places_agree``, for products of a matrix of this shape with ``images`` times ``rows · each`` columns, side by side."""
        key, columns = ("columns", images, rows, each, *shape, products), rows * each
        if key not in self._agreed:
            rng = np.random.default_rng(0)
            matrix, one = rng.standard_normal(shape, np.float32), rng.standard_normal((shape[1], columns), np.float32)
            y = np.empty((len(matrix), images * columns), np.float32)
            with self.session():
                in_order(products(matrix, np.tile(one, (1, images)), y, each))()
            self._agreed[key] = _alike(images, y.reshape(-1, images, columns).swapaxes(0, 1))
        return self._agreed[key]

    def sequence(self, steps: Sequence[Bound]) -> Call:
        """One turn after the other. What is shared out in one turn is handed out at once: lanes then meet once, and wait less."""
        turns = (self._turn([step.call for step in group]) for _, group in groupby(steps, key=attrgetter("turn")))
        return in_order(list(chain.from_iterable(turns)))

    def _turn(self, calls: list[Call]) -> list[Call]:
        shared = [call for call in calls if isinstance(call, _Shared)]
        if len(shared) < 2:
            return calls
        lanes = [in_order([call for call in lane if call is not None]) for lane in zip_longest(*(call.lanes for call in shared))]
        return [*(call for call in calls if call not in shared), _Shared(self._workers, lanes)]

    def time(self, call: Call) -> float:
        """Seconds by the clock."""
        begin = time.perf_counter()
        call()
        return time.perf_counter() - begin

    def close(self) -> None:
        """Stop the lanes' threads."""
        self._workers.close()


class _Shared:
    """One call for each lane, as one call.

    Attributes
    ----------
    lanes : sequence of Call
    """

    __slots__ = ("_workers", "lanes")

    def __init__(self, workers: Lanes, lanes: Sequence[Call]) -> None:
        self._workers, self.lanes = workers, lanes

    def __call__(self) -> None:
        self._workers.run(self.lanes)


def _alike(images: int, y: Array) -> bool:
    """Whether all parts along the first axis have the same bits."""
    parts = np.ascontiguousarray(y).reshape(images, -1).view(np.int32)
    return bool((parts == parts[:1]).all())


class Scratch:
    """Takes float32 arrays from a lane's flat memory, one behind the other."""

    def __init__(self, memory: Array) -> None:
        self._memory = memory
        self._at = 0

    def take(self, *shape: int) -> Array:
        """An uninitialised float32 array."""
        return self.bytes(4 * int(np.prod(shape))).view(np.float32).reshape(shape)

    def bytes(self, nbytes: int) -> Array:
        """Flat uint8 memory."""
        taken = self._memory[self._at : self._at + nbytes]
        self._at += -(-nbytes // _LINE) * _LINE
        return taken

    def fork(self) -> Scratch:
        """Another one that takes what follows, so that steps which come after each other may take the same."""
        return Scratch(self._memory[self._at :])


def rows_of(x: Array) -> Array | None:
    """(n, h, w, c) as a matrix (n·h·w, c) in the same memory, or None where its strides do not allow that."""
    n, h, w, c = x.shape
    sn, sh, sw, sc = x.strides
    pitch = sw if w > 1 else sh if h > 1 else sn if n > 1 else c * x.itemsize
    fits = (w == 1 or sw == pitch) and (h == 1 or sh == w * pitch) and (n == 1 or sn == h * w * pitch)
    if not fits or (c > 1 and sc != x.itemsize) or pitch < c * x.itemsize:
        return None
    return as_strided(x, (n * h * w, c), (pitch, x.itemsize))


