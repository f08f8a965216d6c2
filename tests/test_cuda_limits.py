"""Sizes beyond 32 bits: offsets that need 64 are right, in memory that is reserved but hardly touched; counts that a kernel keeps in 32
are refused when it is bound, before anything runs, in arrays of one element, repeated.
"""

from __future__ import annotations

import mmap
import re
import warnings
from collections.abc import Sequence
from typing import Any

import emulator
import numpy as np
import pytest
from cases import (
    ALL,
    RELU,
    Case,
    conv,
    conv_transpose,
    einsum,
    group_norm,
    halved,
    linear,
    lookup,
    lookup_conv,
    matmul,
    norm,
    of,
    pool,
    row_norm,
)
from close import assert_close
from emulated import EmulatorDriver
from numpy.lib.stride_tricks import as_strided
from test_cuda_impls import TESTED
from test_impls import Harness
from test_planted_bugs import Bug, PlantingDriver

from gpucnn import plan
from gpucnn.backends.base import Impl
from gpucnn.backends.cpu import CpuBackend
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.conv import ConvIgemmMma, ConvIgemmSimt
from gpucnn.backends.cuda.impls import IMPLS
from gpucnn.errors import LimitError
from gpucnn.ops import (
    GLU,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Binary,
    Cast,
    ChannelShuffle,
    Concat,
    Conv,
    ConvTranspose,
    DepthToSpace,
    Einsum,
    Expand,
    Flatten,
    GlobalAvgPool,
    GlobalLpPool,
    GlobalMaxPool,
    GlobalMinPool,
    GroupNorm,
    Identity,
    LayerNorm,
    Linear,
    LocalResponseNorm,
    LogSoftmax,
    Lookup,
    LookupConv,
    LpPool,
    MatMul,
    MaxPool,
    MinPool,
    Normalize,
    Op,
    Pad,
    PReLU,
    Reorder,
    Reshape,
    Slice,
    Softmax,
    SpaceToDepth,
    Tile,
    TopK,
    Transpose,
    Unary,
)
from gpucnn.packing import uploaded
from gpucnn.spec import spec_of

HUGE = {
    "results of max_pool": (MaxPool((1, 1), (1, 1)), (1, 1, 1 << 16, 1 << 15), "is more than one launch"),
    "results of min_pool": (MinPool((1, 1), (1, 1)), (1, 1, 1 << 15, 1 << 16), "is more than one launch"),
    "places of max_pool": (
        MaxPool((1, 1), (1 << 16, 1 << 15), return_indices=True),
        (1, 1, 1 << 16, 1 << 15),
        "indices into 65536×32768 pixels are more",
    ),
    "lines of adaptive_avg_pool": (AdaptiveAvgPool((1 << 16, 1)), (1, 1, 1 << 15, 1), "65536×1 windows over 32768×1 pixels are more"),
    "columns of adaptive_avg_pool": (AdaptiveAvgPool((1, 3)), (1, 1, 1, 1 << 30), "1×3 windows over 1×1073741824 pixels are more"),
    "results of lp_pool": (LpPool((1, 1), (1, 1)), (1, 1, 1 << 16, 1 << 15), "is more than one launch"),
    "lines of adaptive_max_pool": (AdaptiveMaxPool((1 << 16, 1)), (1, 1, 1 << 15, 1), "65536×1 windows over 32768×1 pixels are more"),
    "places of adaptive_max_pool": (
        AdaptiveMaxPool((1, 1), True), (1, 1, 1 << 16, 1 << 15), "indices into 65536×32768 pixels are more"
    ),
    "pixels of global_max_pool": (GlobalMaxPool(), (1, 1, 1 << 16, 1 << 15), "a map of 65536×32768 pixels is more than one block"),
    "pixels of global_lp_pool": (GlobalLpPool(), (1, 1, 1 << 16, 1 << 15), "a map of 65536×32768 pixels is more than one block"),
    "a row of topk": (TopK(1), (1, 1 << 31), "topk: the kernel takes rows of at most 2147483647 elements, got 2147483648"),
    "rows of topk": (TopK(1), (1 << 31, 1), "topk: the kernel takes at most"),
    "reflected": (Pad(((0, 0), (0, 1)), "reflect"), (1 << 30, 2), "pad: the kernel takes at most"),
}


class Unused(EmulatorDriver):
    """Fails where a kernel would be compiled."""

    def kernel(self, *_):
        raise AssertionError("the launch was not refused")


class Silent(EmulatorDriver):
    """Compiles and launches nothing."""

    def kernel(self, *_):
        return lambda *_: None


def repeated(shape, dtype):
    return np.broadcast_to(np.zeros((), dtype), shape)


def bind(op: Op, shape: tuple[int, ...]) -> None:
    x = repeated(shape, np.float16)
    (impl,) = IMPLS[type(op)]
    assert impl.supports(op, spec_of(x))
    impl.bind(CudaBackend(Unused()), op, (x,), tuple(repeated(s.shape, s.dtype) for s in op.infer(spec_of(x))), ())


@pytest.mark.parametrize(("op", "shape", "message"), HUGE.values(), ids=HUGE)
def test_what_cannot_be_counted_is_refused(op, shape, message):
    with pytest.raises(LimitError, match=message):
        bind(op, shape)


@pytest.mark.parametrize("op", [op for op, *_ in HUGE.values() if not isinstance(op, (TopK, Pad))], ids=lambda op: op.name)
def test_what_can_be_counted_is_not_refused(op):
    with pytest.raises(AssertionError, match="was not refused"):
        bind(op, (1, 1, 40, 50))


BEYOND = 1 << 31
STRIDED = (
    conv("dense", (1, 8, 3, 3), (4, 8, 3, 3), stride=BEYOND),
    conv("depthwise", (1, 8, 3, 3), (8, 1, 3, 3), groups=8, stride=BEYOND),
    *(pool(kind, kind.__name__, (1, 8, 3, 3), 3, BEYOND) for kind in (MaxPool, MinPool, AvgPool, LpPool)),
)


def impls_of(case: Case) -> list[Impl]:
    return [impl for impl in TESTED[type(case.op)] if impl.supports(case.op, *case.specs)]


@pytest.mark.parametrize(
    ("case", "impl"), [pytest.param(c, i, id=f"{c.id}/{i.name}") for case in STRIDED for c in (case, halved(case)) for i in impls_of(c)]
)
def test_strides_beyond_32_bits_are_refused_where_the_cpu_takes_them(case, impl):
    arrays = case.arrays()
    assert_close(case.op, plan.evaluate(case.op, *arrays), arrays)
    with pytest.raises(LimitError, match=r"stride_h is 2147483648, a kernel takes -2\^31 to 2\^31 - 1; make that .* smaller, or use"):
        Harness(case, impl, CudaBackend(Silent()), "alone")


WIDE = Activation("clip", -1e300, 1e300)
BOUNDED = (
    of("clip", WIDE, (2, 5, 3, 3), fill="special"),
    conv("conv", (2, 5, 7, 7), (4, 5, 3, 3), pre=WIDE, post=WIDE),
    conv("stem", (2, 3, 7, 7), (4, 3, 3, 3), pre=WIDE, post=WIDE),
    conv("depthwise", (2, 5, 7, 7), (5, 1, 3, 3), groups=5, pre=WIDE, post=WIDE),
    linear("linear", (3, 7), 5, pre=WIDE, post=WIDE),
    of("pad", Pad(((0, 0), (0, 0), (1, 1), (1, 1)), value=-1e300), (2, 3, 4, 5)),
)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("case", [c for case in BOUNDED for c in (case, halved(case))], ids=lambda case: case.id)
def test_numbers_beyond_the_type_are_infinite_without_a_word(case, device):
    if device == "cuda":
        emulator.require()
    backend = CpuBackend() if device == "cpu" else CudaBackend(EmulatorDriver())
    impl = plan.candidates(backend, case.op, *case.specs)[0] if device == "cpu" else impls_of(case)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        harness = Harness(case, impl, backend, "alone")
        assert_close(case.op, harness.run(), harness.arrays)


# -- offsets

NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python names it from 3.13 on

FIVE = (2, 3, 2, 3, 3)
AROUND = ((1, 0), (0, 1), (1, 1), (0, 2), (2, 0))

FAR: dict[type[Op], tuple[Case, ...]] = {
    Conv: (
        conv("of a product", (2, 16, 3, 4), (8, 16, 3, 3), padding=1, **ALL),
        conv("of few channels", (2, 3, 3, 4), (8, 3, 3, 3), padding=1, **ALL),
        conv("of few channels, several tiles", (2, 3, 3, 20), (7, 3, 3, 3), padding=1, **ALL),
        conv("of volumes", (2, 16, 3, 3, 4), (8, 16, 2, 3, 3), padding=1, **ALL),
        conv("depthwise", (2, 16, 3, 4), (16, 1, 3, 3), groups=16, padding=1, **ALL),
        conv("depthwise 3x2", (2, 16, 3, 4), (16, 1, 3, 2), groups=16, padding=1, **ALL),
    ),
    LookupConv: (lookup_conv("of few channels", (2, 3, 3, 4), (8, 3, 3, 3), padding=1, **ALL),),
    ConvTranspose: (
        conv_transpose("of products", (2, 16, 3, 4), (16, 8, 3, 3), stride=2, padding=1, **ALL),
        conv_transpose("of volumes", (2, 16, 2, 3, 4), (16, 8, 2, 3, 2), stride=2, padding=1, **ALL),
        conv_transpose("of few channels", (2, 3, 3, 4), (3, 5, 3, 2), stride=(1, 2), bias=True),
        conv_transpose("depthwise", (2, 16, 3, 4), (16, 1, 3, 3), groups=16, stride=(2, 1), **ALL),
    ),
    Linear: (linear("rows", (3, 16), 8, **ALL),),
    MatMul: (matmul("matrices", (3, 16), (16, 8)), matmul("stacks", (2, 3, 16), (2, 16, 8))),
    Einsum: (einsum("nij,nkj->nik", (2, 3, 16), (2, 5, 16)), einsum("nij,njk->nki", (2, 3, 16), (2, 16, 5))),
    MaxPool: (
        *(pool(MaxPool, str(k), (2, 8, 3, 4), k, 1, 1) for k in (3, (2, 3))),
        *(pool(MaxPool, f"places {k}", (2, 8, 3, 4), k, 1, 1, return_indices=True) for k in (3, (2, 3))),
    ),
    MinPool: tuple(pool(MinPool, str(k), (2, 8, 3, 4), k, 1, 1) for k in (3, (2, 3))),
    AvgPool: tuple(pool(AvgPool, str(k), (2, 8, 3, 4), k, 1, 1) for k in (3, (2, 3))),
    LpPool: (pool(LpPool, "3", (2, 8, 3, 4), 3, 1, 1),),
    GlobalAvgPool: (of("whole map", GlobalAvgPool(), (2, 8, 3, 4)),),
    GlobalMaxPool: (of("whole map", GlobalMaxPool(), (2, 8, 3, 4)),),
    GlobalMinPool: (of("whole map", GlobalMinPool(), (2, 8, 3, 4)),),
    GlobalLpPool: (of("whole map", GlobalLpPool(3.0), (2, 8, 3, 4)),),
    AdaptiveAvgPool: (of("more than pixels", AdaptiveAvgPool((4, 3)), (2, 8, 3, 4)),),
    AdaptiveMaxPool: tuple(of(f"more than pixels, {i}", AdaptiveMaxPool((4, 3), i), (2, 8, 3, 4)) for i in (False, True)),
    Activation: (of("five axes", RELU, FIVE),),
    Binary: (of("five axes", Binary("add"), FIVE, FIVE), of("broadcast", Binary("mul"), FIVE, (2, 1, 2, 3, 3))),
    Unary: (of("five axes", Unary("neg"), FIVE),),
    PReLU: (of("five axes", PReLU(), FIVE, (3, 1, 3, 1)),),
    GLU: (of("five axes", GLU(2), FIVE),),
    Cast: (of("five axes", Cast("float16"), FIVE),),
    BatchNorm: (norm("five axes", FIVE),),
    LayerNorm: (row_norm("five axes", FIVE, 2), row_norm("rows", (2, 5))),
    GroupNorm: (group_norm("five axes", 3, (2, 6, 2, 3, 3)), group_norm("instances", None, FIVE)),
    LocalResponseNorm: (of("five axes", LocalResponseNorm(5, 2.0), FIVE),),
    Normalize: tuple(of(f"p {p}", Normalize(p), FIVE) for p in (1.0, 2.0)),
    Softmax: tuple(of(id, Softmax(1), shape, fill="below") for id, shape in (("five axes", FIVE), ("rows", (2, 5)))),
    LogSoftmax: (of("five axes", LogSoftmax(1), FIVE, fill="below"),),
    TopK: (of("five axes", TopK(3, 1), FIVE), of("rows", TopK(4), (2, 5))),
    Lookup: (lookup("five axes", FIVE),),
    Concat: (of("channels", Concat(1), FIVE, FIVE),),
    Pad: (of("five axes", Pad(AROUND, value=3.0), FIVE), of("five axes mirrored", Pad(AROUND, "replicate"), FIVE)),
    Identity: (of("five axes", Identity(), FIVE),),
    Reorder: (of("five axes", Reorder("channels_last"), FIVE),),
    Transpose: (of("five axes", Transpose((4, 2, 0, 3, 1)), FIVE), of("tiles", Transpose((0, 4, 2, 3, 1)), (2, 9, 2, 3, 8))),
    Reshape: (of("an axis split", Reshape((2, 3, 1, 2, 9)), FIVE),),
    Flatten: (of("lines", Flatten(3), FIVE),),
    Slice: (of("five axes", Slice((1, 0), (3, 2), (2, 4)), FIVE),),
    Expand: (of("five axes", Expand(FIVE), (2, 1, 2, 3, 3)),),
    Tile: (of("four axes", Tile((1, 2, 1, 1)), (2, 3, 2, 3)),),
    ChannelShuffle: (of("channels", ChannelShuffle(2), (2, 6, 3, 4)),),
    DepthToSpace: (of("channels", DepthToSpace(2), (1, 8, 2, 3)),),
    SpaceToDepth: (of("channels", SpaceToDepth(2), (1, 3, 4, 2)),),
}
"""For every op at least a case; for convolutions and pools one for each way through a kernel."""

WALKERS = (
    Activation, PReLU, GLU, Unary, Binary, Cast, BatchNorm, LayerNorm, GroupNorm, LocalResponseNorm, Normalize, Softmax, LogSoftmax, TopK,
    Lookup, Concat, Pad, Identity, Reorder, Transpose,
)  # fmt: skip
"""Ops of kernels that take any strides: there no two elements lie side by side either."""


def far(values: Any, axes: Sequence[int], side_by_side: bool) -> Any:
    """A copy with axes, the innermost first, 2^30 elements apart, 2^32 and more; the first one perhaps with neighbours side by side.

    Of a stride, 32 bits still make a small step that leads nowhere else, and before the array is as much room as they make a step
    backwards: so a kernel that loses the others reads zeros.
    """
    strides, log, low = [0] * values.ndim, 30, 64
    for i, axis in enumerate(axes):
        if i == 0 and side_by_side:
            strides[axis] = 1
        else:
            strides[axis] = (1 << log) + low
            log, low = log + max(2, (values.shape[axis] - 1).bit_length()), low * 16
    return spread(values, strides)


def spread(values: Any, strides: Sequence[int]) -> Any:
    """A copy with these strides, in memory that comes into being where it is touched."""
    size, room = values.dtype.itemsize, 1 << 32
    count = room + sum((n - 1) * s for n, s in zip(values.shape, strides)) + 1
    memory = mmap.mmap(-1, count * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE)
    array = as_strided(np.frombuffer(memory, values.dtype)[room:], values.shape, [size * s for s in strides])
    array[...] = values
    return array


def apart(impl: Impl, case: Case, values: Any, way: str, i: int) -> Any:
    """As far apart as the impl allows for its i-th input (−1 for results)."""
    last = range(values.ndim)[::-1]
    axes = [1, *(axis for axis in last if axis != 1)] if values.ndim > 2 and not isinstance(case.op, MatMul) else list(last)
    if isinstance(impl, (ConvIgemmMma, ConvIgemmSimt)) and i in (-1, 3):  # pixels evenly spaced
        steps, pitch = [], (1 << 30) + 64
        for size in reversed(values.shape[2:]):
            steps.insert(0, pitch)
            pitch *= size
        return spread(values, (pitch, 1, *steps))
    if isinstance(case.op, (Reshape, Flatten)) and way == ("result" if i == 0 else "input"):
        return np.ascontiguousarray(values)  # one side has no gaps, by plan
    return far(values, axes, way != "nothing side by side")


def ways_apart(op: Op) -> tuple[str, ...]:
    if isinstance(op, (Reshape, Flatten)):
        return ("input", "result")
    return ("side by side", "nothing side by side") if isinstance(op, WALKERS) else ("side by side",)


def every_far() -> list[Any]:
    found = []
    for kind, impls in TESTED.items():
        for impl in impls:
            cases = [c for case in FAR[kind] for c in (case, halved(case)) if impl.supports(c.op, *c.specs)]
            whole = [c for c in cases if not c.id.endswith("float16")] or cases
            found += [pytest.param(c, impl, way, id=f"{kind.__name__}/{c.id}/{impl.name}/{way}") for c in whole for way in ways_apart(c.op)]
    return found


EVERY_FAR = every_far()


def test_offsets_are_tested_of_every_impl():
    assert {p.values[1] for p in EVERY_FAR} == {impl for impls in TESTED.values() for impl in impls}


def assert_right(driver: EmulatorDriver, case: Case, impl: Impl, way: str) -> None:
    backend, arrays = CudaBackend(driver), case.arrays()
    constants = tuple(None if i in case.flows else a for i, a in enumerate(arrays))
    packed = [uploaded(backend, c) for c in impl.pack(case.op, *constants)]
    inputs = [apart(impl, case, a, way, i) if i in case.flows else packed[i] for i, a in enumerate(arrays)]
    outputs = [apart(impl, case, np.zeros(s.shape, s.dtype), way, -1) for s in case.op.infer(*case.specs)]
    workspace = backend.allocate(impl.workspace(case.op, *case.specs))
    impl.bind(backend, case.op, inputs, outputs, (workspace,))()
    assert_close(case.op, tuple(np.array(y) for y in outputs), arrays)


@pytest.mark.parametrize(("case", "impl", "way"), EVERY_FAR)
def test_offsets_have_64_bits(case, impl, way):
    emulator.require()
    assert_right(EmulatorDriver(), case, impl, way)


LOST = {
    "an image of a depthwise convolution": ("conv_depthwise.cu", "n * x_image", "Conv/depthwise/conv_depthwise_direct/side by side"),
    "a line of its result": ("conv_depthwise.cu", "p * y_line", "Conv/depthwise/conv_depthwise_direct/side by side"),
    "an image of a pool": ("pool.cu", "spot.n * o.x_image", "MaxPool/3/max_pool_direct/side by side"),
    "an axis of a copy": ("copy.cu", "p.i1 * d1", "Identity/five axes/copy/side by side"),
    "the innermost axis of a copy": ("copy.cu", "p.i0 * run * d0", "Identity/five axes/copy/nothing side by side"),
    "a tile in a transposition": ("copy.cu", "(b0 + line + r) * b_x", "Transpose/tiles/copy/side by side"),
    "the outermost axis of an activation": ("elementwise.cu", "p.i4 * d4", "Activation/five axes/activation/nothing side by side"),
    "a result of a row norm": ("norm_rows.cu", "i * y0", "LayerNorm/rows/layer_norm_rows/nothing side by side"),
    "an element in softmax": ("softmax.cu", "i * y_step", "Softmax/five axes/softmax/nothing side by side"),
    "a place of topk": ("topk.cu", "j * places_step", "TopK/five axes/topk/nothing side by side"),
}
"""Products of which a kernel shall keep 32 bits alone, and what then fails."""


@pytest.mark.parametrize("name", LOST)
def test_a_lost_half_of_an_offset_is_caught(name):
    emulator.require()
    file, product, id = LOST[name]
    case, impl, way = next(p.values for p in EVERY_FAR if p.id == id)
    bug = Bug(file, re.escape(product), f"(int)({product})", impl, type(case.op), id)
    with pytest.raises(AssertionError, match="elements are wrong"):
        assert_right(PlantingDriver(bug, check=False), case, impl, way)
