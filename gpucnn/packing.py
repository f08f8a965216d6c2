"""Weights as the impls of a plan want them, each made and held once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .backends.base import Backend, Impl, Packed
from .graph import Graph, Node, Value
from .settings import settings

__all__ = ["Packing", "needed_unpacked", "pack_all", "repacks", "uploaded"]

_FEW = 1 << 18  # numbers that are packed sooner than threads begin


@dataclass(frozen=True, eq=False)
class Packing:
    """Constants as an impl wants them, and those that it takes as they were, one per input of a node; None where there is none.

    Plans that share it keep it; a store need only know it weakly.
    """

    constants: tuple[Any, ...]
    unpacked: tuple[Any, ...]


def pack_all(
    backend: Backend, chosen: Sequence[tuple[Impl, Node]], store: MutableMapping[Any, Packing], kept: set[Value] | None
) -> list[Packing]:
    """Packings of all steps. Those that no plan has made yet are made by all threads that there are: it is copying, and transforms.

    Constants that are not in ``kept`` are let go of as soon as all who read them have packed them, so that few are held twice; where it is
    None all are kept.
    """
    made: dict[Any, Packing] = {}  # a store may only know them weakly
    todo: dict[Any, tuple[Impl, Node]] = {}
    for impl, node in chosen:
        key = _packing_key(impl, node)
        there = store.get(key)
        if there is not None:
            made[key] = there
        elif _packs_now(impl, node):
            todo[key] = impl, node

    waiting = Counter(v for _, node in todo.values() for v in {*node.inputs})
    numbers = sum(c.size for _, node in todo.values() for c in _constants(node) if c is not None)
    each = map(_packed, todo.values()) if numbers < _FEW else _packed_by_threads(todo.values())
    for (key, (impl, node)), packed in zip(todo.items(), each):
        shared = tuple(None if i in impl.packs else c for i, c in enumerate(_constants(node)))
        made[key] = store[key] = Packing(tuple(uploaded(backend, c) for c in packed), shared)
        waiting.subtract({*node.inputs})
        _let_go((v for v in node.inputs if not waiting[v]), kept)
    for _, node in chosen:
        _let_go(node.inputs, kept)
    return [_packing(impl, node, made) for impl, node in chosen]


def _packed(pair: tuple[Impl, Node]) -> tuple[Any, ...]:
    impl, node = pair
    with np.errstate(all="ignore"):  # a thread has its own state
        return impl.pack(node.op, *_constants(node))


def _packed_by_threads(pairs: Collection[tuple[Impl, Node]]) -> Iterator[tuple[Any, ...]]:
    with ThreadPoolExecutor(settings().threads, "gpucnn-pack") as threads:
        yield from threads.map(_packed, pairs)


def _packing(impl: Impl, node: Node, made: Mapping[Any, Packing]) -> Packing:
    if not _packs_now(impl, node):
        return Packing(_constants(node), _constants(node))
    packing = made[_packing_key(impl, node)]
    for v, array in zip(node.inputs, packing.unpacked):
        if v is not None and v.data is not None and array is not None and v.data is not array:
            v.graph.hold_in(v, array)
    return packing


def _constants(node: Node) -> tuple[Any, ...]:
    return tuple(v.data if v is not None and v.is_constant else None for v in node.inputs)


def _packs_now(impl: Impl, node: Node) -> bool:
    """Whether there are constants, and none that is to be packed has yet to be computed."""
    return any(v is not None and v.is_constant for v in node.inputs) and not repacks(impl, node)


def _packing_key(impl: Impl, node: Node) -> Any:
    return impl.name, node.op, tuple(v.name if v is not None and v.is_constant else None for v in node.inputs)


def repacks(impl: Impl, node: Node) -> bool:
    """Whether an input that the impl packs arrives only at run time."""
    packs = [node.inputs[i] for i in impl.packs if i < len(node.inputs)]
    return any(v is not None and not v.is_constant for v in packs)


def needed_unpacked(graph: Graph, chosen: Sequence[tuple[Impl, Node]]) -> set[Value]:
    """What is needed as it was: results, and what a step reads without packing it, or packs at every run."""
    kept = set(graph.outputs.values())
    for impl, node in chosen:
        kept |= {v for i, v in enumerate(node.inputs) if v is not None and (repacks(impl, node) or i not in impl.packs)}
    return kept


def _let_go(values: Iterable[Value | None], kept: set[Value] | None) -> None:
    """Constants that every reader has packed need not be held a second time: of those only the shape is left, in an array of one number."""
    if kept is None:
        return
    for v in values:
        if v is not None and v.data is not None and v not in kept and v.data.ndim:
            v.graph.hold_in(v, np.broadcast_to(np.zeros((), v.data.dtype), v.data.shape))


def uploaded(backend: Backend, constant: Any) -> Any:
    """A constant on the device; of a ``Packed`` its array."""
    if isinstance(constant, Packed):
        return replace(constant, array=backend.upload(constant.array))
    return backend.upload(constant) if isinstance(constant, np.ndarray) else constant
