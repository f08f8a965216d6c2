"""The operations as functions, in PyTorch's names and argument order.

Given arrays a function computes now, on the backend that the arrays belong to; given a symbolic
:class:`~gpucnn.graph.Value` it records itself in that value's graph. All shapes are logical (n, c, h, w).
One file a family; each says in its ``__all__`` what is public.
"""

from .activation import *
from .adaptive import *
from .base import Padding1 as Padding1
from .base import Padding2 as Padding2
from .base import Padding3 as Padding3
from .base import Size1 as Size1
from .base import Size2 as Size2
from .base import Size3 as Size3
from .bits import *
from .channels import *
from .comparison import *
from .conv import *
from .conv_transpose import *
from .conversion import *
from .dense import *
from .elementwise import *
from .fractional import *
from .gather import *
from .global_pool import *
from .image import *
from .logic import *
from .masking import *
from .mean_pool import *
from .moving import *
from .norm import *
from .pool import *
from .powers import *
from .quantize import *
from .ranking import *
from .rectifier import *
from .reduce import *
from .resize import *
from .rounding import *
from .scatter import *
from .shape import *
from .shrinkage import *
from .softmax import *
from .statistics import *
from .trigonometry import *
from .unpool import *
