"""Layers: parameters, and one call to the functional of the same name. PyTorch's names, arguments and state dicts.

One file a family; each says in its ``__all__`` what is public.
"""

from .activation import *
from .channels import *
from .conv import *
from .conv_transpose import *
from .linear import *
from .module import *
from .norm import *
from .pad import *
from .pool import *
from .rectifier import *
from .resize import *
from .shape import *
from .shrinkage import *
from .softmax import *
