"""NumPy on the CPU: one impl per method, the best guess first."""

from ...ops import (
    GLU,
    Activation,
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
    MatMul,
    MaxPool,
    MinPool,
    Op,
    Pad,
    PReLU,
    Reduce,
    Reorder,
    Reshape,
    Resize,
    Slice,
    Softmax,
    SpaceToDepth,
    Tile,
    Transpose,
)
from ..base import Impl
from .backend import CpuBackend
from .conv import ConvDepthwise, ConvIm2col, ConvPointwise, ConvVolume
from .conv_transpose import ConvTransposeGemm
from .linear import LinearGemm
from .matmul import EinsumMatmul, MatMulBlas
from .moving import RouteCopy
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
)
from .pool import AvgPoolLines, GlobalAvgPoolSum, MaxPoolLines, MinPoolLines
from .reduce import ReduceUfunc
from .resize import ResizeLines

__all__ = ["IMPLS", "CpuBackend"]

IMPLS: dict[type[Op], tuple[Impl, ...]] = {
    Conv: (ConvPointwise(), ConvDepthwise(), ConvIm2col(), ConvVolume()),
    ConvTranspose: (ConvTransposeGemm(),),
    Linear: (LinearGemm(),),
    MatMul: (MatMulBlas(),),
    Einsum: (EinsumMatmul(),),
    MaxPool: (MaxPoolLines(),),
    MinPool: (MinPoolLines(),),
    AvgPool: (AvgPoolLines(),),
    GlobalAvgPool: (GlobalAvgPoolSum(),),
    Activation: (ActivationInPlace(),),
    PReLU: (PReLUPieces(),),
    GLU: (GLUPieces(),),
    Binary: (BinaryUfunc(),),
    Cast: (CastCopy(),),
    BatchNorm: (BatchNormScale(),),
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
    Reduce: (ReduceUfunc(),),
    Resize: (ResizeLines(),),
    Slice: (RouteCopy(),),
    Expand: (RouteCopy(),),
    Tile: (RouteCopy(),),
    ChannelShuffle: (RouteCopy(),),
    DepthToSpace: (RouteCopy(),),
    SpaceToDepth: (RouteCopy(),),
}
"""The rule of choice: the first that supports. The reference stands behind every list."""
