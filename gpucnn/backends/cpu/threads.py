"""BLAS threads: the number is a property of the process, so its changes go through one holder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

__all__ = ["BlasThreads", "blas_threads"]


class BlasThreads:
    """Hold BLAS at a number of threads while a plan runs, and restore it after.

    Plans that want the same number run together; one that wants another waits. BLAS libraries that threadpoolctl does not know
    (Accelerate on macOS) are left as they are.

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
        self._alone = False
        self._before: list[int] = []

    @property
    def libraries(self) -> list[Any]:
        """Controllers of the BLAS libraries of this process."""
        if self._libraries is None:
            from threadpoolctl import ThreadpoolController

            self._libraries = [lib for lib in ThreadpoolController().lib_controllers if lib.user_api == "blas"]
        return self._libraries

    @contextmanager
    def hold(self, threads: int, alone: bool = False) -> Iterator[None]:
        """While open, every BLAS of the process uses ``threads`` threads; ``alone`` keeps other holders out, and allows ``switch``."""
        with self._changed:
            while self._count and (alone or self._alone or self._wanted != threads):
                self._changed.wait()
            if not self._count:
                self._wanted = threads
                self._before = [lib.num_threads for lib in self.libraries]
                self.switch(threads)
                self._alone = alone
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                if not self._count:
                    self._alone = False
                    for lib, number in zip(self.libraries, self._before):
                        if lib.num_threads != number:
                            lib.set_num_threads(number)
                    self._changed.notify_all()

    def switch(self, threads: int) -> None:
        """Change the number at once; only inside a ``hold`` that is alone, which switches back."""
        for lib in self.libraries:
            if lib.num_threads != threads:
                lib.set_num_threads(threads)


@lru_cache(maxsize=1)
def blas_threads() -> BlasThreads:
    """Return the process's one holder."""
    return BlasThreads()
