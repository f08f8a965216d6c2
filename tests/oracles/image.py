"""From bytes to numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpucnn.ops import Lookup, LookupConv, Op

from .base import Oracle, onnx
from .conv import conv


def lookup(op: Lookup, x: Any, table: Any) -> tuple[Any, ...]:
    return (np.stack([onnx("Gather", table[:, c], x[:, c].astype(np.int64))[0] for c in range(x.shape[1])], axis=1),)


def lookup_conv(op: LookupConv, x: Any, table: Any, *rest: Any) -> tuple[Any, ...]:
    return conv(op.conv, *lookup(Lookup(), x, table), *rest)


ORACLES: dict[type[Op], tuple[Oracle, ...]] = {
    Lookup: (lookup,),
    LookupConv: (lookup_conv,),
}

UNLIKE_ONNX: dict[tuple[str, str], str] = {}
