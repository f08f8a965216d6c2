"""From a graph to a program: choose an impl for each node, pack its weights, plan the memory, bind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .backends.base import Backend, Bound, Call, Impl, Reference
from .errors import GpucnnError, UnsupportedError
from .graph import Graph, Node, Value
from .limits import check_limit
from .memory import Lifetime, plan_arena
from .ops import Concat, Flatten, Identity, Op, Reorder, Reshape, Slice, Transpose
from .packing import Packing, needed_unpacked, pack_all, repacks, uploaded
from .passes import PASSES, Pass, WhereSupported
from .passes.alias_buffers import slice_placement
from .settings import settings
from .spec import Array, Spec, spec_of

__all__ = ["Choose", "Plan", "Program", "Step", "candidates", "choose_first", "compile", "evaluate"]

REFERENCE = Reference()

Choose = Callable[[Backend, Node], Impl]


def candidates(backend: Backend, op: Op, *specs: Spec | None) -> tuple[Impl, ...]:
    """Impls of the backend that can do ``op`` on such inputs, best guess first; the reference is always the last."""
    listed = backend.IMPLS.get(type(op), ())
    return (*(impl for impl in listed if impl.supports(op, *specs)), REFERENCE)


def choose_first(backend: Backend, node: Node) -> Impl:
    """Take the first impl that supports the node and suits it: the best guess, and the rule that fixes the bits."""
    return next(impl for impl in candidates(backend, node.op, *node.specs) if impl.suits(node.op, *node.specs))


@dataclass(frozen=True)
class Step:
    """One node of a plan, with the impl chosen for it.

    Attributes
    ----------
    node : Node
    impl : Impl
    packing : Packing
    workspace : int
        Scratch bytes per lane.
    """

    node: Node
    impl: Impl
    packing: Packing
    workspace: int

    @property
    def constants(self) -> tuple[Any, ...]:
        """Packed, one per input; None where the input is not constant."""
        return self.packing.constants

    @property
    def repacks(self) -> bool:
        """Whether an input that the impl packs arrives only at run time."""
        return repacks(self.impl, self.node)


@dataclass(frozen=True)
class Plan:
    """All that is decided about a graph on a backend; programs are bound from it, each with an arena of its own.

    Attributes
    ----------
    graph : Graph
        After the passes.
    steps : tuple of Step
        What will run; views have none.
    arena_bytes : int
    """

    backend: Backend
    graph: Graph
    steps: tuple[Step, ...]
    arena_bytes: int
    _offsets: Mapping[Value, int]
    _scratch: tuple[tuple[int, ...], ...]
    _turns: tuple[int, ...]

    def bind(self, arena: Array | None = None) -> Program:
        """Bind every step to an arena of at least ``arena_bytes``; to a fresh one if none is given."""
        return Program(self, self.backend.allocate(self.arena_bytes) if arena is None else arena)

    @property
    def slow_steps(self) -> tuple[Step, ...]:
        """Steps that run by the reference."""
        return tuple(s for s in self.steps if s.impl is REFERENCE)


class Program:
    """A plan bound to memory: ``run`` copies inputs in, calls each step, copies outputs out. Not for two threads at once.

    Attributes
    ----------
    calls : list of (Step, Call)
    inputs, outputs : dict of str to array
        Views of the arena.
    """

    def __init__(self, plan: Plan, arena: Array) -> None:
        self.plan = plan
        backend, graph = plan.backend, plan.graph
        self.arena = arena
        self._views: dict[Value, Array] = {}
        self.inputs = {name: self._view(v) for name, v in graph.inputs.items()}
        self.calls: list[tuple[Step, Call]] = []
        bound: list[Bound] = []
        for step, scratch, turn in zip(plan.steps, plan._scratch, plan._turns):
            inputs = [
                c if c is not None or v is None or v.is_constant else self._view(v)
                for c, v in zip(step.constants, step.node.inputs)
            ]
            outputs = [self._view(v) for v in step.node.outputs]
            lanes = [self.arena[at : at + step.workspace] for at in scratch]
            if step.repacks:
                call: Call | None = _repacking(backend, step, inputs, outputs, lanes)
            else:
                call = step.impl.bind(backend, step.node.op, inputs, outputs, lanes)
            if call is not None:
                self.calls.append((step, call))
                bound.append(Bound(call, step.impl is not REFERENCE and not step.repacks, turn))
        self.outputs = {
            name: backend.upload(v.data) if v.is_constant else self._view(v) for name, v in graph.outputs.items()
        }
        self._all = backend.sequence(bound)

    def _view(self, value: Value) -> Array:
        if value not in self._views:
            place = self.plan.graph.placements[value]
            offset = self.plan._offsets[place.root] + place.offset * value.dtype.itemsize
            self._views[value] = self.plan.backend.view(self.arena, offset, value.spec, place.strides)
        return self._views[value]

    def run(self) -> None:
        """Compute ``outputs`` from ``inputs`` where they lie."""
        self._all()

    def release(self) -> None:
        """Let go of the arena; the program cannot run afterwards."""
        self.arena = None
        self._views, self.inputs, self.outputs, self.calls, self._all = {}, {}, {}, [], _released

    @property
    def is_released(self) -> bool:
        """Whether ``release`` was called."""
        return self._all is _released


def _released() -> None:
    raise GpucnnError("the program has given its memory back; bind the plan anew")


def _repacking(backend: Backend, step: Step, inputs: list[Any], outputs: list[Any], lanes: list[Any]) -> Call:
    """Pack and bind at every run: weights that are computed on the way are rare, and right matters more than fast."""
    op, packs = step.node.op, step.impl.packs
    inputs = [a if i in packs or c is None else _laid(backend, op, i, c) for i, (a, c) in enumerate(zip(inputs, step.constants))]

    def call() -> None:
        packed = [uploaded(backend, c) for c in step.impl.pack(op, *(a if i in packs else None for i, a in enumerate(inputs)))]
        bound = step.impl.bind(backend, op, [p if i in packs else a for i, (p, a) in enumerate(zip(packed, inputs))], outputs, lanes)
        if bound is not None:
            bound()

    return call


def compile(
    graph: Graph,
    backend: Backend,
    *,
    choose: Choose = choose_first,
    passes: Sequence[Pass] = PASSES,
    packed: MutableMapping[Any, Packing] | None = None,
    packed_only: bool = False,
) -> Plan:
    """Plan a graph on a backend. The graph is used up.

    Parameters
    ----------
    graph : Graph
    backend : Backend
    choose : callable
        Picks the impl of a node.
    passes : sequence of Pass
    packed : mutable mapping, optional
        Packed weights by name, shared by the plans of one model so that each weight is held once. One with weak values lets go of what no
        plan reads any more, such as constants of one size of image.
    packed_only : bool
        Let go of constants as they were, once they are packed; the graph's values then have their shapes alone.

    Returns
    -------
    Plan

    Raises
    ------
    UnsupportedError
        A step would run by the reference and ``GPUCNN_STRICT`` forbids it.
    LimitError
        A value would have more elements than ``GPUCNN_MAX_ELEMENTS``.
    """
    with np.errstate(all="ignore"):  # weights may be anything, and become infinite or NaN where they are folded and packed
        graph.prune()
        _check_sizes(graph)
        for one in passes:
            if isinstance(one, WhereSupported):
                one.run(graph, lambda op, *specs: candidates(backend, op, *specs)[0] is not REFERENCE)
            else:
                one(graph)
        graph.check()
        store: MutableMapping[Any, Packing] = {} if packed is None else packed
        chosen = []
        for node in graph.nodes:
            if _is_free(graph, node):
                continue
            impl = choose(backend, node)
            if impl is REFERENCE and settings().strict:
                raise UnsupportedError(
                    f"{node.name}: {node.op.name} of {', '.join(str(s) for s in node.specs if s)} has no {backend.name} implementation "
                    "and GPUCNN_STRICT forbids the slow reference; unset it, or change the layer"
                )
            chosen.append((impl, node))
        kept = needed_unpacked(graph, chosen) if packed_only else None
        packings = pack_all(backend, chosen, store, kept)
        steps = [Step(node, impl, made, impl.workspace(node.op, *node.specs)) for (impl, node), made in zip(chosen, packings)]
    return _lay_out(backend, graph, steps)


def _check_sizes(graph: Graph) -> None:
    """Nothing is allocated yet, and a net may ask for a padding of a billion pixels in a few bytes."""
    for value in (*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)):
        elements = prod(size or 1 for size in value.shape)  # of no images too: what has no elements still has strides
        check_limit("elements", elements, f"{value.name}: {value.spec} has {elements} elements")


def _is_free(graph: Graph, node: Node) -> bool:
    """Whether nothing has to run for a node: it is a view, a concatenation of parts in place, or empty."""
    out = node.outputs[0]
    if all(v.spec.size == 0 for v in node.outputs):
        return True
    place = graph.placements.get(out)
    x = node.inputs[0] if node.inputs else None
    if place is None or x is None or x.is_constant:
        return False
    if isinstance(node.op, Concat):
        return _parts_in_place(graph, node, node.op.dim % out.ndim)
    if isinstance(node.op, Slice):
        return place == slice_placement(graph, node)
    return isinstance(node.op, (Reshape, Flatten, Reorder, Transpose, Identity)) and _same_place(graph, x, out)


def _parts_in_place(graph: Graph, node: Node, axis: int) -> bool:
    """Whether every input of a concatenation lies where its copy would go."""
    whole, at = graph.placements[node.outputs[0]], 0
    for v in node.inputs:
        if v is None or v.is_constant:
            return False
        part = graph.placements[v]
        offset = whole.offset + at * whole.strides[axis]
        if v.spec.size and (part.root is not whole.root or part.strides != whole.strides or part.offset != offset):
            return False
        at += v.shape[axis]
    return True


def _same_place(graph: Graph, x: Value, out: Value) -> bool:
    a, b = graph.placements[x], graph.placements[out]
    return a.root is b.root and a.offset == b.offset


def _laid(backend: Backend, op: Op, i: int, value: Any) -> Any:
    """A constant that is not packed, on the device, in the order in which the op's impls expect a value that was computed."""
    if op.layout != "spatial" or i not in op.maps or value.ndim < 3:
        return backend.upload(value)
    return backend.xp.moveaxis(backend.upload(np.ascontiguousarray(np.moveaxis(value, 1, -1))), -1, 1)


_SIDE_BY_SIDE = 4  # steps in a turn at most: what all of them read, write and want as scratch is in use at once


def _turns(backend: Backend, graph: Graph, steps: list[Step]) -> list[int]:
    """Number of the turn of each step. Those of one turn touch nothing that another of them writes, so that lanes need not meet between.

    Branches of a concatenation write parts of one buffer, which are apart; but one may also be written over what nobody
    reads of another. A backend without lanes has one step a turn, and less memory in use.
    """
    if backend.lanes == 1:
        return list(range(len(steps)))

    def roots(values: Iterable[Value | None]) -> set[Value]:
        return {graph.placements[v].root for v in values if v is not None and not v.is_constant}

    turns: list[int] = []
    turn = -1
    read: set[Value] = set()
    written: list[Value] = []
    for step in steps:
        reads, writes = roots(step.node.inputs), list(step.node.outputs)
        together = 0 < turns[-_SIDE_BY_SIDE:].count(turn) < _SIDE_BY_SIDE and not (reads & roots(written) or roots(writes) & read)
        together = together and not any(_overlap(graph, a, b) for a in writes for b in written)
        turn += not together
        turns.append(turn)
        read, written = (read | reads, written + writes) if together else (reads, writes)
    return turns


def _overlap(graph: Graph, a: Value, b: Value) -> bool:
    """Whether two values have a byte of one buffer in common, or it takes long to tell."""
    here, there = graph.placements[a], graph.placements[b]
    if here.root is not there.root or not a.spec.size or not b.spec.size:
        return False
    first = min(here.offset, there.offset)
    memory = np.empty(1 + max(here.offset, there.offset) - first, np.int8)  # never touched: addresses are compared, by elements
    one, other = (as_strided(memory[p.offset - first :], v.shape, p.strides) for v, p in ((a, here), (b, there)))
    try:
        return bool(np.shares_memory(one, other, max_work=10000))  # type: ignore[arg-type]  # NumPy's stubs know 0 and -1 alone
    except np.exceptions.TooHardError:
        return True


def _lay_out(backend: Backend, graph: Graph, steps: list[Step]) -> Plan:
    """Offsets for every buffer and scratch, from the turns at which each is alive."""
    turns = _turns(backend, graph, steps)
    alive: dict[Value, list[int]] = {}

    def touch(value: Value | None, at: int) -> None:
        if value is not None and not value.is_constant:
            span = alive.setdefault(graph.placements[value].root, [at, at])
            span[0], span[1] = min(span[0], at), max(span[1], at)

    for source in graph.inputs.values():
        touch(source, -1)
    for turn, step in zip(turns, steps):
        for value in (*step.node.inputs, *step.node.outputs):
            touch(value, turn)
    for result in graph.outputs.values():
        touch(result, len(steps))
    roots = list(alive)
    lifetimes = [Lifetime(root.spec.nbytes, *alive[root]) for root in roots]
    for turn, step in zip(turns, steps):
        lifetimes += [Lifetime(step.workspace, turn, turn)] * backend.lanes
    offsets, total = plan_arena(lifetimes)
    scratch = offsets[len(roots) :]
    per_step = tuple(tuple(scratch[i * backend.lanes : (i + 1) * backend.lanes]) for i in range(len(steps)))
    return Plan(backend, graph, tuple(steps), total, dict(zip(roots, offsets)), per_step, tuple(turns))


@lru_cache(maxsize=1)
def _eager_backend() -> Backend:
    from .backends.cpu import IMPLS, CpuBackend, direct

    return CpuBackend(impls=direct(IMPLS))  # a function is asked for its answer, a network for speed


def _native(array: Array) -> Array:
    """The array in this machine's byte order; files have others, and so have arrays read from them."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def evaluate(op: Op, *inputs: Any) -> tuple[Array, ...]:
    """Compute one op now. Arrays are left as they are; the results are fresh.

    NumPy arrays, and what NumPy makes an array of, are computed on the CPU.
    """
    arrays = [None if a is None else _native(np.asarray(a)) for a in inputs]
    specs = [None if a is None else spec_of(a) for a in arrays]
    op.infer(*specs)
    graph = Graph()
    values: list[Any] = []
    for i, (a, spec) in enumerate(zip(arrays, specs)):
        # Weights are constants here, as they are in a net: x and a residual flow, the rest is packed.
        flows = a is not None and spec is not None and (i == 0 or op.layout in ("pointwise", "axiswise"))
        values.append(graph.input(f"x{i}", spec) if flows and spec is not None else a)
    outputs = graph.append(op, values)
    graph.outputs = {str(i): v for i, v in enumerate(outputs)}
    backend = _eager_backend()
    with np.errstate(all="ignore"):  # NaN and Inf go through as IEEE says, without a word
        program = compile(graph, backend).bind()
        for value, a in zip(values, arrays):
            if isinstance(value, Value):
                backend.write(program.inputs[value.name], a)
        program.run()
    return tuple(backend.read(program.outputs[name]) for name in graph.outputs)
