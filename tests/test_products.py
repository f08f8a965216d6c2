"""Ways to multiply: the right numbers for every shape; panels no larger than BLAS takes as it lies; no image with bits of its own."""

from __future__ import annotations

import numpy as np
import pytest
from close import gamma
from hypothesis import given, settings
from hypothesis import strategies as st

from gpucnn.backends.base import in_order
from gpucnn.backends.cpu import CpuBackend, products
from gpucnn.backends.cpu.products import GUARDED, GUARDED_CLASSES, PANELS, SMALL, WHOLE, has_small_kernels, has_twelve_rows

WAYS = {"whole": WHOLE, "panels": PANELS, "guarded": GUARDED}


def multiply(way, x, matrices, images=1):
    k = matrices.shape[-1]
    out = np.full((*x.shape[:-1], way.columns(k)), np.nan, np.float32)
    calls = way.calls(x, way.pack(matrices), k, out, images)
    in_order(calls)()
    y = np.full((*x.shape[:-1], k), np.nan, np.float32)
    for there, these in way.parts(k):
        y[..., these] = out[..., there]
    return y, calls


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@given(st.integers(1, 3), st.integers(1, 70), st.integers(1, 600), st.integers(1, 700), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_products(way, images, each, c, k, transposed, stacked):
    rng = np.random.default_rng(c)
    lead = (3,) if stacked else ()
    x = rng.standard_normal((*lead, images * each, c), np.float32)
    if transposed:
        x = np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    matrices = rng.standard_normal((*lead, c, k), np.float32)
    y, _ = multiply(way, x, matrices, images)
    wide = x.astype(np.float64) @ matrices.astype(np.float64)
    bound = 2 * gamma(c, float(np.finfo(np.float32).eps)) * (np.abs(x).astype(np.float64) @ np.abs(matrices))
    assert (np.abs(y - wide) <= bound).all()


@given(st.integers(1, 4), st.integers(1, 70), st.integers(1, 5208), st.integers(1, 300))
@settings(max_examples=100, deadline=None)
def test_no_product_is_larger_than_small(images, each, c, k):
    x, matrices = np.zeros((images * each, c), np.float32), np.zeros((c, k), np.float32)
    _, calls = multiply(PANELS, x, matrices, images)
    assert len(calls) <= 4
    for call in calls:
        a, b = call.args[:2]
        assert a.shape[-2] * a.shape[-1] * b.shape[-1] <= SMALL


@pytest.mark.parametrize(("each", "c", "k"), [(49, 512, 2048), (196, 256, 1000), (7, 1024, 40), (16, 64, 64), (50, 4608, 16)])
def test_an_image_has_the_same_bits_at_every_place(each, c, k):
    rng = np.random.default_rng(0)
    one, matrices = rng.standard_normal((each, c), np.float32), rng.standard_normal((c, k), np.float32)
    alone, _ = multiply(PANELS, one, matrices)
    together, _ = multiply(PANELS, np.tile(one, (4, 1)), matrices, 4)
    for part in np.split(together, 4):
        np.testing.assert_array_equal(part.view(np.int32), alone.view(np.int32))


@pytest.mark.parametrize(("m", "k", "columns"), [(36, 36, 3584), (16, 37, 1), (16, 37, 6272), (4, 17, 100_000), (3, 2, 768)])
def test_a_small_matrix_times_many_columns(m, k, columns):
    rng = np.random.default_rng(0)
    matrix, x = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, columns), np.float32)
    for way in WAYS.values():
        out = np.full((m, columns), np.nan, np.float32)
        calls = way.wide(matrix, x, out, 256)
        in_order(calls)()
        np.testing.assert_allclose(out, matrix @ x, rtol=1e-5, atol=1e-5)
        if way is PANELS:
            assert all(call.args[0].size * call.args[1].shape[-1] <= SMALL for call in calls)


def test_where_panels_pay(monkeypatch):
    monkeypatch.setattr(products, "has_small_kernels", lambda: False)
    assert not PANELS.pays(64)
    monkeypatch.setattr(products, "has_small_kernels", lambda: True)
    assert PANELS.pays(64)
    assert not PANELS.pays(25088)  # too deep: a panel would meet two rows
    assert WHOLE.pays(25088)


@pytest.mark.skipif(not (has_small_kernels() or has_twelve_rows()), reason="nothing is known of NumPy's BLAS on this processor")
@pytest.mark.parametrize(("m", "c", "k"), [(169, 512, 1000), (49, 2048, 1000), (196, 256, 72), (64, 1152, 100)])
def test_equal_columns_have_equal_bits(m, c, k):
    """Classes with the same weights have the same scores, whichever register their column is in."""
    rng = np.random.default_rng(0)
    x, column = rng.standard_normal((m, c), np.float32), rng.standard_normal((c, 1), np.float32)
    with CpuBackend().session():
        y, _ = multiply(PANELS if has_small_kernels() else GUARDED, x, np.repeat(column, k, 1))
    np.testing.assert_array_equal(y.view(np.int32), np.repeat(y[:, :1], k, 1).view(np.int32))


@pytest.mark.skipif(not has_twelve_rows(), reason="NumPy's BLAS has another kernel on this processor")
@pytest.mark.parametrize(("each", "c", "k"), [(16, 256, 256), (49, 128, 128), (16, 512, 512), (49, 512, 2048), (17, 100, 90)])
@pytest.mark.parametrize("images", [2, 4])
def test_between_zeros_images_agree(each, c, k, images):
    """It is found out for every shape, and comes out well for these; as a whole they do not agree."""
    weight = np.random.default_rng(0).standard_normal((c, k), np.float32)
    backend = CpuBackend()
    with backend.session():
        assert GUARDED.agree(backend, images, each, GUARDED.pack(weight), k)
        assert not WHOLE.agree(backend, images, each, weight, k)


def test_widths_that_are_packed_alike_are_told_apart():
    backend = CpuBackend()
    for k in (33, 40, 33):
        GUARDED.agree(backend, 2, 3, GUARDED.pack(np.ones((4, k), np.float32)), k)
    assert GUARDED.columns(33) == GUARDED.columns(40)
    assert len(backend._agreed) == 2


def test_images_that_do_not_agree_are_found_out(monkeypatch):
    """Also between zeros: a kernel whose fifth row of every six is another one's."""

    def matmul(x, weight, out):
        terms = x[:, :, None] * weight
        out[:] = terms.cumsum(1, np.float32)[:, -1]
        out[4::6] = terms[4::6, ::-1].cumsum(1, np.float32)[:, -1]
        return out

    weight = GUARDED.pack(np.random.default_rng(0).standard_normal((64, 33), np.float32))
    assert GUARDED.agree(CpuBackend(), 1, 9, weight, 33)
    monkeypatch.setattr(np, "matmul", matmul)
    assert not GUARDED.agree(CpuBackend(), 4, 9, weight, 33)


def test_where_zeros_pay(monkeypatch):
    monkeypatch.setattr(products, "has_twelve_rows", lambda: False)
    assert not GUARDED.pays(64, 16)
    monkeypatch.setattr(products, "has_twelve_rows", lambda: True)
    assert GUARDED.pays(64, 16)
    assert not GUARDED.pays(64, 196)  # enough for a product
    assert not GUARDED_CLASSES.pays(64, 16)
    assert GUARDED_CLASSES.pays(512, 169, 1000)
    assert not GUARDED_CLASSES.pays(512, 169, 1024)
