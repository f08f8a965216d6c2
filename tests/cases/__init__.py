"""The table of op cases: what every reference is held to an oracle on, and every impl to its reference.

A case is an op and the arrays that it is given, drawn from a generator seeded by the case's id and by ``SEED``, which is another one in
every run of the tests. To add an op, add a row to the ``CASES`` of its family; at least ``FEWEST`` cases an op.
"""

from __future__ import annotations

from gpucnn.ops import Op

from . import activation, elementwise, gather, image, masking, moving, quantize, ranking, reduce, resize, scatter, shape
from . import conv as _conv
from . import conv_transpose as _conv_transpose
from . import linear as _linear
from . import matmul as _matmul
from . import norm as _norm
from . import pool as _pool
from .base import FEWEST, SEED, Case, Draw, halved, of
from .conv import ALL, HARD, RELU, SIGMOID, TANH, conv
from .conv_transpose import conv_transpose
from .image import lookup, lookup_conv
from .linear import linear
from .matmul import einsum, matmul
from .norm import group_norm, norm, row_norm
from .pool import pool

__all__ = [
    "ALL", "CASES", "FEWEST", "HARD", "RELU", "SEED", "SIGMOID", "TANH", "Case", "Draw", "conv", "conv_transpose", "einsum", "group_norm",
    "halved", "linear", "lookup", "lookup_conv", "matmul", "norm", "of", "pool", "row_norm",
]  # fmt: skip

_FAMILIES = (
    _conv, _conv_transpose, _linear, _matmul, _pool, activation, ranking, elementwise, _norm, shape, moving, gather, scatter, masking,
    quantize, reduce, resize, image,
)  # fmt: skip

CASES: dict[type[Op], tuple[Case, ...]] = {kind: cases for family in _FAMILIES for kind, cases in family.CASES.items()}
