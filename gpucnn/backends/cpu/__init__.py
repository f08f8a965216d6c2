"""NumPy on the CPU: one impl per method, the best guess first."""

from ...ops import (
    Activation,
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
    MaxPool,
    MinPool,
    Op,
    Pad,
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
from .conv import ConvDepthwise, ConvIm2col, ConvPointwise
from .linear import LinearGemm
from .moving import RouteCopy
from .pointwise import (
    ActivationInPlace,
    BatchNormScale,
    BinaryUfunc,
    CastCopy,
    ConcatCopy,
    CopyOnly,
    LookupTake,
    PadCopy,
    SoftmaxRows,
)
from .pool import AvgPoolLines, GlobalAvgPoolSum, MaxPoolLines, MinPoolLines
from .reduce import ReduceUfunc
from .resize import ResizeLines

__all__ = ["IMPLS", "CpuBackend"]

IMPLS: dict[type[Op], tuple[Impl, ...]] = {
    Conv: (ConvPointwise(), ConvDepthwise(), ConvIm2col()),
    Linear: (LinearGemm(),),
    MaxPool: (MaxPoolLines(),),
    MinPool: (MinPoolLines(),),
    AvgPool: (AvgPoolLines(),),
    GlobalAvgPool: (GlobalAvgPoolSum(),),
    Activation: (ActivationInPlace(),),
    Binary: (BinaryUfunc(),),
    Cast: (CastCopy(),),
    BatchNorm: (BatchNormScale(),),
    Softmax: (SoftmaxRows(),),
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
