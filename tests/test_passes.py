"""The passes one by one: what they change, what they must leave alone, and that the values stay what they were."""

from __future__ import annotations

import numpy as np
import pytest
from truth import Planned, assert_true, draw_feeds, record, truth, verify

from gpucnn import functional as F
from gpucnn.errors import GpucnnError
from gpucnn.graph import Graph, Node
from gpucnn.ops import Activation, Conv, Epilogue, Identity, Linear, Lookup, LookupConv, MaxPool, Transpose
from gpucnn.passes import (
    PASSES,
    PASSES_CPU,
    PASSES_FLOAT16,
    WhereSupported,
    alias_buffers,
    alias_buffers_and_pads,
    assign_layouts,
    cancel_transposes,
    drop_expands,
    drop_identities,
    find_shuffles,
    fold_batch_norm,
    fold_constants,
    fold_input_scales,
    fold_pads,
    fuse_epilogues,
    fuse_lookup,
    fuse_pools,
    join_concats,
    join_parts,
    keep_reduced_axes,
    matmul_to_linear,
    merge_duplicates,
    merge_parallel_convs,
    merge_reshapes,
    move_into_parts,
    recognise_activations,
    recognise_global_pools,
    recognise_norms,
    unfold_pads,
    unstack_sums,
)
from gpucnn.passes.alias_buffers import dense_strides
from gpucnn.rows import keeps_batch
from gpucnn.spec import Spec

RNG = np.random.default_rng(7)
X = (2, 4, 5, 7)
LAY_OUT = (assign_layouts, alias_buffers)


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


def conv(x, k=4, kernel=3, **fields):
    return F.conv2d(x, w(k, x.shape[1] // fields.get("groups", 1), kernel, kernel), fields.pop("bias", w(k)), **fields)


def norm(x, affine=True):
    c = x.shape[1]
    return F.batch_norm(x, w(c), np.abs(w(c)) + np.float32(0.1), *((w(c), w(c)) if affine else ()))


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def after(forward, *passes, shapes=(X,), **kw) -> Graph:
    """The graph after some passes alone; its values are held to the truth in a plan with them."""
    verify(record(forward, *shapes, **kw), passes=(*passes, *LAY_OUT))
    graph = record(forward, *shapes, **kw)
    for one in passes:
        one(graph)
    graph.check()
    return graph


# -- fold_batch_norm


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: norm(conv(x)),
        lambda x: norm(conv(x, bias=None)),
        lambda x: norm(conv(x), affine=False),
        lambda x: norm(conv(x, 6, groups=2)),
        lambda x: norm(conv(x, 8, groups=4, padding=1)),
        lambda x: norm(conv(x, 4, 1)),
        lambda x: norm(norm(conv(x))),
        lambda x: F.batch_norm(conv(x), w(4), np.ones(4, np.float32), None, w(4)),
    ],
)
def test_a_norm_behind_a_convolution_is_folded(forward):
    assert names(after(forward, fold_batch_norm)) == ["conv2d"]


def test_a_norm_behind_a_linear_layer_is_folded():
    assert names(after(lambda x: norm(F.linear(x, w(6, 5), w(6))), fold_batch_norm, shapes=((3, 5),))) == ["linear"]


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 3, 5)])
def test_behind_a_linear_layer_of_higher_rank_axis_1_is_not_its_features(shape):
    forward = lambda x: norm(F.linear(x, w(6, 5), w(6)))  # noqa: E731
    assert names(after(forward, fold_batch_norm, shapes=(shape,))) == ["linear", "batch_norm"]


def two(x):
    y = conv(x)
    return norm(y), F.relu(y)


def seen(x):
    y = conv(x)
    return norm(y), y


@pytest.mark.parametrize("forward", [two, seen, lambda x: norm(F.relu(conv(x))), lambda x: norm(x)])
def test_a_norm_that_is_not_alone_behind_a_convolution_stays(forward):
    assert "batch_norm" in names(after(forward, fold_batch_norm))


def test_computed_weights_are_not_folded():
    graph = record(lambda x, weight: norm(F.conv2d(x, weight)), X, (3, 4, 2, 2))
    fold_batch_norm(graph)
    assert names(graph) == ["conv2d", "batch_norm"]


def test_computed_statistics_are_not_folded():
    graph = record(lambda x, mean: F.batch_norm(conv(x), mean, np.ones(4, np.float32)), X, (4,))
    fold_batch_norm(graph)
    assert names(graph) == ["conv2d", "batch_norm"]
    verify(record(lambda x, mean: F.batch_norm(conv(x), mean, np.ones(4, np.float32)), X, (4,)))


def test_folding_leaves_the_nets_own_weights_alone():
    weight, bias = w(4, 4, 3, 3), w(4)
    before = weight.copy(), bias.copy()
    after(lambda x: norm(F.conv2d(x, weight, bias)) + norm(F.conv2d(x, weight, bias)), fold_batch_norm)
    np.testing.assert_array_equal(weight, before[0])
    np.testing.assert_array_equal(bias, before[1])


# -- fuse_epilogues


def residual(x):
    return F.relu(conv(x, padding=1) + x)


def residual_first(x):
    return F.relu(x + conv(x, padding=1))


def bottleneck(x):
    return F.relu6(F.relu(conv(x, padding=1)) + conv(x, 4, 1))


@pytest.mark.parametrize(
    ("forward", "left", "epilogue"),
    [
        (lambda x: F.relu(conv(x)), ["conv2d"], "relu"),
        (lambda x: F.relu6(conv(x)), ["conv2d"], "relu6"),
        (lambda x: F.sigmoid(F.relu(conv(x))), ["conv2d"], "relu+sigmoid"),
        (residual, ["conv2d"], "relu"),
        (residual_first, ["conv2d"], "relu"),
        (lambda x: conv(x, padding=1) + x, ["conv2d"], ""),
        (bottleneck, ["conv2d", "conv2d"], "relu+relu6"),
        (lambda x: F.tanh(conv(x, 8, groups=4)), ["conv2d"], "tanh"),
        (lambda x: F.tanh(F.sigmoid(F.relu(conv(x)))), ["conv2d", "tanh"], "relu+sigmoid"),
        (lambda x: F.tanh(F.relu(conv(x, padding=1) + x)), ["conv2d", "tanh"], "relu"),
    ],
)
def test_what_follows_a_convolution_is_fused(forward, left, epilogue):
    graph = after(forward, fuse_epilogues)
    assert names(graph) == left
    assert epilogue in [str(node.op.epilogue) for node in graph.nodes if isinstance(node.op, Conv)]


def test_what_follows_a_linear_layer_is_fused():
    graph = after(lambda x: F.relu(F.linear(x, w(5, 5), w(5)) + x), fuse_epilogues, shapes=((3, 5),))
    assert [type(node.op) for node in graph.nodes] == [Linear]


def read_twice(x):
    y = conv(x)
    return F.relu(y) + F.tanh(y)


def asked_for(x):
    y = conv(x)
    return F.relu(y), y


def doubled(x):
    y = conv(x)
    return y + y


@pytest.mark.parametrize(
    ("forward", "left"),
    [
        (read_twice, ["conv2d", "relu", "tanh", "add"]),
        (asked_for, ["conv2d", "relu"]),
        (doubled, ["conv2d", "add"]),
        (lambda x: conv(x, padding=1) + F.global_avg_pool2d(x), ["conv2d", "global_avg_pool", "add"]),
        (lambda x: conv(x, padding=1) - x, ["conv2d", "sub"]),
        (lambda x: conv(x, padding=1) + w(4, 1, 1), ["conv2d", "add"]),
        (lambda x: F.softmax(conv(x), 1), ["conv2d", "softmax"]),
    ],
)
def test_what_cannot_be_fused_stays(forward, left):
    assert names(after(forward, fuse_epilogues)) == left


def test_the_residual_may_come_later_than_the_convolution():
    """The fused step runs where the addition ran."""

    def forward(x):
        y = conv(x, padding=1)
        return F.relu(y + F.tanh(F.sigmoid(x)))

    graph = after(forward, fuse_epilogues)
    assert names(graph) == ["sigmoid", "tanh", "conv2d"]


# -- fuse_lookup

TABLE = w(256, 3)
PHOTOGRAPH = (2, 3, 9, 8)


def stem(x):
    return F.relu(conv(F.lookup(x, TABLE), stride=2, padding=1))


def looked_up(forward, supported=lambda op, *specs: True) -> Graph:
    graph = record(forward, PHOTOGRAPH, dtype="uint8")
    fuse_epilogues(graph)
    fuse_lookup(graph, supported)
    graph.check()
    return graph


@pytest.mark.parametrize("order", ["logical", "channels_last"])
def test_a_lookup_is_fused_into_the_convolution_behind_it(order):
    """The padding is zeros beside the values: were it looked up, zeros would be the table's first row."""
    weight, bias = w(4, 3, 3, 3), w(4)

    def forward(x):
        y = F.conv2d(F.lookup(x, TABLE), weight, bias, stride=2, padding=1)
        return F.relu(y + F.max_pool2d(F.conv2d(F.lookup(x, TABLE), weight, padding=1), 2, ceil_mode=True))

    graph = record(forward, PHOTOGRAPH, dtype="uint8", order=order)
    fuse_epilogues(graph)
    fuse_lookup(graph, lambda op, *specs: True)
    assert names(graph) == ["lookup_conv2d", "max_pool2d", "lookup_conv2d"]
    assert graph.notes["lookups fused"] == 2
    x = RNG.integers(0, 256, PHOTOGRAPH, np.uint8)
    made = Planned(graph, passes=LAY_OUT)
    assert len(reorders(made)) == (order == "logical")  # the bytes, once for both
    values = Lookup().reference(np, x, TABLE)[0]
    shortcut = MaxPool((2, 2), (2, 2), ceil_mode=True).reference(np, *Conv(padding=((1, 1), (1, 1))).reference(np, values, weight))[0]
    epilogue = Epilogue(post=Activation("relu"))
    expected = Conv((2, 2), ((1, 1), (1, 1)), epilogue=epilogue).reference(np, values, weight, bias, shortcut)[0]
    np.testing.assert_array_equal(made.run({"x0": x})["0"], expected)


def looked_up_twice(x):
    y = F.lookup(x, TABLE)
    return conv(y) + conv(y)


def lookup_asked_for(x):
    y = F.lookup(x, TABLE)
    return conv(y), y


def lookup_as_residual(x):
    return conv(F.max_pool2d(F.lookup(x, TABLE), 1, 2), 3, padding=1) + F.lookup(F.max_pool2d(x, 1, 2), TABLE)


@pytest.mark.parametrize(
    "forward",
    [
        looked_up_twice,
        lookup_asked_for,
        lookup_as_residual,
        lambda x: F.conv2d(F.lookup(x, TABLE), F.lookup(x, TABLE)),
        lambda x: conv(F.max_pool2d(F.lookup(x, TABLE), 2)),
        lambda x: F.relu(F.lookup(x, TABLE)),
    ],
)
def test_a_lookup_that_others_need_stays(forward):
    assert "lookup" in names(looked_up(forward))


def test_computed_tables_are_not_fused():
    graph = Graph()
    x, table = graph.input("x", Spec(PHOTOGRAPH, np.dtype(np.uint8))), graph.input("table", Spec((256, 3), np.dtype(np.float32)))
    graph.outputs = {"y": conv(graph.append(Lookup(), (x, table))[0])}
    fuse_lookup(graph, lambda op, *specs: True)
    assert names(graph) == ["lookup", "conv2d"]


def test_a_lookup_is_fused_only_where_the_backend_can():
    asked = []

    def supported(op, *specs):
        asked.append((op, specs))
        return False

    assert names(looked_up(stem, supported)) == ["lookup", "conv2d"]
    ((op, specs),) = asked
    assert op == LookupConv(Conv((2, 2), ((1, 1), (1, 1)), epilogue=Epilogue(Activation("relu"))))
    assert [None if s is None else s.shape for s in specs] == [PHOTOGRAPH, (256, 3), (4, 3, 3, 3), (4,), None]
    assert names(Planned(record(stem, PHOTOGRAPH, dtype="uint8")).plan.graph).count("lookup_conv2d") == 0, "the CPU has no impl for it"


# -- drop_identities, fold_constants


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.dropout(x),
        lambda x: F.pad(x, (0, 0)),
        lambda x: F.reshape(x, x.shape),
        lambda x: F.cat([x], 1),
        lambda x: F.max_pool2d(x, 1),
        lambda x: F.min_pool2d(x, 1),
        lambda x: F.avg_pool2d(x, 1),
        lambda x: F.permute(x, (0, 1, 2, 3)),
        lambda x: F.flatten(x, 1, 1),
        lambda x: F.dropout(F.dropout(F.dropout(x))),
    ],
)
def test_what_does_nothing_is_dropped(forward):
    assert names(after(lambda x: F.relu(forward(x)), drop_identities)) == ["relu"]
    after(forward, drop_identities)  # an output that is an input


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.max_pool2d(x, 1, 2),
        lambda x: F.min_pool2d(x, 3, 1, 1),
        lambda x: F.max_pool2d(x, 3, 1, 1),
        lambda x: F.max_pool2d(x, 1, 1, return_indices=True)[0],
        lambda x: F.avg_pool2d(x, 1, divisor_override=2),
        lambda x: F.avg_pool2d(x, 1, 1, 1),
        lambda x: F.pad(x, (1, 0)),
        lambda x: F.cat([x, x], 1),
        lambda x: F.reshape(x, (2, 4, 7, 5)),
    ],
)
def test_what_does_something_stays(forward):
    assert len(after(forward, drop_identities).nodes) == 1


def test_a_square_turned_is_not_the_square():
    assert names(after(lambda x: F.permute(x, (0, 1, 3, 2)), drop_identities, shapes=((1, 2, 3, 3),))) == ["permute"]


def test_constants_are_computed_at_once():
    graph = Graph()
    x = graph.input("x0", Spec((3, 4), np.dtype(np.float32)))
    a, b = graph.constant(w(4)), graph.constant(w(3, 4))
    graph.outputs = {"0": x + F.relu(a * b) + a, "1": F.tanh(b)}
    expected = np.maximum(a.data * b.data, 0)
    fold_constants(graph)
    assert names(graph) == ["add", "add"]
    assert graph.outputs["1"].is_constant
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].data, expected)
    feeds = draw_feeds(graph)
    y = Planned(graph).run(feeds)
    np.testing.assert_array_equal(y["0"], feeds["x0"] + expected + a.data)
    np.testing.assert_array_equal(y["1"], np.tanh(b.data))


# -- assign_layouts


def reorders(plan: Planned) -> list[str]:
    return [step.node.name for step in plan.plan.steps if step.node.op.name == "reorder"]


def test_a_chain_is_reordered_once():
    made = verify(record(lambda x: F.max_pool2d(F.relu(conv(F.tanh(conv(x)))), 2, padding=1), X))
    assert len(reorders(made)) == 1
    assert made.ops == ["reorder", "conv2d", "conv2d", "max_pool2d"]


def test_channels_last_memory_is_taken_as_it_is():
    made = verify(record(lambda x: conv(F.relu(x)), X, order="channels_last"))
    assert reorders(made) == []


def test_a_value_is_reordered_once_for_all_its_readers():
    assert len(reorders(verify(record(lambda x: conv(x) + conv(x), X)))) == 1


@pytest.mark.parametrize("shape", [(2, 1, 5, 7), (2, 4, 1, 1), (2, 1, 1, 1)])
def test_where_both_orders_lie_alike_nothing_moves(shape):
    assert verify(record(lambda x: conv(x, 3, 1), shape)).ops == ["conv2d"]


def test_flatten_of_one_pixel_is_a_view():
    made = verify(record(lambda x: F.linear(F.flatten(F.global_avg_pool2d(x), 1), w(3, 4)), X, order="channels_last"))
    assert made.ops == ["global_avg_pool", "linear"]


def test_flatten_into_linear_permutes_the_weight_and_moves_nothing():
    made = verify(record(lambda x: F.linear(F.flatten(conv(x), 1), w(3, 60)), X, order="channels_last"))
    assert made.ops == ["conv2d", "linear"]


def test_flatten_into_two_linear_layers():
    def forward(x):
        flat = F.flatten(conv(x), 1)
        return F.linear(flat, w(3, 60)), F.linear(flat, w(2, 60), w(2))

    assert verify(record(forward, X, order="channels_last")).ops == ["conv2d", "linear", "linear"]


def test_one_weight_behind_two_maps():
    weight = w(3, 60)

    def forward(x):
        return F.linear(F.flatten(conv(x), 1), weight), F.linear(F.flatten(F.avg_pool2d(conv(x, 10), (1, 2), (1, 3)), 1), weight)

    verify(record(forward, X))


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.relu(F.flatten(conv(x), 1)),
        lambda x: F.flatten(conv(x), 1),
        lambda x: F.linear(F.flatten(conv(x), 2), w(2, 15)),
        lambda x: F.linear(F.flatten(x, 1), w(2, 140)),
        lambda x: F.linear(F.flatten(F.linear(x, w(7, 7)), 1), w(2, 140)),
        lambda x: (lambda flat: F.linear(flat, w(60, 60)) + flat)(F.flatten(conv(x), 1)),
        lambda x: F.permute(conv(x), (0, 2, 3, 1)),
        lambda x: F.linear(F.permute(conv(x), (0, 2, 3, 1)), w(5, 4)),
        lambda x: conv(F.permute(conv(x), (0, 3, 1, 2)), 2),
        lambda x: F.softmax(conv(x), 1),
        lambda x: F.pad(conv(x), (1, 2, 0, 1)),
        lambda x: F.cat([conv(x), F.relu(conv(x))], 2),
        lambda x: F.cat([F.linear(x, w(7, 7)), conv(x, padding=1)], 1),
        lambda x: F.cat([conv(x, padding=1), F.linear(x, w(7, 7))], 1),
        lambda x: F.linear(x, w(7, 7)) + conv(x, padding=1),
        lambda x: conv(x, padding=1) + F.linear(x, w(7, 7)),
        lambda x: F.relu(F.linear(conv(x), w(7, 5)) + F.pad(conv(x), (1, 1))),
        lambda x: F.reshape(F.max_pool2d(x, 2), (-1, 2)),
        lambda x: conv(F.reshape(conv(x), (4, 2, 3, 5)), 3),
        lambda x: conv(x, padding=1) * F.sigmoid(F.global_avg_pool2d(x)),
    ],
)
def test_mixed_layouts(forward):
    verify(record(forward, X))
    verify(record(forward, X, order="channels_last"))


def convnext_block(x):
    """Normalised and mixed along the last axis, between permutations that only rename the axes of channels-last memory."""
    c = x.shape[1]
    y = F.permute(F.conv2d(x, w(c, 1, 7, 7), w(c), padding=3, groups=c), (0, 2, 3, 1))
    y = F.relu(F.linear(F.layer_norm(y, c, w(c), w(c), 1e-6), w(4 * c, c), w(4 * c)))
    return F.permute(F.linear(y, w(c, 4 * c), w(c)), (0, 3, 1, 2)) * w(c, 1, 1) + x


@pytest.mark.parametrize("passes", [PASSES, PASSES_FLOAT16], ids=["float32", "float16"])
def test_permutations_around_a_row_norm_move_nothing(passes):
    graph = record(lambda x: conv(convnext_block(convnext_block(conv(x, 6))), 3), X, order="channels_last")
    made = Planned(graph, passes=passes)
    block = ["conv2d", "layer_norm", "linear", "linear"]  # scaled in its weights, added in its epilogue
    assert [op for op in made.ops if op != "cast"] == ["conv2d", *2 * block, "conv2d"]
    if passes is PASSES:
        verify(record(lambda x: conv(convnext_block(convnext_block(conv(x, 6))), 3), X, order="channels_last"))


@pytest.mark.parametrize(
    "forward",
    [
        lambda x: F.permute(F.relu(x), (0, 3, 1, 2)),
        lambda x: (lambda y: (y, F.permute(y, (0, 3, 1, 2))))(F.linear(x, w(6, 7))),
        lambda x: F.reshape(F.permute(F.relu(x), (0, 3, 1, 2)), (2, -1)),
        lambda x: F.layer_norm(F.permute(F.relu(x), (0, 3, 1, 2)), 5),
        lambda x: F.cat([F.permute(F.relu(x), (0, 3, 1, 2)), F.permute(F.tanh(x), (0, 3, 1, 2))], 1),
        lambda x: conv(F.permute(F.permute(conv(x, padding=1), (0, 2, 3, 1)), (0, 3, 1, 2))),
        lambda x: F.permute(F.reshape(F.relu(x), (2, 4, 35)), (0, 2, 1)),
        lambda x: F.linear(F.flatten(F.permute(F.relu(x), (0, 3, 1, 2)), 1), w(3, 140)),
    ],
)
def test_the_last_axis_put_where_channels_are(forward):
    for order in ("logical", "channels_last"):
        verify(record(forward, X, order=order))


# -- alias_buffers


def test_dense_strides():
    assert dense_strides((2, 3, 4, 5), "logical") == (60, 20, 5, 1)
    assert dense_strides((2, 3, 4, 5), "channels_last") == (60, 1, 15, 3)
    assert dense_strides((2, 3), "channels_last") == (3, 1)
    assert dense_strides((2, 3, 4, 5, 6), "channels_last") == (360, 1, 90, 18, 3)
    assert dense_strides((), "logical") == ()


@pytest.mark.parametrize(
    ("forward", "copies"),
    [
        (lambda x: F.cat([conv(x), F.relu(conv(x)), F.avg_pool2d(x, 3, 1)], 1), 0),
        (lambda x: F.cat([conv(x), F.cat([conv(x), conv(x)], 1)], 1), 0),
        (lambda x: F.cat([F.cat([conv(x), conv(x)], 1), F.cat([conv(x), conv(x)], 1)], 1), 0),
        (lambda x: F.cat([conv(x), conv(x)], 0), 0),
        (lambda x: conv(F.cat([conv(x), conv(x)], 1)), 0),
        (lambda x: F.cat([x, conv(x, padding=1)], 1), 1),
        (lambda x: (lambda y: F.cat([y, y], 1))(conv(x)), 1),
        (lambda x: F.cat([conv(x), conv(x)], 2), 1),
        (lambda x: (lambda a, b: F.cat([F.cat([a, b], 1), F.cat([b, a], 1)], 1))(conv(x), conv(x)), 1),
    ],
)
def test_parts_are_written_where_the_concatenation_lies(forward, copies):
    made = verify(record(forward, X, order="channels_last"))
    assert made.ops.count("cat") == copies


def shared(x):
    a, b = F.relu(conv(x)), conv(x)
    return F.cat([a, F.cat([a, b], 1)], 1)


def shared_twice(x):
    a, b = F.relu(conv(x)), conv(x)
    return F.cat([a, F.cat([b, a], 1), a], 1)


def dense_block(x):
    """DenseNet: every layer reads all before it."""
    parts = [conv(x, padding=1)]
    for _ in range(3):
        parts.append(conv(F.relu(norm(F.cat(parts, 1))), 2, padding=1))
    return F.cat(parts, 1)


def chained(x):
    """The same, concatenated step by step."""
    y = conv(x, padding=1)
    for _ in range(3):
        y = F.cat([y, conv(y, 2, padding=1)], 1)
    return F.cat([y, F.relu(y)], 1)


def part_is_read_later(x):
    a, b = conv(x), conv(x)
    joined = F.relu(F.cat([a, b], 1))
    return joined, F.tanh(a) + b


def part_is_asked_for(x):
    a, b = conv(x), conv(x)
    return F.relu(F.cat([a, b], 1)), a


def same_in_two(x):
    a, b, c = conv(x), conv(x), conv(x)
    return F.cat([a, b], 1), F.cat([c, a], 1)


def part_of_itself(x):
    a = conv(x, padding=1)
    return F.cat([a, F.relu(a), F.tanh(a)], 1)


@pytest.mark.parametrize(
    "forward",
    [shared, shared_twice, dense_block, chained, part_is_read_later, part_is_asked_for, same_in_two, part_of_itself],
)
@pytest.mark.parametrize("order", ["logical", "channels_last"])
def test_shared_parts(forward, order):
    verify(record(forward, X, order=order))


def rows(x):
    a, b = F.linear(x, w(3, 5)), F.linear(x, w(3, 5))
    return F.relu(F.cat([a, F.cat([a, b], 0)], 0)), F.cat([a, b], 1)


def test_shared_rows():
    verify(record(rows, (2, 5)))


@pytest.mark.parametrize(
    ("forward", "inside"),
    [
        (lambda x: F.relu(F.max_pool2d(x, 2)), True),
        (lambda x: F.max_pool2d(x, 2) + F.avg_pool2d(x, 2), True),
        (lambda x: F.relu(x), False),
        (lambda x: (lambda y: (F.relu(y), y))(F.max_pool2d(x, 2)), False),
        (lambda x: (lambda y: F.relu(y) + F.max_pool2d(y, 1, 1, return_indices=True)[0])(F.max_pool2d(x, 2)), True),
        (lambda x: (lambda y: F.tanh(F.relu(y)) - y)(F.max_pool2d(x, 2)), True),
        (lambda x: (lambda y: y + y)(F.max_pool2d(x, 2)), False),
        (lambda x: F.global_avg_pool2d(x) + F.max_pool2d(x, 2), False),
        (lambda x: (lambda y: F.flatten(y, 1) + F.relu(F.flatten(y, 1)))(F.max_pool2d(x, 2)), False),
        (lambda x: (lambda y: (F.relu(y), F.flatten(y, 1)))(F.max_pool2d(x, 2)), False),
    ],
)
def test_elementwise_results_overwrite_what_nothing_reads_again(forward, inside):
    made = verify(record(forward, X))
    assert (made.plan.graph.notes.get("in place", 0) > 0) == inside


def test_buffers_of_a_chain_are_used_again():
    def chain(x):
        for _ in range(12):
            x = conv(x, padding=1)
        return x

    assert (
        verify(record(chain, X)).plan.arena_bytes
        <= verify(record(lambda x: conv(conv(conv(x, padding=1), padding=1), padding=1), X)).plan.arena_bytes
    )


def test_all_passes_have_a_place():
    recognise = {keep_reduced_axes, recognise_activations, recognise_norms, recognise_global_pools}
    folding = {fold_constants, matmul_to_linear, fold_pads, fold_batch_norm, fold_input_scales}
    moving = {merge_duplicates, find_shuffles, drop_expands, cancel_transposes, merge_reshapes, join_concats}
    moving |= {join_parts, move_into_parts, merge_parallel_convs, unstack_sums}
    everywhere = {*recognise, *folding, *moving, drop_identities, fuse_epilogues, assign_layouts, alias_buffers}
    assert set(PASSES) == {*everywhere, WhereSupported(fuse_lookup)}
    assert PASSES[-2:] == LAY_OUT
    on_a_cpu = {WhereSupported(fuse_pools), unfold_pads, alias_buffers_and_pads}
    assert set(PASSES_CPU) == {*everywhere - {alias_buffers}, WhereSupported(fuse_lookup), *on_a_cpu}


# -- a graph that is not one


def test_check_finds_a_value_that_is_read_too_early():
    graph = record(lambda x: F.relu(F.tanh(x)), X)
    graph.check()
    graph.nodes.reverse()
    with pytest.raises(GpucnnError, match=r"node 'relu' reads 'tanh' before it exists"):
        graph.check()


def test_check_finds_a_wrong_shape():
    graph = record(lambda x: F.relu(x), X)
    node = graph.nodes[0]
    graph.nodes[0] = Node(Transpose((3, 2, 1, 0)), node.inputs, node.outputs, node.name)
    with pytest.raises(GpucnnError, match=r"node 'relu' infers"):
        graph.check()


def test_check_finds_an_output_that_nothing_makes():
    graph = record(lambda x: F.relu(x), X)
    graph.nodes.clear()
    with pytest.raises(GpucnnError, match=r"output '0' is made by no node"):
        graph.check()


def test_values_of_two_recordings_do_not_mix():
    graph, other = record(lambda x: x, X), record(lambda x: x, X)
    with pytest.raises(GpucnnError, match=r"relu: value 'x0' belongs to another recording"):
        graph.append(Activation("relu"), [other.inputs["x0"]])


def test_the_same_constant_is_held_once():
    graph, a = Graph(), w(3)
    assert graph.constant(a) is graph.constant(a)
    assert graph.constant(a).name != graph.constant(a.copy()).name


def test_prune_keeps_what_is_asked_for():
    graph = record(lambda x: (F.tanh(x), F.relu(x))[1], X)
    graph.prune()
    assert names(graph) == ["relu"]
    assert "relu" in str(graph)
    assert repr(graph.nodes[0]).startswith("<node relu")


def test_names_are_unique():
    graph = record(lambda x: F.relu(F.relu(x)), X)
    graph.append(Identity(), [graph.inputs["x0"]], "relu")
    assert len({v.name for node in graph.nodes for v in node.outputs}) == 3


@pytest.mark.parametrize(
    ("forward", "keeps"),
    [
        (lambda x: F.relu(conv(x)), True),
        (residual, True),
        (lambda x: F.linear(F.flatten(x, 1), w(3, 140)), True),
        (lambda x: F.linear(x, w(3, 7)), True),
        (lambda x: F.reshape(x, (x.shape[0], -1)), True),
        (lambda x: F.softmax(x, 1), True),
        (lambda x: x + w(4, 1, 1), True),
        (lambda x: x + w(1, 4, 1, 1), True),
        (lambda x: x * F.global_avg_pool2d(x), True),
        (lambda x: F.permute(x, (0, 2, 3, 1)), True),
        (lambda x: F.cat([x, x], 1), True),
        (lambda x: F.pad(x, (1, 1)), True),
        (lambda x: F.max_pool2d(x, 2, return_indices=True)[1], True),
        (lambda x: x[:, 1:3, ::2], True),
        (lambda x: x[:, 0], True),
        (lambda x: F.cat(F.chunk(x, 2, 1)[::-1], 1), True),
        (lambda x: F.channel_shuffle(x, 2), True),
        (lambda x: F.pixel_shuffle(x, 2), True),
        (lambda x: F.flip(x, (1, 3)), True),
        (lambda x: F.tile(x, (2, 1, 1)), True),
        (lambda x: F.expand(x[:, :, :1], x.shape), True),
        (lambda x: F.mean(x, (2, 3)), True),
        (lambda x: F.amax(x, (1, -1), keepdim=True), True),
        (lambda x: F.argmax(x, 1), True),
        (lambda x: F.cumsum(x, 2), True),
        (lambda x: F.index_select(x, 1, np.array([2, 0])), True),
        (lambda x: F.gather(x, 1, F.argmax(x, 1, True)), True),
        (lambda x: F.embedding(F.argmax(x, 1), w(4, 3)), True),
        (lambda x: F.interpolate(x, 9, mode="bilinear"), True),
        (lambda x: F.pad(x, (-1, 1)), True),
        (lambda x: F.squeeze(F.unsqueeze(x, 2), 2), True),
        (lambda x: F.stack([x, x], 1), True),
        (lambda x: x[:1], False),
        (lambda x: x[::-1], False),
        (lambda x: x[0], False),
        (lambda x: F.flip(x, 0), False),
        (lambda x: F.roll(x, 1, 0), False),
        (lambda x: F.tile(x, (2, 1, 1, 1)), False),
        (lambda x: F.expand(F.unsqueeze(x, 0), (2, *x.shape)), False),
        (lambda x: F.mean(x), False),
        (lambda x: F.sum(x, (0, 1), keepdim=True), False),
        (lambda x: F.argmax(x, 0), False),
        (lambda x: F.argmax(x), False),
        (lambda x: F.cumsum(x, 0), False),
        (lambda x: F.sort(x, 0)[0], False),
        (lambda x: F.index_select(x, 0, np.array([1, 0])), False),
        (lambda x: F.gather(x, 1, np.zeros((2, 1, 5, 7), int)), True),  # a constant that says the same of every image
        (lambda x: F.gather(x, 1, np.arange(2).repeat(35).reshape(2, 1, 5, 7)), False),
        (lambda x: F.embedding(np.array([0, 1]), F.flatten(x, 1)), False),
        (lambda x: F.stack([x, x], 0), False),
        (lambda x: F.softmax(x, 0), False),
        (lambda x: F.softmax(x, -4), False),
        (lambda x: F.flatten(x, 0), False),
        (lambda x: F.reshape(x, (-1, 7)), False),
        (lambda x: F.permute(x, (1, 0, 2, 3)), False),
        (lambda x: F.cat([x, x], 0), False),
        (lambda x: F.pad(x, (0, 0, 0, 0, 0, 0, 1, 0)), False),
        (lambda x: x + w(2, 4, 5, 7), False),
        (lambda x: F.conv2d(x, F.permute(x, (0, 1, 2, 3))), False),
        (lambda x: F.cat([x, w(2, 1, 5, 7)], 1), False),
        (lambda x: (F.relu(x), F.softmax(x, 0)), False),
        (lambda x: (F.relu(x), F.softmax(x, 1)), True),
    ],
)
def test_which_nets_keep_images_apart(forward, keeps):
    assert keeps_batch(record(forward, X)) == keeps


def test_truth_of_a_layer_is_its_value_before_fusion():
    """The graph as recorded knows every layer; asking for one keeps it whole."""
    graph = record(lambda x: F.relu(norm(conv(x))), X)
    graph.outputs = {**graph.outputs, "conv": graph.layers["conv2d"], "norm": graph.layers["batch_norm"]}
    feeds = draw_feeds(graph)
    expected = truth(graph, feeds)
    y = Planned(graph).run(feeds)
    for name, layer in (("conv", "conv2d"), ("norm", "batch_norm"), ("0", "relu")):
        assert_true(y[name], expected[layer])


# -- parts of a value


def halves(x):
    """A convolution makes the map, channels last."""
    a, b = F.chunk(conv(x), 2, 1)
    return F.relu(a), conv(b)


@pytest.mark.parametrize(
    ("forward", "copied"),
    [
        (halves, False),
        (lambda x: tuple(F.max_pool2d(part, 2) for part in F.split(conv(x), [1, 0, 3], 1) if 0 not in part.shape), False),
        (lambda x: tuple(F.relu(part) for part in F.chunk(conv(x), 2)), False),
        (lambda x: F.max_pool2d(conv(x)[1:, 2:], 2), False),
        (lambda x: F.relu(conv(x)[:, :2][:, 1:]), False),
        (lambda x: F.relu(F.cat([conv(x), conv(x)], 1)[:, 2:6]), False),
        (lambda x: conv(x)[:, ::2], True),  # channels that do not lie side by side
        (lambda x: conv(x)[:, :, 1:], True),
        (lambda x: conv(x)[::-1], True),
        (lambda x: F.tanh(x)[:, :2], True),  # in logical order the channels of an image are no run of pixels
        (lambda x: F.cat([conv(x)[:, :2], conv(x)], 1), False),  # it stays where it is, the whole around it
        (lambda x: (lambda y: F.cat([y[:, :2], conv(x)], 1) + F.cat([conv(x), y[:, 2:]], 1) + y[:, :1])(conv(x)), True),
    ],
)
def test_a_run_of_images_or_channels_is_a_view(forward, copied):
    made = verify(record(forward, X))
    assert ("slice" in made.ops) == copied
    verify(record(forward, X), passes=LAY_OUT)


def test_a_part_keeps_the_whole_alive():
    """Nothing may be written over the other half while one half is still to be read."""

    def forward(x):
        y = conv(x, padding=1)
        a, b = F.chunk(y, 2, 1)
        c = F.relu(b)
        return c + F.tanh(a), F.sigmoid(y)

    verify(record(forward, X))
