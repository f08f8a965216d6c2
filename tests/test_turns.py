"""Steps of one turn: which of them lanes may do without meeting between, and that it shows in no result."""

import numpy as np
import pytest
from truth import AlwaysLanes, LastLaneFirst, record, verify

from gpucnn import functional as F
from gpucnn import plan
from gpucnn.backends.cpu import CpuBackend
from gpucnn.ops import Activation
from gpucnn.passes import PASSES_CPU

RNG = np.random.default_rng(0)


def weight(k, c, side=1):
    return RNG.standard_normal((k, c, side, side), np.float32) / np.float32(c * side)


def fire(x):
    s = F.relu(F.conv2d(x, weight(16, 32)))
    return F.cat([F.relu(F.conv2d(s, weight(32, 16))), F.relu(F.conv2d(s, weight(32, 16, 3), padding=1))], 1)


def chain(x):
    return F.conv2d(F.conv2d(F.conv2d(x, weight(32, 32)), weight(32, 32)), weight(32, 32))


def written_over(x):
    y = F.conv2d(x, weight(32, 32))
    a, b = F.conv2d(y, weight(32, 32)), F.sigmoid(y)  # the second in the place of y
    return F.max_pool2d(a, 2), F.max_pool2d(b, 2)


def turns(forward, backend):
    made = plan.compile(record(forward, (1, 32, 16, 16), order="channels_last"), backend, passes=PASSES_CPU)
    return made, [turn for turn, step in zip(made._turns, made.steps) if step.node.op.name == "conv2d"]


def test_branches_of_a_concatenation_are_one_turn():
    backend = LastLaneFirst()
    made, convs = turns(fire, backend)
    assert convs[1] == convs[2] > convs[0]
    made.bind().run()
    assert backend.meetings == 2
    verify(record(fire, (1, 32, 16, 16), order="channels_last"), backend=backend)


def test_what_follows_from_each_other_is_not():
    assert len(set(turns(chain, LastLaneFirst())[1])) == 3


def test_one_lane_has_one_step_a_turn():
    made, _ = turns(fire, CpuBackend())
    assert list(made._turns) == list(range(len(made.steps)))


def test_who_reads_what_a_neighbour_writes_over_goes_before():
    backend = LastLaneFirst()
    made, (_, second) = turns(written_over, backend)
    (at,) = (i for i, step in enumerate(made.steps) if isinstance(step.node.op, Activation))
    (x,), (y,) = made.steps[at].node.inputs, made.steps[at].node.outputs
    assert made.graph.placements[x].root is made.graph.placements[y].root, "it is not in place: the test shows nothing"
    assert made._turns[at] > second
    verify(record(written_over, (1, 32, 16, 16), order="channels_last"), backend=backend)


def over_what_nobody_reads(x):
    return F.cat([F.conv2d(x, weight(64, 64))[:, :32], F.conv2d(x, weight(64, 64, 3), padding=1)], 1)


def over_it_by_one_alone(x):
    a, c = F.conv2d(x, weight(32, 32)), F.conv2d(x, weight(32, 32))
    return F.cat([a[:, :16], F.channel_shuffle(x, 4)], 1), F.max_pool2d(c, 2)


@pytest.mark.parametrize(("net", "c", "side"), [(over_what_nobody_reads, 64, 56), (over_it_by_one_alone, 32, 16)])
def test_who_writes_over_what_nobody_reads_of_a_neighbour_comes_after(net, c, side):
    verify(record(net, (1, c, side, side), order="channels_last"), backend=LastLaneFirst(), passes=PASSES_CPU)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_bits_do_not_depend_on_turns(lanes, monkeypatch):
    x = RNG.standard_normal((1, 32, 16, 16), np.float32)
    weights = [weight(16, 32), weight(32, 16), weight(32, 16, 3)]

    def net(x):
        s = F.conv2d(x, weights[0])
        return F.cat([F.conv2d(s, weights[1]), F.conv2d(s, weights[2], padding=1)], 1)

    backend = AlwaysLanes(lanes=lanes)
    results = []
    for how in (plan._turns, lambda backend, graph, steps: list(range(len(steps)))):
        monkeypatch.setattr(plan, "_turns", how)
        program = plan.compile(record(net, x.shape, order="channels_last"), backend, passes=PASSES_CPU).bind()
        with backend.session():
            backend.write(program.inputs["x0"], x)
            program.run()
        results.append(backend.read(program.outputs["0"]))
    backend.close()
    assert np.array_equal(*results)


def test_a_turn_has_few_steps():
    """All that its steps want lies in memory at once."""
    made, convs = turns(lambda x: tuple(F.conv2d(x, weight(32, 32)) for _ in range(9)), LastLaneFirst())
    assert [convs.count(turn) for turn in sorted(set(convs))] == [4, 4, 1]
    assert made._turns[-1] == max(convs)
