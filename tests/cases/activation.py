"""Activations and softmax."""

from __future__ import annotations

import numpy as np

from gpucnn.ops import GLU, RELU6, Activation, LogSoftmax, Op, PReLU, Softmax

from .base import Case, Draw, of
from .conv import CURVES, HARD, RELU, SIGMOID, SILU, TANH

_ACTIVATION = (
    *(
        of(f"{op.name} {id}" if op != HARD else f"hard {id}", op, shape, **kw)
        for op in (RELU, RELU6, HARD, SIGMOID, TANH, SILU)
        for id, shape, kw in (
            ("scalar", (), {}),
            ("rank 2", (7, 5), {"fill": "wide"}),
            ("rank 3", (2, 5, 3), {}),
            ("odd sizes", (1, 3, 7, 5), {}),
            ("one channel", (2, 1, 7, 9), {}),
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
    *(
        of(f"{name} {id}", op, shape, **kw)
        for name, op in CURVES.items()
        for id, shape, kw in (
            ("rank 1", (5,), {}),
            ("wide", (7, 5, 3), {"fill": "wide"}),
            ("odd sizes", (1, 3, 7, 5), {}),
            ("one channel", (2, 1, 7, 9), {}),
            ("batch 0", (0, 3, 7, 5), {}),
            ("1000 channels", (2, 1000), {}),
            ("NaN and Inf", (2, 3, 9, 9), {"fill": "special"}),
            ("float64", (2, 3, 7, 5), {"dtype": "float64"}),
            ("float16", (2, 3, 7, 5), {"dtype": "float16"}),
        )
    ),
    of("silu several pieces", SILU, (1, 1000, 9, 5)),
    of("gelu several pieces", Activation("gelu"), (3, 10000)),
    of("softplus beyond float32", Activation("softplus", 1e30, 20.0), (3, 5), fill="huge"),
    of("softplus beyond float32, no threshold", Activation("softplus", -1e30, np.inf), (3, 5), fill="huge"),
    of("hardswish beyond float32", Activation("hardswish"), (3, 5), fill="huge"),
    of("leaky_relu zeros", CURVES["leaky_relu"], (3, 50), fill="zeros"),
    of("threshold NaN", CURVES["threshold"], (3, 5), fill="nan"),
    of("shrink zeros", CURVES["shrink"], (3, 50), fill="zeros"),
)

_ROWS: tuple[tuple[str, int, tuple[int, ...], dict[str, str]], ...] = (
    ("one class", 1, (1, 1), {}),
    ("1000 classes", 1, (7, 1000), {"fill": "wide"}),
    ("2000 classes", 1, (3, 2000), {"fill": "wide"}),
    ("batch 0", 1, (0, 5), {}),
    ("no classes", 1, (3, 0), {}),
    ("last dim", -1, (2, 3, 5), {}),
    ("channels", 1, (2, 5, 3, 7), {}),
    ("columns", 3, (1, 5, 3, 7), {}),
    ("over the batch", 0, (7, 3, 2, 2), {}),
    ("rank 1", 0, (5,), {"fill": "wide"}),
    ("some -Inf", 1, (40, 5), {"fill": "special"}),
    ("all -Inf", 1, (2, 5), {"fill": "lowest"}),
    ("float64", 1, (3, 7), {"dtype": "float64", "fill": "wide"}),
    ("float16", 1, (3, 7), {"dtype": "float16"}),
)

_SOFTMAX = tuple(of(id, Softmax(dim), shape, **kw) for id, dim, shape, kw in _ROWS)

_LOG_SOFTMAX = tuple(of(id, LogSoftmax(dim), shape, **kw) for id, dim, shape, kw in _ROWS)

_PRELU = tuple(
    Case(id, PReLU(), (Draw(x, dtype, fill), Draw(w, dtype, fill)))
    for id, x, w, dtype, fill in (
        ("one weight", (2, 3, 7, 5), (1,), "float32", "normal"),
        ("a weight a channel", (1, 3, 7, 5), (3, 1, 1), "float32", "wide"),
        ("batch 0", (0, 3, 7, 5), (3, 1, 1), "float32", "normal"),
        ("batch 7", (7, 5, 1, 1), (5, 1, 1), "float32", "normal"),
        ("1000 channels", (7, 1000), (1000,), "float32", "normal"),
        ("several pieces", (2, 5, 43, 51), (5, 1, 1), "float32", "normal"),
        ("rank 1", (5,), (1,), "float32", "normal"),
        ("rank 3", (2, 5, 3), (5, 1), "float32", "normal"),
        ("a weight an element", (2, 3, 4), (2, 3, 4), "float32", "normal"),
        ("a scalar weight", (2, 3), (), "float32", "normal"),
        ("zeros", (3, 50), (50,), "float32", "zeros"),
        ("NaN and Inf", (2, 3, 9, 9), (3, 1, 1), "float32", "special"),
        ("NaN and Inf everywhere", (2, 3, 9, 9), (3, 9, 9), "float32", "special"),
        ("float64", (2, 3, 7, 5), (3, 1, 1), "float64", "normal"),
        ("float16", (2, 3, 7, 5), (3, 1, 1), "float16", "normal"),
    )
)

_GLU = (
    of("odd sizes", GLU(1), (1, 6, 7, 5)),
    of("batch 0", GLU(1), (0, 6, 7, 5)),
    of("batch 7", GLU(1), (7, 2, 3, 3), fill="wide"),
    of("1000 channels", GLU(1), (3, 1000, 1, 1)),
    of("16 channels", GLU(1), (2, 32, 3, 5)),
    of("several pieces", GLU(1), (2, 10, 43, 51)),
    of("last dim", GLU(-1), (2, 3, 8)),
    of("rows", GLU(2), (2, 3, 4, 5)),
    of("the batch", GLU(0), (4, 3, 5)),
    of("rank 1", GLU(0), (10,)),
    of("nothing", GLU(1), (2, 0, 3)),
    of("NaN and Inf", GLU(1), (2, 6, 9, 9), fill="special"),
    of("float64", GLU(1), (2, 6, 7, 5), dtype="float64"),
    of("float16", GLU(1), (2, 6, 7, 5), dtype="float16"),
)

CASES: dict[type[Op], tuple[Case, ...]] = {
    Activation: _ACTIVATION,
    Softmax: _SOFTMAX,
    LogSoftmax: _LOG_SOFTMAX,
    PReLU: _PRELU,
    GLU: _GLU,
}
