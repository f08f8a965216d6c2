"""Oracles that are not ours, one or more an op: ONNX's reference evaluator, SciPy, and plain loops.

An oracle is fed float64 and its result rounded to the case's type, so that it is the truth, and the reference is held to the bounds
of ``close``. To add an op, add a row to the ``ORACLES`` of its family. Where ONNX's evaluator itself is wrong (1.23), ``UNLIKE_ONNX``
says how, by op and case; each of these has a second oracle or a value computed by hand.
"""

from __future__ import annotations

from gpucnn.ops import Op

from . import (
    activation,
    conv,
    conv_transpose,
    elementwise,
    gather,
    image,
    masking,
    matmul,
    moving,
    norm,
    pool,
    quantize,
    ranking,
    reduce,
    resize,
    scatter,
    shape,
)  # fmt: skip
from .base import Oracle

__all__ = ["ORACLES", "UNLIKE_ONNX"]

_FAMILIES = (
    conv, conv_transpose, matmul, pool, activation, ranking, elementwise, norm, shape, moving, gather, scatter, masking, quantize, reduce,
    resize, image,
)  # fmt: skip

ORACLES: dict[type[Op], tuple[Oracle, ...]] = {kind: found for family in _FAMILIES for kind, found in family.ORACLES.items()}

UNLIKE_ONNX: dict[tuple[str, str], str] = {key: why for family in _FAMILIES for key, why in family.UNLIKE_ONNX.items()}
