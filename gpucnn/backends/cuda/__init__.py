"""CUDA kernels on an NVIDIA GPU: one impl per kernel, the best guess first."""

from ...ops import (
    GLU,
    Activation,
    AdaptiveAvgPool,
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
    Identity,
    Linear,
    LogSoftmax,
    Lookup,
    LookupConv,
    MatMul,
    MaxPool,
    MinPool,
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
)
from ..base import Impl
from .backend import CudaBackend
from .conv import ConvIgemmMma, ConvIgemmSimt
from .conv_transpose import ConvTransposePhases
from .depthwise import ConvDepthwiseDirect
from .layout import ConcatKernel, CopyKernel, PadKernel, RouteKernel
from .linear import LinearCublas
from .matmul import EinsumCublas, MatMulCublas
from .pointwise import ActivationKernel, BatchNormKernel, BinaryKernel, CastKernel, GLUKernel, LookupKernel, PReLUKernel
from .pool import AdaptiveAvgPoolDirect, AvgPoolDirect, GlobalAvgPoolDirect, MaxPoolDirect, MinPoolDirect
from .softmax import LogSoftmaxKernel, SoftmaxKernel
from .stem import ConvStemMma, ConvStemSimt
from .topk import TopKKernel

__all__ = ["IMPLS", "CudaBackend"]

IMPLS: dict[type[Op], tuple[Impl, ...]] = {
    Conv: (ConvDepthwiseDirect(), ConvStemMma(), ConvStemSimt(), ConvIgemmMma(), ConvIgemmSimt()),
    ConvTranspose: (ConvTransposePhases(),),
    Linear: (LinearCublas(),),
    MatMul: (MatMulCublas(),),
    Einsum: (EinsumCublas(),),
    MaxPool: (MaxPoolDirect(),),
    MinPool: (MinPoolDirect(),),
    AvgPool: (AvgPoolDirect(),),
    GlobalAvgPool: (GlobalAvgPoolDirect(),),
    AdaptiveAvgPool: (AdaptiveAvgPoolDirect(),),
    Activation: (ActivationKernel(),),
    PReLU: (PReLUKernel(),),
    GLU: (GLUKernel(),),
    Binary: (BinaryKernel(),),
    Cast: (CastKernel(),),
    BatchNorm: (BatchNormKernel(),),
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
