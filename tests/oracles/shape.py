"""What only moves values."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import Concat, Flatten, Identity, Op, Pad, Reorder, Reshape, Transpose
from gpucnn.spec import spec_of

from .base import Oracle, ints, onnx


def pad(op: Pad, x: Any) -> tuple[Any, ...]:
    if x.ndim == 0:
        return (x,)
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[op.mode]
    amounts = np.asarray([p[side] for side in (0, 1) for p in op.pads], np.int64)
    value = np.asarray(op.value, np.float64 if x.dtype.kind == "f" else x.dtype)
    return onnx("Pad", x, amounts, value if op.mode == "constant" else None, mode=mode)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Identity: (lambda op, x: onnx("Identity", x),),
    Reorder: (lambda op, x: onnx("Identity", x),),
    Reshape: (lambda op, x: onnx("Reshape", x, ints(*op.shape), allowzero=int(-1 not in op.shape)),),
    Flatten: (lambda op, x: onnx("Reshape", x, ints(*op.infer(spec_of(x))[0].shape), allowzero=1),),
    Transpose: (lambda op, x: onnx("Transpose", x, **({"perm": op.dims} if op.dims else {})),),
    Concat: (lambda op, *xs: onnx("Concat", *xs, axis=op.dim),),
    Pad: (pad,),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
