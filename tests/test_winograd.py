"""Winograd's convolutions beyond the table of cases: any geometry, errors as expected, where they are chosen and where not."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from close import assert_close
from hypothesis import given, settings
from hypothesis import strategies as st
from truth import AlwaysLanes, record

import gpucnn.functional as F
from gpucnn import plan
from gpucnn.backends.cpu import IMPLS, IMPLS_LATENCY, CpuBackend, direct
from gpucnn.backends.cpu.products import GUARDED, PANELS, WHOLE
from gpucnn.backends.cpu.winograd import MOST_ERROR, TRANSFORMS, ConvWinograd, expected_error
from gpucnn.ops import Activation, Conv, Epilogue
from gpucnn.spec import Spec

EPILOGUES = (Epilogue(), Epilogue(None, Activation("relu")), Epilogue(Activation("silu"), Activation("clip", 0.0, 6.0)))


def convolve(op, arrays, impl, backend):
    """The op by one impl, on an arena of NaN."""
    x, w, bias, residual = arrays
    flows = [x] if residual is None else [x, residual]

    def forward(x, residual=None):
        return plan.evaluate(op, x, w, bias, residual) if isinstance(x, np.ndarray) else x.graph.append(op, [x, w, bias, residual])[0]

    graph = record(forward, *(a.shape for a in flows), order="channels_last")

    def choose(backend, node):
        return impl if isinstance(node.op, Conv) else plan.choose_first(backend, node)

    program = plan.compile(graph, backend, choose=choose).bind()
    with backend.session():
        program.arena[...] = 0xFF
        for target, a in zip(program.inputs.values(), flows):
            backend.write(target, a)
        program.run()
    return backend.read(program.outputs["0"])


@st.composite
def layers(draw):
    n, c, k = draw(st.sampled_from([(1, 3, 5), (2, 4, 3), (4, 16, 8), (3, 1, 1), (4, 5, 17)]))
    h, w = draw(st.integers(1, 15)), draw(st.integers(1, 15))
    pads = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 3))) for _ in range(2))
    if h + sum(pads[0]) < 3 or w + sum(pads[1]) < 3:
        pads = ((1, 1), (1, 1))
    return n, c, k, h, w, pads, draw(st.sampled_from(EPILOGUES)), draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 99))


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize(("lanes", "products"), [(1, WHOLE), (3, WHOLE), (1, PANELS), (1, GUARDED)])
@given(layers(), st.integers(1, 70))
@settings(max_examples=60, deadline=None)
def test_every_geometry(m, lanes, products, layer, tiles):
    n, c, k, h, w, pads, epilogue, has_bias, has_residual, seed = layer
    rng = np.random.default_rng(seed)
    op = Conv((1, 1), pads, (1, 1), 1, epilogue)
    x, weight = (rng.standard_normal(shape, np.float32) for shape in ((n, c, h, w), (k, c, 3, 3)))
    bias = rng.standard_normal(k, np.float32) if has_bias else None
    shape = op.infer(Spec(x.shape, x.dtype), Spec(weight.shape, x.dtype))[0].shape
    residual = rng.standard_normal(shape, np.float32) if has_residual else None
    backend = AlwaysLanes(lanes=lanes) if lanes > 1 else CpuBackend()
    backend.places_agree = backend.columns_agree = lambda *given: True  # whether the bits are: blocks of several images are tried
    y = convolve(op, (x, weight, bias, residual), ConvWinograd(m, 1, tiles, products), backend)
    backend.close()
    assert_close(op, (y,), (x, weight, bias, residual), tile=m)


@pytest.mark.parametrize(("m", "c"), list(product((2, 4), (16, 64, 512))))
def test_the_error_is_the_expected_one(m, c):
    """Of independent normal numbers, within a factor of three: neither wrong nor pessimistic."""
    rng = np.random.default_rng(c)
    x, weight = rng.standard_normal((1, c, 24, 24), np.float32), rng.standard_normal((16, c, 3, 3), np.float32)
    op = Conv((1, 1), ((1, 1), (1, 1)))
    y = convolve(op, (x, weight, None, None), ConvWinograd(m), CpuBackend())
    true = op.reference(np, x.astype(np.float64), weight.astype(np.float64))[0]
    error = np.sqrt(np.mean((y - true) ** 2) / np.mean(true**2))
    assert expected_error(m, c) / 3 < error < 3 * expected_error(m, c)


def test_more_error_than_stated_is_not_chosen():
    op = Conv((1, 1), ((1, 1), (1, 1)))
    for impls, m in product((IMPLS, IMPLS_LATENCY), (2, 4)):
        impl = [one for one in impls[Conv] if isinstance(one, ConvWinograd) and one.m == m][-1]
        for c in (64, 1024, 4096, 16384, 1 << 20):
            specs = Spec((1, c, 56, 56), np.dtype(np.float32)), Spec((64, c, 3, 3), np.dtype(np.float32))
            assert impl.supports(op, *specs) == (expected_error(m, c) <= MOST_ERROR)  # by time neither, then
    assert expected_error(4, 1 << 14) > MOST_ERROR > expected_error(2, 1 << 14)


@pytest.mark.parametrize("m", [2, 4])
def test_the_transforms_are_right(m):
    """``Σ Aᵀ[(G w) (Bᵀ d)]`` is the correlation, exactly, in rational numbers: times 24 all are whole."""
    t = TRANSFORMS[m]
    for r, i in product(range(3), range(m + 2)):
        w, d = np.eye(3)[r], np.eye(m + 2)[i]
        y = t.output @ ((24 * t.kernel @ w) * (t.input @ d))
        np.testing.assert_allclose(y, [24.0 * (j + r == i) for j in range(m)], rtol=0, atol=1e-12)


def chosen(impls, size, c, k, kernel=3, stride=1, groups=1):
    op = Conv((stride, stride), ((kernel // 2,) * 2,) * 2, (1, 1), groups)
    specs = Spec((4, c, size, size), np.dtype(np.float32)), Spec((k, c // groups, kernel, kernel), np.dtype(np.float32))
    return next(one for one in impls[Conv] if one.supports(op, *specs) and one.suits(op, *specs)).name.split("/")[0]


def test_where_it_is_chosen():
    """Many tiles for F(4×4), fewer for F(2×2); with few, weights four times as many cost more than the products they save."""
    sizes = {56: "conv_winograd4", 28: "conv_winograd4", 14: "conv_winograd4", 7: "conv_winograd2", 4: "conv_im2col"}
    assert {size: chosen(IMPLS, size, 64, 64) for size in sizes} == sizes
    sizes = {56: "conv_winograd4", 28: "conv_winograd4", 14: "conv_winograd2", 7: "conv_im2col"}
    assert {size: chosen(IMPLS_LATENCY, size, 64, 64) for size in sizes} == sizes
    assert chosen(IMPLS, 56, 3, 64) == "conv_phases"
    assert chosen(IMPLS, 56, 64, 64, stride=2) == chosen(IMPLS, 56, 64, 64, groups=2) == "conv_im2col"
    assert chosen(IMPLS, 56, 64, 64, kernel=1) == "conv_pointwise"
    assert chosen(direct(IMPLS), 56, 64, 64) == chosen(direct(IMPLS_LATENCY), 56, 64, 64) == "conv_im2col"


def test_functions_do_without():
    """What a function is asked for is its answer: of whole numbers the exact one."""
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-9, 9, shape).astype(np.float32) for shape in ((1, 32, 30, 30), (16, 32, 3, 3)))
    true = Conv((1, 1), ((0, 0), (0, 0))).reference(np, x.astype(np.float64), w.astype(np.float64))[0]
    np.testing.assert_array_equal(F.conv2d(x, w), true)


@pytest.mark.parametrize("m", [2, 4])
def test_nan_stays_in_its_tiles(m):
    x, w = np.ones((1, 16, 24, 24), np.float32), np.ones((16, 16, 3, 3), np.float32)
    x[0, 3, 11, 11] = np.nan
    y = convolve(Conv((1, 1), ((1, 1), (1, 1))), (x, w, None, None), ConvWinograd(m), CpuBackend())
    lines = np.flatnonzero(np.isnan(y).any((0, 1, 3)))
    assert lines.min() >= 11 // m * m - m
    assert lines.max() < (11 // m + 2) * m
    assert np.isnan(y[:, :, 10:13, 10:13]).all()
