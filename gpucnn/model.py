"""``Model``: a net, planned for a device, behind a door that takes NCHW arrays."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from . import nn
from .capacity import check_room, replicas_with_room
from .device import choose_device
from .door import Dims, Door, Port, width_of
from .engine import CpuEngine, Way, make_engine
from .errors import GpucnnError, ModelError, ShapeError
from .graph import Graph, NeedsValues, Value
from .ops import Order
from .packing import Packing
from .plan import Plan
from .plan import compile as compile_graph
from .preprocess import Preprocess
from .rows import Batching, batching_of
from .runner import Runner
from .scorer import FeatureExtractor, Scorer, check_activation, own_activation
from .spec import Array, Spec, shape_text

__all__ = ["Model", "Port", "compile"]

_log = logging.getLogger("gpucnn")

Record = Callable[..., "tuple[Value, ...]"]
"""Called with a graph and one value of it for each input; returns the outputs."""


Sizes = tuple[tuple[str, tuple[int, ...]], ...]
"""Of an image, for each input."""

_SIZES_KEPT = 256


def _sizes(shapes: Mapping[str, tuple[int, ...]]) -> Sizes:
    return tuple(sorted((k, s[1:]) for k, s in shapes.items()))


class Model:
    """A net ready to run. Made by :func:`gpucnn.load` and :func:`gpucnn.compile`.

    Calling it with arrays (n, c, h, w) gives what the net returns: an array, or a tuple of arrays, that belong to the caller; on a GPU
    arrays of CuPy, or of any library that speaks DLPack, give arrays of CuPy without a detour over the host. Any batch
    size works, and other heights and widths where the net's layers take them. Several threads may call one model.

    On a CPU fewer than four images run one after another with all cores on each (*latency*); more are cut into fours, one core each
    (*throughput*). Within a plan an image's scores are bitwise the same whatever lies beside it; between the two they differ by rounding.
    On a GPU there is one plan, and its bits never depend on the batch.

    Attributes
    ----------
    name : str
    inputs, outputs : tuple of Port
        Where inputs leave more open than the batch, an output's sizes that follow from these are those at the sizes first planned for.
    labels : tuple of str or None
        Names of the classes.
    preprocess : Preprocess or None
        How a photograph becomes the input.
    activation : {"auto", "softmax", "sigmoid", "none"}
        What makes probabilities of the output, where the model's record says so; ``"auto"`` where it does not.
    device, device_reason : str
        What it runs on, and why that.
    precision : {"float32", "float16"}
        What values are stored in; sums are float32 in both.
    batching : {"any", "single", "whole"}
        How a batch goes through at the declared sizes of images: any number at once; one after another, because the net takes one and its
        images cannot be shown not to mix; or only as a whole, planned anew for each size. Asked anew for images of other sizes.
    nodes : int or None
        Nodes of the file that the net comes from.
    layers : tuple of str
        Names that ``run`` takes as ``outputs``.
    weights, labels_source : str
        Where the weights and the labels come from, for people.

    Examples
    --------
    >>> import numpy as np
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
    >>> with compile(net, (1, 3, 16, 16)) as model:
    ...     model(np.zeros((5, 3, 16, 16), np.float32)).shape
    (5, 8, 16, 16)
    """

    def __init__(
        self,
        record: Record,
        input_specs: Mapping[str, Spec],
        *,
        name: str,
        device: str = "auto",
        precision: str = "auto",
        labels: tuple[str, ...] | None = None,
        preprocess: Preprocess | None = None,
        activation: str = "auto",
        weights: str = "",
        labels_source: str = "",
        orders: Mapping[str, Order] | None = None,
        dims: Mapping[str, Dims] | None = None,
        outputs: Sequence[Port] = (),
        recut: bool = True,
        nodes: int | None = None,
        beside: Model | None = None,
    ) -> None:
        self.name, self.weights, self.labels_source = name, weights, labels_source
        check_activation(activation)
        self.labels, self.preprocess, self.activation = labels, preprocess, activation
        self._record, self._orders = record, dict(orders or {})
        self._door, self._declared, self.nodes = Door(input_specs, dims), tuple(outputs), nodes
        self._runners: OrderedDict[Any, Runner] = OrderedDict()
        self._closed = False
        self._lock = threading.Lock()
        self._by_value: frozenset[str] = frozenset()
        examples = {k: s.shape for k, s in self._door.specs.items()}
        graph = self._first_trace(examples)
        if beside is None:
            choice = choose_device(device)
            self.device, self.device_reason = choice.name, choice.reason
            self._engine = make_engine(choice, precision, lambda: self._trace(examples))
            self._packed: WeakValueDictionary[Any, Packing] = WeakValueDictionary()
        else:
            self.device, self.device_reason = beside.device, beside.device_reason
            self._engine, self._packed = beside._engine.sibling(), beside._packed
        self.precision = self._engine.precision
        self._batching_of_sizes: dict[Sizes, Batching] = {}
        self.batching = self._how_batches_go(graph) if recut and graph is not None else "whole"
        self.layers = tuple(graph.layers) if graph is not None else ()
        self.inputs = self._door.ports(self._splits)
        self.outputs = self._output_ports(graph)
        self._tuple = len(self.outputs) != 1
        self._ends_in = None if self._tuple or graph is None else own_activation(graph)
        if labels is not None:
            self._check_labels(labels)

    def _check_labels(self, labels: tuple[str, ...]) -> None:
        """Raise unless there is a name for each class: for one output one, or two."""
        shape = self.outputs[0].shape if len(self.outputs) == 1 else ()
        classes = (width_of(shape),) if width_of(shape) else shape[1:2]
        if classes != (len(labels),) and not (classes == (1,) and len(labels) == 2):
            shapes = ", ".join(f"{p.name} {'×'.join(map(str, p.shape))}" for p in self.outputs)
            two = ", or two where there is one output: the negative, then the positive" if classes == (1,) else ""
            raise ModelError(f"{self.name}: {len(labels)} labels were given, the output is {shapes}; give one label a class{two}")

    # -- calling

    def __call__(self, *inputs: Any) -> Any:
        """Run the net on arrays (n, c, h, w), one per input; returns an array, or a tuple where the net has several outputs."""
        if len(inputs) != len(self.inputs):
            raise ShapeError(f"{self.name}: takes {len(self.inputs)} input(s) {[p.name for p in self.inputs]}, got {len(inputs)}")
        results = self._run(dict(zip((p.name for p in self.inputs), inputs)), None)
        return tuple(results.values()) if self._tuple else next(iter(results.values()))

    def run(self, inputs: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """Run the net on named inputs.

        Parameters
        ----------
        inputs : mapping of str to array
            One per entry of ``inputs``.
        outputs : sequence of str, optional
            Names of outputs or of any of ``layers``; a layer's value is the one before anything is fused into it.

        Returns
        -------
        dict of str to array

        Raises
        ------
        ShapeError
            Names, shapes or dtypes do not fit.
        ModelError
            An output is unknown.
        """
        if not isinstance(inputs, Mapping):
            raise ShapeError(f"{self.name}: run takes a mapping of input names to arrays, got {type(inputs).__name__}")
        if isinstance(outputs, str):
            raise ShapeError(f"{self.name}: outputs must be a sequence of names, got the string {outputs!r}; write [{outputs!r}]")
        return self._run(dict(inputs), None if outputs is None else tuple(outputs))

    def scorer(self, preprocess: Preprocess | None = None, activation: str = "auto") -> Scorer:
        """Return what the Classifier runs: bytes of images in, probabilities out; see ``gpucnn.scorer.Scorer``."""
        return Scorer(self, preprocess, activation)

    def feature_extractor(self, preprocess: Preprocess | None = None) -> FeatureExtractor:
        """Return what ``Classifier.features`` runs: bytes of images in, what the last dense layer reads out."""
        return FeatureExtractor(self, preprocess)

    def _beside(self, record: Record, specs: Mapping[str, Spec], orders: Mapping[str, Order]) -> Model:
        """A model that records something else over the same weights, on the same device; of images, which it never lets mix."""
        dims = None if self.batching == "any" else {k: (1, *s.shape[1:]) for k, s in specs.items()}
        return Model(record, specs, name=self.name, orders=orders, dims=dims, beside=self)

    def _run(self, feeds: dict[str, Any], wanted: tuple[str, ...] | None, throughput: bool = False) -> dict[str, Array]:
        if self._closed:
            raise GpucnnError(f"{self.name}: the model is closed")
        arrays = self._door.check(self.name, feeds, self._splits, self._engine.adopt)
        if not self._engine.survives_fork():
            self._engine, self._lock = CpuEngine(), threading.Lock()
            self._runners.clear()
        shapes = {name: a.shape for name, a in arrays.items()}
        batching = self._batching_at(shapes)
        if batching == "whole" and self._splits:  # at these sizes images mix: so the batch must be what the net is made for
            self._door.check(self.name, feeds, False, self._engine.adopt)
        n = next(iter(shapes.values()))[0] if batching != "whole" else 0
        if n == 0 and batching != "whole":
            single = batching == "single"
            graph = self._trace({k: (1, *s[1:]) for k, s in shapes.items()} if single else shapes, wanted)
            self._check_rows(graph, 1 if single else 0, n)
            specs = {name: Spec((0, *v.shape[1:]), v.dtype) for name, v in graph.outputs.items()}
            return {name: self._engine.empty(spec, arrays.values()) for name, spec in specs.items()}
        runner = self._runner(shapes, wanted, n, throughput, arrays)
        if batching == "single" and runner.batch is None:
            self._check_rows(runner.plan.graph, 1, n)
        return runner.run(arrays, n)

    def _check_rows(self, graph: Graph, rows: int, n: int) -> None:
        """Raise where a value of several images is asked for whose first axis is not that of the images."""
        for name, v in graph.outputs.items():
            if v.shape[:1] != (rows,) and n != 1:
                raise ModelError(
                    f"{self.name}: {name!r} is {shape_text(v.shape)} for one image, so that its first axis is not the images'; "
                    f"ask for it with one image at a time, got {n}"
                )

    # -- planning

    @property
    def _splits(self) -> bool:
        """Whether a batch may be cut, and filled up, as suits the device."""
        return self.batching != "whole"

    @property
    def _takes_one(self) -> bool:
        """Whether images can be given one by one, each a batch of its own."""
        return self._splits or isinstance(self._door.batch, str)

    def _first_trace(self, shapes: Mapping[str, tuple[int, ...]]) -> Graph | None:
        """The net recorded at the declared sizes; None where shapes depend on values, which nobody has fed yet."""
        try:
            return self._trace(shapes)
        except NeedsValues as request:
            self._by_value = request.names
            _log.info("%s: %s; it is planned anew for each value", self.name, request)
            return None

    def _trace(
        self, shapes: Mapping[str, tuple[int, ...]], wanted: tuple[str, ...] | None = None, values: Mapping[str, Array] | None = None
    ) -> Graph:
        """The net recorded for inputs of these shapes; those in ``values`` are constants."""
        graph = Graph()
        given = values or {}
        fed = [
            graph.constant(np.array(given[name], spec.dtype)) if name in given
            else graph.input(name, Spec(tuple(shapes[name]), spec.dtype), self._orders.get(name, "logical"))
            for name, spec in self._door.specs.items()
        ]  # fmt: skip
        made = self._record(graph, *fed)
        names = tuple(port.name for port in self._declared)
        if not names:
            names = ("output",) if len(made) == 1 else tuple(f"output_{i}" for i in range(len(made)))
        graph.outputs = dict(zip(names, made))
        graph.prune()  # what no output needs may mix a batch as it likes: so it is no layer either that can be asked for
        kept = set(graph.nodes)
        graph.layers = {name: v for name, v in graph.layers.items() if v.producer is None or v.producer in kept}
        if wanted is not None:
            known = {**graph.layers, **graph.outputs}
            for name in wanted:
                if name not in known:
                    near = get_close_matches(str(name), known, n=4)
                    hint = f"did you mean {', '.join(near)}?" if near else "model.layers lists them"
                    raise ModelError(f"{self.name}: there is no layer or output {name!r}; {hint}")
            graph.outputs = {name: known[name] for name in wanted}
        return graph

    def _how_batches_go(self, declared: Graph) -> Batching:
        """Whether a batch of images of the sizes of a recording may be cut; that it may not is said."""
        cut = {k: v.shape[1:] for k, v in declared.inputs.items()}
        how, why = batching_of(declared, self._door.batch, lambda n: self._trace({k: (n, *sizes) for k, sizes in cut.items()}))
        if how == "single":
            _log.info("%s: takes one image, and is run image by image: %s", self.name, why)
        elif how == "whole":
            _log.info("%s: every batch size is planned anew and run as a whole: %s", self.name, why)
        return how

    def _batching_at(self, shapes: Mapping[str, tuple[int, ...]]) -> Batching:
        """How a batch of images of these sizes goes through: what keeps them apart at the declared sizes may mix them at others."""
        sizes = _sizes(shapes)
        if not self._splits or sizes == _sizes({k: s.shape for k, s in self._door.specs.items()}):
            return self.batching
        with self._lock:
            if sizes not in self._batching_of_sizes:
                while len(self._batching_of_sizes) >= _SIZES_KEPT:
                    self._batching_of_sizes.pop(next(iter(self._batching_of_sizes)))
                try:
                    declared = self._trace({k: (self._door.specs[k].shape[0], *s[1:]) for k, s in shapes.items()})
                except NeedsValues:
                    self._batching_of_sizes[sizes] = "whole"
                else:
                    self._batching_of_sizes[sizes] = self._how_batches_go(declared)
            return self._batching_of_sizes[sizes]

    def _output_ports(self, graph: Graph | None) -> tuple[Port, ...]:
        """The outputs: their sizes as recorded, by name where an input's size has that name."""
        if graph is None:
            return self._declared
        named = {size for dims in self._door.dims.values() for size in dims if isinstance(size, str) and size != "?"}
        declared = {port.name: port.shape for port in self._declared}
        ports = []
        for name, v in graph.outputs.items():
            said = declared.get(name, ())
            said = said if len(said) == v.ndim else v.shape
            shape = tuple(a if a in named else b for a, b in zip(said, v.shape))
            ports.append(Port(name, (self._door.any_number, *shape[1:]) if self._splits else shape, v.dtype))
        return tuple(ports)

    def _runner(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        wanted: tuple[str, ...] | None,
        n: int,
        throughput: bool,
        arrays: Mapping[str, Array] | None = None,
    ) -> Runner:
        """The runner for these shapes, made when first asked for; the least recently used one goes."""
        batching = self._batching_at(shapes)
        splits = batching != "whole"
        way = self._engine.way(n, throughput) if splits else self._engine.whole(n)
        if batching == "single":
            way = way._replace(batch=1)
        cut = _sizes(shapes) if splits else tuple(sorted(shapes.items()))
        while True:
            values = self._values(arrays)
            key = (way, wanted, cut, tuple((name, a.tobytes()) for name, a in values.items()))
            with self._lock:
                try:
                    if key not in self._runners:
                        plan = self._planned(way, shapes, wanted, values, splits)
                        rows = next(iter(plan.graph.inputs.values())).shape[0] if splits else None
                        if rows is not None and any(v.shape[:1] != (rows,) for v in plan.graph.outputs.values()):
                            rows = None  # a layer of a net that takes one image: it is given as it is
                        self._runners[key] = Runner(plan, rows, replicas_with_room(way, plan), self._engine.pool)
                except NeedsValues as request:
                    self._by_value |= request.names
                    continue
                self._runners.move_to_end(key)
                while len(self._runners) > self._engine.kept:
                    self._runners.popitem(last=False)
                return self._runners[key]

    def _values(self, arrays: Mapping[str, Array] | None) -> dict[str, Array]:
        """What is fed for the inputs whose values decide shapes."""
        if self._by_value and arrays is None:
            raise ModelError(f"{self.name}: what is planned depends on the values of {', '.join(sorted(self._by_value))}")
        return {name: self._engine.fetch(arrays[name]) for name in sorted(self._by_value)} if arrays is not None else {}

    def _planned(
        self, way: Way, shapes: Mapping[str, tuple[int, ...]], wanted: tuple[str, ...] | None, values: Mapping[str, Array], splits: bool
    ) -> Plan:
        """A plan for as many images at once as were asked for, or as the device's memory holds."""
        batch = way.batch
        while True:
            cut = {k: (batch, *s[1:]) for k, s in shapes.items()} if splits else shapes
            plan = self._compiled(way, cut, wanted, values)
            limit = way.backend.arena_limit()
            if limit is None or plan.arena_bytes <= limit or batch == 1 or not splits:
                break
            batch //= 2
            _log.info("%s: %d images at once would take %d MiB; planning for %d", self.name, 2 * batch, plan.arena_bytes >> 20, batch)
        if plan.arena_bytes > way.backend.free_memory():
            self._runners.clear()  # the arenas of other shapes
        check_room(self.name, way, plan, splits, lambda n: self._compiled(way, {k: (n, *s[1:]) for k, s in cut.items()}, wanted, values))
        return plan

    def _compiled(
        self, way: Way, shapes: Mapping[str, tuple[int, ...]], wanted: tuple[str, ...] | None, values: Mapping[str, Array]
    ) -> Plan:
        graph = self._trace(shapes, wanted, values)
        choose, passes = self._engine.chooser(), self._engine.passes
        return compile_graph(graph, way.backend, choose=choose, passes=passes, packed=self._packed, packed_only=True)

    def plan(self, batch: int | None = None, *, throughput: bool = True) -> Plan:
        """Return the plan for inputs of the declared size: what ``describe`` shows.

        Parameters
        ----------
        batch : int, optional
            Images in a call; as many as the Classifier takes at once if not given.
        throughput : bool
            The Classifier's plan, which on a CPU few images get only there.
        """
        shapes = {k: s.shape for k, s in self._door.specs.items()}
        return self._runner(shapes, None, batch or self._engine.scored_at_once if throughput else batch or 1, throughput).plan

    def describe(self) -> str:
        """Return a table of the plan: each step with its op, output and impl, what the passes did, and the memory it takes."""
        from .describe import describe_model

        return describe_model(self)

    # -- ending

    def close(self) -> None:
        """Let go of weights, arenas and threads; the model cannot be called afterwards."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._runners.clear()
            self._packed = WeakValueDictionary()
            self._engine.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<gpucnn.Model {self.name} on {self.device} in {self.precision}>"


def compile(
    net: nn.Module,
    input_shape: tuple[int, ...] | Sequence[tuple[int, ...]],
    *,
    device: str = "auto",
    precision: str = "auto",
) -> Model:
    """Record a net once and plan it.

    Parameters
    ----------
    net : Module
    input_shape : tuple of int, or several of them
        (n, c, h, w) of the input, or of each input. The batch n is an example only: any batch runs.
    device : {"auto", "cpu", "cuda", "cuda:i"}
    precision : {"auto", "float32", "float16"}

    Returns
    -------
    Model

    Raises
    ------
    ShapeError
        A layer does not take what the one before it gives; the message names the op and all shapes.
    DeviceError, UnsupportedError
        The device or precision cannot be had.

    Examples
    --------
    >>> import numpy as np
    >>> model = compile(nn.Linear(4, 2), (1, 4))
    >>> model(np.ones((3, 4), np.float32)).shape
    (3, 2)
    """
    if not isinstance(net, nn.Module):
        raise ModelError(f"compile: net must be a gpucnn.nn.Module, got {type(net).__name__}; gpucnn.load takes names and files")
    if not isinstance(input_shape, (tuple, list)):
        raise ShapeError(f"compile: input_shape must be (n, c, h, w) in whole numbers, got {input_shape!r}")
    several = len(input_shape) > 0 and isinstance(input_shape[0], (tuple, list))
    shapes: list[Any] = list(input_shape) if several else [input_shape]
    for shape in shapes:
        whole = isinstance(shape, (tuple, list)) and all(isinstance(s, (int, np.integer)) and s >= 0 for s in shape)
        if not whole or not shape:
            raise ShapeError(f"compile: input_shape must be (n, c, h, w) in whole numbers, got {input_shape!r}")
    names = ["input"] if len(shapes) == 1 else [f"input_{i}" for i in range(len(shapes))]
    specs = {k: Spec((max(1, int(s[0])), *map(int, s[1:])), np.dtype(np.float32)) for k, s in zip(names, shapes)}
    return Model(recorder(net), specs, name=type(net).__name__, device=device, precision=precision, weights="as in the net")


def recorder(net: nn.Module) -> Record:
    """Return a function that records the net's forward on values, with the weights that it has now."""
    kept = nn.snapshot(net)
    return lambda graph, *values: nn.record(kept, graph, *values)
