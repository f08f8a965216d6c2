"""The GPU itself, where there is one: every impl on every case, and what only hardware can show."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from cases import CASES, halved
from close import assert_close
from drivers import driver
from harness import Harness
from test_cuda_impls import ways_of

import gpucnn
from gpucnn import data, nn
from gpucnn import functional as F
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.conv import MMA_TILES, SIMT_TILES, ConvIgemmMma, ConvIgemmSimt
from gpucnn.backends.cuda.impls import IMPLS
from gpucnn.backends.cuda.linear import ROWS
from gpucnn.ops import Conv

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def backend():
    made = CudaBackend(driver("cuda"))
    yield made
    made.close()


def every(kind):
    """(case, impl) in both types, for the kernels; a case that is in 16 bits already is not run twice."""
    for case in CASES[kind]:
        twice = any(d is not None and d.dtype == "float32" for d in case.inputs)
        for one in (case, halved(case)) if twice else (case,):
            for impl in IMPLS[kind]:
                if impl.supports(one.op, *one.specs) and all(s.size for s in one.op.infer(*one.specs)):
                    yield one, impl


@pytest.mark.parametrize("kind", IMPLS, ids=lambda kind: kind.__name__)
def test_impls_equal_the_reference(kind, backend):
    wrong = []
    for case, impl in every(kind):
        for way in ways_of(case, impl):
            harness = Harness(case, impl, backend, way)
            first = harness.run()
            try:
                assert_close(case.op, first, harness.arrays)
                for y, again in zip(first, harness.run()):
                    np.testing.assert_array_equal(np.asarray(y), np.asarray(again))
            except AssertionError as error:
                wrong.append(f"{case.id}/{impl.name}/{way}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("method", ["mma", "simt"])
def test_every_tile_gives_the_same_bits(method, backend):
    case = next(case for case in CASES[Conv] if case.id == "1x1 several blocks")
    case = halved(case) if method == "mma" else case
    make, tiles = (ConvIgemmMma, MMA_TILES) if method == "mma" else (ConvIgemmSimt, SIMT_TILES)
    found = {tile: Harness(case, make(tile), backend, "slice").run()[0] for tile in tiles}
    first = next(iter(found.values()))
    for tile, y in found.items():
        np.testing.assert_array_equal(y, first, err_msg=tile)


@pytest.mark.parametrize("kind", ["float32", "float16"])
@pytest.mark.parametrize(("c", "k"), [(2048, 1000), (1280, 1000), (25088, 4096), (9, 7)])
def test_a_row_has_the_same_bits_at_every_place_of_a_product(c, k, kind, backend):
    """What a fixed number of rows is for: cuBLAS treats them alike, so a row's scores do not depend on those beside it."""
    rng = np.random.default_rng(0)
    gpu, weight = backend.driver, rng.standard_normal((k, c)).astype(kind)
    rows = rng.standard_normal((ROWS, c)).astype(kind)
    step = 16 // rows.dtype.itemsize
    wide = -(-c // step) * step
    a, b = (gpu.upload(np.pad(v, ((0, 0), (0, wide - c)))) for v in (rows, weight))
    out = gpu.upload(np.zeros((ROWS, k), np.float32))
    gpu.prepare_gemm()

    def product():
        with backend.session():
            gpu.gemm(a, b, out)
        return gpu.read(out)

    first = product()
    for at in (0, 1, 15, 16, 31, 32, 62, 63):  # the row at `at` everywhere
        with backend.session():
            a[...] = a[at : at + 1]
        again = product()
        np.testing.assert_array_equal(again, np.broadcast_to(first[at], again.shape), err_msg=f"row {at}")
        gpu.write(a, np.pad(rows, ((0, 0), (0, wide - c))))


class Net(nn.Module):
    """A little of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 32, 3, 2, 1), nn.Conv2d(32, 32, 3, 1, 1, groups=32)
        self.point, self.head = nn.Conv2d(32, 32, 1), nn.Linear(32, 10)

    def forward(self, x):
        y = F.relu(self.stem(x))
        y = F.relu6(self.point(F.relu(self.deep(y))) + y)
        return self.head(F.flatten(F.global_avg_pool2d(F.max_pool2d(y, 2)), 1))


@pytest.fixture(scope="module", params=["float32", "float16"])
def model(request):
    driver("cuda").close()
    with gpucnn.compile(Net(), (1, 3, 40, 36), device="cuda", precision=request.param) as made:
        yield made


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).standard_normal((67, 3, 40, 36)).astype(np.float32)


def test_bits_do_not_depend_on_the_batch(model, images):
    together = model(images)
    for _ in range(3):  # one by one, captured, replayed
        for n in (1, 2, 7, 33):
            np.testing.assert_array_equal(model(images[:n]), together[:n])
    np.testing.assert_array_equal(model(images[66:]), together[66:])


def test_arrays_of_other_libraries_stay_on_the_gpu(model, images):
    import cupy

    wanted = model(images[:5])
    mine = cupy.cuda.Stream(non_blocking=True)
    with mine:
        x = cupy.asarray(images[:5] * 2) / 2
        y = model(x)
        assert isinstance(y, cupy.ndarray)
        np.testing.assert_array_equal(cupy.asnumpy(y), wanted)
    torch = pytest.importorskip("torch")
    y = model(torch.from_numpy(images[:5]).cuda())
    np.testing.assert_array_equal(cupy.asnumpy(y), wanted)


def test_threads(model, images):
    wanted, found = model(images), {}

    def work(i):
        found[i] = model(images[i : i + 1])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, y in found.items():
        np.testing.assert_array_equal(y[0], wanted[i])


def test_photographs():
    driver("cuda").close()
    photos = sorted((data.folder("photos")).glob("*.jpg"))
    with gpucnn.Classifier(device="cpu") as cpu, gpucnn.Classifier(device="cuda", precision="float32") as gpu:
        for a, b in zip(cpu.predict(photos), gpu.predict(photos)):
            assert [p.label for p in a.predictions] == [p.label for p in b.predictions]
    with gpucnn.Classifier(device="cuda", precision="float16") as gpu:
        assert gpu.model.precision == "float16"
        assert {str(r.path.rpartition("/")[2]): r.predictions[0].label for r in gpu.predict(photos)}["coffee.jpg"] == "espresso"
