"""The table: which impls an op has, the best guess first."""

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
    ConvTranspose,
    DepthToSpace,
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
    LookupConv,
    LpPool,
    MatMul,
    MaxPool,
    MinPool,
    Normalize,
    Op,
    Pad,
    PReLU,
    Reorder,
    Reshape,
    Slice,
    Softmax,
    SpaceToDepth,
    Tile,
    TopK,
    Transpose,
    Unary,
)
from ..base import Impl
from .adaptive import AdaptiveAvgPoolDirect, AdaptiveMaxPoolDirect
from .conv import ConvIgemmMma, ConvIgemmSimt
from .conv_transpose import ConvTransposePhases
from .depthwise import ConvDepthwiseDirect
from .global_pool import GlobalAvgPoolDirect, GlobalExtremePoolDirect, GlobalLpPoolDirect
from .layout import ConcatKernel, CopyKernel, PadKernel, RouteKernel
from .linear import LinearCublas
from .matmul import EinsumCublas, MatMulCublas
from .norm import GroupNormKernel, LayerNormKernel, LocalResponseNormKernel, NormalizeKernel
from .pointwise import ActivationKernel, BatchNormKernel, BinaryKernel, CastKernel, GLUKernel, LookupKernel, PReLUKernel, UnaryKernel
from .pool import AvgPoolDirect, LpPoolDirect, MaxPoolDirect, MinPoolDirect
from .softmax import LogSoftmaxKernel, SoftmaxKernel
from .stem import ConvStemMma, ConvStemSimt
from .topk import TopKKernel

__all__ = ["IMPLS"]

IMPLS: dict[type[Op], tuple[Impl, ...]] = {
    Conv: (ConvDepthwiseDirect(), ConvStemMma(), ConvStemSimt(), ConvIgemmMma(), ConvIgemmSimt()),
    ConvTranspose: (ConvTransposePhases(),),
    Linear: (LinearCublas(),),
    MatMul: (MatMulCublas(),),
    Einsum: (EinsumCublas(),),
    MaxPool: (MaxPoolDirect(),),
    MinPool: (MinPoolDirect(),),
    AvgPool: (AvgPoolDirect(),),
    LpPool: (LpPoolDirect(),),
    GlobalAvgPool: (GlobalAvgPoolDirect(),),
    GlobalMaxPool: (GlobalExtremePoolDirect("global_max_pool_direct"),),
    GlobalMinPool: (GlobalExtremePoolDirect("global_min_pool_direct"),),
    GlobalLpPool: (GlobalLpPoolDirect(),),
    AdaptiveAvgPool: (AdaptiveAvgPoolDirect(),),
    AdaptiveMaxPool: (AdaptiveMaxPoolDirect(),),
    Activation: (ActivationKernel(),),
    Unary: (UnaryKernel(),),
    PReLU: (PReLUKernel(),),
    GLU: (GLUKernel(),),
    Binary: (BinaryKernel(),),
    Cast: (CastKernel(),),
    BatchNorm: (BatchNormKernel(),),
    LayerNorm: (LayerNormKernel(),),
    GroupNorm: (GroupNormKernel(),),
    LocalResponseNorm: (LocalResponseNormKernel(),),
    Normalize: (NormalizeKernel(),),
    Softmax: (SoftmaxKernel(),),
    LogSoftmax: (LogSoftmaxKernel(),),
    TopK: (TopKKernel(),),
    Lookup: (LookupKernel(),),
    LookupConv: (ConvStemMma(lookup=True), ConvStemSimt(lookup=True)),
    Concat: (ConcatKernel(),),
    Pad: (PadKernel(),),
    Reorder: (CopyKernel(),),
    Transpose: (CopyKernel(),),
    Reshape: (CopyKernel(),),
    Flatten: (CopyKernel(),),
    Identity: (CopyKernel(),),
    Slice: (RouteKernel(),),
    Expand: (RouteKernel(),),
    Tile: (RouteKernel(),),
    ChannelShuffle: (RouteKernel(),),
    DepthToSpace: (RouteKernel(),),
    SpaceToDepth: (RouteKernel(),),
}
"""The rule of choice: the first that supports. The reference stands behind every list."""
