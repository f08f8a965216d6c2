"""Every CUDA impl on every case that it supports: the real kernels, packing, geometry and launches, executed by the emulator.

Arrays are poisoned: memory starts as NaNs, and a result inside a concatenation must leave its neighbours alone. In check mode the
emulator also looks for races, reads of shared memory that nobody wrote, and addresses out of bounds.
"""

from __future__ import annotations

from dataclasses import replace

import emulator
import numpy as np
import pytest
from cases import CASES, Case
from close import assert_close
from emulated import EmulatorDriver
from test_impls import MOVES, Harness

from gpucnn.backends.base import Impl
from gpucnn.backends.cuda import IMPLS, CudaBackend
from gpucnn.backends.cuda.conv import MMA_TILES, SIMT_TILES, ConvIgemmMma, ConvIgemmSimt
from gpucnn.ops import Conv, Op

CHECKED_MOST = 2_000_000  # flops of a case in check mode, which is some hundred times slower

# Small tiles for the many cases: they take seconds to build for the emulator, large ones a minute. Every tile has a test of its own below.
SMALL: dict[str, Impl] = {"conv_igemm_mma": ConvIgemmMma("64x32"), "conv_igemm_simt": ConvIgemmSimt("32x32")}
TESTED: dict[type[Op], tuple[Impl, ...]] = {kind: tuple(SMALL.get(i.name, i) for i in impls) for kind, impls in IMPLS.items()}


@pytest.fixture(autouse=True, scope="module")
def _usable():
    emulator.require()


@pytest.fixture(scope="module")
def backends():
    """By (arch, check)."""
    made: dict[tuple[int, bool], CudaBackend] = {}

    def get(arch: int, check: bool) -> CudaBackend:
        if (arch, check) not in made:
            made[arch, check] = CudaBackend(EmulatorDriver(arch, check))
        return made[arch, check]

    return get


def halved(case: Case) -> Case:
    """The case in float16."""
    inputs = tuple(replace(d, dtype="float16") if d is not None and d.dtype == "float32" else d for d in case.inputs)
    return replace(case, id=f"{case.id}, float16", inputs=inputs)


def runs():
    for kind, impls in TESTED.items():
        for case in (*CASES.get(kind, ()), *map(halved, CASES.get(kind, ()))):
            if any(d is not None and d.dtype == "float64" for d in case.inputs) or (case.id.endswith("float16") and _no_half(case)):
                continue
            for impl in impls:
                if impl.supports(case.op, *case.specs) and all(s.size for s in case.op.infer(*case.specs)):
                    yield pytest.param(case, impl, id=f"{kind.__name__}/{case.id}/{impl.name}")


def _no_half(case: Case) -> bool:
    return not any(d is not None and d.dtype == "float16" for d in case.inputs)


EVERY = list(runs())


def way_of(case: Case) -> str:
    """Inside a concatenation; ops that are views there run where views are forbidden."""
    return "copied" if isinstance(case.op, MOVES) else "slice"


@pytest.mark.parametrize(("case", "impl"), EVERY)
def test_impl_equals_the_reference(case, impl, backends):
    backend = backends(80, False)
    harness = Harness(case, impl, backend, way_of(case))
    launched = len(backend.driver.launched)
    first = harness.run()
    assert len(backend.driver.launched) > launched, "no kernel ran"
    assert_close(case.op, first, harness.arrays)
    for y, again in zip(first, harness.run()):
        np.testing.assert_array_equal(y.view(np.uint8) if y.ndim else y, again.view(np.uint8) if again.ndim else again)


@pytest.mark.parametrize(("case", "impl"), [p for p in EVERY if p.values[0].op.flops(*p.values[0].specs) <= CHECKED_MOST])
def test_no_races_and_nothing_out_of_bounds(case, impl, backends):
    harness = Harness(case, impl, backends(80, True), way_of(case))
    assert_close(case.op, harness.run(), harness.arrays)


TILED = [p for p in EVERY if p.values[0].id.removesuffix(", float16") == "1x1 all epilogue"]


@pytest.mark.parametrize("tile", [*(("mma", t) for t in MMA_TILES), *(("simt", t) for t in SIMT_TILES)], ids="/".join)
def test_every_tile_gives_the_same_bits(tile, backends):
    """All tiles add in one order, so time may choose among them freely."""
    method, name = tile
    impl, small = (ConvIgemmMma(name), SMALL["conv_igemm_mma"]) if method == "mma" else (ConvIgemmSimt(name), SMALL["conv_igemm_simt"])
    cases = {p.values[0].id: p.values[0] for p in TILED if impl.supports(p.values[0].op, *p.values[0].specs)}
    assert len(cases) == 1
    for case in cases.values():
        results = [Harness(case, one, backends(80, False), "slice").run() for one in (impl, small)]
        assert_close(case.op, results[0], Harness(case, impl, backends(80, False), "slice").arrays)
        np.testing.assert_array_equal(results[0][0].view(np.uint8), results[1][0].view(np.uint8))


@pytest.mark.parametrize("arch", [75, 90])
@pytest.mark.parametrize("half", [False, True])
def test_other_architectures(arch, half, backends):
    impl = SMALL["conv_igemm_mma" if half else "conv_igemm_simt"]
    case = next(case for case in CASES[Conv] if case.id == "odd sizes")
    case = halved(case) if half else case
    harness = Harness(case, impl, backends(arch, False), "slice")
    assert_close(case.op, harness.run(), harness.arrays)
