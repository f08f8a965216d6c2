"""Graph to graph: what is made simpler, fused and laid out before a plan is drawn up. One function a file.

What the passes that recognise something share: ``formulas`` (activations, by algebra), ``patterns`` (norms, by their nodes), ``rewriter``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..graph import Graph
from .alias_buffers import alias_buffers, alias_buffers_and_pads
from .assign_layouts import assign_layouts
from .cancel_transposes import cancel_transposes
from .drop_expands import drop_expands
from .drop_identities import drop_identities
from .find_shuffles import find_shuffles
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .fold_input_scales import fold_input_scales
from .fold_pads import fold_pads
from .fuse_epilogues import fuse_epilogues
from .fuse_lookup import fuse_lookup
from .fuse_pools import fuse_pools
from .join_concats import join_concats
from .join_parts import join_parts
from .keep_reduced_axes import keep_reduced_axes
from .lower_precision import lower_precision
from .matmul_to_linear import matmul_to_linear
from .merge_duplicates import merge_duplicates
from .merge_parallel_convs import merge_parallel_convs
from .merge_reshapes import merge_reshapes
from .move_into_parts import move_into_parts
from .recognise_activations import recognise_activations
from .recognise_global_pools import recognise_global_pools
from .recognise_norms import recognise_norms
from .unfold_pads import unfold_pads
from .unstack_sums import unstack_sums

__all__ = [
    "LAY_OUT",
    "PASSES",
    "PASSES_CPU",
    "PASSES_FLOAT16",
    "SIMPLIFY",
    "Pass",
    "WhereSupported",
    "alias_buffers",
    "alias_buffers_and_pads",
    "assign_layouts",
    "cancel_transposes",
    "drop_expands",
    "drop_identities",
    "find_shuffles",
    "fold_batch_norm",
    "fold_constants",
    "fold_input_scales",
    "fold_pads",
    "fuse_epilogues",
    "fuse_lookup",
    "fuse_pools",
    "join_concats",
    "join_parts",
    "keep_reduced_axes",
    "lower_precision",
    "matmul_to_linear",
    "merge_duplicates",
    "merge_parallel_convs",
    "merge_reshapes",
    "move_into_parts",
    "recognise_activations",
    "recognise_global_pools",
    "recognise_norms",
    "unfold_pads",
    "unstack_sums",
]


@dataclass(frozen=True)
class WhereSupported:
    """A pass that makes ops which not every backend has an impl for: its second argument answers whether this one does."""

    run: Callable[[Graph, Callable[..., bool]], None]


Pass = Callable[[Graph], None] | WhereSupported

SIMPLIFY: tuple[Callable[[Graph], None], ...] = (
    fold_constants,  # first, so that the rest sees weights as constants
    drop_identities,  # so that conv and batch norm, conv and ReLU become neighbours
    merge_duplicates,  # before what asks whether a value has one reader
    find_shuffles,  # while their reshapes and transpositions stand together
    drop_expands,
    keep_reduced_axes,  # before what is made of means and sums is recognised
    recognise_activations,  # before any other pass takes constants of a formula into its weights
    recognise_norms,  # behind activations: a bound below a norm is a clip by then
    cancel_transposes,  # with less to move through; before what looks for neighbours, and for channels on axis 1
    recognise_global_pools,  # behind norms, which are made of means too, and with the axes of maps in their places
    unstack_sums,  # before reshapes are merged, some of which it makes; behind the other moving: by then stacks are of maps
    merge_reshapes,  # with those that transpositions and pools have become
    join_concats,
    join_parts,
    matmul_to_linear,  # before the folding: what is added behind a product becomes a bias, which a product has not
    fold_pads,  # before activations are fused: they say what no value lies below; before scales are folded: padding stands between
    merge_parallel_convs,  # behind it: windows are compared; before scales are folded: then one convolution alone is beside them
    move_into_parts,  # behind it: sums have become convolutions; before the folding: a concatenation takes no norm in
    fold_batch_norm,  # before activations are fused: the norm stands between them and the convolution
    fold_input_scales,  # after it: what stands between two convolutions goes into the first, whose padding never matters
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

PASSES_CPU: tuple[Pass, ...] = (
    *SIMPLIFY,
    WhereSupported(fuse_lookup),
    WhereSupported(fuse_pools),  # with the types that it will have
    unfold_pads,  # on the convolutions that are left; before layouts, which the new nodes need too
    assign_layouts,
    alias_buffers_and_pads,
)
"""For a CPU, whose steps write lines of an image wherever those lie."""

PASSES_FLOAT16: tuple[Pass, ...] = (
    *SIMPLIFY,
    lower_precision,  # after folding and fusing, so that a constant is rounded once; before layouts, which its casts need too
    *LAY_OUT,
)
