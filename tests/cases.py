"""The table of op cases: what every reference is held to an oracle on, and every impl to its reference.

A case is an op and the arrays that it is given, drawn from a generator seeded by the case's id and by ``SEED``, which is another one in
every run of the tests. To add an op, add a row to ``CASES``; at least ``FEWEST`` cases an op.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpucnn.ops import (
    RELU6,
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Binary,
    Cast,
    Concat,
    Conv,
    Epilogue,
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
from gpucnn.spec import Spec

SEED = int(os.environ.get("GPUCNN_TEST_SEED") or int.from_bytes(os.urandom(4), "little"))
"""Of all cases of this run; a failure says it, and ``GPUCNN_TEST_SEED=<it>`` repeats the run."""

FEWEST = 8

_FILLS = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "wide": lambda rng, shape: rng.standard_normal(shape) * 100,
    "positive": lambda rng, shape: rng.uniform(0.5, 1.5, shape),
    "offset": lambda rng, shape: rng.standard_normal(shape) + 100,
    "below": lambda rng, shape: rng.standard_normal(shape) - 200,
    "ties": lambda rng, shape: rng.integers(1, 4, shape),
    # Halfway between float16 neighbours, below the normal ones, and around the largest.
    "halves": lambda rng, shape: rng.choice([1 + 2**-11, 1 + 3 * 2**-11, 2**-25, 3 * 2**-25, 65519.0, 65520.0, -1e6, 1e-3], shape),
    "zero": lambda rng, shape: np.zeros(shape),
    "zeros": lambda rng, shape: rng.choice([-1, -0.0, 0.0, 1], shape),
    "nan": lambda rng, shape: np.full(shape, np.nan),
    "lowest": lambda rng, shape: np.full(shape, -np.inf),
    "special": lambda rng, shape: rng.choice([np.nan, np.inf, -np.inf, *rng.standard_normal(60)], shape),
    "infinite": lambda rng, shape: rng.choice([np.inf, *rng.standard_normal(60)], shape),
}


@dataclass(frozen=True)
class Draw:
    """An array to be drawn: its shape, its dtype, and a key of ``_FILLS``; integers cover their type."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    fill: str = "normal"

    def array(self, rng: np.random.Generator) -> np.ndarray:
        dtype = np.dtype(self.dtype)
        if dtype.kind in "iu":
            low, high = (0, 256) if dtype == np.uint8 else (-99, 100)
            return rng.integers(low, high, self.shape, dtype)
        with np.errstate(over="ignore"):  # "halves" reach beyond float16
            return np.asarray(_FILLS[self.fill](rng, self.shape)).astype(dtype)


@dataclass(frozen=True)
class Case:
    """An op and its inputs; ``flows`` are the positions that arrive at run time, the others are constants of a net."""

    id: str
    op: Op
    inputs: tuple[Draw | None, ...]
    flows: tuple[int, ...] = (0,)

    def arrays(self, seed: int = SEED) -> tuple[Any, ...]:
        """The same for the same seed; a test that wants particular numbers gives one of its own."""
        rng = np.random.default_rng((seed, zlib.crc32(f"{self.op.name}/{self.id}".encode())))
        return tuple(None if draw is None else draw.array(rng) for draw in self.inputs)

    @property
    def specs(self) -> tuple[Spec | None, ...]:
        return tuple(None if d is None else Spec(d.shape, np.dtype(d.dtype)) for d in self.inputs)


def halved(case: Case) -> Case:
    """The case in float16."""
    inputs = tuple(replace(d, dtype="float16") if d is not None and d.dtype == "float32" else d for d in case.inputs)
    return replace(case, id=f"{case.id}, float16", inputs=inputs)


def of(id: str, op: Op, *inputs: Any, dtype: str = "float32", fill: str = "normal") -> Case:
    """A case whose inputs all arrive at run time, given as shapes or as Draws."""
    draws = tuple(d if isinstance(d, Draw) else Draw(d, dtype, fill) for d in inputs)
    return Case(id, op, draws, tuple(range(len(draws))))


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def _pads(value: Any, axes: int) -> Any:
    return value if isinstance(value, str) else tuple((p, p) if isinstance(p, int) else p for p in _each(value, axes))


def conv(
    id: str,
    x: tuple[int, ...],
    w: tuple[int, ...],
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    bias: bool = False,
    residual: bool = False,
    pre: Activation | None = None,
    post: Activation | None = None,
    dtype: str = "float32",
    fill: str = "normal",
) -> Case:
    axes = len(x) - 2
    op = Conv(_each(stride, axes), _pads(padding, axes), _each(dilation, axes), groups, Epilogue(pre, post))
    draws = [Draw(x, dtype, fill), Draw(w, dtype), Draw((w[0],), dtype) if bias else None]
    if residual:
        out = op.infer(*(Spec(s, np.dtype(dtype)) for s in (x, w)))[0].shape
        draws.append(Draw(out, dtype))
    return Case(id, op, tuple(draws), (0, 3) if residual else (0,))


def linear(
    id: str,
    x: tuple[int, ...],
    out: int,
    *,
    bias: bool = True,
    residual: bool = False,
    pre: Activation | None = None,
    post: Activation | None = None,
    dtype: str = "float32",
    fill: str = "normal",
) -> Case:
    draws = [Draw(x, dtype, fill), Draw((out, x[-1]), dtype), Draw((out,), dtype) if bias else None]
    if residual:
        draws.append(Draw((*x[:-1], out), dtype))
    return Case(id, Linear(Epilogue(pre, post)), tuple(draws), (0, 3) if residual else (0,))


def pool(
    kind: type[MaxPool | MinPool | AvgPool], id: str, x: tuple[int, ...], k: Any, s: Any = None, padding: Any = 0, *,
    dilation: Any = 1, dtype: str = "float32", fill: str = "normal", **fields: Any,
) -> Case:  # fmt: skip
    axes = len(x) - 2
    kernel = _each(k, axes)
    stride = kernel if s is None else _each(s, axes)
    op = kind(kernel, stride, _pads(padding, axes), dilation=_each(dilation, axes), **fields)
    return of(id, op, x, dtype=dtype, fill=fill)


def norm(id: str, x: tuple[int, ...], affine: str = "wb", *, eps: float = 1e-5, dtype: str = "float32", fill: str = "normal") -> Case:
    c, shift = (x[1],), "offset" if fill == "offset" else "normal"
    extra = (Draw(c, dtype) if "w" in affine else None, Draw(c, dtype) if "b" in affine else None)
    return Case(id, BatchNorm(eps), (Draw(x, dtype, fill), Draw(c, dtype, shift), Draw(c, dtype, "positive"), *extra))


def lookup(id: str, x: tuple[int, ...], dtype: str = "float32") -> Case:
    return Case(id, Lookup(), (Draw(x, "uint8"), Draw((256, x[1]), dtype)))


def lookup_conv(id: str, x: tuple[int, ...], w: tuple[int, ...], **fields: Any) -> Case:
    """As ``conv``, from bytes and a table."""
    whole = conv(id, x, w, **fields)
    values, weight, *rest = whole.inputs
    table = Draw((256, x[1]), values.dtype, values.fill)
    return Case(id, LookupConv(whole.op), (Draw(x, "uint8"), table, weight, *rest), (0, 4) if 3 in whole.flows else (0,))


RELU, SIGMOID, TANH = (Activation(kind) for kind in ("relu", "sigmoid", "tanh"))
HARD = Activation("clip", -0.5, 0.25)
ALL = {"bias": True, "residual": True, "pre": RELU6, "post": SIGMOID}

_CONV = (
    conv("one pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    conv("4x4 under 3x3", (1, 1, 4, 4), (1, 1, 3, 3)),
    conv("odd sizes", (1, 3, 7, 5), (5, 3, 3, 3), padding=1, bias=True),
    conv("batch 0", (0, 3, 7, 5), (5, 3, 3, 3), padding=1, bias=True),
    conv("batch 7", (7, 3, 9, 8), (5, 3, 3, 3), stride=2, padding=1, bias=True),
    conv("images grouped into one product", (6, 16, 3, 3), (8, 16, 3, 3), padding=1, **ALL),
    conv("1000 channels in", (1, 1000, 3, 3), (3, 1000, 3, 3), bias=True),
    conv("1000 channels out", (1, 3, 5, 5), (1000, 3, 3, 3), bias=True),
    conv("no channels out", (2, 3, 5, 5), (0, 3, 3, 3)),
    conv("several blocks", (1, 4, 75, 71), (24, 4, 3, 3), padding=1, **ALL),
    conv("several blocks strided", (2, 3, 131, 67), (24, 3, 3, 5), stride=(2, 1), padding=1, bias=True, pre=RELU),
    conv("dilation", (1, 3, 11, 9), (4, 3, 3, 3), dilation=(2, 3), padding=(2, 3)),
    conv("stride and dilation", (3, 3, 11, 12), (4, 3, 3, 2), stride=(2, 3), dilation=2),
    conv("asymmetric padding", (1, 3, 6, 7), (5, 3, 3, 3), padding=((0, 1), (2, 0))),
    conv("same", (1, 3, 7, 6), (5, 3, 3, 3), padding="same", stride=2),
    conv("same, even kernel", (1, 3, 6, 5), (5, 3, 4, 2), padding="same"),
    conv("same_lower", (1, 3, 8, 7), (5, 3, 3, 2), padding="same_lower", stride=2, dilation=2),
    conv("valid", (1, 3, 8, 7), (5, 3, 3, 2), padding="valid"),
    conv("1x7", (1, 3, 5, 9), (4, 3, 1, 7), padding=(0, 3)),
    conv("7x1", (1, 3, 9, 5), (4, 3, 7, 1), padding=(3, 0)),
    conv("kernel larger than the image", (1, 2, 2, 3), (3, 2, 5, 5), padding=2),
    conv("windows in the padding alone", (1, 2, 3, 3), (3, 2, 2, 2), padding=4, stride=3, bias=True),
    conv("stride above kernel", (2, 3, 11, 10), (4, 3, 2, 2), stride=(4, 3)),
    conv("groups", (2, 6, 7, 7), (4, 3, 3, 3), groups=2, padding=1, **ALL),
    conv("groups of unlike size", (1, 6, 5, 4), (9, 2, 2, 2), groups=3, bias=True, post=RELU),
    conv("groups 1x1", (1, 6, 5, 5), (4, 3, 1, 1), groups=2),
    conv("1x1", (1, 5, 7, 9), (3, 5, 1, 1), bias=True),
    conv("1x1 batch 7", (7, 5, 9, 9), (3, 5, 1, 1), bias=True, pre=RELU),
    conv("1x1 stride 2", (2, 5, 7, 10), (3, 5, 1, 1), stride=2),
    conv("1x1 stride above image", (1, 5, 3, 2), (3, 5, 1, 1), stride=4),
    conv("1x1 padded", (1, 5, 3, 2), (3, 5, 1, 1), padding=1, bias=True),
    conv("1x1 1000 channels", (7, 1000, 3, 3), (5, 1000, 1, 1), bias=True),
    conv("1x1 several blocks", (1, 8, 75, 71), (24, 8, 1, 1), **ALL),
    conv("1x1 all epilogue", (4, 8, 3, 5), (6, 8, 1, 1), **ALL),
    conv("depthwise", (1, 5, 9, 7), (5, 1, 3, 3), groups=5, padding=1, bias=True),
    conv("depthwise batch 7", (7, 3, 5, 5), (3, 1, 3, 3), groups=3, padding=1, pre=RELU6),
    conv("depthwise stride 2", (2, 5, 9, 8), (5, 1, 3, 3), groups=5, padding=((0, 1), (0, 1)), stride=2, bias=True, pre=RELU6),
    conv("depthwise dilation", (1, 3, 9, 9), (3, 1, 3, 3), groups=3, dilation=2, padding=2),
    conv("depthwise times 3", (2, 3, 6, 5), (9, 1, 3, 3), groups=3, padding=1, **ALL),
    conv("depthwise times 2 strided", (2, 3, 9, 8), (6, 1, 2, 5), groups=3, stride=(3, 2), dilation=(2, 1), padding=2),
    conv("depthwise 5x5 larger than image", (1, 4, 3, 2), (4, 1, 5, 5), groups=4, padding=2),
    conv("depthwise 1x1", (2, 5, 4, 3), (5, 1, 1, 1), groups=5, bias=True),
    conv("depthwise several blocks", (1, 24, 75, 71), (24, 1, 3, 3), groups=24, padding=1, **ALL),
    conv("bias and relu", (1, 3, 5, 5), (4, 3, 3, 3), bias=True, pre=RELU),
    conv("residual", (2, 3, 5, 5), (4, 3, 3, 3), residual=True),
    conv("residual, then relu", (2, 3, 5, 5), (4, 3, 3, 3), padding=1, residual=True, bias=True, post=RELU),
    conv("clip, then tanh", (2, 3, 5, 5), (4, 3, 1, 1), pre=HARD, post=TANH),
    conv("NaN and Inf", (2, 3, 9, 9), (4, 3, 3, 3), padding=1, fill="special", pre=RELU),
    conv("1x1 NaN and Inf", (2, 3, 9, 9), (4, 3, 1, 1), fill="special", bias=True),
    conv("depthwise NaN and Inf", (2, 3, 9, 9), (3, 1, 3, 3), groups=3, padding=1, fill="special", post=RELU6),
    conv("float64", (2, 3, 5, 5), (4, 3, 3, 3), padding=1, dtype="float64", **ALL),
    conv("float16", (2, 3, 5, 5), (4, 3, 3, 3), padding=1, dtype="float16", **ALL),
    Case("float16, bias float32", Conv(), (Draw((2, 8, 5, 5), "float16"), Draw((6, 8, 3, 3), "float16"), Draw((6,)))),
    conv("Inf beside the window", (1, 3, 9, 40), (4, 3, 3, 3), fill="infinite"),
    conv("NaN beside the window", (2, 2, 40, 9), (4, 2, 5, 1), stride=(1, 2), fill="special", bias=True),
    conv("7x7 of an image", (1, 3, 33, 37), (16, 3, 7, 7), stride=2, padding=3, bias=True, pre=RELU),
    conv("11x11 of an image", (1, 3, 67, 51), (40, 3, 11, 11), stride=4, padding=2, bias=True, pre=RELU),
    conv("21x21 of an image", (1, 3, 25, 23), (4, 3, 21, 21), stride=2, padding=10, bias=True),
    conv("4 channels of an image", (2, 4, 21, 40), (16, 4, 3, 3), padding=1, **ALL),
    conv("1-d", (3, 4, 11), (6, 2, 3), groups=2, stride=2, padding=1, bias=True, pre=RELU),
    conv("3-d", (2, 3, 5, 4, 6), (4, 3, 2, 3, 3), padding=((0, 1), (1, 1), (2, 0)), dilation=(1, 1, 2), **ALL),
)



def _scores(id: str, x: tuple[int, ...], out: int) -> Case:
    """The last layer of a 16-bit net: bias and result are float32."""
    draws = (Draw(x, "float16"), Draw((out, x[-1]), "float16"), Draw((out,)))
    return Case(id, Linear(Epilogue(RELU6), "float32"), draws)


_LINEAR = (
    linear("one by one", (1, 1), 1),
    linear("batch 0", (0, 5), 3),
    linear("batch 7", (7, 5), 3, bias=False),
    linear("batch 64", (64, 33), 17, **ALL),
    linear("1000 in", (4, 1000), 3),
    linear("1000 out", (1, 3), 1000, pre=RELU),
    linear("no features", (3, 0), 2),
    linear("rank 1", (5,), 3, pre=RELU),
    linear("rank 3", (2, 3, 5), 4, **ALL),
    linear("rank 4", (2, 3, 4, 5), 4, pre=HARD),
    linear("residual", (3, 7), 5, residual=True),
    linear("residual, then relu", (3, 7), 5, residual=True, post=RELU),
    linear("NaN and Inf", (7, 5), 3, fill="special"),
    linear("float64", (3, 7), 5, dtype="float64", **ALL),
    linear("batch 65", (65, 24), 10, pre=RELU6),
    linear("float16", (3, 7), 5, dtype="float16", **ALL),
    _scores("float16 to float32", (5, 24), 10),
    _scores("float16 to float32, batch 0", (0, 24), 10),
)


def _pools(kind: type[MaxPool | MinPool | AvgPool]) -> tuple[Case, ...]:
    """What all window pools are asked."""
    return (
        pool(kind, "1x1", (1, 1, 1, 1), 1),
        pool(kind, "1x1 strided", (1, 3, 5, 4), 1, 2),
        pool(kind, "2x2", (1, 3, 6, 8), 2),
        pool(kind, "odd sizes", (1, 5, 7, 5), 3, 2, 1),
        pool(kind, "batch 0", (0, 3, 7, 5), 3, 2, 1),
        pool(kind, "batch 7", (7, 3, 7, 5), 3, 2, 1),
        pool(kind, "1000 channels", (2, 1000, 5, 5), 3, 1, 1),
        pool(kind, "several blocks", (1, 64, 70, 71), 3, 1, 1),
        pool(kind, "several blocks strided", (2, 64, 131, 70), (3, 2), (2, 1), 1),
        pool(kind, "ceil mode", (1, 3, 6, 8), 3, 2, 0, ceil_mode=True),
        pool(kind, "ceil mode drops a window", (1, 3, 5, 5), 2, 3, 1, ceil_mode=True),
        pool(kind, "ceil mode, padding", (2, 3, 7, 8), 3, (2, 3), 1, ceil_mode=True),
        pool(kind, "dilation", (1, 3, 9, 8), 3, 1, 1, dilation=2),
        pool(kind, "asymmetric padding", (1, 3, 6, 7), 3, 2, ((0, 1), (2, 0))),
        pool(kind, "same", (1, 3, 6, 7), 3, 2, "same"),
        pool(kind, "same_lower", (1, 3, 6, 7), (2, 4), 2, "same_lower"),
        pool(kind, "valid", (1, 3, 6, 7), 3, 2, "valid"),
        pool(kind, "1x5", (1, 3, 4, 9), (1, 5), 1, (0, 2)),
        pool(kind, "5x1", (1, 3, 9, 4), (5, 1), 1, (2, 0)),
        pool(kind, "kernel larger than the image", (1, 3, 2, 3), 5, 2, 2),
        pool(kind, "stride above kernel", (2, 3, 11, 10), 2, (4, 3)),
        pool(kind, "windows in the padding alone", (1, 3, 3, 3), 2, 2, 4),
        pool(kind, "NaN and Inf", (2, 3, 9, 9), 3, 2, 1, fill="special"),
        pool(kind, "float64", (2, 3, 7, 5), 3, 2, 1, dtype="float64"),
        pool(kind, "float16", (2, 3, 7, 5), 3, 2, 1, dtype="float16"),
        pool(kind, "1-d", (3, 4, 11), 3, 2, 1),
        pool(kind, "3-d", (2, 3, 5, 4, 6), (2, 3, 2), 2, ((0, 1), (1, 1), (1, 0)), ceil_mode=True),
    )


_MAX_POOL = (
    *_pools(MaxPool),
    pool(MaxPool, "all -Inf", (1, 3, 5, 5), 3, 2, 1, fill="lowest"),
    pool(MaxPool, "int32", (2, 3, 7, 5), 3, 2, 1, dtype="int32"),
    pool(MaxPool, "uint8", (2, 3, 7, 5), 3, 2, 1, dtype="uint8"),
    pool(MaxPool, "indices", (2, 3, 7, 5), 3, 2, 1, return_indices=True),
    pool(MaxPool, "indices of ties", (2, 3, 7, 5), 3, 2, 1, return_indices=True, fill="ties"),
    pool(MaxPool, "indices of NaN and Inf", (2, 8, 9, 9), 2, 1, return_indices=True, fill="special"),
    pool(MaxPool, "indices of -Inf", (2, 8, 5, 5), 3, 2, 1, return_indices=True, fill="lowest"),
    pool(MaxPool, "indices of windows in the padding alone", (1, 6, 3, 3), 2, 2, 4, return_indices=True),
    pool(MaxPool, "indices 1000 channels", (2, 1000, 5, 4), (2, 3), 2, 1, ceil_mode=True, dilation=2, return_indices=True),
    pool(MaxPool, "indices 3-d", (2, 3, 5, 4, 6), 2, return_indices=True),
)

_MIN_POOL = (
    *_pools(MinPool),
    pool(MinPool, "all -Inf", (1, 3, 5, 5), 3, 2, 1, fill="lowest"),
    pool(MinPool, "int32", (2, 3, 7, 5), 3, 2, 1, dtype="int32"),
    pool(MinPool, "uint8", (2, 3, 7, 5), 3, 2, 1, dtype="uint8"),
    pool(MinPool, "uint8, windows in the padding alone", (1, 3, 3, 3), 2, 2, 4, dtype="uint8"),
)

_AVG_POOL = (
    *_pools(AvgPool),
    pool(AvgPool, "padding not counted", (2, 3, 7, 5), 3, 2, 1, count_include_pad=False),
    pool(AvgPool, "padding not counted, ceil mode", (2, 3, 7, 8), 3, (2, 3), 1, ceil_mode=True, count_include_pad=False),
    pool(AvgPool, "padding not counted, asymmetric", (1, 3, 6, 7), 3, 2, ((0, 1), (2, 0)), count_include_pad=False),
    pool(AvgPool, "padding not counted, same", (1, 3, 6, 7), 3, 2, "same", count_include_pad=False),
    pool(AvgPool, "windows of nothing", (1, 3, 3, 3), 2, 2, 4, count_include_pad=False),
    pool(AvgPool, "divisor", (2, 3, 7, 5), 3, 2, 1, divisor_override=4),
    pool(AvgPool, "divisor and 1x1", (2, 3, 7, 5), 1, 1, divisor_override=-2),
)

_MAPS: tuple[tuple[str, tuple[int, ...], dict[str, str]], ...] = (
    ("one pixel", (1, 1, 1, 1), {}),
    ("odd sizes", (1, 3, 7, 5), {}),
    ("batch 0", (0, 3, 7, 5), {}),
    ("batch 7", (7, 5, 4, 9), {}),
    ("1000 channels", (3, 1000, 7, 7), {}),
    ("large map", (1, 3, 113, 97), {}),
    ("offset", (2, 3, 33, 31), {"fill": "offset"}),
    ("NaN and Inf", (2, 3, 9, 9), {"fill": "special"}),
    ("float64", (2, 3, 7, 5), {"dtype": "float64"}),
    ("float16", (2, 3, 7, 5), {"dtype": "float16"}),
)

_GLOBAL = (
    *(of(id, GlobalAvgPool(), shape, **kw) for id, shape, kw in _MAPS),
    of("1-d", GlobalAvgPool(), (2, 3, 11)),
    of("3-d", GlobalAvgPool(), (2, 3, 4, 5, 6)),
)

_ADAPTIVE = (
    *(of(id, AdaptiveAvgPool((3, 2)), shape, **kw) for id, shape, kw in _MAPS),
    of("whole map", AdaptiveAvgPool((1, 1)), (2, 3, 5, 7)),
    of("every pixel", AdaptiveAvgPool((5, 7)), (2, 3, 5, 7)),
    of("more windows than pixels", AdaptiveAvgPool((7, 9)), (2, 3, 5, 4)),
    of("1-d", AdaptiveAvgPool((4,)), (2, 3, 11)),
    of("3-d", AdaptiveAvgPool((2, 3, 4)), (2, 3, 5, 4, 6)),
)

_ACTIVATION = (
    *(
        of(f"{op.name} {id}" if op != HARD else f"hard {id}", op, shape, **kw)
        for op in (RELU, RELU6, HARD, SIGMOID, TANH)
        for id, shape, kw in (
            ("scalar", (), {}),
            ("rank 2", (7, 5), {"fill": "wide"}),
            ("rank 3", (2, 5, 3), {}),
            ("odd sizes", (1, 3, 7, 5), {}),
            ("batch 0", (0, 3, 7, 5), {}),
            ("1000 channels", (7, 1000, 1, 1), {}),
            ("NaN and Inf", (2, 3, 9, 9), {"fill": "special"}),
            ("float64", (2, 3, 7, 5), {"dtype": "float64", "fill": "wide"}),
            ("float16", (2, 3, 7, 5), {"dtype": "float16", "fill": "wide"}),
            *([("int32", (2, 3), {"dtype": "int32"}), ("uint8", (2, 3), {"dtype": "uint8"})] if op in (RELU, RELU6) else ()),
        )
    ),
    of("clip below", Activation("clip", -np.inf, 0.5), (3, 5)),
    of("clip above", Activation("clip", 0.5, np.inf), (3, 5)),
    of("clip to a point", Activation("clip", 0.1, 0.1), (3, 5)),
)

_SOFTMAX = (
    of("one class", Softmax(1), (1, 1)),
    of("1000 classes", Softmax(1), (7, 1000), fill="wide"),
    of("2000 classes", Softmax(1), (3, 2000), fill="wide"),
    of("batch 0", Softmax(1), (0, 5)),
    of("no classes", Softmax(1), (3, 0)),
    of("last dim", Softmax(-1), (2, 3, 5)),
    of("channels", Softmax(1), (2, 5, 3, 7)),
    of("columns", Softmax(3), (1, 5, 3, 7)),
    of("over the batch", Softmax(0), (7, 3, 2, 2)),
    of("rank 1", Softmax(0), (5,), fill="wide"),
    of("some -Inf", Softmax(1), (40, 5), fill="special"),
    of("all -Inf", Softmax(1), (2, 5), fill="lowest"),
    of("float64", Softmax(1), (3, 7), dtype="float64", fill="wide"),
    of("float16", Softmax(1), (3, 7), dtype="float16"),
)

_TOPK = (
    of("one of one", TopK(1), (1, 1)),
    of("1000 classes", TopK(5), (7, 1000), fill="wide"),
    of("batch 0", TopK(2), (0, 5)),
    of("none", TopK(0), (3, 5)),
    of("no classes", TopK(0), (3, 0)),
    of("all", TopK(13), (7, 13)),
    of("all of many", TopK(300, largest=False), (2, 300)),
    of("a long row", TopK(3), (2, 5003)),
    of("smallest", TopK(4, largest=False), (7, 33)),
    of("ties", TopK(7), (7, 40), fill="ties"),
    of("smallest of ties", TopK(7, largest=False), (7, 40), fill="ties"),
    of("many ties", TopK(9), (2, 700), fill="ties"),
    of("zeros of both signs", TopK(6), (3, 11), fill="zeros"),
    of("smallest zeros of both signs", TopK(6, largest=False), (3, 11), fill="zeros"),
    of("NaN and Inf", TopK(40), (9, 40), fill="special"),
    of("smallest of NaN and Inf", TopK(40, largest=False), (9, 40), fill="special"),
    of("NaNs", TopK(5), (3, 7), fill="nan"),
    of("smallest of NaNs", TopK(5, largest=False), (3, 7), fill="nan"),
    of("all -Inf", TopK(3), (2, 5), fill="lowest"),
    of("rank 1", TopK(2, 0), (5,)),
    of("channels", TopK(3, 1), (2, 5, 3, 7)),
    of("lines", TopK(2, -2), (2, 5, 3, 7)),
    of("columns", TopK(3, 3), (1, 5, 3, 7)),
    of("over the batch", TopK(4, 0), (7, 3, 2, 2)),
    of("rank 5", TopK(2, 1), (2, 3, 2, 3, 2)),
    of("float64", TopK(4), (3, 9), dtype="float64"),
    of("float16", TopK(4), (3, 9), dtype="float16"),
    of("int32", TopK(4), (3, 9), dtype="int32"),
    of("uint8", TopK(4, largest=False), (3, 9), dtype="uint8"),
)

_BINARY = tuple(
    of(f"{kind} {id}", Binary(kind), x, y, **kw)
    for kind in ("add", "sub", "mul", "div")
    for id, x, y, kw in (
        ("scalars", (), (), {}),
        ("odd sizes", (1, 3, 7, 5), (1, 3, 7, 5), {}),
        ("batch 0", (0, 3, 7, 5), (0, 3, 7, 5), {}),
        ("batch 7", (7, 1000), (7, 1000), {}),
        ("a scalar", (2, 3, 7, 5), (), {}),
        ("a value a channel", (2, 3, 7, 5), (3, 1, 1), {}),
        ("a value an image's channel", (2, 3, 7, 5), (2, 3, 1, 1), {}),
        ("the first one smaller", (3, 1, 1), (2, 3, 7, 5), {}),
        ("both broadcast", (2, 3, 1, 5), (1, 3, 7, 1), {}),
        ("a row", (4, 5), (5,), {}),
        ("lower rank with its own order", (2, 3, 4, 5), (3, 4, 5), {}),
        ("NaN and Inf", (2, 3, 9, 9), (2, 3, 9, 9), {"fill": "special"}),
        ("by zero", (2, 3), (2, 3), {"fill": "zero"}),
        ("float64", (2, 3, 7, 5), (2, 3, 7, 5), {"dtype": "float64"}),
        ("float16", (2, 3, 7, 5), (2, 3, 7, 5), {"dtype": "float16"}),
        *([("int32", (2, 3), (2, 3), {"dtype": "int32"}), ("uint8", (2, 3), (3,), {"dtype": "uint8"})] if kind != "div" else ()),
    )
)

_CAST = tuple(
    of(f"{source} to {target}, {id}", Cast(target), shape, dtype=source, fill=fill)
    for source, target in (("float32", "float16"), ("float16", "float32"), ("float32", "float32"), ("float64", "float16"))
    for id, shape, fill in (
        ("scalar", (), "normal"),
        ("rank 2", (7, 5), "wide"),
        ("odd sizes", (1, 3, 7, 5), "normal"),
        ("batch 0", (0, 3, 7, 5), "normal"),
        ("batch 7", (7, 16, 3, 3), "halves"),
        ("1000 channels", (2, 1000, 3, 1), "halves"),
        ("NaN and Inf", (2, 3, 9, 9), "special"),
    )
)

_NORM = (
    norm("rank 2", (7, 5)),
    norm("rank 3", (2, 5, 7)),
    norm("odd sizes", (1, 3, 7, 5)),
    norm("3-d", (2, 3, 2, 4, 5)),
    norm("batch 0", (0, 3, 7, 5)),
    norm("batch 7", (7, 1, 3, 3), eps=1e-3),
    norm("1000 channels", (2, 1000, 3, 3)),
    norm("no weight, no bias", (2, 3, 4, 5), ""),
    norm("no bias", (2, 3, 4, 5), "w"),
    norm("no weight", (2, 3, 4, 5), "b"),
    norm("cancellation", (2, 3, 4, 5), fill="offset"),
    norm("NaN and Inf", (2, 3, 9, 9), fill="special"),
    norm("float64", (2, 3, 7, 5), dtype="float64"),
    norm("float16", (2, 3, 7, 5), dtype="float16"),
    Case(
        "float16, statistics float32",
        BatchNorm(),
        (Draw((2, 8, 7, 5), "float16"), Draw((8,)), Draw((8,), fill="positive"), Draw((8,)), Draw((8,))),
    ),
    Case("no variance", BatchNorm(1e-5), (Draw((2, 3, 2, 2)), Draw((3,)), Draw((3,), fill="zero"), None, None)),
)


def _moves(*ops: tuple[str, Op, tuple[int, ...]]) -> tuple[Case, ...]:
    """One case a line, and the last one in further dtypes."""
    id, op, shape = ops[-1]
    kinds = ("float16", "float64", "int64", "uint8")
    return (*(of(*row) for row in ops), *(of(f"{id} {kind}", op, shape, dtype=kind) for kind in kinds))


_SHAPES = (
    ("scalar", ()), ("rank 1", (5,)), ("rank 2", (7, 3)), ("rank 3", (2, 3, 5)), ("batch 0", (0, 3, 7, 5)),
    ("1000 channels", (1, 1000, 3, 1)), ("3-d", (2, 3, 2, 4, 5)), ("rank 4", (2, 3, 7, 5)),
)  # fmt: skip
_IDENTITY = _moves(*((id, Identity(), shape) for id, shape in _SHAPES))
_REORDER = (
    *_moves(*((id, Reorder("channels_last"), shape) for id, shape in _SHAPES)),
    *_moves(*((f"back, {id}", Reorder("logical"), shape) for id, shape in _SHAPES)),
)
_RESHAPE = _moves(
    ("to a row", Reshape((-1,)), (2, 3, 4, 5)),
    ("to a scalar", Reshape(()), (1, 1)),
    ("from a scalar", Reshape((1, 1, 1)), ()),
    ("batch 0", Reshape((0, 15)), (0, 3, 5)),
    ("rank up", Reshape((2, 3, 4, -1)), (2, 60)),
    ("channels to batch", Reshape((6, 1, 4, 5)), (2, 3, 4, 5)),
    ("axes split", Reshape((2, 3, 2, 2, 5)), (2, 3, 4, 5)),
    ("one pixel", Reshape((7, 1000)), (7, 1000, 1, 1)),
    ("to rows", Reshape((2, -1)), (2, 3, 4, 5)),
)
_FLATTEN = _moves(
    ("scalar", Flatten(0), ()),
    ("rank 1", Flatten(0), (5,)),
    ("everything", Flatten(0), (2, 3, 4, 5)),
    ("batch 0", Flatten(1), (0, 3, 4, 5)),
    ("space", Flatten(2), (2, 3, 4, 5)),
    ("channels and lines", Flatten(1, 2), (2, 3, 4, 5)),
    ("one axis", Flatten(1, 1), (2, 3, 4, 5)),
    ("one pixel", Flatten(1), (7, 1000, 1, 1)),
    ("rows", Flatten(1), (2, 3, 4, 5)),
)
_TRANSPOSE = _moves(
    ("scalar", Transpose(()), ()),
    ("rank 2", Transpose((1, 0)), (7, 5)),
    ("rank 3", Transpose((2, 0, 1)), (2, 3, 5)),
    ("nothing", Transpose((0, 1, 2, 3)), (2, 3, 4, 5)),
    ("to channels last", Transpose((0, 2, 3, 1)), (2, 3, 4, 5)),
    ("to channels first", Transpose((0, 3, 1, 2)), (2, 4, 5, 3)),
    ("batch 0", Transpose((0, 2, 3, 1)), (0, 3, 4, 5)),
    ("all axes", Transpose((3, 2, 1, 0)), (2, 3, 4, 5)),
    ("from the end", Transpose((0, -1, 1, -2)), (2, 3, 4, 5)),
    ("tiles", Transpose((0, 2, 3, 1)), (2, 40, 5, 7)),
)
_CONCAT = (
    of("one", Concat(1), (2, 3, 4, 5)),
    of("channels", Concat(1), (2, 3, 4, 5), (2, 1, 4, 5), (2, 5, 4, 5)),
    of("batch", Concat(0), (2, 3, 4, 5), (7, 3, 4, 5)),
    of("lines", Concat(2), (2, 3, 4, 5), (2, 3, 1, 5)),
    of("columns", Concat(-1), (2, 3, 4, 5), (2, 3, 4, 1)),
    of("an empty part", Concat(1), (2, 0, 4, 5), (2, 3, 4, 5)),
    of("batch 0", Concat(1), (0, 3, 4, 5), (0, 2, 4, 5)),
    of("rank 1", Concat(0), (5,), (1,), (3,)),
    of("rank 2", Concat(1), (7, 1000), (7, 3)),
    of("rank 3", Concat(1), (2, 3, 5), (2, 1, 5)),
    of("float16", Concat(1), (2, 3, 4, 5), (2, 1, 4, 5), dtype="float16"),
    of("int64", Concat(1), (2, 3), (2, 1), dtype="int64"),
)
_PAD = (
    *_moves(
        ("scalar", Pad(()), ()),
        ("rank 1", Pad(((1, 2),), value=0.5), (5,)),
        ("channels", Pad(((0, 0), (1, 2), (0, 0), (0, 0))), (2, 3, 4, 5)),
        ("batch", Pad(((1, 0), (0, 0))), (7, 3)),
        ("of nothing", Pad(((0, 0), (2, 1)), value=1.0), (3, 0)),
        ("batch 0", Pad(((0, 0), (1, 1), (0, 0))), (0, 3, 5)),
        ("nothing added", Pad(((0, 0),) * 4), (2, 3, 4, 5)),
        ("space", Pad(((0, 0), (0, 0), (2, 1), (0, 3)), value=3.0), (2, 3, 4, 5)),
    ),
    of("-Inf", Pad(((0, 0), (0, 0), (1, 1), (1, 1)), value=-np.inf), (2, 3, 4, 5)),
    *(
        of(f"{mode}{id}", Pad(pads, mode), shape, dtype=dtype)
        for mode in ("reflect", "replicate", "circular")
        for id, pads, shape, dtype in (
            ("", ((0, 0), (0, 0), (2, 1), (0, 3)), (2, 3, 4, 5), "float32"),
            (" 8 channels", ((0, 0), (0, 0), (2, 1), (0, 3)), (2, 8, 4, 5), "float32"),
            (" lines", ((0, 0), (0, 0), (3, 3), (0, 0)), (2, 4, 4, 5), "float32"),
            (" all axes", ((1, 0), (2, 1), (2, 3), (1, 2)), (2, 3, 4, 5), "float32"),
            (" batch 0", ((0, 0), (0, 0), (2, 1), (0, 3)), (0, 3, 4, 5), "float32"),
            (" one channel", ((0, 0), (0, 0), (1, 1), (1, 1)), (1, 1, 40, 40), "float32"),
            (" rank 1", ((3, 2),), (4,), "int64"),
            (" bytes", ((0, 0), (0, 0), (1, 1), (2, 0)), (2, 3, 4, 5), "uint8"),
        )
    ),
    of("replicate far", Pad(((0, 0), (0, 0), (9, 0), (0, 9)), "replicate"), (1, 2, 3, 1)),
)
_LOOKUP = (
    lookup("one pixel", (1, 1, 1, 1)),
    lookup("photograph", (1, 3, 17, 13)),
    lookup("batch 0", (0, 3, 5, 5)),
    lookup("batch 7", (7, 3, 5, 5)),
    lookup("five channels", (2, 5, 4, 3)),
    lookup("rank 2", (4, 3)),
    lookup("rank 3", (4, 3, 2)),
    lookup("1000 channels", (1, 1000, 2, 1)),
    lookup("float64", (2, 3, 5, 5), "float64"),
    lookup("float16", (2, 3, 5, 5), "float16"),
)
_LOOKUP_CONV = (
    lookup_conv("one pixel", (1, 1, 1, 1), (1, 1, 1, 1)),
    lookup_conv("photograph", (1, 3, 17, 13), (5, 3, 3, 3), stride=2, padding=1, bias=True, pre=RELU6),
    lookup_conv("batch 0", (0, 3, 5, 5), (4, 3, 3, 3), padding=1),
    lookup_conv("batch 7", (7, 3, 9, 8), (8, 3, 3, 3), stride=2, padding="same", bias=True),
    lookup_conv("grey", (2, 1, 12, 12), (6, 1, 5, 5), padding=2, pre=RELU),
    lookup_conv("two channels", (1, 2, 6, 7), (3, 2, 2, 4), stride=(1, 3), bias=True),
    lookup_conv("four channels", (2, 4, 9, 11), (8, 4, 3, 3), padding=1, **ALL),
    lookup_conv("asymmetric padding", (1, 3, 6, 7), (5, 3, 3, 3), padding=((0, 1), (2, 0)), bias=True),
    lookup_conv("7x7 stride 2", (1, 3, 33, 37), (16, 3, 7, 7), stride=2, padding=3, bias=True, pre=RELU),
    lookup_conv("11x11 stride 4", (1, 3, 67, 51), (8, 3, 11, 11), stride=4, padding=2, bias=True, pre=RELU),
    lookup_conv("21x21 stride 2", (1, 3, 25, 23), (4, 3, 21, 21), stride=2, padding=10),
    lookup_conv("1x1", (1, 3, 5, 4), (4, 3, 1, 1), bias=True, post=HARD),
    lookup_conv("1000 channels in", (1, 1000, 2, 3), (3, 1000, 1, 1)),
    lookup_conv("1000 channels out", (1, 3, 4, 5), (1000, 3, 3, 3), padding=1, bias=True),
    lookup_conv("no channels out", (2, 3, 5, 5), (0, 3, 3, 3)),
    lookup_conv("residual, then relu", (2, 3, 7, 7), (8, 3, 3, 3), padding=1, bias=True, residual=True, post=RELU),
    lookup_conv("NaN and Inf", (1, 3, 14, 21), (4, 3, 3, 3), padding=1, fill="special"),
    lookup_conv("Inf beside the window", (1, 3, 9, 40), (4, 3, 3, 3), fill="infinite", bias=True),
    lookup_conv("many channels in", (1, 5, 6, 6), (4, 5, 3, 3), padding=1),
    lookup_conv("groups", (1, 4, 6, 6), (6, 2, 3, 3), groups=2, dilation=2, padding=2),
    lookup_conv("float64", (1, 3, 7, 5), (4, 3, 3, 3), padding=1, dtype="float64", **ALL),
    lookup_conv("float16", (1, 3, 7, 5), (4, 3, 3, 3), padding=1, dtype="float16", **ALL),
    lookup_conv("1-d", (2, 3, 11), (4, 3, 3), stride=2, padding=1, bias=True),
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    Conv: _CONV,
    Linear: _LINEAR,
    MaxPool: _MAX_POOL,
    MinPool: _MIN_POOL,
    AvgPool: _AVG_POOL,
    GlobalAvgPool: _GLOBAL,
    AdaptiveAvgPool: _ADAPTIVE,
    Activation: _ACTIVATION,
    Softmax: _SOFTMAX,
    TopK: _TOPK,
    Binary: _BINARY,
    Cast: _CAST,
    BatchNorm: _NORM,
    Identity: _IDENTITY,
    Reorder: _REORDER,
    Reshape: _RESHAPE,
    Flatten: _FLATTEN,
    Transpose: _TRANSPOSE,
    Concat: _CONCAT,
    Pad: _PAD,
    Lookup: _LOOKUP,
    LookupConv: _LOOKUP_CONV,
}
