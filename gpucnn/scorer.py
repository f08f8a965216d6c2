"""What a Classifier runs: bytes of photographs in, a row of numbers for each out.

Always by the throughput plan, so that no bit depends on how many photographs there are. Normalisation is the first step; the last is a
softmax or sigmoid (``Scorer``), or the net stops before its last dense layer (``FeatureExtractor``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import functional as F
from .door import width_of
from .errors import GpucnnError, ModelError
from .graph import Graph, Node, Value
from .ops import (
    Activation,
    Binary,
    Cast,
    Conv,
    Dequantize,
    Flatten,
    Identity,
    Linear,
    LogSoftmax,
    Quantize,
    Reshape,
    Slice,
    Softmax,
    Transpose,
    Unary,
)
from .passes import SIMPLIFY, recognise_activations
from .passes.patterns import Anything, exp, find, over, total
from .preprocess import Preprocess, normalisation_table
from .presets import image_axes
from .spec import Array, Spec, shape_text

if TYPE_CHECKING:
    from .model import Model

__all__ = ["ACTIVATIONS", "FeatureExtractor", "Scorer", "own_activation"]

ACTIVATIONS = ("auto", "softmax", "sigmoid", "none")
"""What may make probabilities of a net's last values; ``"auto"`` leaves it to the net."""

_RECOGNISE = SIMPLIFY[: SIMPLIFY.index(recognise_activations) + 1]

_EXP = exp(Anything("x"))
_WRITTEN_SOFTMAX = over(_EXP, total(_EXP))


class _OnPhotographs:
    """A model beside the given one, over the same weights, from bytes (n, h, w, c) to what ``finish`` makes of the net's output.

    Attributes
    ----------
    batch : int
        Images that keep all cores busy once.
    one_by_one : bool
        Whether images go through the net one after another, because those of a batch cannot be shown not to mix.
    """

    def __init__(self, model: Model, preprocess: Preprocess | None, finish: Callable[[Value], Value]) -> None:
        record = preprocess or model.preprocess
        if record is None:
            raise ModelError(f"{model.name}: does not say how to prepare photographs; pass preprocess=Preprocess(...)")
        ((name, spec),) = model._door.specs.items()
        axes = _axes_for(model, spec, record)
        table = None if spec.dtype == np.uint8 else normalisation_table(record)

        def forward(graph: Graph, x: Value) -> tuple[Value, ...]:
            if table is not None:
                x = F.lookup(x, table)
                x = x if spec.dtype == np.float16 else _as(x, spec.dtype)  # 16 bits are computed in 32 anyway
            (y,) = model._record(graph, x if axes[0] == 1 else F.permute(x, (0, 2, 3, 1)))
            return (_as(finish(y), np.float32),)

        image = Spec((1, record.channels, *record.size), np.dtype(np.uint8))
        self._name = name
        self._model = model._beside(forward, {name: image}, {name: "channels_last"})
        self.one_by_one = self._model.batching == "single"
        if self._model.batching == "whole":
            raise ModelError(f"{model.name}: is no image classifier; what it gives for one image is not one row")
        self.batch = self._model._engine.scored_at_once

    def __call__(self, images: Array) -> Array:
        """Return (n, …) float32 for images (n, h, w, c) uint8 as ``preprocess`` leaves them."""
        feeds = {self._name: np.asarray(images).transpose(0, 3, 1, 2)}
        return self._model._run(feeds, None, throughput=True)["output"]

    def close(self) -> None:
        """Let go of the arenas and threads; the model stays."""
        self._model.close()


def _axes_for(model: Model, spec: Spec, record: Preprocess) -> tuple[int, int, int]:
    """Axes of channels, height and width in the model's input; raises where photographs prepared so do not fit it."""
    port = model.inputs[0]
    shown = "×".join(map(str, port.shape))
    axes = image_axes(spec.shape)
    if axes is not None and spec.ndim == 4 and record.channels == spec.shape[3] != spec.shape[1]:
        axes = (3, 1, 2)
    if axes is None or spec.shape[axes[0]] != record.channels:
        raise ModelError(f"{model.name}: the input is {shown}, preprocess makes images of {record.channels} channels")
    if spec.dtype == np.uint8:
        if record.divisor != 1 or any(record.mean) or any(s != 1 for s in record.std):
            raise ModelError(
                f"{model.name}: takes bytes (uint8) and normalises them itself; "
                f"preprocess must leave them as they are: mean 0, std 1, divisor 1, got {record}"
            )
    elif spec.dtype.kind != "f":
        raise ModelError(f"{model.name}: the input is {spec.dtype}; photographs are given as floating point or as bytes (uint8)")
    for axis, size in zip(axes[1:], record.size):
        if model._door.fixed and isinstance(port.shape[axis], int) and port.shape[axis] != size:
            raise ModelError(f"{model.name}: the input is {shown}, preprocess makes images of {record.size[0]}×{record.size[1]}")
    return axes


class Scorer(_OnPhotographs):
    """Probabilities of decoded images, (n, classes) float32.

    A net that ends in a softmax or sigmoid of its own is left as it is; one that ends in a log_softmax gets the softmax that undoes it.

    Parameters
    ----------
    model : Model
    preprocess : Preprocess, optional
        Where it differs from the model's.
    activation : {"auto", "softmax", "sigmoid", "none"}
        ``"auto"``: what the model's record says, else what the net ends in, else softmax for two outputs and more and sigmoid for one,
        which is then the logit of the positive class.

    Attributes
    ----------
    batch : int
        Images that keep all cores busy once.
    classes : int
    activation : {"softmax", "sigmoid", "none"}
        What is used.

    Raises
    ------
    ModelError
        The model is no image classifier, or the activation does not go with what it ends in.
    """

    def __init__(self, model: Model, preprocess: Preprocess | None = None, activation: str = "auto") -> None:
        check_activation(activation)
        require_classifier(model)
        width, shape = width_of(model.outputs[0].shape), "×".join(map(str, model.outputs[0].shape))
        if width is None:
            raise ModelError(f"{model.name}: is no image classifier; its output has shape {shape}, not (n, classes)")
        self.classes = width
        self.activation = _settled(model, activation, self.classes)
        applied = {"softmax": lambda y: F.softmax(y, 1), "sigmoid": F.sigmoid}.get(self.activation)
        if applied is None or model._ends_in in ("softmax", "sigmoid"):
            applied = _as_it_is

        def finish(y: Value) -> Value:
            if width_of(("n", *y.shape[1:])) != width:  # of another size of image
                raise ModelError(f"{model.name}: its output has shape {shape_text(y.shape)} for images of this size, not (n, {width})")
            return applied(_as(F.reshape(y, (-1, width)) if y.ndim > 2 else y, np.float32))

        super().__init__(model, preprocess, finish)


class FeatureExtractor(_OnPhotographs):
    """What the last dense layer of a net reads, (n, features) float32: a description of the image to compare with others.

    The last dense layer is the ``Linear``, or the convolution of kernel 1×1, from which only pooling, activations and what moves values
    lead on to the scores. A map before a convolution is averaged over its pixels.

    Parameters
    ----------
    model : Model
    preprocess : Preprocess, optional
        Where it differs from the model's.

    Attributes
    ----------
    batch : int
        Images that keep all cores busy once.
    size : int
        Length of a vector.

    Raises
    ------
    ModelError
        The model is no image classifier, or does not end in a dense layer.
    """

    def __init__(self, model: Model, preprocess: Preprocess | None = None) -> None:
        require_classifier(model)
        super().__init__(model, preprocess, lambda y: _features(model.name, y))
        self.size = int(self._model.outputs[0].shape[1])


def check_activation(activation: str) -> None:
    """Raise unless it is one of ``ACTIVATIONS``."""
    if activation not in ACTIVATIONS:
        raise GpucnnError(f"activation must be {', '.join(map(repr, ACTIVATIONS[:-1]))} or {ACTIVATIONS[-1]!r}, got {activation!r}")


def require_classifier(model: Model) -> None:
    """Raise unless the model takes images and gives a row of numbers for each."""
    why = f"{model.name}: is no image classifier; it needs one input, one output, and images that do not mix"
    for side, ports in (("inputs", model.inputs), ("outputs", model.outputs)):
        if len(ports) != 1:
            found = ", ".join(f"{p.name!r} {'×'.join(map(str, p.shape))}" for p in ports) or "none"
            cut = "; cut it to one with onnx.utils.extract_model" if model.nodes and len(ports) > 1 else ""
            raise ModelError(f"{why}; its {side} are {found}{cut}")
    if not model._takes_one:
        raise ModelError(f"{why}; these are only run as a whole batch")
    shape = model.outputs[0].shape
    if model.outputs[0].dtype.kind != "f":
        raise ModelError(f"{model.name}: gives no scores; its output is {model.outputs[0].dtype}, not floating point")
    if len(shape) < 2:
        raise ModelError(f"{model.name}: is no image classifier; its output has shape {'×'.join(map(str, shape))}, not (n, classes)")


def own_activation(graph: Graph) -> str | None:
    """The softmax, log_softmax or sigmoid that a net of one output ends in, written out or not; None where it ends in none.

    What only moves, names, cuts or rounds values may stand behind it. The graph is used up.
    """
    (y,) = graph.outputs.values()
    width = width_of(("n", *y.shape[1:]))
    if width is None or y.dtype.kind != "f":
        return None
    last = _last(y)[0]
    if last is not None and isinstance(last.op, (Binary, Unary)):
        with np.errstate(all="ignore"):  # weights may be anything
            for one in _RECOGNISE:
                one(graph)
        (y,) = graph.outputs.values()
    last, is_cut = _last(y)
    match None if last is None else last.op:
        case Softmax(dim) | LogSoftmax(dim) as op:
            return _of_classes("softmax" if isinstance(op, Softmax) else "log_softmax", last, dim, width, is_cut)
        case Activation("sigmoid"):
            return "sigmoid"
        case Binary():
            found = find(_WRITTEN_SOFTMAX, last) if last is not None else None
            return _of_classes("softmax", last, found["axes"][0], width, is_cut) if found and len(found["axes"]) == 1 else None
        case _:
            return None


def _last(y: Value) -> tuple[Node | None, bool]:
    """The node that computed y, before others moved or rounded it, and whether they took a part of it."""
    node, is_cut = y.producer, False
    while node is not None:
        match node.op:
            case Reshape() | Flatten() | Identity() | Cast() | Transpose() | Quantize() | Dequantize():
                pass
            case Slice():
                is_cut = True
            case Activation("clip", low, high) if low <= 0 and high >= 1:
                pass
            case _:
                break
        x = node.inputs[0]
        node = x.producer if x is not None else None
    return node, is_cut


def _of_classes(kind: str, node: Node | None, dim: int, width: int, is_cut: bool) -> str | None:
    """The activation, if it is over the classes: None for one over something else. One class of several is a probability by itself."""
    size = node.outputs[0].shape[dim] if node is not None else 0
    if size == width:
        return kind
    if not is_cut or size < width or kind != "softmax":
        return None
    return "sigmoid" if width == 1 else kind


def _settled(model: Model, asked: str, classes: int) -> str:
    """The activation for a model, from what the caller asks, the record says, and the net ends in."""
    own = model._ends_in
    fits = "softmax" if own == "log_softmax" else own  # softmax of logarithms of probabilities gives these back
    wanted = model.activation if asked == "auto" else asked
    if wanted == "auto":
        wanted = fits or ("sigmoid" if classes == 1 else "softmax")
    if own is not None and wanted not in (fits, "none"):
        said = "asked for" if asked != "auto" else "what the model's record says"
        raise ModelError(
            f"{model.name}: ends in a {own} of its own, which is not undone for the {wanted} {said}; "
            f"use activation={fits!r}, or leave the {own} out of the net"
        )
    if wanted == "softmax" and classes == 1:
        raise ModelError(
            f"{model.name}: has one output a photograph; softmax over one class is always 1: use activation='sigmoid', "
            "which takes the output as the logit of the positive class"
        )
    return wanted


def _as_it_is(y: Value) -> Value:
    return y


def _as(x: Value, dtype: Any) -> Value:
    return x if x.dtype == dtype else F.cast(x, dtype)


def _features(name: str, y: Value) -> Value:
    """What the last dense layer before y reads, as (n, features)."""
    head = y.producer
    while head is not None and not isinstance(head.op, (Linear, Conv)):
        flows = {v for v in head.inputs if v is not None and not v.is_constant}
        head = flows.pop().producer if len(flows) == 1 else None
    x, weight = head.inputs[:2] if head is not None else (None, None)
    if head is None or x is None or weight is None:
        raise ModelError(
            f"{name}: has no features to give: no single dense layer, or convolution of kernel 1×1, leads to its scores; "
            "model.run(…, outputs=[layer]) gives the value of any layer, model.layers names them"
        )
    if isinstance(head.op, Conv):
        if set(weight.shape[2:]) != {1} or head.op.groups != 1:
            raise ModelError(
                f"{name}: has no features to give: its scores come from {head.name!r}, a convolution of kernel "
                f"{shape_text(weight.shape[2:])} in {head.op.groups} group(s), not from a dense layer or a convolution of kernel 1×1; "
                "model.run(…, outputs=[layer]) gives the value of any layer, model.layers names them"
            )
        return F.flatten(x if set(x.shape[2:]) == {1} else F.global_avg_pool2d(x), 1)
    if any(s != 1 for s in x.shape[1:-1]):
        raise ModelError(
            f"{name}: has no features to give: its last dense layer {head.name!r} reads {shape_text(x.shape)}, not one vector an image; "
            "model.run(…, outputs=[layer]) gives the value of any layer, model.layers names them"
        )
    return x if x.ndim == 2 else F.flatten(x, 1)
