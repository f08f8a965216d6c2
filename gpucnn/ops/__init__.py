"""WHAT: the operations as frozen dataclasses, each with its shape rule and its reference.

======================  ==============================================
``conv``                Conv
``linear``              Linear
``pool``                MaxPool, MinPool, AvgPool, GlobalAvgPool, AdaptiveAvgPool
``activation``          Activation, Epilogue, Softmax
``elementwise``         Binary, Cast
``norm``                BatchNorm
``ranking``             TopK
``reduce``              Reduce, ArgReduce, CumSum
``gather``              Gather, GatherElements
``moving``              Slice, Expand, Tile
``channels``            ChannelShuffle, DepthToSpace, SpaceToDepth
``resize``              Resize
``shape``               Identity, Reshape, Flatten, Transpose, Concat, Pad, Reorder
``image``               Lookup, LookupConv
======================  ==============================================
"""

from .activation import *
from .base import Op as Op
from .channels import *
from .conv import *
from .elementwise import *
from .gather import *
from .image import *
from .linear import *
from .moving import *
from .norm import *
from .pool import *
from .ranking import *
from .reduce import *
from .resize import *
from .shape import *
