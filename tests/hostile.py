"""What tests of hostile files share."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpucnn
from gpucnn.errors import GpucnnError
from gpucnn.formats import read_weights
from gpucnn.onnx_backend import prepare

__all__ = ["IMAGE", "W", "assert_ours", "ints", "net", "refused", "refused_cleanly"]


def assert_ours(error: BaseException) -> None:
    """An error of gpucnn's, and no exception of anybody else wrapped in it."""
    cause: BaseException | None = error
    while cause is not None:
        assert isinstance(cause, GpucnnError), f"{cause!r} is not ours"
        cause = cause.__cause__


def refused_cleanly(path: Path, *parts: str) -> None:
    """Weights that cannot be read, for a reason that names the file."""
    with pytest.raises(GpucnnError) as caught:
        read_weights(path)
    assert_ours(caught.value)
    for part in (str(path), *parts):
        assert part in str(caught.value)


# ---- ONNX ------------------------------------------------------------------------------------------------------------

IMAGE = {"x": ("float32", ("n", 3, 8, 8))}
W = np.ones((4, 3, 3, 3), np.float32)


def net(nodes: Any, constants: Any = None, inputs: Any = IMAGE, **options: Any) -> Any:
    """A model of nodes as `onnx_graphs.model` takes them, on a picture; the input ``none`` is an absent one."""
    from onnx_graphs import model

    made = model(nodes, inputs, constants=constants, **options)
    for node in made.graph.node:
        node.input[:] = ["" if name == "none" else name for name in node.input]
    return made


def ints(*values: int) -> Any:
    """A list of whole numbers as shapes are stored."""
    return np.array(values, np.int64)


def refused(source: Any, kind: type[GpucnnError], *parts: str, run: bool = True) -> None:
    """An error of ours on loading or running a model, or its file; soon, and with what was expected and what came."""
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        _use(source, run)
    assert_ours(caught.value)
    for part in parts:
        assert part in str(caught.value)
    assert time.monotonic() - began < 10


def _use(source: Any, run: bool) -> None:
    if isinstance(source, (str, os.PathLike)):
        loaded: Any = gpucnn.load(source, device="cpu")
        shapes = {port.name: [size if isinstance(size, int) else 1 for size in port.shape] for port in loaded.inputs}
    else:
        loaded = prepare(source)
        shapes = {port.name: [d.dim_value or 1 for d in port.type.tensor_type.shape.dim] for port in source.graph.input}
    if run:
        loaded.run({name: np.ones(shape, np.float32) for name, shape in shapes.items()})
