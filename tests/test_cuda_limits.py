"""What is too large for a kernel's 32-bit counts is refused when it is bound, before anything runs: arrays of one element, repeated."""

from __future__ import annotations

import numpy as np
import pytest
from emulated import EmulatorDriver

from gpucnn.backends.cuda import IMPLS, CudaBackend
from gpucnn.errors import LimitError
from gpucnn.ops import AdaptiveAvgPool, MaxPool, MinPool, Op, Pad, TopK
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
