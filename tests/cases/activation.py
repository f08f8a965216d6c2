"""Activations and softmax."""

from __future__ import annotations

import numpy as np

from gpucnn.ops import RELU6, Activation, Op, Softmax

from .base import Case, of
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
            ("wide", (7, 5, 3), {"fill": "wide"}),
            ("odd sizes", (1, 3, 7, 5), {}),
            ("NaN and Inf", (2, 3, 9, 9), {"fill": "special"}),
            ("float64", (2, 3, 7, 5), {"dtype": "float64"}),
        )
    ),
    of("silu several pieces", SILU, (1, 1000, 9, 5)),
    of("gelu several pieces", Activation("gelu"), (3, 10000)),
    of("softplus beyond float32", Activation("softplus", 1e30, 20.0), (3, 5), fill="huge"),
    of("softplus beyond float32, no threshold", Activation("softplus", -1e30, np.inf), (3, 5), fill="huge"),
    of("hardswish beyond float32", Activation("hardswish"), (3, 5), fill="huge"),
    of("leaky_relu zeros", CURVES["leaky_relu"], (3, 50), fill="zeros"),
    of("shrink zeros", CURVES["shrink"], (3, 50), fill="zeros"),
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

CASES: dict[type[Op], tuple[Case, ...]] = {
    Activation: _ACTIVATION,
    Softmax: _SOFTMAX,
}
