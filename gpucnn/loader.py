"""``load``: a zoo name, a file or a folder becomes a Model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import data, zoo
from .errors import ModelError
from .hub import read_folder, read_text
from .model import Model, recorder
from .preprocess import Preprocess
from .record import parsed_json
from .spec import Array, Spec

__all__ = ["load"]

Source = str | os.PathLike[str]


def load(
    source: Source,
    *,
    weights: Source | Mapping[str, Array] | None = None,
    device: str = "auto",
    precision: str = "auto",
    labels: Source | Sequence[str] | None = None,
    preprocess: Preprocess | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> Model:
    """Load a model.

    Parameters
    ----------
    source : str or path
        A zoo name (``gpucnn.zoo.list()``), an ONNX file (``.onnx``), or a folder with ``config.json`` and ``model.safetensors``.
        ``config.json`` may hold ``"activation": "sigmoid"``, for a net of several labels an image: the Classifier then takes that.
    weights : path or mapping of str to array, optional
        Trained weights for a zoo name: safetensors, npz, a PyTorch checkpoint, or a state dict. Packaged with gpucnn are those of
        ``"efficientnet_lite0"`` alone.
    device : {"auto", "cpu", "cuda", "cuda:i"}
        ``"auto"`` takes a GPU that can be used, else the CPU; ``model.device_reason`` says why.
    precision : {"auto", "float32", "float16"}
    labels : path, sequence of str or "imagenet", optional
        Names of the classes: a list, a JSON list, or a text file with one name a line. A zoo net of ImageNet's size gets ImageNet's.
        A net with one output takes one name, or two: those of the negative and the positive class.
    preprocess : Preprocess, optional
        How photographs are prepared, where it differs from the model's own record.
    shapes : mapping of str to sequence of int, optional
        For an ONNX file that leaves sizes of inputs open: sizes to plan for at first, where those that are tried do not fit.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        The name is unknown (the message has the nearest ones), a file cannot be read, weights are missing or do not fit.
    DeviceError, UnsupportedError
        The device or precision cannot be had.

    Examples
    --------
    >>> model = load("efficientnet_lite0")
    >>> model.labels[281]
    'tabby'
    """
    if not isinstance(source, (str, os.PathLike)) or not isinstance(text := os.fspath(source), str):
        raise ModelError(f"load: source must be a zoo name or a path, got {source!r}; gpucnn.compile takes a net")
    if weights is not None and not isinstance(weights, (str, os.PathLike, Mapping)):
        raise ModelError(f"load: weights must be a path or a mapping of names to arrays, got {type(weights).__name__}")
    if preprocess is not None and not isinstance(preprocess, Preprocess):
        raise ModelError(f"load: preprocess must be a gpucnn.Preprocess, got {type(preprocess).__name__}")
    given = (labels, preprocess, device, precision)
    path = Path(text)
    if shapes is not None and (text in zoo.ENTRIES or path.suffix.lower() != ".onnx"):
        raise ModelError(f"load: shapes is for ONNX files that leave sizes open, {text} is none")
    if text in zoo.ENTRIES:
        packaged = data.folder(text)
        if weights is None and packaged.is_dir():
            return _folder(packaged, None, "packaged with gpucnn", *given)
        if weights is None:
            raise ModelError(
                f"{text}: no trained weights are packaged with gpucnn for this net, and random ones would give random answers; pass them: "
                f"load({text!r}, weights='{text}.safetensors') or -w {text}.safetensors (safetensors, .npz or PyTorch .pth). "
                f"For a net with random weights: gpucnn.compile(gpucnn.zoo.create({text!r}), {_shape(text)})"
            )
        return _architecture(text, weights, _named(weights), None, *given)
    if text and os.path.isdir(text):
        return _folder(path, weights, "", *given)
    if path.suffix.lower() == ".onnx":
        return _onnx(path, weights, shapes, *given)
    if os.path.isfile(text):
        raise ModelError(
            f"{path}: a file of weights does not name its architecture; pass that too: "
            f"load('resnet50', weights={text!r}), or -m resnet50 -w {text}"
        )
    if os.sep in text or "/" in text or path.suffix:
        raise ModelError(f"{path}: there is no such file or folder")
    zoo.entry(text)  # raises, with near matches
    raise AssertionError("unreachable")


def _onnx(
    path: Path,
    weights: Any,
    shapes: Mapping[str, Sequence[int]] | None,
    labels: Any,
    preprocess: Preprocess | None,
    device: str,
    precision: str,
) -> Model:
    from .formats.onnx import read_onnx  # only here: its modules would cost every other start time
    from .from_onnx import model_from_onnx

    if weights is not None:
        raise ModelError(f"{path}: an ONNX file brings its weights along; leave weights out")
    net = read_onnx(path)
    names, labels_source = read_labels(labels, 0)
    return model_from_onnx(
        net,
        str(path),
        shapes=shapes,
        device=device,
        precision=precision,
        labels=names,
        labels_source=labels_source,
        preprocess=preprocess,
        weights=str(path),
    )


def _shape(name: str) -> tuple[int, ...]:
    entry = zoo.ENTRIES[name]
    return (1, entry.in_channels, *entry.preprocess.size)


def _named(weights: Source | Mapping[str, Array]) -> str:
    return "a state dict" if isinstance(weights, Mapping) else os.fspath(weights)


def _architecture(
    name: str,
    weights: Source | Mapping[str, Array],
    origin: str,
    own: Preprocess | None,
    labels: Any,
    preprocess: Preprocess | None,
    device: str,
    precision: str,
    num_classes: int | None = None,
    activation: str = "auto",
) -> Model:
    entry = zoo.entry(name)
    given = zoo.weights_for(name, weights)
    try:
        net = zoo.create(name, weights=given, num_classes=num_classes)
    except ModelError as error:
        raise ModelError(f"{origin}: {error}" if origin not in str(error) else str(error)) from error
    origin = str(given._replace(source=origin))
    record = preprocess or own or entry.preprocess
    spec = Spec((1, entry.in_channels, *record.size), np.dtype(np.float32))
    record_net = recorder(net)
    head = net.state_shapes()[entry.head][0]
    names, labels_source = read_labels(labels, head if entry.num_classes == 1000 else 0)
    return Model(
        record_net,
        {"input": spec},
        name=name,
        device=device,
        precision=precision,
        labels=names,
        preprocess=record,
        activation=activation,
        weights=origin,
        labels_source=labels_source,
    )


def read_labels(labels: Any, classes: int) -> tuple[tuple[str, ...] | None, str]:
    """Return the names of the classes and where they come from; None stands for ImageNet's where there are 1000."""
    if labels is None:
        if classes != 1000:
            return None, "none: classes are numbers"
        return _imagenet(), "ImageNet-1k (taken because the net has its 1000 classes)"
    if isinstance(labels, str) and labels.lower() in ("imagenet", "imagenet-1k"):
        return _imagenet(), "ImageNet-1k"
    if isinstance(labels, (str, os.PathLike)):
        return _label_file(Path(labels)), os.fspath(labels)
    if not isinstance(labels, Sequence):
        raise ModelError(f"labels: expected a path, a sequence of names or 'imagenet', got {type(labels).__name__}")
    return tuple(str(name) for name in labels), "given"


def _imagenet() -> tuple[str, ...]:
    return tuple(json.loads(data.folder("imagenet_labels.json").read_text("utf-8")))


def _label_file(path: Path) -> tuple[str, ...]:
    text = read_text(path, "labels")
    if path.suffix.lower() != ".json":
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    names = parsed_json(f"labels: {path}", text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelError(f"labels: {path} must hold a list of names")
    return tuple(names)


def _folder(
    path: Path,
    weights: Source | Mapping[str, Array] | None,
    origin: str,
    labels: Any,
    preprocess: Preprocess | None,
    device: str,
    precision: str,
) -> Model:
    """A folder with ``config.json`` and ``model.safetensors``."""
    folder = read_folder(path, preprocess)
    if weights is None:
        weights = folder.weights
        if weights is None:
            raise ModelError(f"{path}: a model folder needs config.json and model.safetensors; there is no model.safetensors")
        origin = origin or str(weights)
    if labels is None:
        labels = folder.labels
    return _architecture(
        folder.architecture, weights, origin or _named(weights), folder.preprocess, labels, preprocess, device, precision,
        folder.num_classes, folder.activation,
    )  # fmt: skip
