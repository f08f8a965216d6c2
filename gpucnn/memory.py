"""Arena planning: where each buffer lies, given when it is alive. Pure arithmetic."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ALIGNMENT", "Lifetime", "plan_arena"]

ALIGNMENT = 256  # bytes: a GPU allocation's own alignment, four cache lines of a CPU


@dataclass(frozen=True)
class Lifetime:
    """A buffer of ``size`` bytes, in use from step ``first`` to step ``last``, both included."""

    size: int
    first: int
    last: int


def plan_arena(lifetimes: Sequence[Lifetime], alignment: int = ALIGNMENT) -> tuple[list[int], int]:
    """Byte offset of each buffer, and the size of the arena; buffers alive at the same step never overlap.

    Parameters
    ----------
    lifetimes : sequence of Lifetime
    alignment : int
        Every offset is a multiple of it, bytes.

    Returns
    -------
    offsets : list of int
    size : int

    Notes
    -----
    Largest first, each at the smallest gap that holds it (Pisarchyk & Lee 2020, arXiv:2001.03288, "greedy by size").

    Examples
    --------
    >>> plan_arena([Lifetime(100, 0, 1), Lifetime(100, 1, 2), Lifetime(100, 2, 3)], alignment=1)
    ([0, 100, 0], 200)
    """
    offsets = [0] * len(lifetimes)
    placed: list[tuple[int, int, Lifetime]] = []  # (begin, end), sorted by begin
    total = 0
    for i in sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, lifetimes[i].first, i)):
        mine = lifetimes[i]
        if mine.size == 0:
            continue
        best, best_room, cursor = -1, -1, 0
        for begin, end, other in placed:
            if other.last < mine.first or other.first > mine.last:
                continue
            room = begin - cursor
            if room >= mine.size and (best < 0 or room < best_room):
                best, best_room = cursor, room
            cursor = max(cursor, -(-end // alignment) * alignment)
        offsets[i] = best if best >= 0 else cursor
        insort(placed, (offsets[i], offsets[i] + mine.size, mine), key=lambda p: p[0])
        total = max(total, offsets[i] + mine.size)
    return offsets, total
