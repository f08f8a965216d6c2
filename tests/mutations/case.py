"""One case by its number: which seed, what is changed, how it is used."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import gpucnn
from gpucnn import nn
from gpucnn.errors import GpucnnError
from gpucnn.formats import read_weights
from gpucnn.images import decode
from gpucnn.preprocess import Preprocess

from .generic import change_bytes
from .judge import Failure, Outcome, judge
from .seeds import Seed, seeds
from .structured import STRUCTURED, pick

__all__ = ["FAMILIES", "changed", "run", "start", "use"]

FAMILIES = ("onnx", "weights", "onnx", "image", "onnx", "weights", "folder", "image", "onnx", "weights")
"""Whose turn it is, by the last digit of a case's number."""

OPEN = 32  # where a net leaves a size open
LARGEST_INPUT = 1_000_000  # elements of what a net is fed here
RECORD = Preprocess(size=(8, 8), resize=9, interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)


def start() -> None:
    """Use every seed as it is: what is imported late is there, and the seeds are shown to be valid."""
    for family in seeds().values():
        for seed in family:
            with TemporaryDirectory() as folder:
                _write(Path(folder), seed.files)
                use(seed, Path(folder))


def changed(number: int, base: int = 0) -> tuple[Seed, dict[str, bytes]]:
    """The seed of a case, and its files with the changes."""
    rng = np.random.default_rng([base, number])
    seed = pick(rng, seeds()[FAMILIES[number % len(FAMILIES)]])
    files = dict(seed.files)
    small = [name for name in files if name != "model.safetensors"]  # of a folder, where damage is that of weights
    name = pick(rng, list(files) if rng.random() < 0.2 else small)
    ways = STRUCTURED.get(Path(name).suffix, ())
    if ways and rng.random() < 0.7:
        files[name] = pick(rng, ways)(rng, files[name])
        if rng.random() < 0.1:
            files[name] = change_bytes(rng, files[name])
    else:
        files[name] = change_bytes(rng, files[name])
    return seed, files


def run(number: int, folder: Path, base: int = 0) -> Outcome:
    """Do one case in an empty folder.

    Raises
    ------
    Failure
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seed, files = changed(number, base)
        _write(folder, files)
        try:
            use(seed, folder)
        except GpucnnError as error:
            return judge(error)
        except Failure:
            raise
        except Exception as error:
            return judge(error)  # which raises
    return Outcome("answer", "")


def _write(folder: Path, files: dict[str, bytes] | Any) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)


def use(seed: Seed, folder: Path) -> None:
    """What a caller does with such files."""
    first = folder / next(iter(seed.files))
    {"onnx": _use_net, "weights": _use_weights, "image": _use_image, "folder": _use_folder}[seed.family](first)


def _use_net(path: Path) -> None:
    with gpucnn.load(path, device="cpu") as model:
        shapes = {port.name: [size if isinstance(size, int) else OPEN for size in port.shape] for port in model.inputs}
        if all(math.prod(shape) <= LARGEST_INPUT for shape in shapes.values()):
            model.run({port.name: np.ones(shapes[port.name], port.dtype) for port in model.inputs})
        takes, gives = list(shapes.values()), [port.shape for port in model.outputs]
        if len(takes) == 1 == len(gives) and len(takes[0]) == 4 and takes[0][1] == 3 and len(gives[0]) == 2 and max(takes[0]) < 100:
            _classify(model, np.zeros((9, 11, 3), np.uint8), replace(RECORD, size=(takes[0][2], takes[0][3]), resize=max(takes[0][2:])))


def _classify(model: Any, picture: Any, record: Preprocess | None = None) -> None:
    with gpucnn.Classifier(model, preprocess=None if model.preprocess is not None else record) as classifier:
        (result,) = classifier.predict([picture])
        if result.error is None and not result.predictions:
            raise Failure("a picture with neither predictions nor an error")


def _use_weights(path: Path) -> None:
    state = read_weights(path)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    names = {"conv.weight": "0.weight", "conv.bias": "0.bias", "fc.weight": "2.weight", "fc.bias": "2.bias"}
    net.load_state_dict({**net.state_dict(), **{names[name]: a for name, a in state.items() if name in names}})
    net(np.ones((1, 1, 4, 4), np.float32))


def _use_image(path: Path) -> None:
    found = decode(path, RECORD)
    if found.shape != (8, 8, 3) or found.dtype != np.uint8:
        raise Failure(f"a picture of {found.shape} {found.dtype}")


def _use_folder(path: Path) -> None:
    with gpucnn.load(path.parent, device="cpu") as model:
        _classify(model, np.zeros((40, 40), np.uint8))
