"""``Lanes``: threads that share the steps of one program, and wait for the next one awake."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from ..base import Call

__all__ = ["Lanes"]

_AWAKE = 0.002  # seconds that a thread waits awake before it sleeps

# A thread that sleeps takes 50 to 200 µs to come back, as long as a layer of a small net takes. One that looks again and again holds
# Python's lock, which all threads need, each time it looks; roots that nobody wants, 5 µs of them without the lock, come in between.
_IDLE = np.ones(1 << 13)
_ROOTS = threading.local()


def _pause() -> None:
    try:
        out = _ROOTS.out
    except AttributeError:
        out = _ROOTS.out = np.empty_like(_IDLE)
    np.sqrt(_IDLE, out=out)


def _until(done: Callable[[], bool], asleep: Callable[[], None]) -> None:
    """Wait until ``done``, awake for a while, then by ``asleep``."""
    end = time.perf_counter() + _AWAKE
    while not done():
        if time.perf_counter() < end:
            _pause()
        else:
            asleep()


class _Worker:
    """A thread and what it has to do. Attributes are single words, so that Python's lock orders all reads and writes of them."""

    def __init__(self, name: str, begin: Call) -> None:
        self._begin = begin
        self._job: Call | None = None
        self._error: BaseException | None = None
        self._stopped = False
        self._work, self._rest = threading.Semaphore(0), threading.Semaphore(0)
        self._sleeps = self._waits = False
        self.thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self.thread.start()

    def start(self, job: Call) -> None:
        """Hand out a job; there must be none."""
        self._job = job
        if self._sleeps:
            self._work.release()

    def join(self) -> BaseException | None:
        """Wait for the end of the job; what it raised."""
        _until(lambda: self._job is None, self._wait)
        error, self._error = self._error, None
        return error

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped = True
        self._work.release()

    def _sleep(self) -> None:
        self._sleeps = True
        if self._job is None:  # it may have come before that was said
            self._work.acquire()
        self._sleeps = False

    def _wait(self) -> None:
        self._waits = True
        if self._job is not None:
            self._rest.acquire()
        self._waits = False

    def _loop(self) -> None:
        begin: Call | None = self._begin
        with np.errstate(all="ignore"):  # a thread has its own state
            while not self._stopped:
                _until(lambda: self._job is not None or self._stopped, self._sleep)
                job = self._job
                if job is None:
                    return
                try:
                    if begin is not None:
                        begin()
                        begin = None
                    job()
                except BaseException as error:  # raised where the step was begun
                    self._error = error
                self._job = None
                if self._waits:
                    self._rest.release()


class Lanes:
    """The caller's thread and others, hired when first needed. Of several callers one at a time has them: they are for whole cores.

    Parameters
    ----------
    count : int
        The caller's thread included.
    begin : callable, optional
        What each thread does first.
    """

    def __init__(self, count: int, begin: Call = lambda: None) -> None:
        self.count, self._begin = count, begin
        self._workers: list[_Worker] = []
        self._taken = threading.Lock()

    def run(self, calls: Sequence[Call]) -> None:
        """One call each, at most ``count``; back when all have ended. What the first of them raised is raised here."""
        with self._taken:
            self._run(calls)

    def _run(self, calls: Sequence[Call]) -> None:
        while len(self._workers) < len(calls) - 1:
            self._workers.append(_Worker(f"gpucnn-lane-{len(self._workers) + 1}", self._begin))
        for worker, call in zip(self._workers, calls[1:]):
            worker.start(call)
        errors: list[BaseException | None] = []
        try:
            calls[0]()
        finally:
            errors += [worker.join() for worker, _ in zip(self._workers, calls[1:])]
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """Let the threads go."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()
