"""NumPy on the CPU: one impl per method, the best guess first."""

import numpy as np

from ...ops import (
    GLU,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Binary,
    Cast,
    ChannelShuffle,
    Concat,
    Conv,
    ConvMaxPool,
    ConvTranspose,
    DepthToSpace,
    Dequantize,
    Einsum,
    Expand,
    Flatten,
    GlobalAvgPool,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMinPool,
    GroupNorm,
    Identity,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    Lookup,
    LpPool,
    MatMul,
    MaxPool,
    MaxUnpool,
    MinPool,
    Normalize,
    Op,
    Pad,
    PReLU,
    Quantize,
    Reduce,
    Reorder,
    Reshape,
    Resize,
    Slice,
    Softmax,
    SpaceToDepth,
    Tile,
    Transpose,
    Unary,
    Where,
)
from ..base import Impl
from .adaptive import AdaptiveAvgPoolLines, AdaptiveMaxPoolLines
from .backend import CpuBackend
from .conv import ConvIm2col, ConvPointwise
from .conv_transpose import ConvTransposeGemm
from .conv_volume import ConvVolume
from .depthwise import ConvDepthwise
from .global_pool import GlobalAvgPoolSum, GlobalExtremePoolReduce, GlobalLpPoolSum
from .linear import LinearGemm, LinearGemv
from .matmul import EinsumMatmul, MatMulBlas
from .moving import RouteCopy
from .norm import GroupNormSums, LayerNormRows, LocalResponseNormLines, NormalizeVectors
from .pointwise import (
    ActivationInPlace,
    BatchNormScale,
    BinaryUfunc,
    CastCopy,
    ConcatCopy,
    CopyOnly,
    GLUPieces,
    LogSoftmaxRows,
    LookupTake,
    PadCopy,
    PReLUPieces,
    SoftmaxRows,
    UnaryUfunc,
    WhereCopy,
)
from .pool import AvgPoolLines, LpPoolLines, MaxPoolLines, MinPoolLines
from .products import GUARDED, GUARDED_CLASSES, PANELS, WHOLE, Whole
from .quantize import DequantizePieces, QuantizePieces
from .reduce import ReduceSquares, ReduceUfunc
from .resize import ResizeLines
from .stem import ConvPhases
from .unpool import MaxUnpoolScatter
from .winograd import ConvWinograd

__all__ = ["IMPLS", "IMPLS_LATENCY", "IMPLS_THROUGHPUT", "CpuBackend", "direct"]


def _convolutions(least: int, ways: tuple[Whole, ...]) -> tuple[Impl, ...]:
    """For one core. Products in the way that pays; tiles from so many on, because four times the weights want to meet some."""
    return (
        *(ConvPointwise(products) for products in ways),
        ConvDepthwise(),
        *(ConvPhases(products) for products in (PANELS, WHOLE)),
        *_tiled(least, ways),
        *(ConvIm2col(products) for products in ways),
        ConvVolume(),
    )


def _tiled(least: int, ways: tuple[Whole, ...], pooled: bool = False) -> tuple[Impl, ...]:
    return tuple(ConvWinograd(m, least, 256 if way is GUARDED else 64, way, pooled) for m in (4, 2) for way in ways)


_FEW, _ONE = (PANELS, GUARDED, WHOLE), (PANELS, GUARDED_CLASSES, WHOLE)  # ways to multiply for some images, and for one

IMPLS: dict[type[Op], tuple[Impl, ...]] = {
    Conv: _convolutions(16, _FEW),
    ConvMaxPool: _tiled(16, _FEW, pooled=True),
    ConvTranspose: (ConvTransposeGemm(),),
    Linear: (LinearGemm(),),
    MatMul: (MatMulBlas(),),
    Einsum: (EinsumMatmul(),),
    MaxPool: (MaxPoolLines(),),
    MinPool: (MinPoolLines(),),
    AvgPool: (AvgPoolLines(),),
    LpPool: (LpPoolLines(),),
    GlobalAvgPool: (GlobalAvgPoolSum(),),
    GlobalMaxPool: (GlobalExtremePoolReduce("global_max_pool_reduce", np.maximum),),
    GlobalMinPool: (GlobalExtremePoolReduce("global_min_pool_reduce", np.minimum),),
    GlobalLpPool: (GlobalLpPoolSum(),),
    AdaptiveAvgPool: (AdaptiveAvgPoolLines(),),
    AdaptiveMaxPool: (AdaptiveMaxPoolLines(),),
    MaxUnpool: (MaxUnpoolScatter(),),
    Activation: (ActivationInPlace(),),
    PReLU: (PReLUPieces(),),
    GLU: (GLUPieces(),),
    Unary: (UnaryUfunc(),),
    Binary: (BinaryUfunc(),),
    Where: (WhereCopy(),),
    Cast: (CastCopy(),),
    Quantize: (QuantizePieces(),),
    Dequantize: (DequantizePieces(),),
    BatchNorm: (BatchNormScale(),),
    LayerNorm: (LayerNormRows(),),
    GroupNorm: (GroupNormSums(),),
    LocalResponseNorm: (LocalResponseNormLines(),),
    Normalize: (NormalizeVectors(),),
    Softmax: (SoftmaxRows(),),
    LogSoftmax: (LogSoftmaxRows(),),
    Lookup: (LookupTake(),),
    Concat: (ConcatCopy(),),
    Pad: (PadCopy(),),
    Reorder: (CopyOnly(),),
    Transpose: (CopyOnly(),),
    Reshape: (CopyOnly(),),
    Flatten: (CopyOnly(),),
    Identity: (CopyOnly(),),
    Reduce: (ReduceUfunc(), ReduceSquares()),
    Resize: (ResizeLines(),),
    Slice: (RouteCopy(),),
    Expand: (RouteCopy(),),
    Tile: (RouteCopy(),),
    ChannelShuffle: (RouteCopy(),),
    DepthToSpace: (RouteCopy(),),
    SpaceToDepth: (RouteCopy(),),
}
"""The rule of choice: the first that supports and suits. The reference stands behind every list."""

IMPLS_THROUGHPUT: dict[type[Op], tuple[Impl, ...]] = {**IMPLS, Linear: (LinearGemv(), LinearGemm())}
"""For a few images at once, on one core."""

IMPLS_LATENCY: dict[type[Op], tuple[Impl, ...]] = {
    **IMPLS_THROUGHPUT,
    Conv: _convolutions(36, _ONE),
    ConvMaxPool: _tiled(36, _ONE, pooled=True),
}
"""For one image on all cores."""


def direct(impls: dict[type[Op], tuple[Impl, ...]]) -> dict[type[Op], tuple[Impl, ...]]:
    """The same without Winograd's convolutions."""
    return {kind: tuple(impl for impl in listed if not isinstance(impl, ConvWinograd)) for kind, listed in impls.items()}
