"""Which op runs by a kernel of ours: every one, on every case, in float32 and in float16, but for the exceptions named here.

Nothing is executed: ``test_cuda_impls.py`` holds each of these impls to the reference.
"""

from __future__ import annotations

import pytest
from cases import CASES, Case, halved
from cases.conv import CURVES

from gpucnn.backends.cuda.impls import IMPLS
from gpucnn.backends.cuda.pointwise import BINARY_CODES, UNARY_CODES
from gpucnn.ops import (
    GLU,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    ArgReduce,
    AvgPool,
    BatchNorm,
    Binary,
    Cast,
    Conv,
    ConvMaxPool,
    ConvTranspose,
    CumSum,
    Dequantize,
    Einsum,
    FractionalMaxPool,
    Gather,
    GatherElements,
    GatherND,
    GlobalAvgPool,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMinPool,
    GroupNorm,
    Hardmax,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    Lookup,
    LookupConv,
    LpPool,
    MatMul,
    MaxPool,
    MaxUnpool,
    MinPool,
    Normalize,
    OneHot,
    Op,
    PReLU,
    Quantize,
    Reduce,
    Resize,
    ScatterElements,
    ScatterND,
    Softmax,
    Tile,
    TopK,
    Trilu,
    Unary,
    Where,
)

DOUBLE = "float64 is for comparisons, which the CPU can make: networks run in float32 and float16"
WHOLE = "the type is an integer, in which networks move values but compute none"
VOLUME = "there are three spatial axes, where images have two"
MANY_LOOPS = "a map repeated along two axes makes more loops than the kernel has; networks repeat along one"
POOLED = "classification networks write their reductions as global pooling and topk, which have kernels"
NO_PLACES = "classification networks have no values that name places"
WHOLE_NUMBERS = "nobody has asked for kernels that store whole numbers: such models run, a few passes of CuPy's a layer more"
MASKED = "classification networks choose the best by topk; masks and one-hot vectors are made beside them, a few elements at a time"
ONE_SIZE = "classification networks do not resize maps"
ASKED = "a comparison's result or a condition is bool: networks ask for the sake of shapes and masks, and choose little by it"
RARE_NORM = "vectors are normalised by their length, at times by p 1 or their largest element; nobody has asked for another p"
RARE = "no network in the zoo has it: the reference is a few gathers, or one sort and a scatter, of CuPy's"
NOT_FUSED = "the pass leaves the two apart here, which have kernels"
NOT_A_PRODUCT = "a diagonal, a sum over one operand, a scalar, other than two operands, or a stretched axis: no stack of matrix products"


def asked(kind: type[Op]) -> dict[str, str]:
    """Cases whose result is bool."""
    return {case.id: ASKED for case in CASES[kind] if case.op.infer(*case.specs)[0].dtype == bool}


_WHOLE = ("int32", "int32, one channel", "uint8")

EXCEPTIONS: dict[type[Op], dict[str, str]] = {
    Conv: {"float64": DOUBLE},
    ConvTranspose: {"float64": DOUBLE},
    Linear: {"float64": DOUBLE},
    MatMul: {"float64": DOUBLE, "int32": WHOLE, "uint8 stacks": WHOLE},
    Einsum: {
        "ij,jk->ik float64": DOUBLE, "ij,jk->ik int32": WHOLE, "i,i->": NOT_A_PRODUCT, "ij->ji": NOT_A_PRODUCT, "ij->": NOT_A_PRODUCT,
        "nij->n": NOT_A_PRODUCT, "ii": NOT_A_PRODUCT, "nii->ni": NOT_A_PRODUCT, "iij,jk->ik": NOT_A_PRODUCT, "...i->...": NOT_A_PRODUCT,
        "...i->i ellipsis summed": NOT_A_PRODUCT, "ni,oij,nj->no": NOT_A_PRODUCT, "ij,jk->ik size 1 stretched": NOT_A_PRODUCT,
        "nij,jk->n lone indices summed": NOT_A_PRODUCT, "...ij,...jk->...ik": NOT_A_PRODUCT,
    },
    MaxPool: {"float64": DOUBLE, "3-d": VOLUME, "indices 3-d": VOLUME, "int32": WHOLE, "uint8": WHOLE},
    MinPool: {
        "float64": DOUBLE, "3-d": VOLUME, "int32": WHOLE, "uint8": WHOLE, "uint8, windows in the padding alone": WHOLE,
    },
    AvgPool: {"float64": DOUBLE, "3-d": VOLUME},
    LpPool: {"float64": DOUBLE, "3-d": VOLUME},
    GlobalAvgPool: {"float64": DOUBLE, "3-d": VOLUME, "3-d many": VOLUME},
    GlobalMaxPool: {"float64": DOUBLE, "3-d": VOLUME, "int32": WHOLE, "uint8": WHOLE},
    GlobalMinPool: {"float64": DOUBLE, "3-d": VOLUME, "int32": WHOLE, "uint8": WHOLE},
    GlobalLpPool: {"float64": DOUBLE, "3-d": VOLUME},
    AdaptiveAvgPool: {"float64": DOUBLE, "3-d": VOLUME},
    AdaptiveMaxPool: {"float64": DOUBLE, "3-d": VOLUME, "indices 3-d": VOLUME, "int32": WHOLE, "uint8": WHOLE},
    FractionalMaxPool: {case.id: RARE for case in CASES[FractionalMaxPool]},
    MaxUnpool: {case.id: RARE for case in CASES[MaxUnpool]},
    Activation: {
        "relu float64": DOUBLE, "relu6 float64": DOUBLE, "hard float64": DOUBLE, "sigmoid float64": DOUBLE, "tanh float64": DOUBLE,
        "silu float64": DOUBLE, **{f"{name} float64": DOUBLE for name in CURVES},
        "relu int32": WHOLE, "relu uint8": WHOLE, "relu6 int32": WHOLE, "relu6 uint8": WHOLE,
    },
    PReLU: {"float64": DOUBLE},
    GLU: {"float64": DOUBLE},
    Softmax: {"float64": DOUBLE},
    LogSoftmax: {"float64": DOUBLE},
    TopK: {"float64": DOUBLE, "int32": WHOLE, "uint8": WHOLE},
    Binary: {
        **{f"{kind} float64": DOUBLE for kind in BINARY_CODES},
        **{f"{kind} {whole}": WHOLE for kind in BINARY_CODES if kind not in ("div", "atan2") for whole in ("int32", "uint8")},
        **{case.id: WHOLE for case in CASES[Binary] if case.op.name.startswith("bitwise")},
        **asked(Binary),
    },
    Unary: {
        **{f"{kind} float64": DOUBLE for kind in UNARY_CODES},
        **{f"{kind} {whole}": WHOLE for kind in ("neg", "abs", "sign", "square") for whole in _WHOLE},
        **{case.id: WHOLE for case in CASES[Unary] if case.op.name == "bitwise_not"},
        **asked(Unary),
    },
    Where: {case.id: ASKED for case in CASES[Where]},
    Cast: {
        "float64 to float16, scalar": DOUBLE, "float64 to float16, rank 2": DOUBLE, "float64 to float16, odd sizes": DOUBLE,
        "float64 to float16, batch 0": DOUBLE, "float64 to float16, batch 7": DOUBLE, "float64 to float16, 1000 channels": DOUBLE,
        "float64 to float16, NaN and Inf": DOUBLE,
        **{
            f"{source} to {target}": WHOLE
            for source, target in (
                ("float32", "int32"), ("float32", "int8"), ("float16", "int64"), ("float32", "uint8"), ("int32", "float32"),
                ("int64", "float16"), ("uint8", "float32"), ("int32", "uint8"), ("int32", "int64"), ("float32", "bool"),
                ("float64", "bool"), ("uint8", "bool"), ("bool", "float32"), ("bool", "int32"),
            )
        },
    },
    **{kind: dict.fromkeys((case.id for case in CASES[kind]), WHOLE_NUMBERS) for kind in (Quantize, Dequantize)},
    BatchNorm: {"float64": DOUBLE, "sigmoid, float64": DOUBLE},
    **{kind: dict.fromkeys((case.id for case in CASES[kind]), POOLED) for kind in (Reduce, ArgReduce, CumSum)},
    **{
        kind: dict.fromkeys((case.id for case in CASES[kind]), NO_PLACES)
        for kind in (Gather, GatherElements, GatherND, ScatterElements, ScatterND)
    },
    **{kind: dict.fromkeys((case.id for case in CASES[kind]), MASKED) for kind in (OneHot, Hardmax, Trilu)},
    Resize: dict.fromkeys((case.id for case in CASES[Resize]), ONE_SIZE),
    Tile: {"space": MANY_LOOPS, "all axes": MANY_LOOPS},
    LayerNorm: {"float64": DOUBLE, "rms, float64": DOUBLE},
    GroupNorm: {"float64": DOUBLE, "instances, float64": DOUBLE},
    LocalResponseNorm: {"float64": DOUBLE},
    Normalize: {"float64": DOUBLE, "p 3": RARE_NORM, "p 0.5": RARE_NORM},
    Lookup: {"float64": DOUBLE},
    ConvMaxPool: dict.fromkeys((case.id for case in CASES[ConvMaxPool]), NOT_FUSED),
    LookupConv: {
        "float64": DOUBLE, "groups": NOT_FUSED, "1000 channels in": NOT_FUSED, "many channels in": NOT_FUSED,
    },
}  # fmt: skip
"""By op and case: why the reference may compute it on a GPU."""


def has_kernel(case: Case) -> bool:
    return all(any(impl.supports(c.op, *c.specs) for impl in IMPLS.get(type(c.op), ())) for c in (case, halved(case)))


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_every_case_has_a_kernel_unless_it_is_an_exception(kind):
    lacking = {case.id for case in CASES[kind] if not has_kernel(case)}
    excepted = set(EXCEPTIONS.get(kind, {}))
    assert not lacking - excepted, f"{kind.__name__}: these would run by the reference"
    assert not excepted - lacking, f"{kind.__name__}: these have kernels now: take them out of EXCEPTIONS"


def test_exceptions_are_of_ops_that_there_are():
    assert not set(EXCEPTIONS) - set(CASES)
