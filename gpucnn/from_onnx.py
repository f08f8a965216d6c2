"""From an ONNX file to a ``Model``: which sizes it is planned at first, and what it says about itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .door import Dims, Port, width_of
from .errors import GpucnnError, ModelError, ShapeError
from .formats.onnx import OnnxNet
from .formats.onnx.metadata import class_names, preprocess_record
from .graph import Graph, NeedsValues
from .model import Model
from .preprocess import Preprocess
from .presets import image_axes
from .spec import Spec

__all__ = ["model_from_onnx"]

_EXAMPLES = (224, 256, 299, 320, 384, 640, 64, 32, 28)
"""Heights and widths that are tried, in this order, where a file leaves them open; any other may be fed all the same."""


def model_from_onnx(
    net: OnnxNet,
    name: str,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    recut: bool = True,
    labels: tuple[str, ...] | None = None,
    labels_source: str = "none: classes are numbers",
    preprocess: Preprocess | None = None,
    **options: Any,
) -> Model:
    """Return the model of an ONNX file.

    Parameters
    ----------
    net : OnnxNet
    name : str
    shapes : mapping of str to sequence of int, optional
        Example sizes of inputs that the file leaves open.
    recut : bool
        Whether a batch may be cut and filled up; otherwise it is run exactly as it is fed.
    labels, labels_source, preprocess
        Where they are not what the file's metadata says.
    **options
        As for :class:`gpucnn.model.Model`.

    Raises
    ------
    ShapeError
        No example size fits the net; ``shapes`` then has to give one.
    ModelError
        There are not as many labels as classes.
    """
    given, dims = _given(name, shapes), dict[str, Dims]()
    for port in net.inputs:
        if port.dims is None and port.name not in given:
            raise ModelError(
                f"{name}: the file does not say how many axes input {port.name!r} has; "
                f"pass shapes={{{port.name!r}: (1, 3, …)}}, or --shape {port.name}=1x3x…"
            )
        dims[port.name] = ("?",) * len(given[port.name]) if port.dims is None else port.dims
    outputs = [Port(p.name, ("…",) if p.dims is None else p.dims, net.dtype(p) if p.element else np.dtype(np.float32)) for p in net.outputs]
    specs = _example(net, name, dims, given)
    model = Model(
        net.record,
        specs,
        name=name,
        dims=dims,
        outputs=outputs,
        recut=recut,
        nodes=net.nodes,
        labels=labels,
        labels_source=labels_source,
        preprocess=preprocess or _prepared(net, name, specs, {k: ds for k, ds in dims.items() if k not in given}),
        **options,
    )
    if labels is None:
        _take_names(model, net, name)
    return model


def _given(name: str, shapes: Any) -> dict[str, tuple[int, ...]]:
    """The example sizes that a caller gives, checked."""
    if shapes is None:
        return {}
    example = f"{name}: shapes must give sizes by input, such as {{'images': (1, 3, 320, 320)}}, got {shapes!r}"
    if not isinstance(shapes, Mapping):
        raise ShapeError(example)
    for shape in shapes.values():
        if not isinstance(shape, (tuple, list)) or not all(isinstance(s, (int, np.integer)) and s >= 0 for s in shape):
            raise ShapeError(example)
    return {key: tuple(map(int, shape)) for key, shape in shapes.items()}


def _prepared(net: OnnxNet, name: str, specs: Mapping[str, Spec], open_dims: Mapping[str, Dims]) -> Preprocess | None:
    """The record in the file's metadata."""
    (key, spec), *others = specs.items() or [("", Spec((), np.dtype(np.float32)))]
    axes = image_axes(spec.shape)
    if others or axes is None:
        return None
    channels, height, width = (spec.shape[axis] for axis in axes)
    is_open = key in open_dims and all(isinstance(open_dims[key][axis], str) for axis in axes[1:])
    return preprocess_record(net.metadata, (height, width), channels, name, is_open)


def _take_names(model: Model, net: OnnxNet, name: str) -> None:
    """Take the names in the file's metadata, where the model is a classifier."""
    width = width_of(model.outputs[0].shape) if len(model.outputs) == 1 and model._takes_one else None
    found = None if width is None else class_names(net.metadata, name)
    if found is None:
        return
    names, key = found
    if len(names) != width and not (width == 1 and len(names) == 2):
        raise ModelError(f"{name}: its metadata {key!r} has {len(names)} names, its output {width} classes; pass labels=")
    model.labels, model.labels_source = names, f"the file's metadata {key!r}"


def _example(net: OnnxNet, name: str, dims: Mapping[str, Dims], given: Mapping[str, tuple[int, ...]]) -> dict[str, Spec]:
    """Sizes at which the net can be recorded."""
    for key, shape in given.items():
        if key not in dims:
            raise ModelError(f"{name}: shapes names the input {key!r}, there are {', '.join(map(repr, dims))}")
        if len(shape) != len(dims[key]) or any(isinstance(d, int) and d != s for d, s in zip(dims[key], shape)):
            raise ShapeError(f"{name}: shapes gives {shape} for input {key!r}, the file says {'×'.join(map(str, dims[key]))}")
    first: GpucnnError | None = None
    for named in _sizes(dims, given):
        sizes = _by_name(dims, given, named)
        specs = {}
        for port in net.inputs:
            shape = given.get(port.name) or tuple(
                d if isinstance(d, int) else sizes.get(d) or _size(dims[port.name], axis, named) for axis, d in enumerate(dims[port.name])
            )
            specs[port.name] = Spec(shape, net.dtype(port))
        graph = Graph()
        try:
            net.record(graph, *(graph.input(key, spec) for key, spec in specs.items()))
        except NeedsValues:
            return specs
        except ShapeError as error:
            first = first or error
            continue
        return specs
    assert first is not None
    left_open = any(isinstance(d, str) for ds in dims.values() for d in ds[1:])
    advice = "; pass shapes={input: (1, 3, height, width)}, or --shape input=1x3xHxW, with sizes that it takes" if left_open else ""
    raise ShapeError(f"{first}{advice}") from first


def _by_name(dims: Mapping[str, Dims], given: Mapping[str, tuple[int, ...]], named: int) -> dict[str, int]:
    """One size for each name, wherever it stands: as given, else as an axis behind the first has it, else one image."""
    axes = [(key, axis, d) for key, ds in dims.items() for axis, d in enumerate(ds) if isinstance(d, str) and d != "?"]
    found = {d: given[key][axis] for key, axis, d in axes if key in given}
    for key, axis, d in sorted(axes, key=lambda place: place[1] == 0):
        found.setdefault(d, _size(dims[key], axis, named))
    return found


def _sizes(dims: Mapping[str, Dims], given: Mapping[str, Sequence[int]]) -> Iterator[int]:
    """Sizes to try for what the file leaves open beside the batch: one where it leaves nothing open."""
    still_open = any(isinstance(d, str) for key, ds in dims.items() if key not in given for d in ds[1:])
    yield from _EXAMPLES if still_open else _EXAMPLES[:1]


def _size(dims: Dims, axis: int, named: int) -> int:
    size = dims[axis]
    if isinstance(size, int):
        return size
    last = len(dims) == 4 and isinstance(dims[3], int) and dims[3] in (1, 3)
    if axis == 0:
        return 1
    return 3 if axis == 1 and len(dims) == 4 and not last else named
