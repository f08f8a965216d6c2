"""Where values lie: how many are put into another order or copied in nets as exporters write them, on a CPU and on a GPU's emulator.

Every plan here is held to the true values of the graph as recorded, on a CPU with all memory poisoned and on a GPU within the same bounds.
"""

from __future__ import annotations

import sys
from typing import Any

import emulator
import numpy as np
import pytest
from drivers import driver
from emulated import EmulatorDriver
from moving import moved, reorders
from truth import Planned, assert_true, draw_feeds, record, truth, verify

from gpucnn import functional as F
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.passes import (
    alias_buffers,
    assign_layouts,
    cancel_transposes,
    drop_expands,
    find_shuffles,
    join_concats,
    merge_duplicates,
    merge_reshapes,
)

RNG = np.random.default_rng(12)
MANY = 1000  # multiprocessors: the small tiles are chosen, which the emulator builds quickly
NCHW = (2, 8, 6, 5)
MINE = (merge_duplicates, find_shuffles, drop_expands, cancel_transposes, merge_reshapes, join_concats, assign_layouts, alias_buffers)


@pytest.fixture(scope="module", params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def gpu(request):
    if request.param == "cuda":
        return CudaBackend(driver("cuda"))
    emulator.require()
    return CudaBackend(EmulatorDriver(80, multiprocessors=MANY))


def w(*shape: int):
    return (RNG.standard_normal(shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)


def conv(x, k=8, kernel=3, stride=1, groups=1):
    return F.conv2d(x, w(k, x.shape[1] // groups, kernel, kernel), w(k), stride, kernel // 2, groups=groups)


def norm(x):
    c = x.shape[1]
    return F.batch_norm(x, w(c), np.abs(w(c)) + np.float32(0.5), w(c), w(c))


def to_nchw(x):
    return F.permute(x, (0, 3, 1, 2))


def to_nhwc(x):
    return F.permute(x, (0, 2, 3, 1))


def on_both(forward, gpu, *shapes: tuple[int, ...], order: Any = "logical") -> Planned:
    """The plan on a CPU; the GPU's moves as little, has no slow step, and both give the true values."""
    made = verify(record(forward, *shapes, order=order))
    graph = record(forward, *shapes, order=order)
    feeds = draw_feeds(graph)
    expected = truth(graph, feeds)
    there = Planned(graph, backend=gpu)
    assert [step.node.name for step in there.plan.slow_steps] == []
    assert moved(there) == moved(made)
    for name, y in there.run(feeds).items():
        assert_true(y, expected[name], f"output {name!r} of the GPU: ")
    return made


# -- channels last at the door


def tf_mobilenet(x):
    """As TensorFlow's exporter writes it: rows of channels between all convolutions, mean over lines and columns, dense."""
    y = to_nhwc(conv(to_nchw((x - 0.5) * 2.0), 8, 3, 2))
    y = F.relu6(y + w(8))
    for k, stride in ((8, 1), (12, 2), (12, 1)):
        shortcut = y
        y = F.relu6(to_nhwc(norm(conv(to_nchw(y), 16, 1))))
        y = F.pad(y, (0, 0, 0, 1, 0, 1)) if stride == 2 else y
        y = to_nhwc(F.conv2d(to_nchw(y), w(16, 1, 3, 3), None, stride, 0 if stride == 2 else 1, groups=16))
        y = F.relu6(y * w(16) + w(16))
        y = to_nhwc(norm(conv(to_nchw(y), k, 1)))
        y = y + shortcut if y.shape == shortcut.shape else y
    return F.softmax(F.linear(F.mean(y, (1, 2)), w(5, 12), w(5)), 1)


def test_a_net_with_channels_last_moves_nothing(gpu):
    made = on_both(tf_mobilenet, gpu, (2, 12, 12, 3))
    assert moved(made) == {}
    assert made.ops.count("conv2d") == 10
    assert len([op for op in made.ops if op != "pad"]) <= 10 + 5


def test_a_net_with_channels_first_is_reordered_at_the_door():
    made = verify(record(lambda x: tf_mobilenet(to_nhwc(x)), (2, 3, 12, 12)))
    assert list(moved(made).items()) == [("reorder", 1)]
    assert len(reorders(made)) == 1


@pytest.mark.parametrize(
    "prepare",
    [
        lambda x: to_nchw(x),
        lambda x: (to_nchw(x) - w(3, 1, 1)) * w(3, 1, 1),
        lambda x: to_nchw((x - w(3)) * w(3)),
        lambda x: to_nchw(x - w(3)) * w(3, 1, 1),
        lambda x: F.flip(to_nchw(x), 1) * 2.0,
        lambda x: to_nchw(F.pad(x, (0, 0, 1, 1, 1, 1))),
    ],
)
def test_rows_of_channels_go_into_a_convolution_as_they_lie(prepare, gpu):
    made = on_both(lambda x: F.relu(conv(prepare(x))), gpu, (2, 7, 6, 3))
    assert {"reorder", "permute"}.isdisjoint(made.ops)


def test_bytes_of_an_image_go_into_a_convolution_as_they_lie(gpu):
    """The cast, what is subtracted and what is multiplied keep the order of the bytes, before and behind the transposition."""
    for prepare in (
        lambda x: (to_nchw(F.cast(x, "float32")) - w(3, 1, 1)) * w(3, 1, 1),
        lambda x: to_nchw((F.cast(x, "float32") - w(3)) * np.float32(0.01)),
        lambda x: F.cast(to_nchw(x), "float32") * np.float32(0.01) - w(3, 1, 1),
    ):
        graph = record(lambda x, prepare=prepare: F.relu(conv(prepare(x))), (2, 7, 6, 3), dtype="uint8")
        feeds = {"x0": RNG.integers(0, 256, (2, 7, 6, 3)).astype(np.uint8)}
        expected = truth(graph, feeds)["0"]
        made = Planned(graph)
        assert moved(made) == {}
        assert_true(made.run(feeds)["0"], expected)
        again = record(lambda x, prepare=prepare: F.relu(conv(prepare(x))), (2, 7, 6, 3), dtype="uint8")
        assert moved(Planned(again, backend=gpu)) == {}


# -- orders


def test_a_transposition_reads_its_input_as_it_lies():
    made = verify(record(lambda x: F.permute(conv(x), (0, 1, 3, 2)), NCHW, order="channels_last"))
    assert made.ops == ["conv2d", "permute"]
    made = verify(record(lambda x: conv(F.permute(conv(x), (0, 1, 3, 2))), NCHW, order="channels_last"))
    assert made.ops == ["conv2d", "permute", "conv2d"], "the copy is made in the order that the next one wants"


def test_a_reshape_that_keeps_the_channels_is_a_view(gpu):
    """As before attention over the places of a map, and in the heads of detectors."""

    def forward(x):
        rows = F.permute(F.reshape(F.relu(conv(x)), (2, 8, 30)), (0, 2, 1))
        return F.softmax(F.linear(rows, w(4, 8)), 2)

    assert moved(on_both(forward, gpu, NCHW, order="channels_last")) == {}
    made = verify(record(lambda x: conv(F.reshape(F.reshape(conv(x), (2, 8, 30)), (2, 8, 5, 6))), NCHW, order="channels_last"))
    assert moved(made) == {}
    made = verify(record(lambda x: F.reshape(conv(x), (2, 4, 2, 30)), NCHW, order="channels_last"))
    assert moved(made) == {"reorder": 1}


def test_one_pixel_does_not_decide_in_which_order_a_map_lies(gpu):
    """Whichever side of a product it stands on."""
    for gated in (lambda y, g: y * g, lambda y, g: g * y):
        forward = lambda x, gated=gated: conv(gated(conv(x), F.reshape(F.sigmoid(F.linear(F.mean(x, (2, 3)), w(8, 8))), (2, 8, 1, 1))))  # noqa: E731
        assert moved(on_both(forward, gpu, NCHW, order="channels_last")) == {}


def test_the_order_of_most_is_taken():
    def forward(x):
        rows = F.matmul(F.matmul(x, F.permute(x, (0, 1, 3, 2))), x)  # in logical order
        return conv(rows + conv(x) + F.relu(conv(x)))

    made = verify(record(forward, NCHW, order="channels_last"))
    assert len(reorders(made)) == 2, "x for the products, and their result for the sum"


# -- squeeze and excitation


def squeezed(x):
    """The zoo's: dense layers as convolutions of one pixel."""
    s = F.relu(conv(F.global_avg_pool2d(x), 4, 1))
    return x * F.hardsigmoid(conv(s, 8, 1))


def by_mean(x):
    s = F.relu(conv(F.mean(x, (2, 3), keepdim=True), 4, 1))
    return x * F.hardsigmoid(conv(s, 8, 1))


def by_dense_layers(x):
    s = F.linear(F.flatten(F.global_avg_pool2d(x), 1), w(4, 8), w(4))
    return x * F.reshape(F.hardsigmoid(F.linear(F.relu(s), w(8, 4), w(8))), (*x.shape[:2], 1, 1))


def by_mean_and_dense_layers(x):
    s = F.linear(F.mean(x, (2, 3)), w(4, 8), w(4))
    return F.reshape(F.hardsigmoid(F.linear(F.relu(s), w(8, 4), w(8))), (*x.shape[:2], 1, 1)) * x


def by_unsqueezing(x):
    s = F.linear(F.reshape(F.global_avg_pool2d(x), (x.shape[0], -1)), w(4, 8), w(4))
    gate = F.unsqueeze(F.unsqueeze(F.sigmoid(F.linear(F.silu(s), w(8, 4))), 2), 3)
    return x * F.expand(gate, x.shape)


def by_rows(x):
    """In the order of TensorFlow."""
    y = to_nhwc(x)
    s = to_nhwc(conv(to_nchw(F.mean(y, (1, 2), keepdim=True)), 4, 1))
    s = to_nhwc(conv(to_nchw(F.relu(s)), 8, 1))
    return to_nchw(y * F.sigmoid(s))


def by_rows_and_dense_layers(x):
    y = to_nhwc(x)
    s = F.linear(F.relu(F.linear(F.mean(y, (1, 2)), w(4, 8), w(4))), w(8, 4), w(8))
    return to_nchw(y * F.reshape(F.sigmoid(s), (x.shape[0], 1, 1, 8)))


@pytest.mark.parametrize(
    "excite", [squeezed, by_mean, by_dense_layers, by_mean_and_dense_layers, by_unsqueezing, by_rows, by_rows_and_dense_layers]
)
def test_squeeze_and_excitation_is_four_steps(excite, gpu):
    """Pool, two small products with their activations, and the gate; nothing is reordered or copied, however it is written."""
    made = on_both(lambda x: conv(excite(F.relu(conv(x))), 4, 1), gpu, NCHW, order="channels_last")
    assert moved(made) == {}
    dense = "linear" if "dense" in excite.__name__ or excite is by_unsqueezing else "conv2d"
    assert made.ops == ["conv2d", "global_avg_pool", dense, dense, "mul", "conv2d"]


# -- views, and parts of concatenations


def unit(x):
    """Of ShuffleNet."""
    kept, worked = F.chunk(x, 2, 1)
    worked = F.relu(conv(F.conv2d(F.relu(conv(worked, 4, 1)), w(4, 1, 3, 3), padding=1, groups=4), 4, 1))
    y = F.cat([kept, worked], 1)
    return F.reshape(F.permute(F.reshape(y, (2, 2, 4, 6, 5)), (0, 2, 1, 3, 4)), NCHW)


def test_half_of_a_map_stays_where_it_is(gpu):
    made = on_both(lambda x: conv(unit(unit(unit(F.relu(conv(x)))))), gpu, NCHW, order="channels_last")
    assert moved(made) == {"channel_shuffle": 3}


def c2f(x):
    """Of YOLOv8: both halves and all that is made of the second."""
    parts = list(F.chunk(F.silu(conv(x, 8, 1)), 2, 1))
    for _ in range(2):
        parts.append(F.silu(conv(F.silu(conv(parts[-1], 4)), 4)) + parts[-1])
    return F.silu(conv(F.cat(parts, 1), 8, 1))


def test_halves_that_go_into_one_concatenation_are_no_copies(gpu):
    made = on_both(lambda x: c2f(c2f(x)), gpu, NCHW, order="channels_last")
    assert moved(made) == {}
    assert set(made.ops) == {"conv2d"}


def dense_block(x):
    """Of DenseNet as exported: each layer concatenates all before it."""
    parts = [F.relu(conv(x))]
    for _ in range(4):
        parts.append(conv(F.relu(norm(F.cat(parts, 1))), 2))
    return conv(F.relu(norm(F.cat(parts, 1))), 4, 1)


def test_a_layer_that_reads_all_before_it_copies_none(gpu):
    made = on_both(dense_block, gpu, NCHW, order="channels_last")
    assert moved(made) == {}


def inception(x):
    a, b = conv(x, 3, 1), F.relu(conv(conv(x, 4, 1), 5))
    return conv(F.cat([a, F.cat([conv(b, 2), conv(b, 3, 1)], 1), conv(F.avg_pool2d(x, 3, 1, 1), 2, 1)], 1), 4, 1)


def test_branches_are_written_side_by_side(gpu):
    assert moved(on_both(inception, gpu, NCHW, order="channels_last")) == {}


def kept_last(x):
    """The half that is kept lies behind the other."""
    worked, kept = F.chunk(F.relu(conv(x)), 2, 1)
    return conv(F.cat([conv(conv(worked, 3), 4), kept], 1))


def kept_in_the_middle(x):
    a, kept, c = F.split(F.relu(conv(x)), [2, 4, 2], 1)
    a, c = conv(conv(a, 3), 2), conv(conv(c, 3), 2)
    return conv(F.cat([a, kept, c], 1))


def wider(x):
    """What is made anew takes more room than what it was made of."""
    kept, worked = F.chunk(F.relu(conv(x)), 2, 1)
    return conv(F.cat([kept, conv(conv(worked, 3), 7)], 1))


def images_kept(x):
    y = F.relu(conv(x))
    return F.cat([y[:1], conv(conv(y[1:], 3), 8)], 0)


@pytest.mark.parametrize("forward", [kept_last, kept_in_the_middle, wider, images_kept])
def test_other_parts_that_stay_where_they_are(forward, gpu):
    made = on_both(forward, gpu, NCHW, order="channels_last")
    assert moved(made) == {}
    assert made.plan.graph.notes["slices kept in place"] == 1


def narrower(x):
    kept, worked = F.chunk(F.relu(conv(x)), 2, 1)
    return conv(F.cat([kept, conv(conv(worked, 3), 3)], 1))


def read_later(x):
    y = F.relu(conv(x))
    kept, worked = F.chunk(y, 2, 1)
    z = F.cat([kept, conv(conv(worked, 3), 4)], 1)
    return conv(z) + y


def asked_for(x):
    y = F.relu(conv(x))
    kept, worked = F.chunk(y, 2, 1)
    return F.cat([kept, conv(conv(worked, 3), 4)], 1), y


def seen_as_rows_later(x):
    y = F.relu(conv(x))
    kept, worked = F.chunk(y, 2, 1)
    z = F.cat([kept, conv(conv(worked, 3), 4)], 1)
    return conv(z, 4), F.linear(to_nhwc(y), w(4, 8))


def written_while_read(x):
    """The convolution that writes the second half reads it."""
    kept, worked = F.chunk(F.relu(conv(x)), 2, 1)
    return conv(F.cat([kept, conv(worked, 4)], 1))


def moved_along(x):
    a, b = F.chunk(F.relu(conv(x)), 2, 1)
    return conv(F.cat([b, a], 1))


def twice(x):
    a, b = F.chunk(F.relu(conv(x)), 2, 1)
    c = conv(conv(b, 3), 4)
    return conv(F.cat([a, c], 1)) + conv(F.cat([c, a], 1))


def of_two(x):
    """Both halves are kept of something; only one can decide where all lies."""
    a, b = F.chunk(F.relu(conv(x)), 2, 1)
    c, d = F.chunk(F.relu(conv(conv(F.cat([b, x[:, :4]], 1)))), 2, 1)
    return conv(F.cat([a, d], 1)) + conv(c)


def of_an_input(x):
    kept, worked = F.chunk(x, 2, 1)
    return conv(F.cat([kept, conv(conv(worked, 3), 4)], 1))


def nested(x):
    """The outer one keeps a half, and so would the inner one, whose place lies inside it."""
    y = F.relu(conv(x))
    kept, worked = F.chunk(y, 2, 1)
    z = F.relu(conv(worked, 4))
    first, second = F.chunk(z, 2, 1)
    inner = F.cat([first, conv(conv(second, 3), 2)], 1)
    return conv(F.cat([kept, inner], 1))


def ghost(x, later):
    """Cut short and put beside something else; ``later`` gets what the cut was made of."""
    a = F.relu(conv(x, 4))
    b = F.relu(conv(a, 4))
    whole = F.cat([a, b], 1)
    y = conv(F.cat([whole[:, :5], conv(conv(whole, 3), 4)], 1))
    return y, later(b, y)


def a_part_asked_for(x):
    return ghost(x, lambda b, y: b)


def a_part_read_later(x):
    return ghost(x, lambda b, y: conv(y, 4) + b)


def a_part_seen_as_rows_later(x):
    return ghost(x, lambda b, y: F.linear(to_nhwc(b), w(3, 4)))


def a_part_of_a_part_read_later(x):
    a, b, c = F.relu(conv(x, 3)), F.relu(conv(x, 3, 1)), F.relu(conv(x, 2))
    whole = F.cat([a, F.cat([b, c], 1)], 1)
    y = conv(F.cat([whole[:, :4], conv(conv(whole, 3), 6)], 1))
    return conv(y, 2) + c, conv(y, 3) + b


@pytest.mark.parametrize(
    "forward",
    [
        narrower, read_later, asked_for, seen_as_rows_later, written_while_read, moved_along, twice, of_two, of_an_input, nested,
        a_part_asked_for, a_part_read_later, a_part_seen_as_rows_later, a_part_of_a_part_read_later,
    ],
)  # fmt: skip
def test_parts_that_others_need_are_copied(forward):
    """Whatever is decided, no value is lost: memory is full of NaNs before, and each plan runs twice."""
    for order in ("logical", "channels_last"):
        verify(record(forward, NCHW, order=order))


@pytest.mark.parametrize(("forward", "copies"), [(narrower, 1), (read_later, 1), (asked_for, 1), (written_while_read, 1), (of_an_input, 1)])
def test_a_part_is_copied_where_its_whole_is_still_read(forward, copies):
    found = moved(verify(record(forward, NCHW, order="channels_last")))
    assert sum(found.values()) == copies


# -- planning


def test_planning_takes_time_in_proportion_to_the_net():
    """Counted in calls, not in seconds: twice the blocks, about twice the work."""

    def calls(blocks: int) -> int:
        def forward(x):
            y = to_nhwc(x)
            for _ in range(blocks):
                y = F.relu(to_nhwc(conv(to_nchw(y), 4, 1)) + w(4))
            return y

        graph = record(forward, (1, 4, 3, 3))
        count = 0

        def profile(frame: Any, event: str, arg: Any) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(profile)
        try:
            for one in MINE:
                one(graph)
        finally:
            sys.setprofile(None)
        return count

    assert calls(160) < 3 * calls(80)
