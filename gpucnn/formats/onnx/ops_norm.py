"""Normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import ModelError, ShapeError, UnsupportedError
from ...graph import Value
from ...ops import BatchNorm, Binary, Cast, Expand, GroupNorm, LayerNorm, LocalResponseNorm, Normalize, Reduce, Reshape, Unary

if TYPE_CHECKING:
    from .recorder import Ints, Recorder

__all__ = [
    "LRN", "BatchNormalization_1", "BatchNormalization_7", "BatchNormalization_9", "BatchNormalization_14", "GroupNormalization_18",
    "GroupNormalization_21", "InstanceNormalization", "LayerNormalization", "LpNormalization", "MeanVarianceNormalization",
    "RMSNormalization",
]  # fmt: skip

_STASHED = {1: "float32", 10: "float32", 11: "float64", 16: "float32"}
"""How the type that statistics are computed in is held here: 16-bit floats as float32, like everything else."""


def _number(value: float, like: Value) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
    return np.asarray(value, like.dtype)


def _as_type(g: Recorder, v: Value, like: Value) -> Value:
    return v if v.dtype == like.dtype else g.append(Cast(like.dtype.name), v)


# -- by statistics of training


def _refuse_training(training: bool, why: str) -> None:
    if training:
        raise UnsupportedError(f"normalises by the batch that it sees ({why}), as in training; export the model for inference")


def BatchNormalization_1(
    g: Recorder, x: Value, scale: Value, b: Value, mean: Value, var: Value, *, consumed_inputs: Ints | None = None, epsilon: float = 1e-5,
    is_test: int = 0, momentum: float = 0.9, spatial: int = 1,
) -> Value:  # fmt: skip
    _refuse_training(not is_test, "is_test=0")
    return _batch_norm(g, x, scale, b, mean, var, epsilon, spatial)


def BatchNormalization_7(
    g: Recorder, x: Value, scale: Value, b: Value, mean: Value, var: Value, *, epsilon: float = 1e-5, momentum: float = 0.9,
    spatial: int = 1,
) -> Value:  # fmt: skip
    _refuse_training(any(g.wanted[1:]), "it gives statistics as outputs")
    return _batch_norm(g, x, scale, b, mean, var, epsilon, spatial)


def BatchNormalization_9(
    g: Recorder, x: Value, scale: Value, b: Value, mean: Value, var: Value, *, epsilon: float = 1e-5, momentum: float = 0.9
) -> Value | tuple[Value, ...]:
    if any(g.wanted[1:]):
        return _norm_by_itself(g, x, scale, b, mean, var, epsilon, momentum, "it gives statistics as outputs")
    return _batch_norm(g, x, scale, b, mean, var, epsilon)


def BatchNormalization_14(
    g: Recorder, x: Value, scale: Value, b: Value, mean: Value, var: Value, *, epsilon: float = 1e-5, momentum: float = 0.9,
    training_mode: int = 0,
) -> Value | tuple[Value, ...]:  # fmt: skip
    if training_mode:
        return _norm_by_itself(g, x, scale, b, mean, var, epsilon, momentum, "training_mode=1")
    return _batch_norm(g, x, scale, b, mean, var, epsilon)


def _batch_norm(g: Recorder, x: Value, scale: Value, b: Value, mean: Value, var: Value, epsilon: float, spatial: int = 1) -> Value:
    scale, b, mean, var = (_as_type(g, v, x) for v in (scale, b, mean, var))
    if not spatial:
        return _norm_by_feature(g, x, scale, b, mean, var, epsilon)
    if x.ndim == 1:  # one channel
        rows = g.append(Reshape((-1, 1)), x)
        return g.append(Reshape(x.shape), g.append(BatchNorm(epsilon), rows, mean, var, scale, b))
    return g.append(BatchNorm(epsilon), x, mean, var, scale, b)


def _norm_by_itself(
    g: Recorder, x: Value, scale: Value, b: Value, mean: Value, var: Value, epsilon: float, momentum: float, why: str
) -> tuple[Value, ...]:
    """What training does, of a constant: weights that a net standardises by themselves, as NFNets do."""
    _refuse_training(not x.is_constant, why)
    dims = (0, *range(2, x.ndim))
    statistics = g.append(Reduce("mean", dims), x), g.append(Reduce("var", dims, correction=0.0), x)
    running = []
    for old, new in zip((mean, var), statistics):
        kept = g.append(Binary("mul"), _as_type(g, old, new), _number(momentum, new))
        running.append(g.append(Binary("add"), kept, g.append(Binary("mul"), new, _number(1 - momentum, new))))
    outputs = _batch_norm(g, x, scale, b, *statistics, epsilon), *running, *statistics
    return outputs[: len(g.wanted)]


def _norm_by_feature(g: Recorder, x: Value, scale: Value, b: Value, mean: Value, var: Value, epsilon: float) -> Value:
    """Each element of an image with statistics of its own, (c, …)."""
    for name, v in (("scale", scale), ("B", b), ("mean", mean), ("var", var)):
        if v.shape != x.shape[1:]:
            raise ShapeError(f"with spatial=0 {name} must have the shape of an image, {x.shape[1:]}, got {v.spec}")
    deviation = g.append(Unary("sqrt"), g.append(Binary("add"), var, _number(epsilon, var)))
    factor = g.append(Binary("div"), scale, deviation)
    return g.append(Binary("add"), g.append(Binary("mul"), g.append(Binary("sub"), x, mean), factor), b)


# -- by statistics of the image itself


def InstanceNormalization(
    g: Recorder, x: Value, scale: Value, b: Value, *, consumed_inputs: Ints | None = None, epsilon: float = 1e-5
) -> Value:
    return g.append(GroupNorm(None, epsilon), x, scale, b)


def GroupNormalization_18(g: Recorder, x: Value, scale: Value, bias: Value, *, num_groups: int, epsilon: float = 1e-5) -> Value:
    for name, v in (("scale", scale), ("bias", bias)):
        if v.shape != (num_groups,):
            raise ShapeError(f"{name} must have shape {num_groups}, one value a group (before opset 21), got {v.spec}")
    if num_groups < 1 or x.ndim < 2 or x.shape[1] % num_groups:
        raise ShapeError(f"num_groups {num_groups} must be at least 1 and divide the channels of x {x.spec}")
    scale, bias = (_for_each_channel(g, v, x.shape[1]) for v in (scale, bias))
    return g.append(GroupNorm(num_groups, epsilon), x, scale, bias)


def _for_each_channel(g: Recorder, v: Value, channels: int) -> Value:
    (groups,) = v.shape
    spread = g.append(Expand((groups, channels // groups)), g.append(Reshape((groups, 1)), v))
    return g.append(Reshape((channels,)), spread)


def GroupNormalization_21(
    g: Recorder, x: Value, scale: Value, bias: Value, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Value:
    _stashed(stash_type)
    return g.append(GroupNorm(num_groups, epsilon), x, scale, bias)


def _stashed(stash_type: int) -> str:
    """The type of statistics; they are computed at least as exactly as it says."""
    if stash_type not in _STASHED:
        raise ModelError(f"stash_type must be one of {', '.join(map(str, _STASHED))}, a floating-point type, got {stash_type}")
    return _STASHED[stash_type]


def LayerNormalization(
    g: Recorder, x: Value, scale: Value, b: Value | None = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Value, ...]:
    op = LayerNorm(_row_axes(x, axis), epsilon)
    dtype = _stashed(stash_type)
    y = _norm_of_rows(g, op, x, scale, b)
    if not any(g.wanted[1:]):
        return (y,)
    wide = x if x.dtype == dtype else g.append(Cast(dtype), x)
    dims = tuple(range(x.ndim - op.dims, x.ndim))
    var = g.append(Reduce("var", dims, True, correction=0.0), wide)
    inverse = g.append(Unary("rsqrt"), g.append(Binary("add"), var, _number(epsilon, var)))
    return y, g.append(Reduce("mean", dims, True), wide), inverse


def RMSNormalization(g: Recorder, x: Value, scale: Value, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Value:
    _stashed(stash_type)
    return _norm_of_rows(g, LayerNorm(_row_axes(x, axis), epsilon, centred=False), x, scale, None)


def _row_axes(x: Value, axis: int) -> int:
    """How many axes there are from ``axis`` on."""
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"axis must lie in [{-x.ndim}, {x.ndim - 1}] for x {x.spec}, got {axis}")
    return -axis if axis < 0 else x.ndim - axis


def _norm_of_rows(g: Recorder, op: LayerNorm, x: Value, scale: Value, b: Value | None) -> Value:
    row = x.shape[x.ndim - op.dims :]
    scale, b = _as_type(g, scale, x), None if b is None else _as_type(g, b, x)
    if scale.shape == row and (b is None or b.shape == row):
        return g.append(op, x, scale, b)
    for name, v in (("scale", scale), ("bias", b)):
        if v is not None and (v.ndim > x.ndim or any(k not in (1, n) for k, n in zip(v.shape[::-1], x.shape[::-1]))):
            raise ShapeError(f"{name} must broadcast to x {x.spec}: its axes, from the last, must be x's or 1, got {v.spec}")
    y = g.append(Binary("mul"), g.append(op, x), scale)
    return y if b is None else g.append(Binary("add"), y, b)


# -- by neighbours, by a vector, by axes


def LRN(g: Recorder, x: Value, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Value:
    return g.append(LocalResponseNorm(size, alpha, beta, bias), x)


def LpNormalization(g: Recorder, x: Value, *, axis: int = -1, p: int = 2) -> Value:
    if p not in (1, 2):
        raise ModelError(f"p must be 1 or 2, got {p}")
    # A vector of zeros stays zero; of shorter ones than this, float32 loses the squares.
    limits = np.finfo(x.dtype if x.dtype.kind == "f" else np.float32)
    least = float(limits.smallest_subnormal) if p == 1 else float(limits.smallest_normal) ** 0.5
    return g.append(Normalize(float(p), axis, least), x)


def MeanVarianceNormalization(g: Recorder, x: Value, *, axes: Ints = (0, 2, 3)) -> Value:
    off = g.append(Binary("sub"), x, g.append(Reduce("mean", axes, True), x))
    deviation = g.append(Reduce("std", axes, True, correction=0.0), x)
    return g.append(Binary("div"), off, g.append(Binary("add"), deviation, _number(1e-9, x)))
