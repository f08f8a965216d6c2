"""What the cases of ``test_cuda_impls`` do not see of the stem: tiles, architectures, shared memory, and that fusing changes no bits."""

from __future__ import annotations

from typing import Any

import emulator
import numpy as np
import pytest
from cases import ALL, CASES, RELU, Case, conv, halved, lookup_conv
from close import assert_close
from emulated import EmulatorDriver
from harness import Harness
from test_cuda_impls import backends
from truth import Planned

from gpucnn import functional as F
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.stem import SHARED, STEM_TILES, ConvStemMma, ConvStemSimt
from gpucnn.graph import Graph
from gpucnn.ops import Conv, Lookup, LookupConv
from gpucnn.passes import PASSES, WhereSupported
from gpucnn.spec import Spec

METHODS = (ConvStemMma, ConvStemSimt)
SMALLEST = "4x16x32"
MANY = 1000  # multiprocessors: small tiles are chosen, which the emulator builds quickly


@pytest.fixture(autouse=True, scope="module")
def _usable():
    emulator.require()


def typed(case: Case, method: Any) -> Case:
    return halved(case) if method is ConvStemMma else case


# In every direction more than the largest tile, and no multiple of it.
ACROSS = {
    False: conv("across tiles", (1, 3, 19, 78), (70, 3, 3, 5), stride=(2, 1), padding=((1, 2), (0, 3)), **ALL),
    True: lookup_conv("across tiles", (1, 3, 19, 78), (70, 3, 3, 5), stride=(2, 1), padding=((1, 2), (0, 3)), **ALL),
}


@pytest.mark.parametrize("tile", [t for t in STEM_TILES if t != SMALLEST])
@pytest.mark.parametrize("lookup", [False, True], ids=["image", "bytes"])
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.method)
def test_every_tile_gives_the_same_bits(method, lookup, tile):
    case = typed(ACROSS[lookup], method)
    result, small = (Harness(case, method(lookup, t), backends(80, True), "slice").run()[0] for t in (tile, SMALLEST))
    np.testing.assert_array_equal(result.view(np.uint8), small.view(np.uint8))
    assert_close(case.op, (result,), case.arrays())


@pytest.mark.parametrize("arch", [75, 90])
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.method)
def test_other_architectures(method, arch):
    case = typed(lookup_conv("architecture", (2, 3, 19, 23), (9, 3, 7, 3), stride=2, padding=3, bias=True, pre=RELU), method)
    harness = Harness(case, method(True, SMALLEST), backends(arch, False), "slice")
    assert_close(case.op, harness.run(), harness.arrays)


UNFUSED = tuple(p for p in PASSES if not isinstance(p, WhereSupported))
FUSABLE = [
    pytest.param(typed(case, method), id=f"{case.id}/{method.method}")
    for case in CASES[LookupConv]
    for method in METHODS
    if case.inputs[1].dtype == "float32" and method(True).supports(case.op, *typed(case, method).specs) and 0 not in case.inputs[2].shape
    and case.inputs[0].shape[0]
]  # fmt: skip


def two_steps(case: Case, order: Any = "channels_last") -> Graph:
    """Lookup, then convolution, as a net records them."""
    graph = Graph()
    x, table, weight, bias, residual = (*case.arrays(), None)[:5]
    image = graph.input("x", Spec(x.shape, x.dtype), order)
    added = None if residual is None else graph.input("added", Spec(residual.shape, residual.dtype), order)
    values = graph.append(Lookup(), (image, table))[0]
    graph.outputs = {"y": graph.append(case.op.conv, (values, weight, bias, added))[0]}
    return graph


@pytest.mark.parametrize("case", FUSABLE)
def test_fusing_changes_no_bits(case):
    backend = CudaBackend(EmulatorDriver(80, multiprocessors=MANY))
    x, *_, residual = (*case.arrays(), None)[:5]
    fused, apart = (Planned(two_steps(case), backend=backend, passes=passes) for passes in (PASSES, UNFUSED))
    assert [step.impl.name.split("_stem")[0] for step in fused.plan.steps] == ["lookup_conv"]
    assert [step.impl.name.split("_stem")[0] for step in apart.plan.steps] == ["lookup", "conv"]
    feeds = {"x": x} if residual is None else {"x": x, "added": residual}
    np.testing.assert_array_equal(*(made.run(feeds)["y"].view(np.uint8) for made in (fused, apart)))


def test_bytes_and_residual_in_logical_order_are_reordered():
    case = next(c for c in CASES[LookupConv] if c.id == "residual, then relu")
    made = Planned(two_steps(case, "logical"), backend=CudaBackend(EmulatorDriver(80, multiprocessors=MANY)))
    assert made.ops == ["reorder", "reorder", "lookup_conv2d"]
    x, *_, residual = case.arrays()
    assert_close(case.op, (made.run({"x": x, "added": residual})["y"],), case.arrays())


def test_more_images_than_a_grid_has_places_along_an_axis():
    case = lookup_conv("many images", (65_537, 1, 1, 1), (1, 1, 1, 1), bias=True)
    harness = Harness(case, ConvStemSimt(True, SMALLEST), backends(80, False), "alone")
    assert_close(case.op, harness.run(), harness.arrays)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.method)
def test_an_image_has_the_same_bits_at_every_place(method):
    case = typed(next(c for c in CASES[LookupConv] if c.id == "batch 7"), method)
    harness = Harness(case, method(True, SMALLEST), backends(80, False), "alone")
    y, turned = harness.run()[0], harness.run({"x0": harness.arrays[0][::-1]})[0]
    np.testing.assert_array_equal(y.view(np.uint8), np.ascontiguousarray(turned[::-1]).view(np.uint8))


class Recorder(EmulatorDriver):
    """Keeps launches instead of running them."""

    def __init__(self) -> None:
        super().__init__(75, multiprocessors=40)
        self.launches: list[Any] = []

    def kernel(self, source: Any, function: str, macros: Any) -> Any:
        return lambda grid, block, args, shared=0: self.launches.append((function, macros, grid, block, shared))


def planned(x: tuple[int, ...], w: tuple[int, ...], stride: int = 1, dtype: Any = np.float16) -> list[Any]:
    """What is launched for a convolution of bytes."""
    graph, table, weight = Graph(), np.zeros((256, x[1]), dtype), np.zeros(w, dtype)
    image = graph.input("x", Spec(x, np.dtype(np.uint8)), "channels_last")
    graph.outputs = {"y": F.conv2d(F.lookup(image, table), weight, stride=stride, padding=w[2] // 2)}
    backend = CudaBackend(Recorder())
    Planned(graph, backend=backend).run({})
    return backend.driver.launches


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("stride", [1, 2, 4, 7])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 7, 9, 11, 16, 21, 31, 40])
@pytest.mark.parametrize("k", [1, 32, 64, 96])
def test_a_block_fits_everywhere_or_the_general_kernel_takes_over(k, kernel, stride, dtype):
    launches = planned((2, 3, 120, 120), (k, 3, kernel, kernel), stride, dtype)
    if len(launches) == 2:
        lines, columns = 3 * stride + kernel, 15 * stride + kernel  # of the smallest tile
        assert lines * columns * 4 * np.dtype(dtype).itemsize > SHARED // 3
        assert [launch[0].split("_")[:2] for launch in launches] == [["lookup", "flat"], ["conv", "igemm"]]
        return
    ((function, macros, (blocks, *images), _, shared),) = launches
    assert function == ("conv_stem_mma" if dtype == np.float16 else "conv_stem_simt")
    assert shared <= SHARED
    size = (120 + kernel // 2 * 2 - kernel) // stride + 1
    assert blocks == -(-size // macros["TP"]) * -(-size // macros["TQ"]) * -(-k // macros["BN"])
    assert images == [2, 1]


@pytest.mark.parametrize(
    ("x", "w", "stride", "tile"),
    [
        ((32, 3, 224, 224), (64, 3, 7, 7), 2, (8, 32, 64)),
        ((32, 3, 224, 224), (32, 3, 3, 3), 2, (8, 32, 32)),
        ((32, 3, 224, 224), (96, 3, 3, 3), 2, (8, 32, 32)),
        ((1, 3, 32, 32), (64, 3, 3, 3), 1, (4, 16, 64)),
        ((64, 1, 28, 28), (6, 1, 5, 5), 2, (4, 16, 32)),
    ],
)
def test_tiles_follow_the_shape(x, w, stride, tile):
    ((_, macros, *_),) = planned(x, w, stride)
    assert (macros["TP"], macros["TQ"], macros["BN"]) == tile


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.method)
def test_a_large_kernel_comes_in_parts(method):
    """The cases hold a kernel whose lines do not all lie in shared memory at once."""
    case = next(c for c in CASES[Conv] if c.id == "21x21 of an image")
    (_, c, *_), (_, _, *kernel) = (d.shape for d in case.inputs[:2])
    assert 1 < method()._room(STEM_TILES[SMALLEST], case.op, c, kernel).rows < kernel[0]
