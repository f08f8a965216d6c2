"""Which block sizes are the fastest here: measured once for each layer, and remembered on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import threading
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__
from .backends.base import Backend, Impl
from .backends.cpu.threads import blas_threads
from .errors import LimitError
from .graph import Graph, Node
from .packing import Packing
from .passes import alias_buffers, assign_layouts
from .plan import REFERENCE, Plan, candidates, choose_first, compile
from .settings import settings
from .whole_file import write_whole

__all__ = ["Store", "Tuner", "identity", "processor", "store"]

_SECONDS = 4.0  # that a plan may spend on measuring; what is left keeps its first guess, until the next time
_ROUNDS = 3
_GAIN = 0.98  # of the first guess's time: what is not faster than that is not worth another choice

_log = logging.getLogger("gpucnn")


def identity() -> dict[str, Any]:
    """What decides times, beside the layer: the processor, BLAS, the number of threads, and versions."""
    blas = [[lib.internal_api, str(lib.version), str(lib.architecture)] for lib in blas_threads().libraries]
    versions = {"gpucnn": __version__, "numpy": np.__version__, "python": platform.python_version()}
    return {"cpu": processor(), "blas": blas, "threads": settings().threads, **versions}


def processor() -> str:
    """Name, family, model and stepping of the processor, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:  # another system
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].replace("\t", "").splitlines() if ":" in line)
    numbers = " ".join(f"{k} {fields[k].strip()}" for k in ("cpu family", "model", "stepping") if k in fields)
    return f"{fields.get('model name', platform.machine()).strip()} ({numbers})"


class Store:
    """Choices by layer, in memory and in a JSON file that processes share: read whole, merged, and replaced as a whole.

    Parameters
    ----------
    path : Path
        A file that cannot be read, or is none of ours, counts as empty; one that cannot be written is done without.
    who : mapping
        Written into the file, for people; and a file that says something else counts as empty.
    """

    def __init__(self, path: Path, who: Mapping[str, Any]) -> None:
        self.path = path
        self._who = dict(who)
        self._choices: dict[str, dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def get(self, key: str) -> str | None:
        """Name of what was chosen; None where nothing was."""
        with self._lock:
            if self._choices is None:
                self._choices = self._read()
            found = self._choices.get(key)
            return found["chosen"] if found else None

    def put(self, key: str, chosen: str, times: Mapping[str, float]) -> None:
        """Remember a choice, and the seconds of all that there was to choose from."""
        with self._lock:
            made = {"chosen": chosen, "seconds": {name: round(t, 7) for name, t in times.items()}}
            self._choices = self._read() | (self._choices or {}) | {key: made}
            self._write()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self.path.read_text("utf-8"))
            choices = found["choices"] if found["made by"] == self._who else {}
            return {key: made for key, made in choices.items() if isinstance(made["chosen"], str)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def _write(self) -> None:
        text = json.dumps({"made by": self._who, "choices": self._choices}, indent=1, sort_keys=True)
        try:
            write_whole(self.path, text.encode())
        except OSError as error:
            _log.info("choices of block sizes cannot be kept in %s: %s", self.path, error)


@lru_cache(maxsize=1)
def store() -> Store:
    """Return the store of this processor, BLAS, number of threads and version."""
    who = identity()
    name = hashlib.sha256(json.dumps(who, sort_keys=True).encode()).hexdigest()[:16]
    return Store(Path(settings().cache) / "tuned" / f"cpu-{name}.json", who)


class Tuner:
    """Chooses the impls of one plan: the class by the rule, the fastest of its variants by time.

    Variants have the bits of the rule's own choice, else they are no variants: that is looked at, on random numbers.

    Parameters
    ----------
    kept : Store
    free : bool
        Choose among all methods, whose bits differ.
    seconds : float
        To spend on measuring.
    """

    def __init__(self, kept: Store, free: bool = False, seconds: float = _SECONDS) -> None:
        self._kept, self._free, self._left = kept, free, seconds
        self._passed = 0

    def choose(self, backend: Backend, node: Node) -> Impl:
        """As ``plan.compile`` asks for it."""
        first = choose_first(backend, node)
        options = self._options(backend, node, first)
        if len(options) < 2:
            return first
        key = _key(backend, node, list(options))
        name = self._kept.get(key)
        if name in options:
            return options[name]
        if self._left <= 0:
            self._passed += 1
            if self._passed == 1:
                _log.info("measuring block sizes takes longer than this plan may spend; the rest is measured by the next one")
            return first
        begin = time.perf_counter()
        try:
            times = self._measured(backend, node, options, first)
        except LimitError:  # blocks larger than the first guess's, in memory that is nearly used up
            return first
        self._left -= time.perf_counter() - begin
        best = min(times, key=lambda n: times[n])
        chosen = best if times[best] < _GAIN * times[_name(first)] else _name(first)
        self._kept.put(key, chosen, times)
        return options[chosen]

    def _options(self, backend: Backend, node: Node, first: Impl) -> dict[str, Impl]:
        """By name, the first guess first."""
        flows = [v for v in node.inputs if v is not None and not v.is_constant]
        if first is REFERENCE or any(v.dtype != np.float32 for v in flows):
            return {}
        among = [first]
        if self._free:
            among += [impl for impl in candidates(backend, node.op, *node.specs) if impl not in (first, REFERENCE)]
        return {_name(variant): variant for impl in among for variant in (impl, *impl.variants())}

    def _measured(self, backend: Backend, node: Node, options: Mapping[str, Impl], first: Impl) -> dict[str, float]:
        """Seconds of those that give the bits of the first guess; of all where that is free. One after the other has the same memory."""
        packed: dict[Any, Packing] = {}
        plans = {name: _plan(backend, node, impl, packed) for name, impl in options.items()}
        arena = backend.allocate(max(plan.arena_bytes for plan in plans.values()))
        programs = {name: plan.bind(arena) for name, plan in plans.items()}
        rng = np.random.default_rng(0)
        feeds = {name: rng.standard_normal(target.shape, np.float32) for name, target in programs[_name(first)].inputs.items()}
        seconds: dict[str, float] = {}
        bits: dict[str, list[bytes]] = {}
        with backend.session():
            for i in range(_ROUNDS):
                for name, program in programs.items():
                    for port, a in feeds.items():
                        backend.write(program.inputs[port], a)
                    taken = backend.time(program.run)
                    if i:
                        seconds[name] = min(taken, seconds.get(name, taken))
                    else:  # it warms up
                        bits[name] = [backend.read(out).tobytes() for out in program.outputs.values()]
        return {name: t for name, t in seconds.items() if self._free or bits[name] == bits[_name(first)]}


def _name(impl: Impl) -> str:
    return f"{impl.name}@{impl.variant}" if impl.variant else impl.name


def _key(backend: Backend, node: Node, names: Sequence[str]) -> str:
    """All that a time depends on, on this machine: the layer, how its values lie, and what there is to choose from."""
    specs = ", ".join("-" if v is None else f"{v.spec}{'' if v.is_constant else ' ' + v.order}" for v in node.inputs)
    return f"{backend.name}×{backend.lanes}: {node.op} of {specs}; {', '.join(names)}"


def _plan(backend: Backend, node: Node, impl: Impl, packed: dict[Any, Packing]) -> Plan:
    """The node alone, by this impl."""
    graph = Graph()
    inputs: list[Any] = []
    for i, v in enumerate(node.inputs):
        inputs.append(v if v is None else v.data if v.is_constant else graph.input(f"x{i}", v.spec, v.order))
    graph.outputs = {str(i): v for i, v in enumerate(graph.append(node.op, inputs))}

    def choose(backend: Backend, other: Node) -> Impl:
        return impl if other.op == node.op else choose_first(backend, other)

    return compile(graph, backend, choose=choose, passes=(assign_layouts, alias_buffers), packed=packed)
