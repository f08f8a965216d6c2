"""``gpucnn.onnx_backend`` by itself: devices, inputs, single nodes. The ONNX project's own tests go through it elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from onnx_graphs import model

from gpucnn import onnx_backend
from gpucnn.device import Device
from gpucnn.errors import DeviceError, ShapeError

A, B = np.float32([1, 2]), np.float32([10, 20])
SUM = model([("Sub", "a b", "y")], {"a": ("float32", (2,)), "b": ("float32", (2,))})


def test_inputs_by_place_and_by_name():
    made = onnx_backend.prepare(SUM)
    for inputs in ([A, B], (A, B), {"b": B, "a": A}, [[1.0, 2.0], B]):
        assert made.run(inputs)[0].tolist() == [-9, -18]
    assert onnx_backend.run_model(SUM, [A, B])[0].tolist() == [-9, -18]
    for inputs in ([A], [A, B, B]):
        with pytest.raises(ShapeError, match=rf"net: takes 2 input.s. \['a', 'b'\], got {len(inputs)}"):
            made.run(inputs)


def test_a_node():
    node = helper.make_node("Sub", ["a", "b"], ["y"])
    assert onnx_backend.run_node(node, [A, B])[0].tolist() == [-9, -18]
    with pytest.raises(ShapeError, match=r"Sub: takes 2 input.s. \['a', 'b'\], got 1"):
        onnx_backend.run_node(node, [A])
    axes = {"axes": [0], "keepdims": 0}  # axes are an attribute until opset 17
    assert onnx_backend.run_node(helper.make_node("ReduceMax", ["x"], ["y"], **axes), [A], opset_version=17)[0] == 2


def test_devices(monkeypatch):
    found = [Device("cpu", "x", True, ""), Device("cuda:0", "x", True, ""), Device("cuda:1", "x", False, "too old")]
    monkeypatch.setattr(onnx_backend, "devices", lambda: found)
    assert [onnx_backend.supports_device(d) for d in ("CPU", "CUDA", "CUDA:0", "cuda:1", "CUDA:2", "TPU")] == [True] * 3 + [False] * 3
    monkeypatch.setattr(onnx_backend, "devices", lambda: [found[0], Device("cuda", "no GPU", False, "no driver")])
    assert not onnx_backend.supports_device("CUDA")
    with pytest.raises(DeviceError, match="device must be"):
        onnx_backend.prepare(SUM, "TPU")
