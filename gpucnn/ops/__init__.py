"""WHAT: the operations as frozen dataclasses, each with its shape rule and its reference.

======================  ==============================================
``conv``                Conv
``conv_transpose``      ConvTranspose
``linear``              Linear
``matmul``              MatMul
``einsum``              Einsum
``activation``          Activation, Epilogue, PReLU, GLU
``softmax``             Softmax, LogSoftmax
``pool``                MaxPool, MinPool, AvgPool, LpPool, ConvMaxPool
``global_pool``         GlobalAvgPool, GlobalMaxPool, GlobalMinPool, GlobalLpPool
``adaptive``            AdaptiveAvgPool, AdaptiveMaxPool
``fractional``          FractionalMaxPool
``unpool``              MaxUnpool
``elementwise``         Binary, Where, Cast
``quantize``            Quantize, Dequantize
``unary``               Unary
``norm``                BatchNorm, LayerNorm, GroupNorm, LocalResponseNorm, Normalize
``ranking``             TopK
``reduce``              Reduce, ArgReduce, CumSum
``gather``              Gather, GatherElements, GatherND
``scatter``             ScatterElements, ScatterND
``masking``             OneHot, Hardmax, Trilu
``moving``              Slice, Expand, Tile
``channels``            ChannelShuffle, DepthToSpace, SpaceToDepth
``resize``              Resize
``shape``               Identity, Reshape, Flatten, Transpose, Concat, Pad, Reorder
``image``               Lookup, LookupConv
======================  ==============================================
"""

from .activation import *
from .adaptive import AdaptiveAvgPool as AdaptiveAvgPool
from .adaptive import AdaptiveMaxPool as AdaptiveMaxPool
from .base import Op as Op
from .channels import *
from .conv import *
from .conv_transpose import *
from .einsum import *
from .elementwise import *
from .fractional import *
from .gather import *
from .global_pool import *
from .image import *
from .linear import *
from .masking import *
from .matmul import *
from .moving import *
from .norm import *
from .pool import *
from .quantize import *
from .ranking import *
from .reduce import *
from .resize import *
from .scatter import *
from .shape import *
from .softmax import *
from .unary import *
from .unpool import *
