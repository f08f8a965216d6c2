"""Small ONNX classifiers, written as each exporter would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

CLASSES = 4
WEIGHT = np.array([[3, -1, 0.5], [-2, 2, 1], [0.5, 0.5, -3], [-1, -1, 4]], np.float32)
BIAS = np.array([0.1, -0.2, 0.3, -0.4], np.float32)


def classifier(
    path: Path,
    *,
    tail: Sequence[str] = (),
    shape: Sequence[int | str] = ("n", 3, 8, 8),
    nhwc: bool = False,
    dtype: int = TensorProto.FLOAT,
    head: str = "gemm",
    classes: int = CLASSES,
    metadata: Mapping[str, str] | None = None,
    opset: int = 17,
    behind: Sequence[Any] = (),
    constants: Mapping[str, Any] | None = None,
    **attributes: Any,
) -> Path:
    """Write a net that averages each channel and multiplies by ``WEIGHT``.

    Parameters
    ----------
    tail : sequence of str
        Operators behind the scores, as ``"Softmax"``; ``attributes`` are theirs.
    head : {"gemm", "conv", "fixed"}
        ``"conv"`` gives (n, classes, 1, 1); ``"fixed"`` reshapes to (1, 3) before the product, as a net for one image does.
    behind : sequence of nodes, as ``onnx_graphs`` writes them
        What comes behind ``"scores"`` and the tail, and may read ``constants``.
    """
    nodes, x = [], "x"
    weights = {"w": WEIGHT[:classes], "b": BIAS[:classes]}
    if dtype == TensorProto.UINT8:
        weights["scale"] = np.array(1 / 255, np.float32)
        nodes += [helper.make_node("Cast", [x], ["cast"], to=TensorProto.FLOAT), helper.make_node("Mul", ["cast", "scale"], ["scaled"])]
        x = "scaled"
    if nhwc:
        nodes.append(helper.make_node("Transpose", [x], ["nchw"], perm=[0, 3, 1, 2]))
        x = "nchw"
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["mean"]))
    if head == "conv":
        weights["w"] = weights["w"][:, :, None, None]
        nodes.append(helper.make_node("Conv", ["mean", "w", "b"], ["scores"]))
    elif head == "fixed":
        weights["one"] = np.array([1, 3], np.int64)
        nodes += [helper.make_node("Reshape", ["mean", "one"], ["flat"])]
        nodes += [helper.make_node("Gemm", ["flat", "w", "b"], ["scores"], transB=1)]
    else:
        nodes += [helper.make_node("Flatten", ["mean"], ["flat"]), helper.make_node("Gemm", ["flat", "w", "b"], ["scores"], transB=1)]
    y = "scores"
    for i, op in enumerate(tail):
        nodes.append(helper.make_node(op, [y], [f"tail{i}"], **attributes))
        y = f"tail{i}"
    for op, i, y, *rest in behind:
        nodes.append(helper.make_node(op, i.split(), [y], **(rest[0] if rest else {})))
    nodes.append(helper.make_node("Identity", [y], ["probs"]))
    weights.update((k, np.asarray(v)) for k, v in (constants or {}).items())
    kind = dtype if dtype in (TensorProto.FLOAT16, TensorProto.DOUBLE) else TensorProto.FLOAT
    wide = helper.tensor_dtype_to_np_dtype(kind)
    made = [numpy_helper.from_array(a.astype(wide) if a.dtype == np.float32 else a, k) for k, a in weights.items()]
    rank = 4 if head == "conv" else 2
    out = helper.make_tensor_value_info("probs", kind, [shape[0], classes, 1, 1][:rank])
    if behind:  # their shape is left to inference
        out = helper.make_tensor_value_info("probs", kind, None)
    graph = helper.make_graph(nodes, "classifier", [helper.make_tensor_value_info("x", dtype, list(shape))], [out], made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    save(model, path)
    return path


def scores(pixels: np.ndarray[Any, Any], mean: Any = 0.0, std: Any = 1.0, divisor: float = 255.0) -> np.ndarray[Any, Any]:
    """The scores of pictures (n, h, w, 3) uint8 in float64, when they are normalised so."""
    x = (pixels / divisor - np.asarray(mean)) / np.asarray(std)
    return np.asarray(x.mean((1, 2)) @ WEIGHT.T.astype(np.float64) + BIAS)


def softmax(y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """In float64."""
    e = np.exp(y - y.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))
