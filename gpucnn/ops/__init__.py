"""WHAT: the operations as frozen dataclasses, each with its shape rule and its reference.

======================  ==============================================
``conv``                Conv
``linear``              Linear
``pool``                MaxPool, MinPool, AvgPool, GlobalAvgPool, AdaptiveAvgPool
``activation``          Activation, Epilogue, Softmax
``elementwise``         Binary, Cast
``norm``                BatchNorm
``ranking``             TopK
``shape``               Identity, Reshape, Flatten, Transpose, Concat, Pad, Reorder
``image``               Lookup, LookupConv
======================  ==============================================
"""

from .activation import RELU6, Activation, Epilogue, Softmax
from .base import Op
from .conv import Conv
from .elementwise import Binary, Cast
from .image import Lookup, LookupConv
from .linear import Linear
from .norm import BatchNorm
from .pool import AdaptiveAvgPool, AvgPool, GlobalAvgPool, MaxPool, MinPool
from .ranking import TopK
from .shape import Concat, Flatten, Identity, Order, Pad, Reorder, Reshape, Transpose

__all__ = [
    "RELU6",
    "Activation",
    "AdaptiveAvgPool",
    "AvgPool",
    "BatchNorm",
    "Binary",
    "Cast",
    "Concat",
    "Conv",
    "Epilogue",
    "Flatten",
    "GlobalAvgPool",
    "Identity",
    "Linear",
    "Lookup",
    "LookupConv",
    "MaxPool",
    "MinPool",
    "Op",
    "Order",
    "Pad",
    "Reorder",
    "Reshape",
    "Softmax",
    "TopK",
    "Transpose",
]
