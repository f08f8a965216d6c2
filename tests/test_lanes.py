"""Threads that share steps: every call is made, in its own thread, errors come back, waiting awake and asleep."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

import gpucnn
from gpucnn import engine, nn
from gpucnn.backends.cpu import lanes as module
from gpucnn.backends.cpu.lanes import Lanes
from gpucnn.settings import settings


@pytest.fixture(params=["awake", "asleep"])
def lanes(request, monkeypatch):
    if request.param == "asleep":
        monkeypatch.setattr(module, "_AWAKE", 0.0)
    made = Lanes(3)
    yield made
    made.close()


def test_each_call_is_made_once_in_a_thread_of_its_own(lanes):
    for count in (1, 2, 3):
        for _ in range(300):
            seen = []
            lanes.run([lambda i=i, seen=seen: seen.append((i, threading.get_ident())) for i in range(count)])
            assert sorted(i for i, _ in seen) == list(range(count))
            assert len({who for _, who in seen}) == count


def test_nobody_waits_for_who_is_still_working(lanes):
    """Back only when the slowest has ended, whichever that is."""
    for slow in range(3):
        ended = []

        def work(i, slow=slow, ended=ended):
            time.sleep(0.02 if i == slow else 0)
            ended.append(i)

        lanes.run([lambda i=i, work=work: work(i) for i in range(3)])
        assert sorted(ended) == [0, 1, 2]
        assert ended[-1] == slow


def test_after_a_rest_they_come_back(lanes):
    for rest in (0.0, 0.01, 0.05):
        time.sleep(rest)
        seen = []
        lanes.run([lambda i=i, seen=seen: seen.append(i) for i in range(3)])
        assert sorted(seen) == [0, 1, 2]


@pytest.mark.parametrize("where", [0, 1, 2])
def test_an_error_is_raised_when_all_have_ended(lanes, where):
    ended = []

    def work(i):
        if i == where:
            raise ZeroDivisionError(str(i))
        time.sleep(0.005)
        ended.append(i)

    with pytest.raises(ZeroDivisionError, match=str(where)):
        lanes.run([lambda i=i: work(i) for i in range(3)])
    assert sorted(ended) == [i for i in range(3) if i != where]
    lanes.run([lambda i=i: ended.append(i) for i in range(3)])  # and work goes on
    assert len(ended) == 5


def test_several_callers_share_them(lanes):
    """Programs of different sizes of image have the same lanes; each gets its own work done, and no work is lost."""
    wrong = []

    def caller(name):
        for _ in range(200):
            seen = []
            lanes.run([lambda i=i, seen=seen: seen.append(i) for i in range(3)])
            if sorted(seen) != [0, 1, 2]:
                wrong.append((name, seen))

    threads = [threading.Thread(target=caller, args=(name,), daemon=True) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_a_model_is_called_with_several_sizes_at_once(monkeypatch):
    monkeypatch.setattr(engine, "settings", lambda: replace(settings(), threads=2))
    net = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.GlobalAvgPool2d())
    rng = np.random.default_rng(0)
    xs = [rng.standard_normal((1, 3, side, side), np.float32) for side in (96, 80, 64)]
    with gpucnn.compile(net, (1, 3, 96, 96), device="cpu") as model:
        alone = [model(x) for x in xs]
        wrong = []

        def caller(i):
            wrong.extend(i for _ in range(20) if not np.array_equal(model(xs[i]), alone[i]))

        threads = [threading.Thread(target=caller, args=(i,), daemon=True) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_closed_threads_end():
    made = Lanes(4)
    assert made._workers == []  # hired when first needed
    made.run([lambda: None] * 4)
    threads = [worker.thread for worker in made._workers]
    assert [thread.is_alive() for thread in threads] == [True] * 3
    made.close()
    made.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
