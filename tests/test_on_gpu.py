"""``device="cuda"`` from the door to the kernels, with ``CupyDriver`` on a CuPy and a cuBLAS that are made up (``fake_cupy``)."""

from __future__ import annotations

import gc
import json
import os
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import emulator
import numpy as np
import pytest
from cases import ALL, Case, conv, halved, linear, norm
from close import assert_close
from emulator import nvrtc
from fake_cupy import Array, FakeCublas, FakeCupy, Stream
from harness import Harness
from test_cuda_impls import TESTED
from truth import assert_true, record, truth

import gpucnn
from gpucnn import cli, device, nn, zoo
from gpucnn import functional as F
from gpucnn.backends.cuda import cublas, cupy_driver, probe, source
from gpucnn.backends.cuda.backend import CudaBackend
from gpucnn.backends.cuda.conv import ConvIgemmMma
from gpucnn.backends.cuda.cupy_driver import CupyDriver
from gpucnn.errors import DeviceError, GpucnnError, LimitError, ShapeError, UnsupportedError
from gpucnn.ops import Pad
from gpucnn.preprocess import Preprocess
from gpucnn.settings import settings
from gpucnn.spec import Spec


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A machine with one GPU, whose CuPy is made up; the caller's own stream is current, not the null stream."""
    emulator.require()
    cupy = FakeCupy()
    streams: dict[int, Stream] = {}
    made = Stream.__init__

    def counted(self, *args, **kwargs):
        made(self, *args, **kwargs)
        streams[self.ptr] = self

    monkeypatch.setattr(Stream, "__init__", counted)
    cupy.blas = FakeCublas(streams)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(FakeCupy, "graphs", [])
    monkeypatch.setattr(FakeCupy, "current", Stream())
    monkeypatch.setattr(cupy_driver, "load_cublas", lambda cuda: cupy.blas)
    monkeypatch.setattr(cupy_driver, "find_headers", lambda cuda: nvrtc.locate()[1][0])
    cupy.found = [probe.Gpu(0, "NVIDIA A100", (8, 0), 40 << 30)]
    monkeypatch.setattr(probe, "find_gpus", lambda: (cupy.found, 13000, ""))
    monkeypatch.setattr(probe, "installed_cupys", lambda: {"cupy-cuda13x": "14.2.0"})
    monkeypatch.setattr(probe, "toolkit_problem", lambda version, cupys: "")
    monkeypatch.setenv("GPUCNN_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    yield cupy
    settings.cache_clear()


class Small(nn.Module):
    """Convolution, depthwise, pooling, residual and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 1, 1, groups=16)
        self.point, self.head = nn.Conv2d(16, 16, 1), nn.Linear(16, 10)

    def forward(self, x):
        y = F.relu(self.stem(x))
        y = F.relu6(self.point(F.relu(self.deep(y))) + y)
        return self.head(F.flatten(F.global_avg_pool2d(F.max_pool2d(y, 2)), 1))


SHAPE = (3, 16, 12)


@pytest.fixture(scope="module")
def net():
    return Small()


@pytest.fixture
def model(gpu, net):
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32") as made:
        yield made


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal((7, *SHAPE)).astype(np.float32)


def expected(net, x):
    graph = record(net, x.shape)
    return truth(graph, {"x0": x})["0"]


def test_it_computes_the_right_thing(model, net, x):
    first = model(x)
    assert_true(first, expected(net, x))
    assert isinstance(first, np.ndarray)
    assert not isinstance(first, Array)


def test_launches_become_one_graph(model, x):
    first = model(x)
    assert FakeCupy.graphs == [], "the first run loads kernels, which a capture may not"
    second, third = model(x), model(x)
    assert len(FakeCupy.graphs) == 2
    assert FakeCupy.graphs[0] is FakeCupy.graphs[1]
    for again in (second, third):
        np.testing.assert_array_equal(again.view(np.uint32), first.view(np.uint32))


def test_without_graphs(gpu, net, x, monkeypatch):
    monkeypatch.setenv("GPUCNN_GRAPHS", "0")
    settings.cache_clear()
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32") as model:
        first, second = model(x), model(x)
    assert FakeCupy.graphs == []
    np.testing.assert_array_equal(first, second)


def test_a_reference_step_stands_between_two_graphs(gpu, x):
    class Odd(nn.Module):
        def forward(self, x):
            return F.relu(F.pad(F.relu(x), (1, 1, 1, 1), value=-1.0)) * 2

    with gpucnn.compile(Odd(), (1, *SHAPE), device="cuda", precision="float32") as model:
        backend = model._engine._backend
        backend.IMPLS = {kind: impls for kind, impls in backend.IMPLS.items() if kind is not Pad}
        for _ in range(3):
            y = model(x[:1])
        assert [step.node.op.name for step in model.plan(1).slow_steps] == ["pad"]
        assert "reference (slow)" in model.describe()
    assert len(FakeCupy.graphs) == 4, "twice two"
    np.testing.assert_array_equal(y, 2 * np.pad(np.maximum(x[:1], 0), ((0, 0), (0, 0), (1, 1), (1, 1))))


def test_strict_refuses_a_reference_step(gpu, monkeypatch):
    monkeypatch.setenv("GPUCNN_STRICT", "1")
    settings.cache_clear()
    with gpucnn.compile(nn.Sequential(nn.ReLU()), (1, *SHAPE), device="cuda", precision="float32") as model:
        model._engine._backend.IMPLS = {}
        with pytest.raises(UnsupportedError, match="relu of 64×3×16×12 float32 has no cuda implementation and GPUCNN_STRICT forbids"):
            model.plan()


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_step_neither_allocates_nor_waits(gpu, net, x, precision, monkeypatch):
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision=precision) as model:
        plan = model.plan(4)
        program, backend = plan.bind(), plan.backend
        backend.write(program.inputs["input"], x[:4])

        def forbidden(*args, **kwargs):
            raise AssertionError("a step allocates or waits")

        with backend.session(), monkeypatch.context() as patch:
            for what in ("alloc", "empty"):
                patch.setattr(FakeCupy, what, forbidden)
            patch.setattr(Stream, "synchronize", forbidden)
            for _ in range(3):  # launched, captured, replayed
                program.run()
        assert np.isfinite(backend.read(program.outputs["output"])).all()


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_an_image_has_the_same_bits_in_every_batch(gpu, net, x, precision):
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision=precision) as model:
        together = model(x)
        for i in range(len(x)):
            np.testing.assert_array_equal(model(x[i : i + 1])[0].view(np.uint32), together[i].view(np.uint32))
        np.testing.assert_array_equal(model(x[2:5]).view(np.uint32), together[2:5].view(np.uint32))


def test_auto_is_float16(gpu, net, x):
    with gpucnn.compile(net, (1, *SHAPE)) as model:
        assert (model.device, model.precision) == ("cuda:0", "float16")
        assert "A100" in model.device_reason
        exact, _ = expected(net, x)
        y = model(x)
        assert y.dtype == np.float32
        assert np.abs(y - exact).max() < 2**-6 * np.abs(exact).max(), "some 16-bit roundings away"
        assert np.abs(y - exact).max() > 2**-20 * np.abs(exact).max(), "but not float32"
        assert "float16" in model.describe()
        assert "reference" not in model.describe()


def test_weights_beyond_float16(gpu, caplog):
    conv = nn.Conv2d(3, 8, 1)
    conv.weight[0, 0] = 1e6
    with gpucnn.compile(nn.Sequential(conv), (1, 3, 4, 4)) as model:
        assert model.precision == "float32"
    assert "0.weight: holds numbers up to 1e+06, float16 ends at 65504" in caplog.text
    with pytest.raises(UnsupportedError, match="use precision='float32'"):
        gpucnn.compile(nn.Sequential(conv), (1, 3, 4, 4), precision="float16")


@pytest.mark.parametrize(("precision", "said"), [("bfloat16", "not in this version"), ("int8", "must be 'auto', 'float32' or 'float16'")])
def test_other_precisions(gpu, net, precision, said):
    with pytest.raises(UnsupportedError, match=said):
        gpucnn.compile(net, (1, *SHAPE), precision=precision)


def test_arrays_on_the_gpu_stay_there(model, net, x):
    there = Array(x.shape, x.dtype)
    mine = FakeCupy.current
    there[...] = 0.0
    mine.give(lambda: np.copyto(there.plain(), x))  # still on its way when the model is called
    y = model(there)
    assert isinstance(y, Array)
    mine.synchronize()  # what a caller does who looks at it
    assert_true(y.plain(), expected(net, x))
    there[...] = 1.0  # the caller's again: on the caller's stream, so after the model has read it
    z = model(there)
    mine.synchronize()
    assert_true(z.plain(), expected(net, np.ones_like(x)))


def test_no_images(model):
    assert model(np.zeros((0, *SHAPE), np.float32)).shape == (0, 10)


def test_a_larger_batch_makes_the_arena_grow_and_programs_bind_anew(model, net, x):
    one = model(x[:1])
    small = model._engine._backend._arena.nbytes
    model(x)
    assert model._engine._backend._arena.nbytes > small
    for _ in range(3):
        np.testing.assert_array_equal(model(x[:1]), one)


def test_an_arena_that_was_outgrown_is_let_go(model, x):
    arenas = []
    for n in (1, 2, 4, 7, 1):
        model(x[:n])
        arenas.append(weakref.ref(model._engine._backend._arena))
    gc.collect()
    assert len({id(a()) for a in arenas if a() is not None}) == 1


def test_two_models_do_not_take_shared_memory_from_each_other(gpu, x):
    """CuPy gives both the same function, and how much shared memory it may have belongs to that."""
    driver_a, driver_b = CudaBackend(CupyDriver(0)), CudaBackend(CupyDriver(0))
    for depth, backend in ((256, driver_a), (128, driver_b), (256, driver_a), (512, driver_b)):
        case = conv(f"{depth} deep", (1, depth, 5, 5), (64, depth, 1, 1), dtype="float16")  # as many stages as the sum fills
        harness = Harness(case, ConvIgemmMma("64x128"), backend, "alone")
        assert_close(case.op, harness.run(), harness.arrays)


def test_weights_that_are_computed_beside_a_constant_input(gpu):
    constant = np.random.default_rng(2).standard_normal((1, 4, 6, 6)).astype(np.float32)

    class Hyper(nn.Module):
        def forward(self, w):
            return F.conv2d(constant, F.relu(w)) + F.conv2d(constant, w)

    w = np.random.default_rng(3).standard_normal((5, 4, 3, 3)).astype(np.float32)
    with gpucnn.compile(Hyper(), w.shape, device="cuda", precision="float32") as on_gpu:
        found = [on_gpu(w) for _ in range(3)]
        assert on_gpu.describe().count("conv_stem_simt (packs at every run)\n") == 2
    exact = truth(record(Hyper().forward, w.shape), {"x0": w})["0"]
    for y in found:
        assert_true(y, exact)


COMPUTED = (
    conv("dense", (2, 8, 5, 6), (7, 8, 3, 3), padding=1, **ALL),
    conv("of few channels", (2, 3, 9, 8), (5, 3, 3, 3), stride=2, padding=1, **ALL),
    conv("depthwise", (2, 5, 9, 7), (5, 1, 3, 3), groups=5, padding=1, **ALL),
    linear("dense", (7, 24), 10, **ALL),
    norm("affine", (2, 3, 4, 5)),
    norm("plain", (2, 3, 4, 5), ""),
)


@pytest.mark.parametrize("way", ["computed", "bias"])
@pytest.mark.parametrize("case", [c for case in COMPUTED for c in (case, halved(case))], ids=lambda case: f"{case.op.name} {case.id}")
def test_weights_that_are_computed_are_packed_at_every_run(gpu, case: Case, way):
    """All of them, or those after the first: then some are on the host, some on the device."""
    impl = next(impl for impl in TESTED[type(case.op)] if impl.supports(case.op, *case.specs))
    harness = Harness(case, impl, CudaBackend(CupyDriver(0)), way)
    assert [step.repacks for step in harness.plan.steps if step.node.name == "tested"] == [True]
    for factor in (1, 2, 1):
        arrays = tuple(None if a is None else a * a.dtype.type(factor) for a in harness.arrays)
        kept = tuple(a if f"x{i}" in harness.feeds else b for i, (a, b) in enumerate(zip(arrays, harness.arrays)))
        feeds = {name: kept[int(name[1:])] for name in harness.feeds}
        assert_close(case.op, harness.run(feeds), kept)


def test_memory_that_was_given_back_is_not_launched_on(gpu):
    """What the made-up CuPy is good for."""
    driver = CupyDriver(0)
    with driver.session():
        memory = driver.allocate(64)
        address, kept = memory.data.ptr, weakref.ref(memory.base.base if memory.base.base is not None else memory.base)
        driver.stream.give(lambda: None, (address,))
        del memory
        assert kept() is not None, "the stream has not come to it"
        driver.stream.synchronize()
        assert kept() is None
        with pytest.raises(AssertionError, match="given back"):
            driver.stream.give(lambda: None, (address,))


def test_a_capture_that_fails_says_why(gpu):
    driver = CupyDriver(0)

    def fails():
        raise ValueError("the cause")

    with driver.session(), pytest.raises(ValueError, match="the cause"):
        driver.capture(fails)
    assert driver.stream.capturing is None


def test_time_is_measured_behind_a_head_start(gpu):
    driver = CupyDriver(0)
    order = []
    spin = driver.kernel(source.load_source("spin.cu"), "spin", {})
    spin._code.result()
    with driver.session():
        assert driver.time(lambda: order.append("run")) == 1.5e-3
    assert order == ["run"]
    assert spin._kernel is not None, "it was launched"


def test_arrays_of_other_libraries_are_copied_in(gpu, model, x):
    class Tensor:
        """Of a library that works on a stream of its own."""

        __cuda_array_interface__ = {}  # noqa: RUF012
        shape, ndim, dtype = x.shape, x.ndim, x.dtype

        def __dlpack__(self, stream=None):
            raise AssertionError("CuPy asks for it")

    class NeedsGradient:
        @property
        def __cuda_array_interface__(self):
            raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad")

    there = Array(x.shape, x.dtype)
    there.plain()[...] = x
    gpu.from_dlpack = lambda tensor: there
    wanted = model(x)
    y = model(Tensor())
    there.plain()[...] = 0  # its owner's again, whatever has run meanwhile
    FakeCupy.current.synchronize()
    np.testing.assert_array_equal(y.plain(), wanted)
    with pytest.raises(ShapeError, match=r"input 'input': the array \(NeedsGradient\) cannot be taken over on cuda:0: Can't get"):
        model(NeedsGradient())


def test_large_inputs_cross_in_pieces(gpu, monkeypatch):
    monkeypatch.setattr(cupy_driver, "_PIECE", 100)
    driver = CupyDriver(0)
    for shape, strides in (((7, 2, 3), (6, 3, 1)), ((7, 2, 3), (6, 1, 2)), ((1, 50), (50, 1)), ((), ())):
        value = np.random.default_rng(0).standard_normal(shape)
        target = driver.view(driver.allocate(256), 0, Spec(shape, np.dtype(np.float32)), strides)
        driver.write(target, value)
        np.testing.assert_array_equal(driver.read(target), value.astype(np.float32))
    assert all(piece._memory.nbytes <= 256 for piece in driver._staging)


def test_results_lie_on_the_models_gpu(gpu, net, x):
    """The caller works on another one."""
    gpu.found.append(probe.Gpu(1, "NVIDIA A100", (8, 0), 40 << 30))
    with gpucnn.compile(net, (1, *SHAPE), device="cuda:1", precision="float32") as model:
        there = Array(x.shape, x.dtype)
        there[...] = 1.0
        y = model(there)
    assert y.device == 1
    assert FakeCupy.device == 0


def test_as_many_at_once_as_memory_holds(gpu, net, x, monkeypatch):
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32") as model:
        whole = model(x)
        bytes_of_four = model.plan(4).arena_bytes
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32") as model:
        monkeypatch.setattr(model._engine._backend, "arena_limit", lambda: bytes_of_four)
        np.testing.assert_array_equal(model(x), whole)
        assert model.plan(8).graph.inputs["input"].shape[0] == 4


def test_out_of_memory_says_so(gpu, net, x, monkeypatch):
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32") as model:
        model.plan(1)
        monkeypatch.setattr(FakeCupy, "limit", 1 << 10)
        with pytest.raises(LimitError, match=r"cuda:0: \d+ MiB are needed, \d+ MiB are free; use smaller batches"):
            model(x[:1])


def test_two_threads(model, x):
    singles = [model(x[i : i + 1]) for i in range(len(x))]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: model(x[i % 7 : i % 7 + 1]), range(28)))
    for i, y in enumerate(found):
        np.testing.assert_array_equal(y, singles[i % 7])


def test_a_forked_child_is_told(model, x, monkeypatch):
    model(x)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(DeviceError, match="cannot be used in a forked process"):
        model(x)


def test_photographs(gpu, net):
    """Bytes to probabilities: normalisation is the first step, softmax the last, both on the GPU."""
    record_ = Preprocess((16, 12), 16, "nearest", (0.5,) * 3, (0.25,) * 3)
    photos = np.random.default_rng(1).integers(0, 256, (5, 16, 12, 3), np.uint8)
    labels = [str(i) for i in range(10)]
    with gpucnn.compile(net, (1, *SHAPE), precision="float32") as model, gpucnn.compile(net, (1, *SHAPE), device="cpu") as plain:
        with gpucnn.Classifier(model, preprocess=record_, labels=labels) as on_gpu, gpucnn.Classifier(plain, preprocess=record_) as on_cpu:
            assert on_gpu.batch_size == 64
            found, wanted = list(on_gpu.predict(photos)), list(on_cpu.predict(photos))
            alone = list(on_gpu.predict(photos[3]))
        assert model(np.zeros((1, *SHAPE), np.float32)).shape == (1, 10), "the Classifier's closing leaves the model as it was"
    assert [r.predictions[0].index for r in found] == [r.predictions[0].index for r in wanted]
    assert alone[0].predictions == found[3].predictions
    assert found[0].predictions[0].label == str(found[0].predictions[0].index)


def test_the_engine_goes_with_its_last_model(gpu, net, x):
    model = gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32")
    scorer = model.scorer(Preprocess((16, 12), 16, "nearest", (0.5,) * 3, (0.5,) * 3))
    model(x)
    model.close()
    model.close()
    assert scorer(np.zeros((2, 16, 12, 3), np.uint8)).shape == (2, 10)
    assert "destroyed" not in gpu.blas.state
    scorer.close()
    assert gpu.blas.state["destroyed"] == 77
    with pytest.raises(GpucnnError, match="closed"):
        model(x)


def test_cublas_sees_one_number_of_rows(model, gpu, x):
    model(x[:1])
    model(x)
    assert {n for _, n, _ in gpu.blas.calls} == {64}
    assert gpu.blas.state["mode"] == 16, "no reduced precision inside a sum"
    assert gpu.blas.state["workspace"] == 32 << 20


def test_cublas_errors(gpu):
    driver = CupyDriver(0)
    driver.prepare_gemm()
    a = driver.upload(np.ones((64, 8), np.float32))
    gpu.blas.cublasGemmEx._function = lambda *args: 13
    with driver.session(), pytest.raises(DeviceError, match=r"cublasGemmEx gives error 13"):
        driver.gemm(a, a, driver.upload(np.ones((64, 64), np.float32)))


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_a_product_of_pitched_matrices(gpu, kind):
    """The layout of every argument, with six different sizes and pitches."""
    rng = np.random.default_rng(0)
    driver = CupyDriver(0)
    a, b = rng.integers(-8, 9, (5, 24)).astype(kind), rng.integers(-8, 9, (7, 16)).astype(kind)
    out = np.zeros((5, 9), np.float32)
    there = [driver.upload(v) for v in (a, b, out)]
    driver.prepare_gemm()
    with driver.session():
        driver.gemm(there[0][:, :11], there[1][:, :11], there[2][:, :7])
    found = driver.read(there[2])
    np.testing.assert_array_equal(found[:, :7], a[:, :11].astype(np.float32) @ b[:, :11].astype(np.float32).T)
    np.testing.assert_array_equal(found[:, 7:], 0)


def test_copies_do_not_overtake_each_other(gpu):
    driver = CupyDriver(0)
    targets = [driver.view(driver.allocate(96), 0, Spec((2, 3, 4), np.dtype(np.float32)), s) for s in ((12, 4, 1), (12, 1, 3))]
    values = [np.full((2, 3, 4), i, np.float64) + np.arange(4) for i in range(2)]
    for target, value in zip(targets, values):
        driver.write(target, value)  # the second overwrites the staging memory of the first
    for target, value in zip(targets, values):
        np.testing.assert_array_equal(driver.read(target), value.astype(np.float32))


def test_machine_code_is_kept(gpu, net, x):
    def run():
        with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32") as model:
            model(x)

    run()
    once = len(gpu.nvrtc.compiled)
    folder = Path(settings().cache) / "kernels"
    assert once == len(list(folder.glob("*.cubin"))) > 3
    assert not list(folder.glob("*.part"))
    run()
    assert len(gpu.nvrtc.compiled) == once


def test_a_cache_that_cannot_be_written(gpu, net, x, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPUCNN_CACHE", str(tmp_path / "file"))
    settings.cache_clear()
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32") as model:
        assert_true(model(x), expected(net, x))


def test_a_kernel_that_does_not_compile(gpu):
    driver = CupyDriver(0)
    broken = source.Source("kernels/broken.cu", 'extern "C" __global__ void f() {\n    nonsense;\n}\n', "digest")
    kernel = driver.kernel(broken, "f", {"HALF": 1})
    with pytest.raises(DeviceError, match=r"kernels/broken.cu does not compile with .*-DHALF=1(.|\n)*kernels/broken.cu\(2\): error"):
        kernel((1, 1, 1), (1, 1, 1), ())


def test_compiled_as_the_emulator_does(gpu):
    """Same language, no flushing of small numbers, no fast mathematics."""
    driver = CupyDriver(0)
    driver._compiler.compile(source.load_source("cast.cu"), {"FROM_HALF": 1, "HALF": 0, "VEC": 1})
    (made,) = gpu.nvrtc.programs.values() or [{}]
    kept = next((Path(settings().cache) / "kernels").glob("*.cubin")).read_text()
    assert made == {}, "the program is destroyed"
    assert '"-arch=sm_80", ' in kept
    assert '"-std=c++17"' in kept
    assert "ftz" not in kept
    assert "fast" not in kept.split('"options"')[1]


def test_a_gpu_newer_than_nvrtc_gets_ptx(gpu, net, x):
    gpu.nvrtc.archs = [70, 75]
    with gpucnn.compile(net, (1, *SHAPE), device="cuda", precision="float32") as model:
        assert_true(model(x), expected(net, x))
    folder = Path(settings().cache) / "kernels"
    assert list(folder.glob("*.ptx"))
    assert not list(folder.glob("*.cubin"))


def test_a_gpu_older_than_nvrtc_knows(gpu, net):
    gpu.nvrtc.archs = [90]
    with pytest.raises(DeviceError, match=r"this NVRTC \(13.0\) does not compile for sm_80"):
        gpucnn.compile(net, (1, *SHAPE), device="cuda")


def test_a_gpu_that_does_not_start(gpu, net, monkeypatch):
    def fails(index):
        raise RuntimeError("cudaErrorDevicesUnavailable")

    monkeypatch.setattr(gpu.cuda, "Device", fails)
    with pytest.raises(DeviceError, match="cuda:0 cannot be started: cudaErrorDevicesUnavailable"):
        gpucnn.compile(net, (1, *SHAPE), device="cuda")


def test_cupy_that_does_not_import(gpu, net, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(DeviceError, match="CuPy cannot be imported"):
        gpucnn.compile(net, (1, *SHAPE), device="cuda")


def test_no_headers(gpu, net, monkeypatch):
    monkeypatch.setattr(cupy_driver, "find_headers", lambda cuda: None)
    with pytest.raises(DeviceError, match=r"cuda_fp16.h of CUDA 13 was not found; `gpucnn devices`"):
        gpucnn.compile(net, (1, *SHAPE), device="cuda")


def test_devices_are_listed(gpu, capsys):
    assert [d.usable for d in device.devices()] == [True, True]
    assert cli.main(["devices"]) == 0
    assert "cuda:0  NVIDIA A100, sm_80, 40 GiB, driver for CUDA 13.0\n" in capsys.readouterr().out


def test_classify_says_the_same_as_on_the_cpu(gpu, capsys):
    """The whole EfficientNet-Lite0 on three photographs, every kernel emulated."""
    photos = str(Path(gpucnn.__file__).parent / "data" / "photos")
    said = {}
    for options in (("-d", "cpu"), ("-d", "cuda", "-p", "float32"), ()):
        assert cli.main(["classify", photos, "-k", "2", "-f", "jsonl", *options]) == 0
        out, err = capsys.readouterr()
        said[options] = [[p["label"] for p in json.loads(line)["predictions"]] for line in out.splitlines()], err
    assert len({str(rows) for rows, _ in said.values()}) == 1
    assert "precision float32; device cpu (asked for)" in said["-d", "cpu"][1]
    assert "precision float32; device cuda:0 (NVIDIA A100" in said["-d", "cuda", "-p", "float32"][1]
    assert "precision float16; device cuda:0 (NVIDIA A100" in said[()][1]


def test_inspect_and_bench(gpu, capsys, tmp_path):
    assert cli.main(["inspect", "-p", "float16"]) == 0
    out = capsys.readouterr().out
    assert "efficientnet_lite0 on cuda:0 in float16" in out
    assert "conv_igemm_mma" in out
    assert "reference" not in out
    np.savez(tmp_path / "lenet5.npz", **zoo.create("lenet5").state_dict())
    assert cli.main(["bench", "lenet5", "-w", str(tmp_path / "lenet5.npz"), "--seconds", "0.01", "--layers", "-b", "2"]) == 0
    out = capsys.readouterr().out
    assert "lenet5 on cuda:0 (NVIDIA A100, sm_80" in out
    assert "one program of 2 images, step by step" in out


def test_a_gpu_array_for_a_model_on_the_cpu(net):
    class Elsewhere:
        __cuda_array_interface__ = {}  # noqa: RUF012
        shape = (1, *SHAPE)

    said = r"'input': the array \(Elsewhere\) lies on a GPU"
    with gpucnn.compile(net, (1, *SHAPE), device="cpu") as model, pytest.raises(ShapeError, match=said):
        model(Elsewhere())


def test_the_library_is_found_or_named(monkeypatch):
    def none(name, cuda):
        raise DeviceError("no")

    monkeypatch.setattr(probe, "find_library", none)
    monkeypatch.setattr(probe, "find_headers", lambda cuda: None)
    said = probe.toolkit_problem(13000, {})
    assert said.startswith("NVRTC (it compiles the kernels), cuBLAS (dense layers), the CUDA headers (cuda_fp16.h) not found")
    assert "nvidia-cublas-cu12" in probe.toolkit_problem(12040, {})
    assert "nvidia-cublas-cu12" in probe.toolkit_problem(13000, {"cupy-cuda12x": "14.0.0"})
    with pytest.raises(DeviceError):
        cublas.find_library("no such library", 13)


@pytest.mark.parametrize(
    ("path", "cuda", "said"),
    [
        ("/x/nvidia/cu13/lib/libcublas.so.13", 13, ""),
        ("/x/nvidia/cu13/lib/libcublas.so.13", 12, "is of CUDA 13, CuPy's is 12: uninstall the wheels of CUDA 13"),
        (r"C:\x\cublas64_12.dll", 13, "is of CUDA 12, CuPy's is 13"),
        (r"C:\x\nvrtc64_130_0.dll", 13, ""),
    ],
)
def test_a_library_of_another_cuda(path, cuda, said, monkeypatch):
    pathfinder = SimpleNamespace(load_nvidia_dynamic_lib=lambda name: SimpleNamespace(abs_path=path))
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(pathfinder=pathfinder))
    if said:
        with pytest.raises(DeviceError, match=said):
            probe.find_library("any", cuda)
        monkeypatch.setattr(probe, "find_headers", lambda cuda: Path())
        assert said.split(" is ")[-1] in probe.toolkit_problem(1000 * cuda, {})
    else:
        assert probe.find_library("any", cuda) == path


def test_a_cupy_that_does_not_say_its_cuda(monkeypatch):
    """Conda's, or one built from source: parts of either CUDA that the driver knows will do, and no second CuPy is advised."""
    pathfinder = SimpleNamespace(load_nvidia_dynamic_lib=lambda name: SimpleNamespace(abs_path=f"/opt/conda/lib/lib{name}.so.12"))
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(pathfinder=pathfinder))
    monkeypatch.setattr(probe, "find_headers", lambda cuda: Path() if cuda == 12 else None)
    assert probe.toolkit_problem(13000, {"cupy": "14.0.1"}) == ""
    assert probe.toolkit_problem(12040, {"cupy": "14.0.1"}) == ""
    monkeypatch.setattr(probe, "find_headers", lambda cuda: None)
    said = probe.toolkit_problem(12040, {"cupy": "14.0.1"})
    assert said.startswith("the CUDA headers (cuda_fp16.h) not found beside CuPy: install them as CuPy was installed")
    assert "pip" not in said


def test_headers_of_another_cuda(monkeypatch, tmp_path):
    for part, version in (("cu13", 13000), ("cuda_runtime", 12090)):
        folder = tmp_path / "nvidia" / part / "include"
        folder.mkdir(parents=True)
        (folder / "cuda_fp16.h").write_text("")
        (folder / "cuda_runtime_api.h").write_text(f"#define CUDART_VERSION  {version}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setitem(sys.modules, "cuda", None)
    assert probe.find_headers(13).parent.name == "cu13"
    assert probe.find_headers(12).parent.name == "cuda_runtime"
    assert probe.find_headers(14) is None
