"""CUDA kernels on an NVIDIA GPU: one impl per kernel, the best guess first."""

from ...ops import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Binary,
    Cast,
    ChannelShuffle,
    Concat,
    Conv,
    DepthToSpace,
    Expand,
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
from .depthwise import ConvDepthwiseDirect
from .layout import ConcatKernel, CopyKernel, PadKernel, RouteKernel
from .linear import LinearCublas
from .pointwise import ActivationKernel, BatchNormKernel, BinaryKernel, CastKernel, LookupKernel
from .pool import AdaptiveAvgPoolDirect, AvgPoolDirect, GlobalAvgPoolDirect, MaxPoolDirect, MinPoolDirect
from .softmax import SoftmaxKernel
from .stem import ConvStemMma, ConvStemSimt
from .topk import TopKKernel

__all__ = ["IMPLS", "CudaBackend"]

IMPLS: dict[type[Op], tuple[Impl, ...]] = {
    Conv: (ConvDepthwiseDirect(), ConvStemMma(), ConvStemSimt(), ConvIgemmMma(), ConvIgemmSimt()),
    Linear: (LinearCublas(),),
    MaxPool: (MaxPoolDirect(),),
    MinPool: (MinPoolDirect(),),
    AvgPool: (AvgPoolDirect(),),
    GlobalAvgPool: (GlobalAvgPoolDirect(),),
    AdaptiveAvgPool: (AdaptiveAvgPoolDirect(),),
    Activation: (ActivationKernel(),),
    Binary: (BinaryKernel(),),
    Cast: (CastKernel(),),
    BatchNorm: (BatchNormKernel(),),
    Softmax: (SoftmaxKernel(),),
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
