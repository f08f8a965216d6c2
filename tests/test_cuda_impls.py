"""Every CUDA impl on every case that it supports: the real kernels, packing, geometry and launches, executed by the emulator.

Arrays are poisoned: memory starts as NaNs, and a result inside a concatenation must leave its neighbours alone. There are five channels
of them, so the pitch of an even number of channels is odd: each case also runs alone, where accesses are as wide as its channels allow.
All but large cases run in check mode, where the emulator also looks for races, reads of shared memory that nobody wrote, and addresses
out of bounds.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import emulator
import numpy as np
import pytest
from cases import CASES, RELU, Case, conv, halved
from close import assert_close
from emulated import EmulatorDriver
from harness import MOVES, Harness
from test_impls import ways

from gpucnn.backends.base import Impl
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.conv import MMA_TILES, SIMT_TILES, ConvIgemmMma, ConvIgemmSimt
from gpucnn.backends.cuda.conv_transpose import ConvTransposePhases
from gpucnn.backends.cuda.impls import IMPLS
from gpucnn.backends.cuda.stem import ConvStemMma, ConvStemSimt
from gpucnn.ops import RELU6, BatchNorm, Conv, ConvTranspose, Linear, LookupConv, Op

CHECKED_MOST = 10_000_000  # flops of a case in check mode, five million multiply-adds: it is ten times slower and more
COMPUTED_MOST = 200_000  # flops of a case whose weights arrive at run time

# Small tiles for the many cases: they take seconds to build for the emulator, large ones a minute. Every tile has a test of its own below.
SMALL: dict[str, Impl] = {
    "conv_igemm_mma": ConvIgemmMma("64x32"),
    "conv_igemm_simt": ConvIgemmSimt("32x32"),
    "conv_transpose_phases": ConvTransposePhases("64x32", "32x32"),
    **{kind(lookup).name: kind(lookup, "4x16x32") for kind in (ConvStemMma, ConvStemSimt) for lookup in (False, True)},
}
TESTED: dict[type[Op], tuple[Impl, ...]] = {kind: tuple(SMALL.get(i.name, i) for i in impls) for kind, impls in IMPLS.items()}


MADE: dict[tuple[int, bool], CudaBackend] = {}


def backends(arch: int, check: bool) -> CudaBackend:
    """The backend of an architecture, in check mode or not."""
    if (arch, check) not in MADE:
        MADE[arch, check] = CudaBackend(EmulatorDriver(arch, check))
    return MADE[arch, check]


@pytest.fixture(autouse=True, scope="module")
def _built(request):
    """Build the kernels of the tests that were selected on all cores, rather than one at a time as each test comes to it."""
    emulator.require()
    chosen = [item.callspec.params for item in request.session.items if item.module is request.module and hasattr(item, "callspec")]
    plain, checked = backends(80, False), backends(80, True)
    builds = [(tiled_case(impl), impl, plain, "slice") for impl in (tile_impl(*p["tile"]) for p in chosen if "tile" in p)]
    builds += [(p["case"], p["impl"], checked if is_small(p["case"]) else plain, p["way"]) for p in chosen if "case" in p]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for future in [pool.submit(Harness, *build) for build in builds]:
            future.result()


def ways_of(case: Case, impl: Impl) -> list[str]:
    """As on the CPU, but for lanes, and views alone where they are forbidden; weights arrive at run time in small cases."""
    if isinstance(case.op, MOVES):
        return ["copied"]
    small = isinstance(case.op, (Conv, ConvTranspose, Linear, BatchNorm, LookupConv)) and case.op.flops(*case.specs) <= COMPUTED_MOST
    return ["slice", "alone", *(way for way in ways(case, impl) if way == "in place" or (way in ("computed", "bias") and small))]


def runs():
    for kind, impls in TESTED.items():
        for case in (*CASES.get(kind, ()), *map(halved, CASES.get(kind, ()))):
            if any(d is not None and d.dtype == "float64" for d in case.inputs) or (case.id.endswith("float16") and _no_half(case)):
                continue
            for impl in impls:
                if impl.supports(case.op, *case.specs) and all(s.size for s in case.op.infer(*case.specs)):
                    for way in ways_of(case, impl):
                        yield pytest.param(case, impl, way, id=f"{kind.__name__}/{case.id}/{impl.name}/{way}")


def _no_half(case: Case) -> bool:
    return not any(d is not None and d.dtype == "float16" for d in case.inputs)


EVERY = list(runs())


def is_small(case: Case) -> bool:
    """Whether a case is run in check mode."""
    return case.op.flops(*case.specs) <= CHECKED_MOST


@pytest.mark.parametrize(("case", "impl", "way"), EVERY)
def test_impl_equals_the_reference(case, impl, way):
    backend = backends(80, is_small(case))
    harness = Harness(case, impl, backend, way)
    launched = len(backend.driver.launched)
    first = harness.run()
    assert len(backend.driver.launched) > launched, "no kernel ran"
    assert_close(case.op, first, harness.arrays)
    for y, again in zip(first, harness.run()):
        np.testing.assert_array_equal(y.view(np.uint8) if y.ndim else y, again.view(np.uint8) if again.ndim else again)


def test_most_cases_are_checked():
    """Check mode is for all but the large cases, and there are some for every impl."""
    assert {p.values[1] for p in EVERY if is_small(p.values[0])} == {p.values[1] for p in EVERY}
    assert sum(is_small(p.values[0]) for p in EVERY) > 0.9 * len(EVERY)


def tile_impl(method: str, name: str) -> Impl:
    return ConvIgemmMma(name) if method == "mma" else ConvIgemmSimt(name)


TILED = conv("several stages", (2, 40, 9, 11), (136, 40, 3, 3), padding=1, bias=True, residual=True, pre=RELU6, post=RELU)


def tiled_case(impl: Impl) -> Case:
    """More stages than any pipeline holds, and two tiles of K."""
    return TILED if impl.supports(TILED.op, *TILED.specs) else halved(TILED)


@pytest.mark.parametrize("tile", [*(("mma", t) for t in MMA_TILES), *(("simt", t) for t in SIMT_TILES)], ids="/".join)
def test_every_tile_gives_the_same_bits(tile):
    """All tiles add in one order, so time may choose among them freely."""
    impl = tile_impl(*tile)
    case = tiled_case(impl)
    harness = Harness(case, impl, backends(80, False), "slice")
    result = harness.run()
    assert_close(case.op, result, harness.arrays)
    small = Harness(case, SMALL[impl.name.split("/")[0]], backends(80, False), "slice").run()
    np.testing.assert_array_equal(result[0].view(np.uint8), small[0].view(np.uint8))


@pytest.mark.parametrize("arch", [75, 90])
@pytest.mark.parametrize("half", [False, True])
def test_other_architectures(arch, half):
    impl = SMALL["conv_igemm_mma" if half else "conv_igemm_simt"]
    for case in CASES[Conv]:
        if case.id in ("odd sizes", "images grouped into one product"):
            case = halved(case) if half else case
            harness = Harness(case, impl, backends(arch, True), "slice")
            assert_close(case.op, harness.run(), harness.arrays)
