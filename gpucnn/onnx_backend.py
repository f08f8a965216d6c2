"""``onnx.backend.base`` for gpucnn: what the ONNX project's own tests, and tools that take any backend, call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from .device import devices
from .errors import ShapeError
from .formats.onnx import read_onnx
from .from_onnx import model_from_onnx
from .model import Model

__all__ = ["GpucnnBackend", "GpucnnRep", "prepare", "run_model", "run_node", "supports_device"]


class GpucnnRep(BackendRep):
    """A model that is ready to run; arrays go in and out exactly as they are, without any cutting of batches."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Run on a sequence of arrays in the order of the model's inputs, or on a mapping of their names."""
        names = [p.name for p in self.model.inputs]
        feeds = dict(inputs) if isinstance(inputs, Mapping) else _by_name(self.model.name, names, inputs)
        return tuple(self.model.run(feeds).values())


class GpucnnBackend(Backend):
    """Runs ONNX models by gpucnn."""

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> GpucnnRep:
        """Return what runs the ``ModelProto``."""
        return GpucnnRep(model_from_onnx(read_onnx(model), model.graph.name or "model", recut=False, device=_device(device), **kwargs))

    @classmethod
    def run_model(cls, model: Any, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:
        """Prepare and run."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(
        cls, node: Any, inputs: Any, device: str = "CPU", outputs_info: Sequence[Any] | None = None, **kwargs: Any
    ) -> tuple[Any, ...]:
        """Run one node on arrays."""
        feeds = _by_name(node.op_type, [i for i in node.input if i], inputs)
        ports = [onnx.helper.make_tensor_value_info(k, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for k, a in feeds.items()]
        made = [onnx.helper.make_empty_tensor_value_info(o) for o in node.output if o]
        graph = onnx.helper.make_graph([node], node.op_type, ports, made)
        opset = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, opset)])
        return cls.run_model(model, list(feeds.values()), device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether the device can be used here: ``"CPU"``, ``"CUDA"``, or ``"CUDA:1"``."""
        name = {"cuda": "cuda:0"}.get(_device(device), _device(device))
        return any(d.name == name for d in devices() if d.usable)


def _by_name(model: str, names: Sequence[str], inputs: Any) -> dict[str, Any]:
    arrays = list(map(np.asarray, inputs))
    if len(arrays) != len(names):
        raise ShapeError(f"{model}: takes {len(names)} input(s) {list(names)}, got {len(arrays)}")
    return dict(zip(names, arrays))


def _device(text: str) -> str:
    return text.lower()


prepare, run_model, run_node = GpucnnBackend.prepare, GpucnnBackend.run_model, GpucnnBackend.run_node
supports_device = GpucnnBackend.supports_device
