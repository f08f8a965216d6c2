"""The passes of a CPU's plans: results written into the padding of what reads them, and pools taken before results are written."""

from __future__ import annotations

import numpy as np
import pytest
from truth import Planned, draw_feeds, record, verify

from gpucnn import functional as F
from gpucnn.backends.cpu import IMPLS, CpuBackend, direct
from gpucnn.passes import PASSES

RNG = np.random.default_rng(3)
X = (2, 4, 8, 12)
LARGE = (2, 16, 17, 16)


def w(*shape: int):
    return RNG.standard_normal(shape).astype(np.float32)


def conv(x, k=4, kernel=3, **fields):
    return F.conv2d(x, w(k, x.shape[1] // fields.get("groups", 1), kernel, kernel), w(k), **fields)


UNFOLDED = {
    "behind a convolution": lambda x: conv(F.relu(conv(x, kernel=1)), padding=1),
    "of two paddings": lambda x: conv(conv(conv(x, kernel=1), padding=1), kernel=5, padding=2),
    "depthwise": lambda x: conv(F.relu6(conv(x, 6, 1)), 6, groups=6, padding=1),
    "depthwise, strided": lambda x: conv(conv(x, 64, 1), 64, groups=64, padding=1, stride=2),
    "depthwise, strided, few channels": lambda x: conv(conv(x, 6, 1), 6, groups=6, padding=1, stride=2),
    "grouped": lambda x: conv(conv(x, 6, 1), 8, groups=2, padding=1),
    "strided": lambda x: conv(conv(x, kernel=1), padding=1, stride=2),
    "same": lambda x: conv(conv(x, kernel=1), padding="same", dilation=2),
    "behind a maximum": lambda x: conv(F.max_pool2d(x, (1, 3)), padding=1),
    "behind a mean": lambda x: conv(F.avg_pool2d(x, 3, 1, 1), padding=1),
    "tiles of four": lambda x: conv(conv(x, 16, 1), 16, padding=1),
    "and a residual": lambda x: (lambda y: y + conv(F.relu(conv(y, kernel=1)), padding=1))(conv(x, kernel=1)),
}


@pytest.mark.parametrize("forward", UNFOLDED.values(), ids=UNFOLDED)
def test_what_is_written_into_padding(forward):
    made = verify(record(forward, X))
    notes = made.plan.graph.notes
    assert notes["pads unfolded"] == notes["padded in place"] == made.ops.count("pad") > 0
    for step in made.plan.steps:
        if step.node.op.name == "pad":
            whole, inside = step.node.outputs[0], step.node.inputs[0]
            assert made.plan.graph.placements[inside].root is made.plan.graph.placements[whole].root


FOLDED = {
    "an input": lambda x: conv(x, padding=1),
    "without padding": lambda x: conv(conv(x), 4),
    "read twice": lambda x: (lambda y: (conv(y, padding=1), F.relu(y)))(conv(x)),
    "asked for": lambda x: (lambda y: (y, conv(y, padding=1)))(conv(x)),
    "behind arithmetic": lambda x: conv(F.relu(x) * w(4, 1, 1), padding=1),
    "tiles beyond it": lambda x: conv(conv(x), padding=1),  # of 6×10 results
    "a line": lambda x: F.conv1d(F.flatten(conv(x), 2), w(3, 4, 3), padding=1),
}


@pytest.mark.parametrize("forward", FOLDED.values(), ids=FOLDED)
def test_padding_that_stays_in_its_convolution(forward):
    assert "pads unfolded" not in verify(record(forward, X)).plan.graph.notes


def assert_same_bits(forward, shape):
    """With the passes of a CPU and without, of the same weights."""
    state, answers = RNG.bit_generator.state, []
    for passes in (PASSES, None):
        RNG.bit_generator.state = state
        graph = record(forward, shape)
        feeds = draw_feeds(graph)
        answers.append(Planned(graph, passes=passes).run(feeds))
    for name, y in answers[0].items():
        np.testing.assert_array_equal(y.view(np.int32), answers[1][name].view(np.int32))


def test_bits_are_the_same_wherever_lines_lie():
    for forward in UNFOLDED.values():
        assert_same_bits(forward, X)


PADS = {
    "of a number": (lambda x: F.pad(conv(x), (1, 2, 0, 1), value=3.5), 1),
    "and a convolution": (lambda x: conv(F.pad(conv(x), (1, 2, 0, 1), value=3.5)), 1),
    "of channels": (lambda x: conv(F.pad(conv(x), (0, 1, 0, 0, 1, 2), value=-1)), 1),
    "reflected": (lambda x: conv(F.pad(conv(x), (1, 1), mode="reflect")), 0),
    "of an input": (lambda x: conv(F.pad(x, (1, 1), value=1)), 0),
    "twice": (lambda x: conv(F.pad(F.pad(conv(x), (1, 0), value=1), (0, 1), value=2)), 2),
    "read besides": (lambda x: (lambda y: (conv(F.pad(y, (1, 1), value=1)), F.relu(y)))(conv(x)), 0),
    "of a concatenation": (lambda x: conv(F.pad(F.cat([conv(x), conv(x, 2)], 1), (1, 1), value=1)), 0),
    "in a concatenation": (lambda x: conv(F.cat([F.pad(conv(x), (1, 1), value=1), F.pad(conv(x, 2), (2, 0), value=2)], 1)), 2),
    "overwritten": (lambda x: conv(F.tanh(F.pad(conv(x), (1, 1), value=1)), 3), 1),
}


@pytest.mark.parametrize(("forward", "inside"), PADS.values(), ids=PADS)
def test_paddings_that_stand_in_a_net(forward, inside):
    made = verify(record(forward, X, order="channels_last"))
    assert made.plan.graph.notes.get("padded in place", 0) == inside


def kept_beside_a_padded_part(x):
    """A slice of y is kept where a concatenation wants it; the rest of y lies under a part whose padding comes after y's last reader."""
    y = conv(x, 8)
    a = conv(y, 4)
    z = F.tanh(y)
    return F.cat([y[:, :4], F.pad(a, (1, 1, 1, 1), value=1)], 1), z


def test_what_is_padded_in_place_waits_for_those_who_read_beneath_it():
    made = verify(record(kept_beside_a_padded_part, X, order="channels_last"))
    assert made.plan.graph.notes["padded in place"] == 1


POOLED = {
    "halved": lambda x: F.max_pool2d(conv(x, 16, padding=1), 2),
    "activated": lambda x: F.max_pool2d(F.relu(conv(x, 24, padding=1)), 2),
    "activated behind it": lambda x: F.relu(F.max_pool2d(conv(x, 16, padding=1), 2)),
    "even, rounded up": lambda x: F.max_pool2d(conv(x, 16, padding=((1, 2), (1, 1))), 2, ceil_mode=True),
    "on a padded one": lambda x: F.max_pool2d(conv(conv(x, 16, 1), 16, padding=((1, 0), (1, 1))), 2),
    "before a convolution": lambda x: conv(F.max_pool2d(conv(x, 16, padding=1), 2), padding=1),
}


@pytest.mark.parametrize("forward", POOLED.values(), ids=POOLED)
def test_pools_that_are_fused(forward):
    made = verify(record(forward, LARGE))
    assert made.ops.count("conv2d_max_pool2d") == made.plan.graph.notes["pools fused"] == 1
    assert "max_pool2d" not in made.ops


APART = {
    "odd, rounded up": lambda x: F.max_pool2d(conv(x, 16, padding=1), 2, ceil_mode=True),
    "3×3": lambda x: F.max_pool2d(conv(x, 16, padding=1), 3, 2, 1),
    "padded": lambda x: F.max_pool2d(conv(x, 16, padding=1), 2, 2, 1),
    "overlapping": lambda x: F.max_pool2d(conv(x, 16, padding=1), 2, 1),
    "dilated": lambda x: F.max_pool2d(conv(x, 16, padding=1), 2, 2, dilation=2),
    "with places": lambda x: F.max_pool2d(conv(x, 16, padding=1), 2, return_indices=True)[0],
    "a mean": lambda x: F.avg_pool2d(conv(x, 16, padding=1), 2),
    "few channels": lambda x: F.max_pool2d(conv(conv(x, 4, 1), 16, padding=1), 2),
    "1×1": lambda x: F.max_pool2d(conv(x, 16, 1), 2),
    "strided": lambda x: F.max_pool2d(conv(x, 16, padding=1, stride=2), 2),
    "and a residual": lambda x: F.max_pool2d(conv(x, 16, padding=1) + F.tanh(x), 2),
    "read twice": lambda x: (lambda y: (F.max_pool2d(y, 2), F.max_pool2d(y, 3)))(conv(x, 16, padding=1)),
    "asked for": lambda x: (lambda y: (y, F.max_pool2d(y, 2)))(conv(x, 16, padding=1)),
}


@pytest.mark.parametrize("forward", APART.values(), ids=APART)
def test_pools_that_stand_apart(forward):
    assert "conv2d_max_pool2d" not in verify(record(forward, LARGE)).ops


def test_no_pool_is_fused_without_winograd():
    made = verify(record(POOLED["halved"], LARGE), backend=CpuBackend(impls=direct(IMPLS)))
    assert made.ops.count("conv2d_max_pool2d") == 0


def test_bits_are_the_same_fused_or_not():
    for forward in POOLED.values():
        assert_same_bits(forward, (2, 16, 16, 16))  # of an odd size the last line is not computed, and products have other shapes
