"""Graph to graph: what is made simpler, fused and laid out before a plan is drawn up. One function a file.

What the passes that recognise something share: ``formulas`` (activations, by algebra), ``patterns`` (norms, by their nodes), ``rewriting``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..graph import Graph
from .alias_buffers import alias_buffers
from .assign_layouts import assign_layouts
from .drop_identities import drop_identities
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .fuse_epilogues import fuse_epilogues
from .fuse_lookup import fuse_lookup
from .keep_reduced_axes import keep_reduced_axes
from .lower_precision import lower_precision
from .recognise_activations import recognise_activations
from .recognise_global_pools import recognise_global_pools
from .recognise_norms import recognise_norms

__all__ = [
    "LAY_OUT",
    "PASSES",
    "PASSES_FLOAT16",
    "SIMPLIFY",
    "Pass",
    "WhereSupported",
    "alias_buffers",
    "assign_layouts",
    "drop_identities",
    "fold_batch_norm",
    "fold_constants",
    "fuse_epilogues",
    "fuse_lookup",
    "keep_reduced_axes",
    "lower_precision",
    "recognise_activations",
    "recognise_global_pools",
    "recognise_norms",
]


@dataclass(frozen=True)
class WhereSupported:
    """A pass that makes ops which not every backend has an impl for: its second argument answers whether this one does."""

    run: Callable[[Graph, Callable[..., bool]], None]


Pass = Callable[[Graph], None] | WhereSupported

SIMPLIFY: tuple[Callable[[Graph], None], ...] = (
    fold_constants,  # first, so that the rest sees weights as constants
    drop_identities,  # so that conv and batch norm, conv and ReLU become neighbours
    keep_reduced_axes,  # before what is made of means and sums is recognised
    recognise_activations,  # before any other pass takes constants of a formula into its weights
    recognise_norms,  # behind activations: a bound below a norm is a clip by then
    recognise_global_pools,  # behind norms, which are made of means too
    fold_batch_norm,  # before activations are fused: the norm stands between them and the convolution
    fuse_epilogues,
)
"""What a net is made into before its types are settled."""

LAY_OUT: tuple[Pass, ...] = (
    WhereSupported(fuse_lookup),  # after the passes that look for a convolution, and with the types that it will have
    assign_layouts,  # on the nodes that are left
    alias_buffers,  # last: it needs the final nodes and orders
)

PASSES: tuple[Pass, ...] = (*SIMPLIFY, *LAY_OUT)
"""In the order in which they run; each changes the graph that it is given."""

PASSES_FLOAT16: tuple[Pass, ...] = (
    *SIMPLIFY,
    lower_precision,  # after folding and fusing, so that a constant is rounded once; before layouts, which its casts need too
    *LAY_OUT,
)
