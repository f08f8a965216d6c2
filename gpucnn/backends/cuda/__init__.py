"""CUDA kernels on an NVIDIA GPU: one impl per kernel, the best guess first."""

from ...ops import (
    Activation,
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Binary,
    Concat,
    Conv,
    Flatten,
    GlobalAvgPool,
    Identity,
    Lookup,
    MaxPool,
    MinPool,
    Op,
    Pad,
    Reorder,
    Reshape,
    Softmax,
    TopK,
    Transpose,
)
from ..base import Impl
from .backend import CudaBackend
from .conv import ConvIgemmMma, ConvIgemmSimt
from .depthwise import ConvDepthwiseDirect
from .layout import ConcatKernel, CopyKernel, PadKernel
from .pointwise import ActivationKernel, BatchNormKernel, BinaryKernel, LookupKernel
from .pool import AdaptiveAvgPoolDirect, AvgPoolDirect, GlobalAvgPoolDirect, MaxPoolDirect, MinPoolDirect
from .softmax import SoftmaxKernel
from .topk import TopKKernel

__all__ = ["IMPLS", "CudaBackend"]

IMPLS: dict[type[Op], tuple[Impl, ...]] = {
    Conv: (ConvDepthwiseDirect(), ConvIgemmMma(), ConvIgemmSimt()),
    MaxPool: (MaxPoolDirect(),),
    MinPool: (MinPoolDirect(),),
    AvgPool: (AvgPoolDirect(),),
    GlobalAvgPool: (GlobalAvgPoolDirect(),),
    AdaptiveAvgPool: (AdaptiveAvgPoolDirect(),),
    Activation: (ActivationKernel(),),
    Binary: (BinaryKernel(),),
    BatchNorm: (BatchNormKernel(),),
    Softmax: (SoftmaxKernel(),),
    TopK: (TopKKernel(),),
    Lookup: (LookupKernel(),),
    Concat: (ConcatKernel(),),
    Pad: (PadKernel(),),
    Reorder: (CopyKernel(),),
    Transpose: (CopyKernel(),),
    Reshape: (CopyKernel(),),
    Flatten: (CopyKernel(),),
    Identity: (CopyKernel(),),
}
"""The rule of choice: the first that supports. The reference stands behind every list."""
