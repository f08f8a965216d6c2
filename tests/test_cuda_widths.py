"""Every tile, width of access and compiled size of the CUDA kernels is executed: what the table of cases leaves out is here.

Cases that all backends share have few channels and lie in a concatenation between 2 and 3 others, where accesses are narrow. Here the
neighbours are as wide as it takes for an access of 16 bytes, or of 8 or 4 in between.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import emulator
import numpy as np
import pytest
from cases import ALL, RELU, SIGMOID, Case, conv, halved, lookup, norm, of, pool
from close import assert_close
from emulated import EmulatorDriver
from harness import Harness
from kernel_variants import KERNELS, Macros, assert_listed, entries_of, spelled
from test_cuda_impls import EVERY, backends, tile_impl, tiled_case
from test_cuda_stem import ACROSS

from gpucnn.backends.base import Impl
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.conv import MMA_TILES, SIMT_TILES
from gpucnn.backends.cuda.depthwise import COLUMNS, ConvDepthwiseDirect
from gpucnn.backends.cuda.driver import Kernel
from gpucnn.backends.cuda.impls import IMPLS
from gpucnn.backends.cuda.source import Source
from gpucnn.backends.cuda.stem import STEM_TILES, ConvStemMma, ConvStemSimt
from gpucnn.ops import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Binary,
    Conv,
    ConvTranspose,
    GlobalAvgPool,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMinPool,
    LookupConv,
    LpPool,
    MaxPool,
    MinPool,
    Op,
    Pad,
    Unary,
)


def depthwise(id: str, c: int, k: int, stride: int, dilation: int = 1) -> Case:
    """A depthwise convolution with everything behind it, on lines that are no multiple of what a thread computes."""
    return conv(id, (2, c, 11, 13), (c, 1, k, k), groups=c, padding=k // 2, stride=stride, dilation=dilation, **ALL)


def places(id: str, c: int, k: int | tuple[int, int]) -> Case:
    """A pool that also says where its maxima were."""
    return pool(MaxPool, f"places {id}", (2, c, 7, 9), k, 2, 1, return_indices=True)


def lp(c: int, p: float) -> Case:
    return pool(LpPool, f"of {c}, p {p}", (2, c, 7, 9), (4, 2), 2, 1, p=p)


def adaptive(c: int) -> Case:
    return of(f"adaptive {c}", AdaptiveAvgPool((3, 2)), (2, c, 5, 7))


def adaptive_max(c: int, indices: bool) -> Case:
    return of(f"adaptive {c} {indices}", AdaptiveMaxPool((3, 2), indices), (2, c, 5, 7))


WHOLE_MAP: tuple[Op, ...] = (GlobalAvgPool(), GlobalMaxPool(), GlobalMinPool(), GlobalLpPool(3.0))


def halves(*cases: Case) -> tuple[Case, ...]:
    return tuple(map(halved, cases))


CHOSEN, LINE = None, ConvDepthwiseDirect(COLUMNS)
"""The impl that is chosen; or one that computes several results of a line, which small maps do not."""

RUNS: tuple[tuple[Impl | None, int, tuple[Case, ...]], ...] = (
    (LINE, 8, (depthwise("5x5", 16, 5, 1), depthwise("7x7 stride 2", 16, 7, 2), *halves(depthwise("5x5 stride 2", 16, 5, 2)))),
    (LINE, 8, (depthwise("3x3 of six", 6, 3, 1), *halves(depthwise("7x7", 16, 7, 1), depthwise("3x3 stride 2 of twelve", 12, 3, 2)))),
    (CHOSEN, 8, (depthwise("3x3 stride 2", 16, 3, 2), *halves(depthwise("3x3", 16, 3, 1), depthwise("dilated", 12, 3, 1, 2)))),
    (CHOSEN, 8, halves(depthwise("3x3 of six", 6, 3, 1))),
    *(
        (CHOSEN, 8, (pool(kind, "2x2", (2, 16, 7, 9), 2), pool(kind, "3x3 of six", (2, 6, 7, 9), 3, 2, 1)))
        for kind in (MaxPool, MinPool, AvgPool)
    ),
    *(
        (CHOSEN, 8, halves(pool(kind, "3x3", (2, 16, 7, 9), 3, 2, 1), pool(kind, "2x2 of six", (2, 6, 7, 9), 2)))
        for kind in (MaxPool, MinPool, AvgPool)
    ),
    *((CHOSEN, 8, halves(pool(kind, "4x2", (2, 12, 7, 9), (4, 2)))) for kind in (MaxPool, MinPool, AvgPool)),
    (CHOSEN, 8, (places("2x2", 16, 2), places("3x3 of six", 6, 3), *halves(places("3x3", 16, 3), places("2x2 of six", 6, 2)))),
    (CHOSEN, 8, halves(places("4x2", 12, (4, 2)))),
    (CHOSEN, 8, (*(adaptive(c) for c in (16, 6)), *halves(*(adaptive(c) for c in (16, 12, 6))))),
    (CHOSEN, 8, (*(lp(c, 2.0) for c in (16, 6)), *halves(lp(16, 1.0), lp(12, 3.0), lp(6, 2.0)))),
    *(
        (CHOSEN, 8, (*(adaptive_max(c, indices) for c in (16, 6)), *halves(*(adaptive_max(c, indices) for c in (16, 12, 6)))))
        for indices in (False, True)
    ),
    *((CHOSEN, 8, (of("six", op, (2, 6, 5, 7)), *halves(*(of(f"{c}", op, (2, c, 5, 7)) for c in (6, 12))))) for op in WHOLE_MAP),
    (CHOSEN, 8, (of("sixteen", RELU, (2, 16, 3, 5)), *halves(*(of(f"{c}", SIGMOID, (2, c, 3, 5)) for c in (16, 12))))),
    (CHOSEN, 8, halves(of("twelve", Binary("mul"), (2, 12, 3, 5), (12, 1, 1)))),
    (CHOSEN, 8, (*(norm(f"{c}", (2, c, 3, 5)) for c in (16, 6)), *halves(*(norm(f"{c}", (2, c, 3, 5)) for c in (16, 12, 6))))),
    (CHOSEN, 8, (of("sixteen", Unary("exp"), (2, 16, 3, 5)), *halves(*(of(f"{c}", Unary("sign"), (2, c, 3, 5)) for c in (16, 12))))),
    (CHOSEN, 8, (of("space", Pad(((0, 0), (0, 0), (2, 1), (0, 3)), value=3.0), (2, 16, 4, 5)),)),
    (CHOSEN, 8, (of("space reflected", Pad(((0, 0), (0, 0), (2, 1), (0, 3)), "reflect"), (2, 16, 4, 5)),)),
    *((CHOSEN, before, (lookup("odd", (7, 3)), lookup("odd", (7, 3), "float16"))) for before in (8, 1)),
    (CHOSEN, 4, (lookup("odd", (7, 3), "float16"),)),
)


class Aligned(Harness):
    """A harness whose neighbours are as wide as the test asks."""

    def __init__(self, case: Case, impl: Impl, backend: CudaBackend, before: int) -> None:
        self.around = (before, before)
        super().__init__(case, impl, backend, "slice")


def runs():
    for impl, before, cases in RUNS:
        for case in cases:
            chosen = impl or next(i for i in IMPLS[type(case.op)] if i.supports(case.op, *case.specs))
            kind = case.inputs[0].dtype if case.inputs[0] else ""
            yield pytest.param(case, chosen, before, id=f"{type(case.op).__name__}/{case.id}/{kind}/{chosen.name}/{before}")


ALIGNED = list(runs())


@pytest.fixture(scope="module")
def _built(request):
    """Build what was selected on all cores."""
    emulator.require()
    chosen = [i.callspec.params for i in request.session.items if i.module is request.module and "before" in getattr(i, "fixturenames", ())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for future in [pool.submit(Aligned, p["case"], p["impl"], backends(80, True), p["before"]) for p in chosen]:
            future.result()


@pytest.mark.usefixtures("_built")
@pytest.mark.parametrize(("case", "impl", "before"), ALIGNED)
def test_wide_accesses_equal_the_reference(case, impl, before):
    harness = Aligned(case, impl, backends(80, True), before)
    first = harness.run()
    assert_close(case.op, first, harness.arrays)
    for y, again in zip(first, harness.run()):
        np.testing.assert_array_equal(y.view(np.uint8), again.view(np.uint8))


class Recorder(EmulatorDriver):
    """Builds and launches nothing, but notes what it was asked for."""

    def __init__(self, arch: int, multiprocessors: int = 4) -> None:
        super().__init__(arch, multiprocessors=multiprocessors)
        self.asked: dict[tuple[str, str], dict[str, Macros]] = {}

    def kernel(self, source: Source, function: str, macros: Mapping[str, int]) -> Kernel:
        file = source.name.removeprefix("kernels/")
        assert_listed(file, function, macros, self.limits.arch)
        self.asked.setdefault((file, function), {})[spelled(macros)] = macros
        return lambda grid, block, args, shared=0: None


TILED_OPS = (Conv, ConvTranspose, LookupConv)
"""What is launched by tiles, which the GPU has a say in; everything else is launched alike everywhere."""


def bind_everything(recorder: Recorder, kinds: type[Op] | tuple[type[Op], ...] = Op) -> None:
    """All cases and tiles that are run on sm_80, of some ops."""
    backend = CudaBackend(recorder)
    for case, impl, way in (p.values for p in EVERY if isinstance(p.values[0].op, kinds)):
        Harness(case, impl, backend, way)
    for case, impl, before in (p.values for p in ALIGNED if isinstance(p.values[0].op, kinds)):
        Aligned(case, impl, backend, before)
    for method in (ConvStemMma, ConvStemSimt):
        for lookup_too, tile in product((False, True), STEM_TILES):
            case = ACROSS[lookup_too]
            Harness(halved(case) if method is ConvStemMma else case, method(lookup_too, tile), backend, "slice")
    if recorder.limits.arch >= 80:
        for name, method in (*((t, "mma") for t in MMA_TILES), *((t, "simt") for t in SIMT_TILES)):
            impl = tile_impl(method, name)
            Harness(tiled_case(impl), impl, backend, "slice")


@pytest.mark.parametrize("arch", [75, 80, 90])
@pytest.mark.parametrize("multiprocessors", [1, 1000])
def test_all_that_is_launched_is_listed(arch, multiprocessors):
    """On a GPU so small that large tiles are chosen, and on a large one."""
    recorder = Recorder(arch, multiprocessors)
    bind_everything(recorder, TILED_OPS)
    assert len(recorder.asked) > 1


@pytest.mark.parametrize("arch", [75, 90])
def test_only_tiles_depend_on_the_gpu(arch):
    """The first case of every other op asks for the same kernels as on sm_80, which ``test_all_that_is_listed_is_launched`` has all of."""
    first = {type(p.values[0].op): p.values for p in EVERY[::-1] if not isinstance(p.values[0].op, TILED_OPS)}
    assert len(first) > 20
    asked = []
    for recorder in (Recorder(80), Recorder(arch, 1000)):
        for case, impl, way in first.values():
            Harness(case, impl, CudaBackend(recorder), way)
        asked.append(recorder.asked)
    assert asked[0] == asked[1]


def test_all_that_is_listed_is_launched():
    """Every entry of every axis, so every tile, width and compiled size: in the tests, not in all combinations."""
    recorder = Recorder(80)
    bind_everything(recorder)
    missing = [
        f"{function} of {file}: {spelled(entry)}"
        for file, function in KERNELS
        for entry in entries_of(file, function, 80)
        if not any(entry.items() <= macros.items() for macros in recorder.asked.get((file, function), {}).values())
    ]
    assert missing == []
