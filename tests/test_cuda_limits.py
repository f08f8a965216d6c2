"""What is too large for a kernel's 32-bit counts is refused when it is bound, before anything runs: arrays of one element, repeated."""

from __future__ import annotations

import warnings

import emulator
import numpy as np
import pytest
from cases import Case, conv, linear, of, pool
from close import assert_close
from emulated import EmulatorDriver
from test_cuda_impls import TESTED, halved
from test_impls import Harness

from gpucnn import plan
from gpucnn.backends.base import Impl
from gpucnn.backends.cpu import CpuBackend
from gpucnn.backends.cuda import IMPLS, CudaBackend
from gpucnn.errors import LimitError
from gpucnn.ops import Activation, AdaptiveAvgPool, AvgPool, MaxPool, MinPool, Op, Pad, TopK
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
    *(pool(kind, kind.__name__, (1, 8, 3, 3), 3, BEYOND) for kind in (MaxPool, MinPool, AvgPool)),
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
