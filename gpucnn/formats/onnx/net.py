"""``OnnxNet``: a checked ONNX file that records itself into graphs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ModelError
from ...graph import Graph, Value
from ...limits import check_limit
from ...spec import Array
from .document import OnnxFile, OnnxPort, parse_model
from .recorder import Recorder, check_operators
from .tensors import element_type

__all__ = ["OnnxNet", "read_onnx"]

_MOST_BYTES = 1 << 31  # of a protobuf message


class OnnxNet:
    """A net from an ONNX file.

    Parameters
    ----------
    file : OnnxFile

    Attributes
    ----------
    inputs, outputs : tuple of OnnxPort
        As the file declares them, less the inputs that it has values for.
    nodes : int
        Nodes of the file's graph.
    metadata : dict of str to str
    opsets : dict of str to int
    producer : str
        The program that wrote the file.

    Raises
    ------
    UnsupportedError
        Operators cannot be run; the message has all of them.
    """

    def __init__(self, file: OnnxFile) -> None:
        check_operators(file)
        self._file = file
        self._folded: dict[str, Array] = {}
        self.inputs, self.outputs = file.graph.inputs, file.graph.outputs
        self.nodes, self.metadata, self.opsets, self.producer = len(file.graph.nodes), file.metadata, file.opsets, file.producer
        Recorder(file, Graph(), self._folded).fold()

    def dtype(self, port: OnnxPort) -> np.dtype[Any]:
        """The type of an input's or output's array."""
        return element_type(port.element, f"{self._file.origin}: {port.name!r}")

    def record(self, graph: Graph, *inputs: Value) -> tuple[Value, ...]:
        """Record the net on values of ``graph``, one an input; returns one an output.

        Raises
        ------
        NeedsValues
            Shapes depend on the values of inputs, which must then be constants.
        """
        return Recorder(self._file, graph, self._folded).record(inputs)


def read_onnx(source: str | os.PathLike[str] | bytes | Any) -> OnnxNet:
    """Read an ONNX model.

    Parameters
    ----------
    source : path, bytes or onnx.ModelProto
        Tensors outside the file are looked for in its folder; a model that is no file must not have any.

    Returns
    -------
    OnnxNet

    Raises
    ------
    ModelError
        It is no ONNX model, or is damaged.
    UnsupportedError
        It uses what gpucnn does not do; all of it is named.
    LimitError
        It exceeds ``GPUCNN_MAX_FILE_BYTES``, or its tensors or what is computed of them exceed ``GPUCNN_MAX_WEIGHT_BYTES``.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if isinstance(source, onnx.ModelProto):
        return OnnxNet(parse_model(source, source.graph.name or "model", None))
    if isinstance(source, bytes):
        origin, folder, data = "model", None, source
    else:
        path = Path(source)
        origin, folder, data = str(path), path.parent, _read(path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelError(f"{origin}: is no ONNX model, or is damaged ({error})") from None
    del data
    return OnnxNet(parse_model(model, origin, folder))


def _read(path: Path) -> bytes:
    try:
        if not os.path.isfile(path):
            raise ModelError(f"{path}: is not a regular file" if os.path.exists(path) else f"{path}: there is no such file")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            check_limit("file bytes", size, f"{path}: has {size} bytes")
            if size >= _MOST_BYTES:
                raise ModelError(f"{path}: has {size} bytes, an ONNX file is below 2 GiB; store its tensors beside it (external data)")
            return file.read(size)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None

