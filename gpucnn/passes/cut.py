"""The cheapest way of telling two sides of a network apart."""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["Network"]

INFINITE = 1 << 60


class Network:
    """A directed network with capacities, between a source and a sink.

    Examples
    --------
    >>> net = Network()
    >>> net.add("source", "a", 3), net.add("a", "b", 1), net.add("b", "sink", 2)
    (None, None, None)
    >>> sorted(net.source_side("source", "sink"))
    ['a', 'source']
    """

    def __init__(self) -> None:
        self._at: dict[Hashable, int] = {}
        self._to: list[int] = []
        self._room: list[int] = []
        self._edges: list[list[int]] = []

    def add(self, tail: Hashable, head: Hashable, capacity: int) -> None:
        """Let it cost ``capacity`` where the tail is on the source's side and the head is not."""
        if tail == head or not capacity:
            return
        a, b = self._number(tail), self._number(head)
        for at, to, room in ((a, b, capacity), (b, a, 0)):
            self._edges[at].append(len(self._to))
            self._to.append(to)
            self._room.append(room)

    def _number(self, name: Hashable) -> int:
        if name not in self._at:
            self._at[name] = len(self._edges)
            self._edges.append([])
        return self._at[name]

    def source_side(self, source: Hashable, sink: Hashable) -> set[Hashable]:
        """The fewest nodes with the source on one side, so that what leaves that side costs least.

        Notes
        -----
        A minimum cut, from a maximum flow by blocking flows (Dinic 1970).
        """
        s, t = self._number(source), self._number(sink)
        while True:
            level = self._levels(s)
            if level[t] < 0:
                return {name for name, at in self._at.items() if level[at] >= 0}
            self._block(s, t, level)

    def _levels(self, s: int) -> list[int]:
        """Edges from the source along which there is room."""
        level = [-1] * len(self._edges)
        level[s] = 0
        front = [s]
        while front:
            reached = []
            for at in front:
                for edge in self._edges[at]:
                    to = self._to[edge]
                    if self._room[edge] and level[to] < 0:
                        level[to] = level[at] + 1
                        reached.append(to)
            front = reached
        return level

    def _block(self, s: int, t: int, level: list[int]) -> None:
        """Fill shortest paths until each has an edge without room."""
        following = [0] * len(self._edges)  # edges before it lead nowhere any more
        path: list[int] = []
        at = s
        while True:
            if at == t:
                least = min(self._room[edge] for edge in path)
                for edge in path:
                    self._room[edge] -= least
                    self._room[edge ^ 1] += least
                path, at = [], s
                continue
            edges = self._edges[at]
            while following[at] < len(edges):
                edge = edges[following[at]]
                if self._room[edge] and level[self._to[edge]] == level[at] + 1:
                    break
                following[at] += 1
            if following[at] < len(edges):
                path.append(edges[following[at]])
                at = self._to[path[-1]]
            elif path:
                at = self._to[path.pop() ^ 1]
                following[at] += 1
            else:
                return
