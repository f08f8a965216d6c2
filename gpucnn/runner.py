"""``Runner``: programs of one plan, and how a batch of any size goes through them."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .backends.base import Call, InOrder
from .plan import Plan, Program
from .spec import Array, Spec

__all__ = ["Runner"]


class Runner:
    """Sends a batch through the replicas of a plan, ``plan``'s own batch at a time.

    The throughput plan has a replica per core, each with its own arena and BLAS at one thread; the latency plan has one, with all
    cores for itself. A short batch is filled up with zeros, so an image always meets the same arithmetic.

    Parameters
    ----------
    plan : Plan
    batch : int or None
        Rows that a program takes; None where rows mix, so that a batch can only be run as a whole, of the size planned for.
    replicas : int
        Programs that may run side by side.
    pool : ThreadPoolExecutor
        Where further replicas run.
    """

    def __init__(self, plan: Plan, batch: int | None, replicas: int, pool: ThreadPoolExecutor | None) -> None:
        self.plan, self.batch, self.replicas = plan, batch, replicas
        self._pool = pool
        self._made = 0
        self._idle: queue.LifoQueue[Program | None] = queue.LifoQueue()
        for _ in range(replicas):
            self._idle.put(None)  # bound when first needed: one image needs one replica

    def run(self, feeds: Mapping[str, Array], n: int) -> dict[str, Any]:
        """Outputs for ``n`` rows of every feed, as fresh arrays.

        Parameters
        ----------
        feeds : mapping of str to array, (n, …)
        n : int
            At least 1 where a program takes some rows of many.
        """
        outputs = self.plan.graph.outputs
        starts = range(1) if self.batch is None else range(0, n, self.batch)
        backend = self.plan.backend
        shapes = {name: v.shape if self.batch is None else (n, *v.shape[1:]) for name, v in outputs.items()}
        results = {name: backend.result(Spec(shapes[name], v.dtype), feeds.values()) for name, v in outputs.items()}
        with backend.session():
            if len(starts) == 1 or self._pool is None or self.replicas == 1:
                self._work(iter(starts), feeds, results, n)
            else:
                shared = iter(list(starts))  # a list's iterator hands out each item once, whoever asks
                helpers = min(self.replicas, len(starts)) - 1
                others = [self._pool.submit(self._work, shared, feeds, results, n) for _ in range(helpers)]
                try:
                    self._work(shared, feeds, results, n)
                finally:
                    for other in others:
                        other.result()
        return results

    def _work(self, starts: Iterator[int], feeds: Mapping[str, Array], results: Mapping[str, Array], n: int) -> None:
        start = next(starts, None)
        if start is None:  # the others were quicker
            return
        program = self._idle.get()
        try:
            with np.errstate(all="ignore"):  # a thread has its own state; NaN and Inf go through without a word
                backend = self.plan.backend
                if program is None or program.is_released:
                    program = self.plan.bind(backend.arena(self.plan.arena_bytes))
                    backend.house(program)
                while start is not None:
                    self._one(program, feeds, results, start, n)
                    start = next(starts, None)
        finally:
            self._idle.put(program)

    def _one(self, program: Program, feeds: Mapping[str, Array], results: Mapping[str, Array], start: int, n: int) -> None:
        """One program's worth of rows, from ``start`` on."""
        rows = slice(start, min(start + (self.batch or 0), n))
        for name, target in program.inputs.items():
            if self.batch is None:
                program.plan.backend.write(target, feeds[name])
                continue
            source = feeds[name][rows]
            program.plan.backend.write(target[: len(source)], source)
            target[len(source) :] = 0
        program.run()
        for name, result in program.outputs.items():
            if self.batch is None:
                program.plan.backend.read(result, results[name])
            else:
                program.plan.backend.read(result[: rows.stop - start], results[name][rows])


def breakdown(program: Program, repeats: int) -> dict[str, tuple[int, float]]:
    """What a program of calls inside calls does: for each kind of call how many there are, and their seconds.

    Each is timed by itself, by the median of ``repeats`` times. What a call of NumPy costs before it does anything is Python's share.
    """
    leaves = [leaf for _, call in program.calls for leaf in _leaves(call)]
    samples = [[program.plan.backend.time(leaf) for leaf in leaves] for _ in range(repeats)]
    nothing = np.zeros(1, np.float32)
    empty = min(program.plan.backend.time(lambda: np.copyto(nothing, nothing)) for _ in range(1000))
    found: dict[str, tuple[int, float]] = {}
    for i, leaf in enumerate(leaves):
        kind = getattr(leaf, "kind", "element-wise")
        count, seconds = found.get(kind, (0, 0.0))
        found[kind] = count + 1, seconds + max(0.0, float(np.median([row[i] for row in samples])) - empty)
    return found | {"Python": (len(leaves), len(leaves) * empty)}


def _leaves(call: Call) -> Iterator[Call]:
    if isinstance(call, InOrder):
        for one in call.calls:
            yield from _leaves(one)
    else:
        yield call


def profile(program: Program, repeats: int) -> list[list[float]]:
    """Seconds of every call on its device, ``repeats`` times."""
    backend = program.plan.backend
    return [[backend.time(call) for _, call in program.calls] for _ in range(repeats)]
