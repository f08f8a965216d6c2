"""Every reference against oracles that are not ours: ONNX's reference evaluator, SciPy, and values computed by hand.

An oracle is fed float64 and its result rounded to the case's type, so that it is the truth, and the reference is held to the bounds
of ``close``. Where ONNX's evaluator itself is wrong (1.23), ``UNLIKE_ONNX`` says how, and another oracle stands in.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np
import pytest
from cases import CASES
from close import assert_close
from onnx import TensorProto, checker, helper
from onnx.reference import ReferenceEvaluator
from scipy import signal, special

from gpucnn import functional as F
from gpucnn.ops import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Binary,
    Cast,
    Concat,
    Conv,
    Flatten,
    GlobalAvgPool,
    Identity,
    Linear,
    Lookup,
    LookupConv,
    MaxPool,
    MinPool,
    Op,
    Pad,
    Reorder,
    Reshape,
    Softmax,
    TopK,
    Transpose,
)
from gpucnn.spec import spec_of

OPSET = 21
_TYPES = {
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.uint8): TensorProto.UINT8,
}


def onnx(kind: str, *arrays: Any, outputs: int = 1, **attributes: Any) -> tuple[Any, ...]:
    """One ONNX node on arrays; floating point is computed in float64."""
    wide = [None if a is None else a.astype(np.float64) if a.dtype.kind == "f" else a for a in arrays]
    names = ["" if a is None else f"x{i}" for i, a in enumerate(wide)]
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(kind, names, made, **attributes)
    inputs = [helper.make_tensor_value_info(n, _TYPES[a.dtype], a.shape) for n, a in zip(names, wide) if a is not None]
    results = [helper.make_empty_tensor_value_info(n) for n in made]
    graph = helper.make_graph([node], "one", inputs, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    checker.check_node(node, checker.DEFAULT_CONTEXT)
    with np.errstate(all="ignore"):
        return tuple(ReferenceEvaluator(model).run(None, {n: a for n, a in zip(names, wide) if a is not None}))


# -- oracles, one an op: arrays to outputs, in float64


def _activate(act: Activation | None, y: Any) -> Any:
    if act is None:
        return y
    if act.kind == "clip":
        return np.clip(y, act.alpha, act.beta)
    return {"relu": lambda v: np.clip(v, 0, None), "sigmoid": special.expit, "tanh": np.tanh}[act.kind](y)


def _finish(op: Conv | Linear, y: Any, arrays: tuple[Any, ...]) -> Any:
    residual = arrays[3] if len(arrays) > 3 else None
    y = _activate(op.epilogue.pre, y)
    return _activate(op.epilogue.post, y if residual is None else y + residual.astype(np.float64))


def _auto_pad(padding: Any) -> dict[str, Any]:
    if isinstance(padding, str):
        return {"auto_pad": {"same": "SAME_UPPER", "same_lower": "SAME_LOWER", "valid": "VALID"}[padding]}
    return {"pads": [p[side] for side in (0, 1) for p in padding]}


def conv(op: Conv, *arrays: Any) -> tuple[Any, ...]:
    x, w, b = (*arrays, None)[:3]
    fields = {"strides": op.stride, "dilations": op.dilation, "group": op.groups, "kernel_shape": w.shape[2:]}
    (y,) = onnx("Conv", x, w, b, **fields, **_auto_pad(op.padding))
    return (_finish(op, y, arrays),)


def conv_by_scipy(op: Conv, *arrays: Any) -> tuple[Any, ...]:
    """Correlate every channel with every kernel, spread by the dilation, at every pixel, then keep what the stride meets."""
    x, w, b = (*arrays, None)[:3]
    pads = op.pads(*map(spec_of, (x, w)))
    x, w = np.pad(x.astype(np.float64), ((0, 0), (0, 0), *pads)), w.astype(np.float64)
    spread = np.zeros((*w.shape[:2], *((k - 1) * d + 1 for k, d in zip(w.shape[2:], op.dilation))))
    spread[(..., *(slice(None, None, d) for d in op.dilation))] = w
    per, groups = w.shape[1], op.groups
    y = [
        [
            sum(signal.correlate(image[k * groups // len(w) * per + c], spread[k, c], "valid", "direct") for c in range(per))
            for k in range(len(w))
        ]
        for image in x
    ]
    total = np.asarray(y)[(..., *(slice(None, None, s) for s in op.stride))]
    return (_finish(op, total if b is None else total + b.reshape(-1, *(1,) * len(pads)), arrays),)


def linear(op: Linear, *arrays: Any) -> tuple[Any, ...]:
    x, w, b = (*arrays, None)[:3]
    (y,) = onnx("Gemm", x.reshape(prod(x.shape[:-1]), x.shape[-1]), w, b, transB=1)
    return (_finish(op, y.reshape(*x.shape[:-1], len(w)), arrays),)


def max_pool(op: MaxPool, x: Any) -> tuple[Any, ...]:
    """ONNX; its indices count through the whole array, ours through the plane."""
    fields = {"strides": op.stride, "dilations": op.dilation, "kernel_shape": op.kernel_size, "ceil_mode": int(op.ceil_mode)}
    y, *where = onnx("MaxPool", x, outputs=1 + op.return_indices, **fields, **_auto_pad(op.padding))
    return (y, *(w % prod(x.shape[2:]) for w in where))


def windows_by_hand(op: MaxPool | MinPool, x: Any) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
    """The place of each result, and those of the values under its window that lie on the image."""
    pads = op.pads(spec_of(x))
    for n, c, *at in np.ndindex(*op.infer(spec_of(x))[0].shape):
        taps = itertools.product(*map(range, op.kernel_size))
        met = [tuple(p * s - b + t * d for p, s, (b, _), t, d in zip(at, op.stride, pads, tap, op.dilation)) for tap in taps]
        yield (n, c, *at), [(n, c, *i) for i in met if all(0 <= k < size for k, size in zip(i, x.shape[2:]))]


def max_pool_by_hand(op: MaxPool, x: Any) -> tuple[Any, ...]:
    """Of the values under a window those that lie on the image, one window after another."""
    shape = op.infer(spec_of(x))[0].shape
    y, where = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    for at, under in windows_by_hand(op, x):
        best, place = None, -1
        for i in under:
            v = x[i]
            if best is None or v > best or (v != v and best == best):
                best, place = v, int(np.ravel_multi_index(i[2:], x.shape[2:]))
        nothing = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        y[at], where[at] = nothing if best is None else best, place
    return (y, where) if op.return_indices else (y,)


def min_pool(op: MinPool, x: Any) -> tuple[Any, ...]:
    """Its definition: −max(−x), in a type that has −x."""
    negative = -x.astype(np.float64 if x.dtype.kind == "f" else np.int64)
    return (-max_pool(MaxPool(op.kernel_size, op.stride, op.padding, op.dilation, op.ceil_mode), negative)[0],)


def min_pool_by_hand(op: MinPool, x: Any) -> tuple[Any, ...]:
    """The least of a list, which NumPy lets be NaN; of none the highest that there is."""
    y = np.empty(op.infer(spec_of(x))[0].shape, x.dtype)
    highest = np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).max
    for at, under in windows_by_hand(op, x):
        y[at] = np.min([x[i] for i in under]) if under else highest
    return (y,)


def topk(op: TopK, x: Any) -> tuple[Any, ...]:
    return onnx("TopK", x, _ints(op.k), outputs=2, axis=op.dim, largest=int(op.largest), sorted=1)


def topk_by_hand(op: TopK, x: Any) -> tuple[Any, ...]:
    """Python's sort of (is NaN, value, index); the index falls where the others do, and so comes last to first."""
    side = -1 if op.largest else 1

    def places(row: Any) -> Any:
        ranks = [(bool(v != v), 0 if v != v else v.item(), side * i) for i, v in enumerate(row)]
        return np.asarray([side * i for *_, i in sorted(ranks, reverse=op.largest)[: op.k]], np.int64)

    where = np.apply_along_axis(places, op.dim, x) if x.size else np.zeros(op.infer(spec_of(x))[0].shape, np.int64)
    return np.take_along_axis(x, where, op.dim), where


def avg_pool(op: AvgPool, x: Any) -> tuple[Any, ...]:
    fields = {"strides": op.stride, "dilations": op.dilation, "kernel_shape": op.kernel_size, "ceil_mode": int(op.ceil_mode)}
    if op.divisor_override is not None:
        ones = np.ones((1, 1, *op.kernel_size)) / op.divisor_override
        channels = Conv(op.stride, op.padding, op.dilation)
        y = [conv(channels, x[:, c : c + 1], ones)[0] for c in range(x.shape[1])]
        return (np.concatenate(y, axis=1),)
    (y,) = onnx("AveragePool", x, count_include_pad=int(op.count_include_pad), **fields, **_auto_pad(op.padding))
    if op.padding == ((4, 4), (4, 4)) and not op.count_include_pad:
        y = np.where(np.isnan(y), 0, y)  # windows of nothing: ONNX divides 0 by 0, PyTorch's kernel says 0, and so do we
    return (y,)


def adaptive_avg_pool(op: AdaptiveAvgPool, x: Any) -> tuple[Any, ...]:
    """Both grids laid over the same length: a window's mean is over the pixels that it touches. All in whole numbers."""
    y = x.astype(np.float64)
    for axis, p in enumerate(op.output_size, 2):
        n = x.shape[axis]
        touched = [[i for i in range(n) if i * p < (k + 1) * n and (i + 1) * p > k * n] for k in range(p)]
        y = np.stack([np.take(y, t, axis).mean(axis) for t in touched], axis)
    return (y,)


def batch_norm(op: BatchNorm, x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None) -> tuple[Any, ...]:
    weight = np.ones_like(mean) if weight is None else weight
    bias = np.zeros_like(mean) if bias is None else bias
    # The attribute epsilon is a float32: 1e-5 would be off by 2.5e-8 of itself, which float64 shows. So eps goes in with the variance.
    return onnx("BatchNormalization", x, weight, bias, mean, var.astype(np.float64) + op.eps, epsilon=0.0)


def activation(op: Activation, x: Any) -> tuple[Any, ...]:
    if op.kind == "clip":
        # The bounds are held in x's type.
        bounds = [np.asarray(v, x.dtype).astype(np.float64 if x.dtype.kind == "f" else x.dtype) for v in (op.alpha, op.beta)]
        return onnx("Clip", x, *bounds)
    return onnx({"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}[op.kind], x)


def lookup(op: Lookup, x: Any, table: Any) -> tuple[Any, ...]:
    return (np.stack([onnx("Gather", table[:, c], x[:, c].astype(np.int64))[0] for c in range(x.shape[1])], axis=1),)


def cast(op: Cast, x: Any) -> tuple[Any, ...]:
    """By Python's struct, which rounds to nearest even; it refuses what lies beyond the type, where the result is infinite."""
    letter = {"float16": "e", "float32": "f", "float64": "d"}[op.dtype]

    def one(v: float) -> float:
        try:
            return float(struct.unpack(letter, struct.pack(letter, v))[0])
        except OverflowError:
            return float(np.copysign(np.inf, v))

    return (np.asarray([one(v) for v in x.reshape(-1).tolist()], op.dtype).reshape(x.shape),)
def lookup_conv(op: LookupConv, x: Any, table: Any, *rest: Any) -> tuple[Any, ...]:
    return conv(op.conv, *lookup(Lookup(), x, table), *rest)


def pad(op: Pad, x: Any) -> tuple[Any, ...]:
    if x.ndim == 0:
        return (x,)
    mode = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[op.mode]
    amounts = np.asarray([p[side] for side in (0, 1) for p in op.pads], np.int64)
    value = np.asarray(op.value, np.float64 if x.dtype.kind == "f" else x.dtype)
    return onnx("Pad", x, amounts, value if op.mode == "constant" else None, mode=mode)


def _ints(*values: int) -> Any:
    return np.asarray(values, np.int64)


ORACLES: dict[type[Op], tuple[Callable[..., tuple[Any, ...]], ...]] = {
    Conv: (conv, conv_by_scipy),
    Linear: (linear,),
    MaxPool: (max_pool, max_pool_by_hand),
    MinPool: (min_pool, min_pool_by_hand),
    AvgPool: (avg_pool,),
    GlobalAvgPool: (lambda op, x: onnx("GlobalAveragePool", x),),
    AdaptiveAvgPool: (adaptive_avg_pool,),
    Activation: (activation,),
    Softmax: (lambda op, x: (special.softmax(x.astype(np.float64), axis=op.dim) if x.size else x,),),
    TopK: (topk, topk_by_hand),
    Cast: (cast,),
    Binary: (lambda op, x, y: onnx(op.kind.capitalize(), x, y),),
    BatchNorm: (batch_norm,),
    Identity: (lambda op, x: onnx("Identity", x),),
    Reorder: (lambda op, x: onnx("Identity", x),),
    Reshape: (lambda op, x: onnx("Reshape", x, _ints(*op.shape), allowzero=int(-1 not in op.shape)),),
    Flatten: (lambda op, x: onnx("Reshape", x, _ints(*op.infer(spec_of(x))[0].shape), allowzero=1),),
    Transpose: (lambda op, x: onnx("Transpose", x, **({"perm": op.dims} if op.dims else {})),),
    Concat: (lambda op, *xs: onnx("Concat", *xs, axis=op.dim),),
    Pad: (pad,),
    Lookup: (lookup,),
    LookupConv: (lookup_conv,),
}

UNLIKE_ONNX = {
    ("MaxPool", "NaN and Inf"): "the evaluator skips NaN: max([nan, 1.29]) is 1.29 there; PyTorch and NumPy let NaN through",
    ("MaxPool", "windows in the padding alone"): "the evaluator gives 0 for a window without a pixel, whatever lies below 0",
    ("MaxPool", "indices of NaN and Inf"): "as NaN and Inf",
    ("MaxPool", "indices of windows in the padding alone"): "as windows in the padding alone",
    ("MaxPool", "same_lower"): "the evaluator gives 3 windows for 7 pixels at stride 2; the specification says ceil(7/2) = 4",
    ("MaxPool", "1x5"): "the evaluator takes the maximum of an empty slice where padding is given for one axis alone",
    ("MaxPool", "5x1"): "as 1x5",
    ("MinPool", "NaN and Inf"): "as for MaxPool",
    ("MinPool", "windows in the padding alone"): "as for MaxPool",
    ("MinPool", "uint8, windows in the padding alone"): "as for MaxPool",
    ("MinPool", "same_lower"): "as for MaxPool",
    ("MinPool", "1x5"): "as for MaxPool",
    ("MinPool", "5x1"): "as for MaxPool",
    ("GlobalAvgPool", "batch 0"): "the evaluator divides by the size of the array",
}
"""By op and case: why the first oracle, ONNX's, cannot be asked. Each of them has a second one or a value computed by hand."""

CHANNELS = 6
"""Channels of a pool that the oracles are asked for: they do not see each other, and plain loops over 64 take seconds."""


def _asked() -> list[Any]:
    found = []
    for kind, cases in CASES.items():
        for case, (i, oracle) in itertools.product(cases, enumerate(ORACLES[kind])):
            empty = any(d is not None and 0 in d.shape for d in case.inputs)
            if (i == 0 and (kind.__name__, case.id) in UNLIKE_ONNX) or (oracle is conv_by_scipy and empty):
                continue
            found.append(pytest.param(case, oracle, id=f"{kind.__name__}/{case.id}/{i}"))
    return found


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")  # ONNX's, for windows of nothing
@pytest.mark.parametrize(("case", "oracle"), _asked())
def test_reference_equals_the_oracle(case, oracle):
    arrays = case.arrays()
    if isinstance(case.op, (MaxPool, MinPool, AvgPool)):
        arrays = (arrays[0][:, :CHANNELS],)
    with np.errstate(all="ignore"):
        specs = case.op.infer(*(None if a is None else spec_of(a) for a in arrays))
        rounded = tuple(np.asarray(y).astype(s.dtype) for y, s in zip(oracle(case.op, *arrays), specs))
    assert_close(case.op, rounded, arrays)


def test_every_case_has_an_oracle():
    asked = {(type(p.values[0].op).__name__, p.values[0].id) for p in _asked()}
    by_hand = {("GlobalAvgPool", "batch 0")}  # nothing in, nothing out
    assert {(kind.__name__, case.id) for kind, cases in CASES.items() for case in cases} == asked | by_hand


# -- by hand

f32 = np.float32


def row(*values: float) -> Any:
    """An image of one line."""
    return f32(values).reshape(1, 1, 1, -1)


def test_weighted_sums():
    y = F.linear(f32([[155, 60]]), f32([[0.27, 0.2], [-0.1, -0.4]]))
    np.testing.assert_allclose(y, [[53.85, -39.5]], rtol=4 * np.finfo(f32).eps)
    assert F.relu(y)[0, 1] == 0


def test_softmax_of_three():
    (y,) = Softmax(0).reference(np, f32([2.5, 1.8, 0.2]))
    assert [f"{v:.4f}" for v in y] == ["0.6262", "0.3110", "0.0628"]
    y = F.softmax(f32([1e4, 1e4 - 1, -1e38]), 0)  # 1/(1 + 1/e), and what is left
    assert [f"{v:.4f}" for v in y] == ["0.7311", "0.2689", "0.0000"]


def test_the_kernel_is_not_flipped():
    assert F.conv2d(row(1, 2, 3, 4), row(1, 10, 0)).ravel().tolist() == [21, 32]


def test_4x4_under_3x3_gives_2x2():
    x = np.arange(16, dtype=f32).reshape(1, 1, 4, 4)
    assert F.conv2d(x, np.ones((1, 1, 3, 3), f32))[0, 0].tolist() == [[45, 54], [81, 90]]


@pytest.mark.parametrize(("padding", "sums"), [("same", [6, 7]), ("same_lower", [3, 9]), ("valid", [6])])
def test_the_odd_pixel_of_same_padding(padding, sums):
    assert F.conv2d(row(1, 2, 3, 4), row(1, 1, 1), stride=2, padding=padding).ravel().tolist() == sums


def test_groups_take_their_own_channels():
    x = f32([1, 10, 100, 1000]).reshape(1, 4, 1, 1)
    w = f32([[1, 1], [1, 2], [1, 1], [2, 1]]).reshape(4, 2, 1, 1)
    assert F.conv2d(x, w, groups=2).ravel().tolist() == [11, 21, 1100, 1200]
    multiplier = f32([1, 2, 3, 4]).reshape(4, 1, 1, 1)
    assert F.conv2d(x[:, :2], multiplier, groups=2).ravel().tolist() == [1, 2, 30, 40]


def test_the_epilogue_in_its_order():
    """−3 + 1 = −2, relu 0, − 1 = −1, clip −0.5."""
    case = next(c for c in CASES[Conv] if c.id == "images grouped into one product")
    epilogue = type(case.op.epilogue)(Activation("relu"), Activation("clip", -0.5, 9.0))
    arrays = [f32(v).reshape(shape) for v, shape in ((-3, (1, 1, 1, 1)), (1, (1, 1, 1, 1)), (1, (1,)), (-1, (1, 1, 1, 1)))]
    assert Conv(epilogue=epilogue).reference(np, *arrays)[0].item() == -0.5


def test_a_window_that_would_start_in_the_padding_is_dropped():
    """5 pixels, windows of 2 at stride 3, padding 1: ceil((5 + 2 − 2)/3) + 1 = 3, but the third would start behind the last pixel."""
    x = np.arange(25, dtype=f32).reshape(1, 1, 5, 5)
    assert F.max_pool2d(x, 2, 3, 1, ceil_mode=True)[0, 0].tolist() == [[0, 3], [15, 18]]
    assert F.max_pool2d(row(1, 2, 3, 4), (1, 3), (1, 2), ceil_mode=True).ravel().tolist() == [3, 4]


@pytest.mark.parametrize(
    ("fields", "means"),
    [
        ({}, [2, 6, 4]),  # windows [−1, 2), [1, 4), [3, 6) cut off at 5: divisors 3, 3, 2
        ({"count_include_pad": False}, [3, 6, 8]),
        ({"divisor_override": 2}, [3, 9, 4]),
    ],
)
def test_average_with_ceil_mode_and_padding_counts_as_pytorch(fields, means):
    y = F.avg_pool2d(row(2, 4, 6, 8), (1, 3), (1, 2), (0, 1), ceil_mode=True, **fields)
    np.testing.assert_allclose(y.ravel(), means, rtol=2 * np.finfo(f32).eps)


@pytest.mark.parametrize(
    ("n", "means"),
    [
        (5, [1.5, 3, 4.5]),  # [0, 2) [1, 4) [3, 5)
        (7, [2, 4, 6]),  # [0, 3) [2, 5) [4, 7)
        (2, [1, 1.5, 2]),  # [0, 1) [0, 2) [1, 2)
        (3, [1, 2, 3]),
        (1, [1, 1, 1]),
    ],
)
def test_adaptive_windows(n, means):
    assert F.adaptive_avg_pool2d(row(*range(1, n + 1)), (1, 3)).ravel().tolist() == means


def test_adaptive_windows_are_whole_numbers():
    """i·in is above 2**24: float32 would put some windows a pixel aside."""
    n, p = 9973, 9967
    y = AdaptiveAvgPool((p,)).reference(np, np.arange(n, dtype=np.float64).reshape(1, 1, n))[0].ravel()
    assert y.tolist() == [(i * n // p + -(-(i + 1) * n // p) - 1) / 2 for i in range(p)]


def test_padding_counts_as_minus_infinity_and_nan_goes_through():
    assert F.max_pool2d(row(-3, -2), (1, 3), (1, 1), (0, 1)).ravel().tolist() == [-2, -2]
    y = F.max_pool2d(row(1, np.nan, 3, 4, 5, 6), (1, 2))
    np.testing.assert_array_equal(y.ravel(), [np.nan, 4, 6])
    y, where = F.max_pool2d(row(7, 7, 3, np.nan, 5, 6), (1, 2), return_indices=True)
    assert where.ravel().tolist() == [0, 3, 5]
    assert np.isnan(y.ravel()[1])


def test_the_minimum_takes_the_padding_as_plus_infinity():
    assert F.min_pool2d(row(3, 2), (1, 3), (1, 1), (0, 1)).ravel().tolist() == [2, 2]
    np.testing.assert_array_equal(F.min_pool2d(row(1, np.nan, 3, 4, 5, 6), (1, 2)).ravel(), [np.nan, 3, 5])
    assert F.min_pool2d(row(1, 2, 3), 1, 2, (0, 2)).ravel().tolist() == [np.inf, 1, 3, np.inf]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_the_minimum_of_integers_needs_no_negative(dtype):
    limits = np.iinfo(dtype)
    x = np.asarray([limits.max, 7, limits.min, 5], dtype).reshape(1, 1, 1, 4)
    y = F.min_pool2d(x, (1, 2))
    assert y.dtype == dtype
    assert y.ravel().tolist() == [7, limits.min]


def test_ranking_by_hand():
    nan, inf = np.nan, np.inf
    for k, largest, values, places in (
        (7, True, [nan, nan, inf, 2, 2, -1, -inf], [1, 5, 2, 0, 4, 6, 3]),
        (7, False, [-inf, -1, 2, 2, inf, nan, nan], [3, 6, 0, 4, 2, 1, 5]),
        (2, True, [nan, nan], [1, 5]),
        (2, False, [-inf, -1], [3, 6]),
    ):
        y, where = F.topk(f32([2, nan, inf, -inf, 2, nan, -1]), k, largest=largest)
        np.testing.assert_array_equal(y, f32(values))
        assert where.tolist() == places


def test_both_zeros_rank_alike():
    y, where = F.topk(f32([-0.0, 0.0, -0.0, 0.0]), 4)
    assert where.tolist() == [0, 1, 2, 3]
    assert np.signbit(y).tolist() == [True, False, True, False]
    assert F.topk(f32([0.0, -0.0]), 2, largest=False)[1].tolist() == [0, 1]


def test_ranking_takes_the_last_axis_unless_told():
    x = f32([[1, 5, 3], [4, 2, 6]])
    assert F.topk(x, 1)[1].tolist() == [[1], [2]]
    assert F.topk(x, 1, 0)[0].tolist() == [[4, 5, 6]]
    assert F.topk(np.uint8([3, 255, 0]), 3, largest=False)[1].tolist() == [2, 0, 1]


def test_nothing_in_gives_nothing_out():
    assert GlobalAvgPool().reference(np, np.zeros((0, 3, 2, 2), f32))[0].shape == (0, 3, 1, 1)


def test_batch_norm_by_hand():
    one = f32([1])
    assert F.batch_norm(f32([[3]]), one, 4 * one, 2 * one, one / 2, eps=0.0).item() == 2.5


@pytest.mark.filterwarnings("error")
def test_sigmoid_does_not_overflow():
    extremes = f32([-np.finfo(f32).max, -1000, -100, 0, 100, 1000, np.finfo(f32).max])
    (y,) = Activation("sigmoid").reference(np, extremes)
    assert y.tolist() == [0, 0, pytest.approx(np.exp(-100), rel=1e-5), 0.5, 1, 1, 1]


def test_bounds_of_clip():
    assert F.relu6(f32([-1, 3, 7])).tolist() == [0, 3, 6]
    assert F.hardtanh(f32([-2, 0.5, 2])).tolist() == [-1, 0.5, 1]
    assert np.isnan(F.relu6(f32([np.nan])))[0]
    assert np.isnan(F.relu(f32([np.nan])))[0]


def test_sixteen_bits_are_summed_in_thirty_two():
    """In float16 4096 ones add up to 2048: there 2048 + 1 is 2048."""
    ones = np.ones((1, 4096), np.float16)
    assert F.linear(ones, ones).item() == 4096
    assert F.conv2d(ones.reshape(1, 4096, 1, 1), ones.reshape(1, 4096, 1, 1)).item() == 4096
    assert F.global_avg_pool2d(np.full((1, 1, 64, 64), 3, np.float16)).item() == 3


def test_flatten_order_is_nchw_whatever_the_memory():
    x = np.arange(24, dtype=f32).reshape(1, 2, 3, 4)
    lying = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert F.flatten(lying, 1).ravel().tolist() == list(range(24))


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        ("constant", [9, 9, 1, 2, 3, 9]),
        ("reflect", [3, 2, 1, 2, 3, 2]),
        ("replicate", [1, 1, 1, 2, 3, 3]),
        ("circular", [2, 3, 1, 2, 3, 1]),
    ],
)
def test_modes_of_padding(mode, line):
    assert F.pad(f32([1, 2, 3]), (2, 1), mode, 9.0).tolist() == line


def test_pad_takes_the_last_axis_first():
    assert F.pad(np.zeros((2, 3, 4, 5), f32), (1, 2, 3, 4)).shape == (2, 3, 11, 8)


def test_lookup_takes_the_channels_column():
    table = np.stack([np.arange(256), np.arange(256) * 1000], axis=1).astype(f32)
    assert F.lookup(np.uint8([[3, 4]]), table).tolist() == [[3, 4000]]
