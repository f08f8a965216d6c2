"""BLAS threads: the number is a property of the process, so its changes go through one holder."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

__all__ = ["BlasThreads", "blas_threads"]

_TRIES = 8


class BlasThreads:
    """Hold BLAS at a number of threads while a plan runs, and restore it after.

    Plans that want the same number run together; one that wants another waits, and whoever comes after it waits behind it, so that
    nobody starves. BLAS libraries that threadpoolctl does not know (Accelerate on macOS) are left as they are.

    Parameters
    ----------
    libraries : list, optional
        threadpoolctl's controllers of the BLAS libraries; found when first needed.
    """

    def __init__(self, libraries: list[Any] | None = None) -> None:
        self._libraries = libraries
        self._changed = threading.Condition()
        self._count = 0
        self._wanted = 0
        self._queue: deque[object] = deque()
        self._before: list[int] = []

    @property
    def libraries(self) -> list[Any]:
        """Controllers of the BLAS libraries of this process."""
        if self._libraries is None:
            from threadpoolctl import ThreadpoolController

            self._libraries = [lib for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]
        return self._libraries

    @contextmanager
    def hold(self, threads: int) -> Iterator[None]:
        """While open, every BLAS of the process uses ``threads`` threads."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or (self._count and self._wanted != threads):
                    self._changed.wait()
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()
            if not self._count:
                self._wanted = threads
                self._before = [lib.num_threads for lib in self._libraries_of(False)]
                self._set(self._libraries_of(False), [threads] * len(self._before))
            self._count += 1
        own = self._libraries_of(True)
        before = [lib.num_threads for lib in own]
        try:
            self._set(own, [threads] * len(own))
            yield
        finally:
            self._set(own, before)
            with self._changed:
                self._count -= 1
                if not self._count:
                    self._set(self._libraries_of(False), self._before)
                    self._changed.notify_all()

    def begin(self) -> None:
        """To be called by each thread that works for others: where numbers belong to threads, it takes one as well."""
        own = self._libraries_of(True)
        self._set(own, [1] * len(own))

    def _libraries_of(self, thread: bool) -> list[Any]:
        """Those whose numbers belong to a thread (MKL, OpenMP); or those whose number is the process's."""
        return [
            lib
            for lib in self.libraries
            if (getattr(lib, "internal_api", "") == "mkl" or getattr(lib, "threading_layer", "") == "openmp") == thread
        ]

    def _set(self, libraries: list[Any], numbers: list[int]) -> None:
        for lib, number in zip(libraries, numbers):
            # Since 3.8 threadpoolctl keeps OpenBLAS to the thread that set it first, and lets others do nothing, without a word. Between
            # the threads of this process the holder decides; another may still come between two calls.
            let_go = getattr(lib, "clear_controlling_thread", _nothing)
            for _ in range(_TRIES):
                if lib.num_threads == number:
                    break
                let_go(force=True)
                lib.set_num_threads(number)
            let_go()


def blas_threads() -> BlasThreads:
    """Return the process's one holder; a forked child gets its own, because its parent's threads are not there."""
    return _holder(os.getpid())


@lru_cache(maxsize=1)
def _holder(process: int) -> BlasThreads:
    return BlasThreads()


def _nothing(force: bool = False) -> None:
    pass
