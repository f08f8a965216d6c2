"""CUDA kernels on an NVIDIA GPU: one impl per kernel, the best guess first."""

from ...ops import (
    Activation,
    AvgPool,
    BatchNorm,
    Binary,
    Concat,
    Conv,
    Flatten,
    GlobalAvgPool,
    Identity,
    Lookup,
    LookupConv,
    MaxPool,
    Op,
    Pad,
    Reorder,
    Reshape,
    Softmax,
    Transpose,
)
from ..base import Impl
from .backend import CudaBackend
from .conv import ConvIgemmMma, ConvIgemmSimt
from .depthwise import ConvDepthwiseDirect
from .layout import ConcatKernel, CopyKernel, PadKernel
from .pointwise import ActivationKernel, BatchNormKernel, BinaryKernel, LookupKernel
from .pool import AvgPoolDirect, GlobalAvgPoolDirect, MaxPoolDirect
from .softmax import SoftmaxKernel
from .stem import ConvStemMma, ConvStemSimt

__all__ = ["IMPLS", "CudaBackend"]

IMPLS: dict[type[Op], tuple[Impl, ...]] = {
    Conv: (ConvDepthwiseDirect(), ConvStemMma(), ConvStemSimt(), ConvIgemmMma(), ConvIgemmSimt()),
    MaxPool: (MaxPoolDirect(),),
    AvgPool: (AvgPoolDirect(),),
    GlobalAvgPool: (GlobalAvgPoolDirect(),),
    Activation: (ActivationKernel(),),
    Binary: (BinaryKernel(),),
    BatchNorm: (BatchNormKernel(),),
    Softmax: (SoftmaxKernel(),),
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
