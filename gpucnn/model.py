"""``Model``: a net, planned for a device, behind a door that takes NCHW arrays."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from . import nn
from .device import choose_device
from .engine import CpuEngine, Way, make_engine
from .errors import GpucnnError, ModelError, ShapeError
from .graph import Graph, Value
from .ops import Order
from .plan import Plan
from .plan import compile as compile_graph
from .preprocess import Preprocess
from .runner import Runner
from .scorer import FeatureExtractor, Scorer, check_activation, own_activation
from .spec import Array, Spec, shape_text

__all__ = ["Model", "Port", "compile"]

_log = logging.getLogger("gpucnn")

_ODD_BATCH = 13

Record = Callable[..., "tuple[Value, ...]"]


class Port(NamedTuple):
    """An input or output of a model.

    Attributes
    ----------
    name : str
    shape : tuple of int or str
        ``"n"`` stands for the batch: any number of images.
    dtype : numpy.dtype
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: np.dtype[Any]


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
        beside: Model | None = None,
    ) -> None:
        self.name, self.weights, self.labels_source = name, weights, labels_source
        check_activation(activation)
        self.labels, self.preprocess, self.activation = labels, preprocess, activation
        self._record, self._specs, self._orders = record, dict(input_specs), dict(orders or {})
        self._runners: OrderedDict[Any, Runner] = OrderedDict()
        self._closed = False
        self._lock = threading.Lock()
        declared = {k: s.shape for k, s in self._specs.items()}
        graph = self._trace(declared)
        if beside is None:
            choice = choose_device(device)
            self.device, self.device_reason = choice.name, choice.reason
            self._engine = make_engine(choice, precision, lambda: self._trace(declared))
            self._packed: dict[Any, tuple[Any, ...]] = {}
        else:
            self.device, self.device_reason = beside.device, beside.device_reason
            self._engine, self._packed = beside._engine.sibling(), beside._packed
        self.precision = self._engine.precision
        self._splits = self._rows_are_apart(graph)
        if not self._splits:
            _log.info("%s: the images of a batch mix, or cannot be shown not to; every batch size is planned anew and run as a whole", name)
        self.layers = tuple(graph.layers)
        self.inputs = tuple(Port(k, ("n", *s.shape[1:]), s.dtype) for k, s in self._specs.items())
        self.outputs = tuple(
            Port(k, ("n", *v.shape[1:]) if self._splits else v.shape, v.dtype) for k, v in graph.outputs.items()
        )
        self._tuple = len(self.outputs) != 1
        self._ends_in = None if self._tuple else own_activation(graph.outputs["output"])
        classes = self.outputs[0].shape[1:2] if len(self.outputs) == 1 else ()
        if labels is not None and classes != (len(labels),) and not (classes == (1,) and len(labels) == 2):
            shapes = ", ".join(f"{p.name} {'×'.join(map(str, p.shape))}" for p in self.outputs)
            two = ", or two where there is one output: the negative, then the positive" if classes == (1,) else ""
            raise ModelError(f"{name}: {len(labels)} labels were given, the output is {shapes}; give one label a class{two}")

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
        """A model that records something else over the same weights, on the same device."""
        return Model(record, specs, name=self.name, orders=orders, beside=self)

    def _run(self, feeds: dict[str, Any], wanted: tuple[str, ...] | None, throughput: bool = False) -> dict[str, Array]:
        arrays, n = self._check(feeds)
        if not self._engine.survives_fork():
            self._engine, self._lock = CpuEngine(), threading.Lock()
            self._runners.clear()
        shapes = {name: a.shape for name, a in arrays.items()}
        if n == 0 and self._splits:
            graph = self._trace(shapes, wanted)
            return {name: self._engine.empty(v.spec, arrays.values()) for name, v in graph.outputs.items()}
        return self._runner(shapes, wanted, n, throughput).run(arrays, n)

    def _check(self, feeds: dict[str, Any]) -> tuple[dict[str, Array], int]:
        """Inputs as float arrays of the right rank and one batch size."""
        if self._closed:
            raise GpucnnError(f"{self.name}: the model is closed")
        if set(feeds) != set(self._specs):
            raise ShapeError(f"{self.name}: inputs are {sorted(self._specs)}, got {sorted(feeds)}")
        arrays = {}
        for name, spec in self._specs.items():
            try:
                a = self._engine.adopt(feeds[name])
            except ShapeError as error:
                raise ShapeError(f"{self.name}: input {name!r}: {error}") from None
            expected = "×".join(map(str, ("n", *spec.shape[1:])))
            if a.ndim != spec.ndim:
                raise ShapeError(f"{self.name}: input {name!r} must have {spec.ndim} axes ({expected}), got shape {shape_text(a.shape)}")
            if a.dtype != spec.dtype and not (a.dtype.kind == "f" and spec.dtype.kind == "f"):
                raise ShapeError(
                    f"{self.name}: input {name!r} must be {spec.dtype} ({expected}), got {a.dtype}; "
                    "normalise the image as model.preprocess says and convert it with .astype('float32')"
                )
            if spec.ndim > 1 and a.shape[1] != spec.shape[1]:
                raise ShapeError(
                    f"{self.name}: input {name!r} must have {spec.shape[1]} channels on axis 1 ({expected}), "
                    f"got shape {shape_text(a.shape)}"
                )
            arrays[name] = a
        sizes = {a.shape[0] for a in arrays.values()}
        if len(sizes) != 1:
            raise ShapeError(f"{self.name}: all inputs must have one batch size, got {({k: a.shape for k, a in arrays.items()})}")
        return arrays, sizes.pop()

    # -- planning

    def _trace(self, shapes: Mapping[str, tuple[int, ...]], wanted: tuple[str, ...] | None = None) -> Graph:
        """The net recorded for inputs of these shapes."""
        graph = Graph()
        values = [
            graph.input(name, Spec(tuple(shapes[name]), spec.dtype), self._orders.get(name, "logical"))
            for name, spec in self._specs.items()
        ]
        made = self._record(*values)
        names = ("output",) if len(made) == 1 else tuple(f"output_{i}" for i in range(len(made)))
        graph.outputs = dict(zip(names, made))
        if wanted is not None:
            known = {**graph.layers, **graph.outputs}
            for name in wanted:
                if name not in known:
                    near = get_close_matches(name, known, n=4)
                    hint = f"did you mean {', '.join(near)}?" if near else "model.layers lists them"
                    raise ModelError(f"{self.name}: there is no layer or output {name!r}; {hint}")
            graph.outputs = {name: known[name] for name in wanted}
        return graph

    def _rows_are_apart(self, declared: Graph) -> bool:
        """Whether the net takes any batch, and row i of the outputs provably comes from row i of the inputs alone.

        Asked of a batch that no net has written into it: ``reshape(x, (1, -1))`` keeps rows apart for one image only. And of one image:
        ``squeeze(x)`` then takes the batch for an axis to drop.
        """
        try:
            graphs = [
                declared if all(v.shape[:1] == (n,) for v in declared.inputs.values())
                else self._trace({k: (n, *s.shape[1:]) for k, s in self._specs.items()})
                for n in (_ODD_BATCH, 1)
            ]  # fmt: skip
        except ShapeError:
            return False
        odd, one = ({name: v.shape for name, v in graph.outputs.items()} for graph in graphs)
        return all(graph.keeps_batch() for graph in graphs) and all(
            odd[name] == (_ODD_BATCH, *odd[name][1:]) and one[name] == (1, *odd[name][1:]) for name in odd
        )

    def _runner(self, shapes: Mapping[str, tuple[int, ...]], wanted: tuple[str, ...] | None, n: int, throughput: bool) -> Runner:
        """The runner for these shapes, made when first asked for; the least recently used one goes."""
        way = self._engine.way(n, throughput) if self._splits else self._engine.whole(n)
        key = (way, wanted, tuple(sorted((k, s[1:]) for k, s in shapes.items())))
        with self._lock:
            if key not in self._runners:
                plan = self._planned(way, shapes, wanted)
                rows = next(iter(plan.graph.inputs.values())).shape[0] if self._splits else None
                self._runners[key] = Runner(plan, rows, way.replicas, self._engine.pool)
            self._runners.move_to_end(key)
            while len(self._runners) > self._engine.kept:
                self._runners.popitem(last=False)
            return self._runners[key]

    def _planned(self, way: Way, shapes: Mapping[str, tuple[int, ...]], wanted: tuple[str, ...] | None) -> Plan:
        """A plan for as many images at once as were asked for, or as the device's memory holds."""
        batch = way.batch
        while True:
            graph = self._trace({k: (batch, *s[1:]) for k, s in shapes.items()}, wanted)
            plan = compile_graph(graph, way.backend, packed=self._packed, passes=self._engine.passes)
            limit = way.backend.arena_limit()
            if limit is None or plan.arena_bytes <= limit or batch == 1 or not self._splits:
                return plan
            batch //= 2
            _log.info("%s: %d images at once would take %d MiB; planning for %d", self.name, 2 * batch, plan.arena_bytes >> 20, batch)

    def plan(self, batch: int | None = None, *, throughput: bool = True) -> Plan:
        """Return the plan for inputs of the declared size: what ``describe`` shows.

        Parameters
        ----------
        batch : int, optional
            Images in a call; as many as the Classifier takes at once if not given.
        throughput : bool
            The Classifier's plan, which on a CPU few images get only there.
        """
        shapes = {k: s.shape for k, s in self._specs.items()}
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
            self._packed = {}
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
    return lambda *values: nn.record(kept, values[0].graph, *values)
