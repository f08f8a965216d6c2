"""Model folders as timm and the Hugging Face hub have them: ``config.json`` beside ``model.safetensors``."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import zoo
from .errors import ModelError
from .preprocess import Preprocess
from .record import checked_record, checked_size, parsed_json, shown, whole
from .scorer import ACTIVATIONS
from .zoo.timm import twin_of

__all__ = ["Folder", "read_folder", "read_text"]

_MOST_TEXT_BYTES = 16 << 20
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class Folder(NamedTuple):
    """What a folder holds.

    Attributes
    ----------
    architecture : str
        Of the zoo.
    weights : Path or None
        The file; None where there is none.
    num_classes : int or None
    activation : str
    labels : tuple of str, "imagenet-1k" or None
    preprocess : Preprocess
    """

    architecture: str
    weights: Path | None
    num_classes: int | None
    activation: str
    labels: tuple[str, ...] | str | None
    preprocess: Preprocess


def read_text(path: Path, what: str) -> str:
    """A text file of at most 16 MiB.

    Raises
    ------
    ModelError
        There is none, it is too large, no regular file, or not UTF-8. Pipes and devices are not opened.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise ModelError(f"{what}: {path} is not a regular file")
        if state.st_size > _MOST_TEXT_BYTES:
            raise ModelError(f"{what}: {path} has {state.st_size} bytes, expected at most {_MOST_TEXT_BYTES}")
        with open(path, "rb") as file:
            data = file.read(_MOST_TEXT_BYTES + 1)
    except OSError as error:  # the system's own word
        raise ModelError(f"{what}: {path} cannot be read: {error.strerror or error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:  # the decoder's own word
        raise ModelError(f"{what}: {path} cannot be read as text: {error}") from None


def read_folder(path: Path, preprocess: Preprocess | None = None) -> Folder:
    """Read ``config.json``, and find the weights. What it says of preprocessing is not looked at where ``preprocess`` is given.

    Read are timm's fields: ``architecture``, ``num_classes``, ``label_names``, ``pretrained_cfg`` with ``input_size``, ``crop_pct``,
    ``interpolation``, ``mean`` and ``std``, which older files have at the top. ``"activation"`` is ours, for nets of several labels.

    Raises
    ------
    ModelError
        What is there cannot be understood, or is no network of the zoo.
    """
    file = path / "config.json"
    if not os.path.lexists(file):
        raise ModelError(f"{path}: a model folder needs config.json and model.safetensors; there is no config.json")
    config = parsed_json(str(file), read_text(file, "model folder"))
    if not isinstance(config, dict):
        raise ModelError(f"{file}: must be an object of names and values, got {shown(config)}")
    name = _architecture(file, config)
    entry = zoo.entry(name)
    classes = config.get("num_classes")
    activation = config.get("activation", "auto")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ModelError(f'{file}: "activation" must be one of {", ".join(ACTIVATIONS)}, got {shown(activation)}')
    _check_arguments(file, config, entry)
    fields = config.get("pretrained_cfg")
    if fields is None:
        fields = config
    if not isinstance(fields, dict):
        raise ModelError(f'{file}: "pretrained_cfg" must be an object of names and values, got {shown(fields)}')
    weights = next((path / name for name in _WEIGHTS if (path / name).exists()), None)
    return Folder(
        name,
        weights,
        None if classes is None else whole(f'{file}: "num_classes"', classes, 1),
        activation,
        _labels(file, config),
        preprocess or _record(str(file), fields, entry),
    )


def _architecture(file: Path, config: Mapping[str, Any]) -> str:
    name = config.get("architecture")
    if isinstance(name, str):
        twin = twin_of(name)
        return name if twin is None else twin.name
    if isinstance(config.get("architectures"), list) or "model_type" in config:
        raise ModelError(
            f"{file}: is a config of the transformers library ({shown(config.get('model_type'))}), whose networks have other names; take "
            "the timm/… repository of the network, or export it to ONNX (optimum-cli export onnx) and give the .onnx file"
        )
    raise ModelError(f'{file}: must name its "architecture", one of gpucnn.zoo.list(), got {shown(name)}')


def _check_arguments(file: Path, config: Mapping[str, Any], entry: zoo.Entry) -> None:
    """Refuse what would make another network of it."""
    arguments = config.get("model_args") or {}
    if not isinstance(arguments, dict):
        raise ModelError(f'{file}: "model_args" must be an object of names and values, got {shown(arguments)}')
    same = {"in_chans": entry.in_channels, "num_classes": config.get("num_classes"), "global_pool": "avg", "drop_rate": 0.0}
    for name, value in [("global_pool", config.get("global_pool") or "avg"), *arguments.items()]:
        if name not in same or type(value) is not type(same[name]) or value != same[name]:
            raise ModelError(f"{file}: {name}={shown(value)} makes another network than the one known here; export it to ONNX instead")


def _labels(file: Path, config: Mapping[str, Any]) -> tuple[str, ...] | str | None:
    """Names of the classes: a list, an object of numbers and names, or ImageNet's."""
    for key in ("label_names", "labels"):
        value = config.get(key)
        if not value:
            continue
        if isinstance(value, str) and value.lower() in ("imagenet", "imagenet-1k"):  # never a path: a folder names no files elsewhere
            return value
        if isinstance(value, dict):
            numbers = [str(i) for i in range(len(value))]
            if set(value) != set(numbers):
                raise ModelError(f'{file}: "{key}" must number the classes 0, 1, 2, …')
            value = [value[number] for number in numbers]
        if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
            raise ModelError(f'{file}: "{key}" must be a list of names, got {shown(value)}')
        return tuple(value)
    return None


def _record(file: str, fields: Mapping[str, Any], entry: zoo.Entry) -> Preprocess:
    base = entry.preprocess
    said = fields.get("input_size")
    if said is not None and (not isinstance(said, list) or len(said) != 3):
        raise ModelError(f'{file}: "input_size" must be [channels, height, width], got {shown(said)}')
    size = base.size if said is None else checked_size(f'{file}: "input_size"', said)
    if said is not None and (said[0] != entry.in_channels or isinstance(said[0], bool)):
        raise ModelError(f'{file}: "input_size" has {shown(said[0])} channels, the network takes {entry.in_channels}')
    if size[0] != size[1] and fields.get("crop_pct") not in (None, 1, 1.0):
        raise ModelError(f'{file}: "input_size" {size[0]}×{size[1]} is not square, and is cut otherwise there than here; pass preprocess=')
    return checked_record(file, fields, size, base)
