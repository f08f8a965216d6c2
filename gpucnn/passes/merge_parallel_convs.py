"""Make one convolution of several of the same value that are added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph import Graph, Node, Value
from ..ops import Binary
from .affine import affine_of
from .branches import Branch
from .rewriter import Rewriter

__all__ = ["merge_parallel_convs"]

_DEEPEST = 16
"""Sums inside scaled sums that are looked into."""

_Place = tuple[Node, int]
"""An input of a node."""


def merge_parallel_convs(graph: Graph) -> None:
    """Turn ``conv3x3(x) + conv1x1(x) + batch_norm(x) + …`` into one convolution, as networks are that were trained in branches.

    A convolution is linear in its weights: ``w·x + v·x = (w + v)·x``, with the smaller kernel inside the larger one. x itself, and what
    scales and shifts its channels, is a kernel of one tap, a diagonal matrix. Scales and shifts behind a branch, or behind a sum that
    becomes one branch, go with it. All is summed up in float64 and rounded once. What is added up besides stays where it is.

    Merged is only what has the same stride, is read by the sum alone, and costs no more multiplications as one than it did apart:
    kernels inside larger ones cost none, and groups stay unless there is a convolution without them.

    Notes
    -----
    The reparameterisation of RepVGG (Ding et al. 2021, arXiv:2101.03697), MobileOne, FastViT and UniRepLKNet. A kernel has no taps that
    none of the largest kernels had, so Inf and NaN come out where they did, though an Inf may be a NaN and the reverse: ``Inf·w + Inf·v``
    is NaN where their signs differ, ``Inf·(w + v)`` where the sum is 0. Only where two kernels together see what neither does, as 2×3 and
    3×2 taps do, or 4 and 6 groups, there are new zeros, and 0·Inf is NaN.
    """
    seen: set[Node] = set()
    with Rewriter(graph) as rewriter:
        for node in reversed([*rewriter]):
            if _is_sum(node) and node not in seen and rewriter.maker(node.outputs[0]) is not None:
                sum_ = _read(rewriter, node)
                seen.update(sum_.places)
                _merge(rewriter, sum_)


def _is_sum(node: Node) -> bool:
    """Whether two computed values of the same shape are added up or subtracted."""
    if node.op not in (Binary("add"), Binary("sub")) or node.outputs[0].dtype.kind != "f":
        return False
    return all(v is not None and not v.is_constant and v.shape == node.outputs[0].shape for v in node.inputs)


@dataclass(frozen=True)
class _Leaf:
    """What is added up, with a sign, and where."""

    place: _Place
    sign: int
    branch: Branch


@dataclass(frozen=True)
class _Sum:
    """A tree of additions: each with the place that it is read at, none for the last, which comes first."""

    places: dict[Node, _Place | None]
    leaves: list[_Leaf]


def _read(rewriter: Rewriter, root: Node, depth: int = _DEEPEST) -> _Sum:
    """All that is added up, through sums that nothing else reads."""
    found = _Sum({}, [])
    rest: list[tuple[Node, int, _Place | None]] = [(root, 1, None)]
    while rest:
        node, sign, place = rest.pop()
        found.places[node] = place
        for i, v in enumerate(node.inputs):
            assert v is not None
            signed = -sign if i and node.op == Binary("sub") else sign
            maker = rewriter.maker(v)
            if maker is not None and _is_sum(maker) and rewriter.only_reader(v) is node:
                rest.append((maker, signed, (node, i)))
            else:
                found.leaves.append(_Leaf((node, i), signed, _branch(rewriter, v, node, depth)))
    return found


def _branch(rewriter: Rewriter, value: Value, reader: Node, depth: int) -> Branch:
    """What a value is made of, as far as nothing but the reader needs what lies between."""
    steps = []
    maker = rewriter.maker(value)
    while maker is not None and rewriter.only_reader(value) is reader and (step := affine_of(maker, 1)) is not None:
        steps.append((step, maker))
        value, reader = step.x, maker
        maker = rewriter.maker(value)
    found = None
    if maker is not None and rewriter.only_reader(value) is reader:
        found = Branch.of_conv(maker)
        if found is None and _is_sum(maker) and depth:
            inside = _read(rewriter, maker, depth - 1)
            if any(len(cluster) == len(inside.leaves) for cluster in _clusters(inside.leaves)):
                found = _joined(inside.leaves, [*inside.places][::-1])
    branch = found or Branch.of(value)
    for step, node in reversed(steps):
        branch = branch.before(step, node)
    return branch


def _joined(leaves: Sequence[_Leaf], nodes: Sequence[Node] = ()) -> Branch:
    return Branch.sum_of([leaf.branch for leaf in leaves], [leaf.sign for leaf in leaves], nodes)


def _clusters(leaves: Sequence[_Leaf]) -> list[list[_Leaf]]:
    """Which of the leaves are to become one, each with a convolution first: from large kernels to small ones, where they cost least."""
    found: dict[tuple[Value, tuple[int, ...]], list[list[_Leaf]]] = {}
    of_convs = {(leaf.branch.x, leaf.branch.stride) for leaf in leaves if leaf.branch.has_conv}
    beside = [leaf for leaf in leaves if (leaf.branch.x, leaf.branch.stride) in of_convs]  # the others may be of any rank
    for leaf in sorted(beside, key=lambda leaf: (not leaf.branch.has_conv, -leaf.branch.cost)):
        clusters = found.setdefault((leaf.branch.x, leaf.branch.stride), [])
        more = [_joined([*cluster, leaf]).cost - _joined(cluster).cost for cluster in clusters]
        least = min(more, default=leaf.branch.cost + 1)
        if least <= leaf.branch.cost:
            clusters[more.index(least)].append(leaf)
        elif leaf.branch.has_conv:
            clusters.append([leaf])
    return [cluster for clusters in found.values() for cluster in clusters if len(cluster) > 1]


def _merge(rewriter: Rewriter, whole: _Sum) -> None:
    """Merge what can be; its result stands where the first of it was added, and the other additions go."""
    now: dict[_Place, tuple[int, Value] | None] = {}
    for cluster in _clusters(whole.leaves):
        made = _joined(cluster).convolution(rewriter.graph)
        if made is None:
            continue
        for leaf in cluster[1:]:
            rewriter.drop(leaf.branch.nodes)
            now[leaf.place] = None
        host = cluster[0]
        node = rewriter.replace(host.branch.nodes, *made, at=host.branch.nodes[-1])
        now[host.place] = (host.sign, node.outputs[0])
        rewriter.graph.note("parallel convolutions merged", len(cluster))
    for add, place in reversed(whole.places.items()):
        if (add, 0) in now or (add, 1) in now:
            left = _add_again(rewriter, add, now)
            if place is not None:
                now[place] = left


def _add_again(rewriter: Rewriter, add: Node, now: dict[_Place, tuple[int, Value] | None]) -> tuple[int, Value] | None:
    """Let an addition add what there is now on its sides, each with a sign; what comes of it, with a sign, None if there is nothing."""
    sides = []
    for i, v in enumerate(add.inputs):
        assert v is not None
        side = now.get((add, i), (1, v))
        if side is not None:
            sides.append((-side[0] if i and add.op == Binary("sub") else side[0], side[1]))
    if len(sides) < 2:
        rewriter.drop((add,), sides[0][1] if sides else None)
        return sides[0] if sides else None
    (sign, a), (other, b) = sorted(sides, key=lambda side: -side[0])
    op = Binary("add" if sign == other else "sub")
    return sign, rewriter.replace((add,), op, (a, b), at=add).outputs[0]
