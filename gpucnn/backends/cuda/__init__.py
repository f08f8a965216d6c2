"""CUDA kernels on an NVIDIA GPU: one impl per kernel, the best guess first."""

from ...ops import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Binary,
    Cast,
    Concat,
    Conv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Identity,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    Lookup,
    LookupConv,
    MaxPool,
    MinPool,
    Normalize,
    Op,
    Pad,
    Reorder,
    Reshape,
    Softmax,
    TopK,
    Transpose,
    Unary,
)
from ..base import Impl
from .backend import CudaBackend
from .conv import ConvIgemmMma, ConvIgemmSimt
from .depthwise import ConvDepthwiseDirect
from .layout import ConcatKernel, CopyKernel, PadKernel
from .linear import LinearCublas
from .norm import GroupNormKernel, LayerNormKernel, LocalResponseNormKernel, NormalizeKernel
from .pointwise import ActivationKernel, BatchNormKernel, BinaryKernel, CastKernel, LookupKernel, UnaryKernel
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
    Unary: (UnaryKernel(),),
    Binary: (BinaryKernel(),),
    Cast: (CastKernel(),),
    BatchNorm: (BatchNormKernel(),),
    LayerNorm: (LayerNormKernel(),),
    GroupNorm: (GroupNormKernel(),),
    LocalResponseNorm: (LocalResponseNormKernel(),),
    Normalize: (NormalizeKernel(),),
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
}
"""The rule of choice: the first that supports. The reference stands behind every list."""
