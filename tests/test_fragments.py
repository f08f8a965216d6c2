"""Every PTX wrapper of ``kernels/include/mma.cuh`` against the layout that is documented, lane by lane: on the emulator, and on a GPU.

Operands tell their index, so that each register of each lane says which element it holds. All sums are of small whole numbers: exact.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import emulator
import numpy as np
import pytest
from drivers import DRIVERS, driver

from gpucnn.backends.cuda.driver import Driver
from gpucnn.backends.cuda.source import Source, kernel_folder, load_source
from gpucnn.spec import Spec

LANE = np.arange(32)
G, T = LANE // 4, LANE % 4  # as mma.cuh names them: lane = 4 g + t


class Warp:
    """Launches one warp of a kernel of fragments.cu."""

    def __init__(self, device: Driver, source: Source) -> None:
        self.device, self.source = device, source
        self.emulated = device.name.startswith("emulated")

    def run(self, function: str, shape: tuple[int, ...], dtype: Any, *args: Any) -> Any:
        """The kernel's last argument, an array of this shape and dtype; NumPy arrays go to the device."""
        spec = Spec(shape, np.dtype(dtype))
        strides = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
        with self.device.session():
            out = self.device.view(self.device.allocate(spec.nbytes), 0, spec, strides)
            given = [self.device.upload(a) if isinstance(a, np.ndarray) else a for a in args]
            self.device.kernel(self.source, function, {})((1, 1, 1), (32, 1, 1), (*given, out))
            return self.device.read(out)


def registers(low: Any, high: Any) -> Any:
    """One register a lane of two 16-bit elements a lane."""
    return np.stack((low, high), -1).view(np.uint32)[:, 0]


def a_fragment(a: Any) -> Any:
    """Registers of A (16, 16): two neighbours of a row each."""
    places = [(G + 8 * (i % 2), 2 * T + 8 * (i // 2)) for i in range(4)]
    return np.stack([registers(a[row, column], a[row, column + 1]) for row, column in places], -1)


def b_fragment(b: Any) -> Any:
    """Registers of B (16, 8): two neighbours of a column each."""
    rows = [2 * T + 8 * i for i in range(2)]
    return np.stack([registers(b[row, G], b[row + 1, G]) for row in rows], -1)


def d_fragment(d: Any) -> Any:
    """Registers of D (16, 8)."""
    return np.stack([d[G + 8 * (i // 2), 2 * T + i % 2] for i in range(4)], -1)


def check_ldmatrix_x4(warp: Warp) -> None:
    matrices = np.arange(4 * 8 * 8, dtype=np.uint16).reshape(4, 8, 8)
    for place in (LANE, np.random.default_rng(0).permutation(32)):
        got = warp.run("check_ldmatrix_x4", (32, 4), np.uint32, matrices, place.astype(np.int32))
        np.testing.assert_array_equal(got, np.stack([registers(m[G, 2 * T], m[G, 2 * T + 1]) for m in matrices], -1))


def check_mma_16816(warp: Warp) -> None:
    index, eye = np.arange(256).reshape(16, 16), np.eye(16)
    rng = np.random.default_rng(1)
    anything = rng.integers(-9, 10, (16, 16)), rng.integers(-9, 10, (16, 8)), rng.integers(-(2**20), 2**20, (16, 8))
    zero = np.zeros((16, 8))
    # The unit matrix on one side makes D the other side: its elements say where each register went.
    for a, b, d in ((index, eye[:, :8], zero), (index, eye[:, 8:], zero), (eye, index[:, :8], zero), anything):
        operands = (a_fragment(a.astype(np.float16)), b_fragment(b.astype(np.float16)), d_fragment(d.astype(np.float32)))
        got = warp.run("check_mma_16816", (32, 4), np.float32, *operands)
        np.testing.assert_array_equal(got, d_fragment(d + a @ b))


def check_copy_async(warp: Warp) -> None:
    rng = np.random.default_rng(2)
    for size in (4, 8, 16):
        source = rng.integers(0, 255, (64, size), np.uint8)
        source[63] = 0xFF  # where nobody may look
        ok = rng.permutation(LANE % 3 > 0)
        rows = rng.permutation(63)[:32]
        nowhere = 1 << 40 if warp.emulated else 63 * size  # a read there stops the emulator; a GPU would take down its context
        offsets = np.where(ok, rows * size, nowhere)
        got = warp.run("check_copy_async", (512,), np.uint8, source, offsets, ok.astype(np.int32), np.int32(size))
        expected = np.where(ok[:, None], source[rows], 0).reshape(-1)
        np.testing.assert_array_equal(got, np.append(expected, np.full(512 - 32 * size, 0xEE)))


def check_copy_groups(warp: Warp) -> None:
    source = np.arange(3 * 32 * 4, dtype=np.uint32)
    np.testing.assert_array_equal(warp.run("check_copy_groups", source.shape, np.uint32, source), source)


CHECKS: dict[str, Callable[[Warp], None]] = {
    "ldmatrix_x4": check_ldmatrix_x4,
    "mma_16816": check_mma_16816,
    "copy_async": check_copy_async,
    "copy_commit": check_copy_groups,
    "copy_wait": check_copy_groups,
}

WRONG = {
    "ldmatrix_x4": (r"\.x4\.shared", ".x4.trans.shared"),
    "mma_16816": (r'"r"\(a\[0\]\), "r"\(a\[1\]\)', '"r"(a[1]), "r"(a[0])'),
    "copy_async": (r"\bok \? BYTES : 0", "BYTES"),
    "copy_commit": (r"cp\.async\.commit_group;", ""),
    "copy_wait": (r"cp\.async\.wait_group %0;", ""),
}
"""By wrapper: an edit of the source that its check must see."""


def wrappers() -> list[str]:
    """Functions of mma.cuh that have PTX in them."""
    text = (kernel_folder() / "include" / "mma.cuh").read_text("utf-8")
    functions = text.split("__device__ __forceinline__")[1:]
    return [re.findall(r"(\w+)\s*\(", f)[0] for f in functions if re.search(r"\basm\b", f)]


def source() -> Source:
    """fragments.cu with its includes in place."""
    return load_source(Path(__file__).with_name("fragments.cu"))


def test_every_wrapper_has_a_check():
    found = wrappers()
    assert len(found) >= 5, "the wrappers of mma.cuh were not found: has its form changed?"
    assert set(found) == set(CHECKS) == set(WRONG), "a wrapper of mma.cuh needs a kernel in fragments.cu, and a row in CHECKS and WRONG"


@pytest.mark.parametrize("name", DRIVERS)
@pytest.mark.parametrize("wrapper", wrappers())
def test_a_wrapper_does_what_is_documented(wrapper, name):
    CHECKS[wrapper](Warp(driver(name), source()))


@pytest.mark.parametrize("wrapper", wrappers())
def test_a_check_sees_a_wrong_wrapper(wrapper):
    right, wrong = WRONG[wrapper]
    whole = source()
    text, count = re.subn(right, wrong, whole.text)
    assert count, f"{right} is not in mma.cuh any more; plant another mistake"
    planted = Source(whole.name, text, hashlib.sha256(text.encode()).hexdigest())
    with pytest.raises((AssertionError, emulator.KernelError)):
        CHECKS[wrapper](Warp(driver("emulated sm_80"), planted))
