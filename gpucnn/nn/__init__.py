"""Layers: parameters, and one call to the functional of the same name. PyTorch's names, arguments and state dicts.

One file a family; each says in its ``__all__`` what is public.
"""

from .activation import *
from .adaptive import *
from .channels import *
from .conv import *
from .conv_transpose import *
from .fractional import *
from .global_pool import *
from .linear import *
from .mean_pool import *
from .module import *
from .norm import *
from .pad import *
from .pool import *
from .rectifier import *
from .resize import *
from .shape import *
from .shrinkage import *
from .softmax import *
from .unpool import *
