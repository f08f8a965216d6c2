"""ONNX files: read, checked, and recorded into a graph for inputs of known shapes.

===============  ============================================================================
``document``     the file as plain Python, from protobuf
``tensors``      weights as arrays; ``external`` those that lie beside the file
``registry``     finds an operator's function by name and opset
``recorder``     walks the nodes, and is what an operator's function sees as ``g``
``ops_*``        one function an operator; its signature is the operator's schema
``net``          ``OnnxNet``: what a model runs
===============  ============================================================================
"""

from __future__ import annotations

from .net import OnnxNet, read_onnx

__all__ = ["OnnxNet", "read_onnx"]
