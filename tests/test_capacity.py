"""What needs more memory than there is, is refused before it is taken, with what is needed, what is free and what would fit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gpucnn
from gpucnn import functional as F
from gpucnn import host_memory, nn
from gpucnn.backends.cpu import CpuBackend
from gpucnn.errors import LimitError
from gpucnn.settings import read_settings

X = np.random.default_rng(0).standard_normal((64, 3, 32, 32), np.float32)


class Mixing(nn.Module):
    """A net whose images meet: its batch can only be run as a whole."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)

    def forward(self, x):
        y = self.conv(x)
        return F.add(y, F.mean(y, 0, keepdim=True))


def apart():
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 8, 3), nn.Flatten())


@pytest.fixture
def free(monkeypatch):
    """Sets how much memory there seems to be."""
    return lambda nbytes: monkeypatch.setattr(CpuBackend, "free_memory", lambda self: nbytes)


def arena(net, n, throughput=False):
    with gpucnn.compile(net, (n, *X.shape[1:])) as model:
        return model.plan(n, throughput=throughput).arena_bytes


def test_the_batch_that_is_said_to_fit_fits(free):
    room = arena(Mixing(), 20)
    with gpucnn.compile(Mixing(), (1, *X.shape[1:])) as model:
        free(room)
        expected = r"Mixing: input 64×3×32×32 float32 needs \d+\.\d MiB on cpu, \d+\.\d MiB are free; a batch of 16 fits"
        with pytest.raises(LimitError, match=expected):
            model(X)
        assert model(X[:16]).shape == (16, 16, 32, 32)


def test_where_nothing_fits_smaller_images_are_advised(free):
    with gpucnn.compile(Mixing(), (1, *X.shape[1:])) as model:
        free(1000)
        with pytest.raises(LimitError, match=r"MiB on cpu, 0\.0 MiB are free; use smaller images, or free some memory"):
            model(X)


def test_a_few_images_go_one_by_one_where_several_at_once_have_no_room(free):
    net = apart()
    room = arena(net, 1)
    assert room < arena(net, 4, throughput=True)
    with gpucnn.compile(net, (1, *X.shape[1:])) as model:
        free(room)
        with pytest.raises(LimitError, match="a batch of 3 fits, which is computed image by image"):
            model(X)
        assert len(model(X[:3])) == 3


def test_programs_side_by_side_only_as_many_as_have_room(free, monkeypatch):
    net = apart()
    with gpucnn.compile(net, (1, *X.shape[1:])) as model:
        right = model(X)
    room = arena(net, 4, throughput=True)
    made = []
    allocate = CpuBackend.allocate
    monkeypatch.setattr(CpuBackend, "allocate", lambda self, nbytes: made.append(nbytes) or allocate(self, nbytes))
    with gpucnn.compile(net, (1, *X.shape[1:])) as model:
        free(room + room // 2)
        np.testing.assert_array_equal(model(X), right)
    assert len(made) == 1


def test_arenas_of_other_sizes_make_room(free, monkeypatch):
    with gpucnn.compile(apart(), (1, *X.shape[1:])) as model:
        model(X[:1])
        held = model.plan(1, throughput=False).arena_bytes
        larger = np.zeros((1, 3, 48, 48), np.float32)
        # Free is what there is, less the arenas that the model holds.
        monkeypatch.setattr(CpuBackend, "free_memory", lambda self: 3 * held - held * len(model._runners))
        model(larger)
        assert len(model._runners) == 1


def test_functions_ask_too(monkeypatch):
    monkeypatch.setattr(host_memory, "free_host_memory", lambda: 2 << 30)
    with pytest.raises(LimitError, match=r"cpu: needs \d\d\.\d\d GiB, 2\.00 GiB of memory are free; use smaller batches"):
        F.interpolate(np.ones((1, 1, 2, 2)), size=(46340, 46340))


ABSURD = """
import resource, numpy as np, gpucnn
from gpucnn import nn
from gpucnn.errors import LimitError
from gpucnn.settings import read_settings
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
with gpucnn.compile(nn.Sequential(nn.Conv2d(1, 1, 1, padding=12000)), (1, 1, 8, 8)) as model:
    try:
        model(np.ones((1, 1, 8, 8), np.float32))
    except LimitError as error:
        assert error.__cause__ is None
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS holds on Linux alone")
def test_an_address_space_that_is_bounded_counts():
    paths = str(Path(gpucnn.__file__).parent.parent)
    run = subprocess.run(
        [sys.executable, "-c", ABSURD], env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    needed, there = (float(number) for number in re.search(r"needs (\S+) GiB on cpu, (\S+) .iB are free", run.stdout).groups())
    assert needed > 2
    assert there < 2 or "MiB are free" in run.stdout


# ---- what is free ----------------------------------------------------------------------------------------------------

GROUPS = {
    "/proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    4000 kB\n",
    "/proc/self/cgroup": "",
    "/proc/self/statm": "10 1 1 1 1 1 1\n",
}
VERSION_2 = {
    "/proc/self/cgroup": "0::/user/job\n",
    "/sys/fs/cgroup/user/job/memory.max": "max\n",
    "/sys/fs/cgroup/user/job/memory.current": "900\n",
    "/sys/fs/cgroup/user/memory.max": "5000\n",
    "/sys/fs/cgroup/user/memory.current": "3000\n",
    "/sys/fs/cgroup/user/memory.stat": "anon 1\ninactive_file 700\n",
}
VERSION_1 = {
    "/proc/self/cgroup": "3:cpu,cpuacct:/job\n4:memory:/job\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9000\n",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": "8000\n",
    "/sys/fs/cgroup/memory/memory.stat": "total_inactive_file 100\n",
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is free")
@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, 4000 << 10),
        (VERSION_2, 2700),
        (VERSION_1, 1100),
        ({**VERSION_2, "/sys/fs/cgroup/user/memory.current": "9000\n"}, 0),
        ({"/proc/meminfo": ""}, sys.maxsize),
    ],
    ids=["the machine", "groups of version 2", "groups of version 1", "more than allowed", "nothing is known"],
)
def test_what_is_free_is_the_least_that_anyone_says(files, free, monkeypatch):
    known = {**GROUPS, **files}
    monkeypatch.setattr(host_memory, "_lines", lambda path: known.get(str(path), "").splitlines())
    assert host_memory.free_host_memory() == free


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is free")
def test_this_machine_says_something():
    assert 0 <= host_memory.free_host_memory() < 1 << 50


def test_little_is_let_through_unasked(monkeypatch):
    monkeypatch.setattr(host_memory, "free_host_memory", lambda: 0)
    host_memory.check_host_memory((64 << 20) - 1, "it", "wait")
    with pytest.raises(LimitError, match=r"it: needs 64\.0 MiB, 0\.0 MiB of memory are free; wait"):
        host_memory.check_host_memory(64 << 20, "it", "wait")


def test_the_readme_has_the_limits_and_their_defaults():
    defaults = read_settings({})
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    table = dict(re.findall(r"\| `(GPUCNN_MAX_\w+)` \| (\d+) \|", readme))
    assert {name: int(number) for name, number in table.items()} == {
        f"GPUCNN_{field.upper()}": value for field, value in vars(defaults).items() if field.startswith("max_")
    }
