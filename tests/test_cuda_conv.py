"""What the tensor-core and float32 convolutions promise beside right results: bits that alignment does not change, tiles that fit every
architecture, and errors instead of indices that wrap around.
"""

from __future__ import annotations

import mmap
from dataclasses import replace

import emulator
import numpy as np
import pytest
from close import assert_close
from emulated import EmulatorDriver
from numpy.lib.stride_tricks import as_strided

from gpucnn.backends.base import Packed
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.conv import MMA_TILES, SIMT_TILES, ConvIgemmMma, ConvIgemmSimt, Product, best
from gpucnn.backends.cuda.driver import Limits
from gpucnn.backends.cuda.impls import IMPLS
from gpucnn.errors import LimitError
from gpucnn.ops import RELU6, Activation, Conv, Epilogue
from gpucnn.spec import Spec

LIMITS = {75: (40, 64), 80: (108, 163), 86: (72, 99), 89: (128, 99), 90: (132, 227), 100: (148, 227), 120: (170, 99)}
"""Multiprocessors of some GPU, and KiB of shared memory that a block may have."""


@pytest.fixture(scope="module")
def backend():
    emulator.require()
    return CudaBackend(EmulatorDriver(80, check=True))


def inside(backend, values, before, after):
    """``values`` (n, c, h, w), channels last, between channels of NaN; and all of the memory as (n, h, w, channels)."""
    n, c, h, w = values.shape
    memory = backend.allocate(n * h * w * (before + c + after) * values.itemsize).view(values.dtype).reshape(n, h, w, -1)
    view = memory[..., before : before + c].transpose(0, 3, 1, 2)
    view[...] = values
    return view, memory


def run(backend, impl, op, arrays, x_room, y_room, r_room):
    """The impl with x, result and residual inside larger buffers of NaN."""
    x, w, b, r = arrays
    _, packed, shift = impl.pack(op, None, w, b)
    weight = Packed(backend.upload(packed.array), packed.shape)
    out, memory = inside(backend, np.full_like(r, np.nan), *y_room)
    inputs = inside(backend, x, *x_room)[0], weight, backend.upload(shift), inside(backend, r, *r_room)[0]
    impl.bind(backend, op, inputs, (out,), ())()
    beside = np.delete(memory, np.s_[y_room[0] : y_room[0] + out.shape[1]], axis=-1)
    assert np.isnan(beside).all(), "wrote beside the result"
    return np.array(out)


ROOMS = [
    ((4, 4), (8, 0), (0, 8)),
    ((2, 0), (4, 8), (8, 8)),
    ((1, 2), (2, 4), (0, 0)),
    ((8, 8), (1, 0), (4, 0)),
    ((0, 8), (0, 0), (3, 2)),
]
"""Channels of NaN before and after those of x, the result and the residual."""


@pytest.mark.parametrize("fill", ["normal", "special"])
@pytest.mark.parametrize("impl", [ConvIgemmMma("64x32"), ConvIgemmSimt("32x32")], ids=lambda impl: impl.name)
def test_alignment_does_not_change_bits(backend, impl, fill):
    """Every width of access to x, and of access to result and residual; NaNs beside each of them stay where they are."""
    rng = np.random.default_rng(5)
    op = Conv(padding=((1, 0), (1, 2)), dilation=(1, 2), epilogue=Epilogue(RELU6, Activation("relu")))
    shapes = (2, 16, 6, 5), (24, 16, 3, 2), (24,)
    x, w, b = (rng.standard_normal(shape).astype(impl.dtype) for shape in shapes)
    if fill == "special":
        x[rng.random(x.shape) < 0.01] = np.nan
        x[rng.random(x.shape) < 0.01] = np.inf
    r = rng.standard_normal(op.infer(Spec(x.shape, x.dtype), Spec(w.shape, w.dtype))[0].shape).astype(impl.dtype)
    arrays = x, w, b, r
    first = run(backend, impl, op, arrays, (0, 0), (0, 0), (0, 0))
    assert_close(op, (first,), arrays)
    for rooms in ROOMS:
        again = run(backend, impl, op, arrays, *rooms)
        assert first.tobytes() == again.tobytes(), rooms


@pytest.mark.parametrize("c", [8, 9, 10, 12, 16, 27])
def test_float16_goes_to_tensor_cores(c):
    specs = Spec((1, c, 7, 7), np.dtype(np.float16)), Spec((5, c, 3, 3), np.dtype(np.float16))
    assert isinstance(next(impl for impl in IMPLS[Conv] if impl.supports(Conv(), *specs)), ConvIgemmMma)


@pytest.mark.parametrize("arch", LIMITS)
def test_tiles_fit_every_architecture(arch):
    multiprocessors, kib = LIMITS[arch]
    limits = Limits(arch, multiprocessors, kib << 10)
    for tile in MMA_TILES.values():
        shallow, deep = tile.layout(limits, 16), tile.layout(limits, 9999)
        assert shallow[:2] == deep[:2], "one compilation serves every depth"
        assert shallow[2] <= deep[2] <= limits.shared
    assert sum(tile.threads * tile.resident(limits, 9999) >= 256 for tile in MMA_TILES.values()) >= 6


@pytest.mark.parametrize("tiles", [MMA_TILES, SIMT_TILES], ids=["mma", "simt"])
def test_choice_of_tiles(tiles):
    """Large tiles where there is much to do, small ones where multiprocessors would idle, and none that k hardly fills."""
    limits, tiles = Limits(80, 108, 163 << 10), list(tiles.values())
    areas = sorted(tile.BM * tile.BN for tile in tiles)
    much, little, thin = (
        best(tiles, product, limits)
        for product in (Product(256 * 14 * 14, 512, 4608), Product(14 * 14, 512, 4608), Product(10**6, 24, 144))
    )
    assert areas.index(much.BM * much.BN) == len(areas) - 1
    assert areas.index(little.BM * little.BN) <= 1
    assert thin.BN <= 64


def far(shape, pitch):
    """An array that claims shape and pitch, channels last, without their memory; must not be touched."""
    _, _, h, w = shape
    return as_strided(np.zeros(1, np.float16), shape, [2 * s for s in (h * w * pitch, 1, w * pitch, pitch)])


def bind_far(op, x, out):
    backend = CudaBackend(EmulatorDriver())
    k, c = out.shape[1], x.shape[1]
    weight = Packed(np.zeros((op.groups, 128, 64), np.float16), (k, c // op.groups, 1, 1))
    return ConvIgemmMma().bind(backend, op, (x, weight), (out,), ())


def test_what_32_bits_cannot_count_is_refused():
    shape = (2**15, 8, 2**8, 2**8)
    with pytest.raises(LimitError, match=r"32768×256×256 result pixels.*smaller batch"):
        bind_far(Conv(), far(shape, 8), far(shape, 8))
    shape = (1, 8, 1, 2**30)
    with pytest.raises(LimitError, match=r"1×1073741824 pixels.*cut"):
        bind_far(Conv(stride=(1, 2)), far(shape, 8), far((1, 8, 1, 2**29), 8))
    shape = (1, 8, 4, 4)
    with pytest.raises(LimitError, match=r"2147483648 elements between pixels of x.*copy"):
        bind_far(Conv(), far(shape, 2**31), far(shape, 8))
    with pytest.raises(LimitError, match=r"between pixels of result"):
        bind_far(Conv(), far(shape, 8), far(shape, 2**31))
    op = Conv(groups=2**16)
    with pytest.raises(LimitError, match=r"65536 groups.*several"):
        bind_far(op, far((1, 2**17, 1, 1), 2**17), far((1, 2**16, 1, 1), 2**16))
    with pytest.raises(LimitError, match=r"tiles of results.*smaller batch"):
        bind_far(Conv(), far((2**14, 8, 2**8, 2**8), 8), far((2**14, 2**19, 2**8, 2**8), 2**19))


NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Python names it from 3.13 on


@pytest.mark.parametrize("impl", [ConvIgemmMma("64x32"), ConvIgemmSimt("32x32")], ids=lambda impl: impl.name)
def test_offsets_have_64_bits(impl):
    """A window that reaches over more than 2^31 elements of x, in memory that is reserved but for the lines that are read."""
    emulator.require()
    op, pitch, size = Conv(dilation=(2**14, 1)), 2**17, np.dtype(impl.dtype).itemsize
    memory = mmap.mmap(-1, (2**14 + 1) * pitch * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE)
    x = as_strided(np.frombuffer(memory, impl.dtype), (1, 8, 2**14 + 1, 1), [0, size, pitch * size, pitch * size])
    rng = np.random.default_rng(6)
    w = rng.standard_normal((8, 8, 2, 1)).astype(impl.dtype)
    lines = rng.standard_normal((2, 8)).astype(impl.dtype)
    x[0, :, :: 2**14, 0] = lines.T
    backend = CudaBackend(EmulatorDriver())
    _, packed = impl.pack(op, None, w)
    out = backend.upload(np.zeros((1, 8, 1, 1), impl.dtype))
    impl.bind(backend, op, (x, packed), (out,), ())()
    near = replace(op, dilation=(1, 1))
    assert_close(near, (np.array(out),), (np.ascontiguousarray(lines.T).reshape(1, 8, 2, 1), w))
