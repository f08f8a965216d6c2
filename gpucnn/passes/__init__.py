"""Graph to graph: what is made simpler, fused and laid out before a plan is drawn up. One function a file."""

from collections.abc import Callable

from ..graph import Graph
from .alias_buffers import alias_buffers
from .assign_layouts import assign_layouts
from .drop_identities import drop_identities
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .fuse_epilogues import fuse_epilogues

__all__ = ["PASSES", "alias_buffers", "assign_layouts", "drop_identities", "fold_batch_norm", "fold_constants", "fuse_epilogues"]

PASSES: tuple[Callable[[Graph], None], ...] = (
    fold_constants,  # first, so that the rest sees weights as constants
    drop_identities,  # so that conv and batch norm, conv and ReLU become neighbours
    fold_batch_norm,  # before activations are fused: the norm stands between them and the convolution
    fuse_epilogues,
    assign_layouts,  # on the nodes that are left
    alias_buffers,  # last: it needs the final nodes and orders
)
"""In the order in which they run; each changes the graph that it is given."""
