"""What a Classifier runs: bytes of photographs in, a row of numbers for each out.

Always by the throughput plan, so that no bit depends on how many photographs there are. Normalisation is the first step; the last is a
softmax or sigmoid (``Scorer``), or the net stops before its last dense layer (``FeatureExtractor``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from . import functional as F
from .door import width_of
from .errors import GpucnnError, ModelError
from .graph import Graph, Value
from .ops import Activation, Cast, Conv, Flatten, Identity, Linear, LogSoftmax, Reshape, Softmax
from .preprocess import Preprocess, normalisation_table
from .presets import image_axes
from .spec import Array, Spec, shape_text

if TYPE_CHECKING:
    from .model import Model

__all__ = ["ACTIVATIONS", "FeatureExtractor", "Scorer", "own_activation"]

ACTIVATIONS = ("auto", "softmax", "sigmoid", "none")
"""What may make probabilities of a net's last values; ``"auto"`` leaves it to the net."""


class _OnPhotographs:
    """A model beside the given one, over the same weights, from bytes (n, h, w, c) to what ``finish`` makes of the net's output.

    Attributes
    ----------
    batch : int
        Images that keep all cores busy once.
    """

    def __init__(self, model: Model, preprocess: Preprocess | None, finish: Callable[[Value], Value]) -> None:
        record = preprocess or model.preprocess
        if record is None:
            raise ModelError(f"{model.name}: does not say how to prepare photographs; pass preprocess=Preprocess(...)")
        ((name, spec),) = model._door.specs.items()
        axes = _axes_for(model, spec, record)
        table = None if spec.dtype == np.uint8 else normalisation_table(record)

        def forward(graph: Graph, x: Value) -> tuple[Value, ...]:
            x = x if table is None else F.lookup(x, table)
            (y,) = model._record(graph, x if axes[0] == 1 else F.permute(x, (0, 2, 3, 1)))
            return (finish(y),)

        image = Spec((1, record.channels, *record.size), np.dtype(np.uint8))
        self._name = name
        self._model = model._beside(forward, {name: image}, {name: "channels_last"})
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
        self.classes = width_of(model.outputs[0].shape) or int(model.outputs[0].shape[1])
        self.activation = _settled(model, activation, self.classes)
        applied = {"softmax": lambda y: F.softmax(y, 1), "sigmoid": F.sigmoid}.get(self.activation)
        if applied is None or model._ends_in in ("softmax", "sigmoid"):
            applied = _as_it_is

        def finish(y: Value) -> Value:
            width = width_of(("n", *y.shape[1:]))
            if y.ndim > 2 and width is not None:
                y = F.reshape(y, (-1, width))
            if y.ndim != 2:
                raise ModelError(f"{model.name}: is no image classifier; its output has shape {shape_text(y.shape)}, not (n, classes)")
            return applied(y)

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
    if len(model.inputs) != 1 or model._tuple or not model._splits:
        raise ModelError(f"{model.name}: is no image classifier; it needs one input, one output, and images that do not mix")
    shape = model.outputs[0].shape
    if model.outputs[0].dtype.kind != "f":
        raise ModelError(f"{model.name}: gives no scores; its output is {model.outputs[0].dtype}, not floating point")
    if len(shape) < 2:
        raise ModelError(f"{model.name}: is no image classifier; its output has shape {'×'.join(map(str, shape))}, not (n, classes)")


def own_activation(y: Value) -> str | None:
    """The softmax, log_softmax or sigmoid that made y, looking back through what only moves or names values; None where it is none."""
    node = y.producer
    while node is not None and isinstance(node.op, (Reshape, Flatten, Identity, Cast)):
        x = node.inputs[0]
        node = x.producer if x is not None else None
    op = node.op if node is not None else None
    if node is not None and isinstance(op, (Softmax, LogSoftmax)) and node.outputs[0].shape[op.dim] != width_of(("n", *y.shape[1:])):
        return None  # of something else than the classes
    if isinstance(op, Softmax):
        return "softmax"
    if isinstance(op, LogSoftmax):
        return "log_softmax"
    return "sigmoid" if isinstance(op, Activation) and op.kind == "sigmoid" else None


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
