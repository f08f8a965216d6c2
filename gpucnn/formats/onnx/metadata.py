"""What the metadata of an ONNX file says for a classifier: names of classes, and how photographs are prepared.

Read are, in this order:

- ``names`` as Ultralytics writes it, a Python dict of number and name, and ``imgsz``;
- ``labels``, ``classes``, ``class_names``, ``label_names``, ``categories`` or ``character``: a JSON or Python list or dict, or one name
  a line;
- ``pretrained_cfg`` or ``preprocess``: JSON with timm's fields ``crop_pct``, ``interpolation``, ``mean``, ``std``, ``input_size``, and
  ``color_order`` and ``divisor``; or these fields each under a key of its own;
- ``Image.BitmapPixelFormat`` and ``Image.NominalPixelRange``, ONNX's own words for images.

Texts are read as literals, never evaluated.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any

from ...errors import ModelError
from ...preprocess import Preprocess
from ...record import checked_record, checked_size

__all__ = ["class_names", "preprocess_record"]

_LABEL_KEYS = ("names", "labels", "classes", "class_names", "label_names", "categories", "character")
_LONGEST = 1 << 22  # characters of a literal
_RANGES = {
    "NominalRange_0_255": (1.0, 0.0, 1.0),
    "Normalized_0_1": (255.0, 0.0, 1.0),
    "Normalized_1_1": (255.0, 0.5, 0.5),
}
"""Divisor, mean and std of ONNX's pixel ranges."""
_FORMATS = {"Rgb8": "RGB", "Bgr8": "BGR", "Gray8": "L"}


def class_names(metadata: Mapping[str, str], origin: str) -> tuple[tuple[str, ...], str] | None:
    """The names of the classes in the order of the outputs, and the key that they are under; None where there are none."""
    for key in _LABEL_KEYS:
        if key in metadata:
            names = _names(metadata[key], f"{origin}: metadata {key!r}")
            if names:
                return names, key
    return None


def _names(text: str, what: str) -> tuple[str, ...]:
    value = _literal(text)
    if isinstance(value, (int, float)) or text.strip() in ("None", "null"):
        return ()  # a number of classes, or nothing
    if isinstance(value, Mapping):
        numbered: dict[int, str] = {}
        for key, name in value.items():
            place = int(key) if isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10 else key
            if not isinstance(place, int) or isinstance(place, bool) or not isinstance(name, (str, int, float)):
                raise ModelError(f"{what}: expected numbers and names, got {text[:60]!r}")
            numbered[place] = str(name)
        if sorted(numbered) != list(range(len(numbered))):
            raise ModelError(f"{what}: must number the classes 0, 1, 2, …, got {sorted(numbered)[:5]}")
        return tuple(numbered[i] for i in range(len(numbered)))
    if isinstance(value, (list, tuple)):
        if not all(isinstance(name, (str, int, float)) for name in value):
            raise ModelError(f"{what}: expected names, got {text[:60]!r}")
        return tuple(map(str, value))
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _literal(text: str) -> Any:
    """The value that a JSON or Python literal stands for; None where it is neither."""
    if len(text) > _LONGEST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # JSON's parser's word
        pass
    try:
        return ast.literal_eval(text.strip())
    except Exception:  # Python's own parser: ValueError, SyntaxError, RecursionError, MemoryError, TypeError …
        return None


def preprocess_record(
    metadata: Mapping[str, str], size: tuple[int, int], channels: int, origin: str, is_open: bool = False
) -> Preprocess | None:
    """How photographs are prepared, for an input of ``size`` (height, width); None where the metadata does not say.

    Where the input takes any size (``is_open``), that in the metadata goes before ``size``.

    Raises
    ------
    ModelError
        It says something that cannot be understood.
    """
    fields = _fields(metadata)
    try:
        if is_open:
            size = _said_size(metadata, fields, size)
        if {"mean", "std"} & set(fields):
            return checked_record("pretrained_cfg", fields, size, _plain(size, _usual(size), channels, 255.0, 0.0, 1.0, "RGB"))
        if "Image.NominalPixelRange" in metadata:
            return _from_range(metadata, size, channels)
        if "Ultralytics" in metadata.get("author", "") and "imgsz" in metadata:
            edge = max(_said("imgsz", _literal(metadata["imgsz"]), size))
            return _plain(size, max(edge, *size), channels, 255.0, 0.0, 1.0, "RGB")
    except ModelError as error:
        raise ModelError(f"{origin}: the metadata on preprocessing cannot be understood: {error}; pass preprocess=") from error
    return None


def _usual(size: tuple[int, int]) -> int:
    return max(round(min(size) / 0.875), *size)


def _said_size(metadata: Mapping[str, str], fields: Mapping[str, Any], size: tuple[int, int]) -> tuple[int, int]:
    """Height and width: timm's ``input_size`` (channels, height, width), or Ultralytics' ``imgsz``."""
    said = fields.get("input_size")
    return _said("input_size", said, size) if said is not None else _said("imgsz", _literal(metadata.get("imgsz", "")), size)


def _said(what: str, value: Any, default: tuple[int, int]) -> tuple[int, int]:
    return default if value is None or isinstance(value, str) else checked_size(what, value)


def _fields(metadata: Mapping[str, str]) -> dict[str, Any]:
    for key in ("pretrained_cfg", "preprocess"):
        value = _literal(metadata.get(key, ""))
        if isinstance(value, dict):
            return value
    return {
        key: text if (value := _literal(text)) is None else value
        for key, text in metadata.items()
        if key in ("input_size", "crop_pct", "interpolation", "mean", "std", "color_order", "divisor")
    }


def _from_range(metadata: Mapping[str, str], size: tuple[int, int], channels: int) -> Preprocess | None:
    said = _RANGES.get(metadata["Image.NominalPixelRange"])
    if said is None:
        raise ModelError(f"Image.NominalPixelRange is {metadata['Image.NominalPixelRange']!r}, known are {', '.join(_RANGES)}")
    known = metadata.get("Image.BitmapPixelFormat", "Rgb8" if channels == 3 else "Gray8")
    order = _FORMATS.get(known)
    if order is None:
        raise ModelError(f"Image.BitmapPixelFormat is {known!r}, known are {', '.join(_FORMATS)}")
    return _plain(size, max(size), channels, *said, order)


def _plain(size: tuple[int, int], resize: int, channels: int, divisor: float, mean: float, std: float, order: str) -> Preprocess:
    order = order if channels == 3 else "L"
    return Preprocess(size, resize, "bilinear", (mean,) * channels, (std,) * channels, divisor, order)
