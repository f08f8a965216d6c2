"""CuPy as it is installed here, if it is: it has what the driver uses, and its NVRTC compiles our kernels. No GPU is needed for that."""

from __future__ import annotations

import pytest

from gpucnn.backends.cuda import probe, source
from gpucnn.backends.cuda.compiler import Compiler
from gpucnn.backends.cuda.cublas import _SIGNATURES
from gpucnn.errors import DeviceError

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")

USED = """
    ndarray empty asarray from_dlpack RawModule get_default_memory_pool lib.stride_tricks.as_strided
    cuda.Device cuda.Stream cuda.Event cuda.alloc cuda.alloc_pinned_memory cuda.get_current_stream cuda.get_elapsed_time
    cuda.Stream.begin_capture cuda.Stream.end_capture cuda.Stream.synchronize cuda.Stream.record cuda.Stream.wait_event
    cuda.Event.record cuda.Event.synchronize cuda.memory.OutOfMemoryError cuda.MemoryPointer.copy_from_host_async
    cuda.runtime.deviceGetAttribute cuda.runtime.memGetInfo cuda.graph.Graph.launch RawKernel.max_dynamic_shared_size_bytes
    cuda.nvrtc.createProgram cuda.nvrtc.compileProgram cuda.nvrtc.getCUBIN cuda.nvrtc.getProgramLog cuda.nvrtc.destroyProgram
    moveaxis ndarray.copy cuda.nvrtc.getVersion cuda.nvrtc.getSupportedArchs cuda.nvrtc.getPTX
"""


@pytest.mark.parametrize("name", USED.split())
def test_what_the_driver_uses_is_there(name):
    found = cupy
    for part in name.split("."):
        found = getattr(found, part)


@pytest.fixture
def compiler(tmp_path):
    headers = probe.find_headers(cupy.cuda.nvrtc.getVersion()[0])
    if headers is None:
        pytest.skip("the CUDA headers are not installed")
    made = Compiler(cupy.cuda.nvrtc, 90, headers, tmp_path, 2)
    yield made
    made.close()


def test_kernels_compile_to_machine_code(compiler):
    jobs = [compiler.submit(source.load_source("cast.cu"), {"FROM_HALF": 1, "HALF": 0, "VEC": vec}) for vec in (1, 4)]
    codes = [job.result().read_bytes() for job in jobs]
    assert all(code.startswith(b"\x7fELF") for code in codes)
    assert codes[0] != codes[1]


def test_an_architecture_of_tomorrow_gets_ptx(tmp_path):
    headers = probe.find_headers(cupy.cuda.nvrtc.getVersion()[0])
    if headers is None:
        pytest.skip("the CUDA headers are not installed")
    made = Compiler(cupy.cuda.nvrtc, 999, headers, tmp_path, 1)
    path = made.compile(source.load_source("cast.cu"), {"FROM_HALF": 1, "HALF": 0, "VEC": 1})
    assert path.suffix == ".ptx"
    assert ".entry cast(" in path.read_text()


def test_an_error_has_the_compilers_words(compiler):
    broken = source.Source("kernels/broken.cu", "#include <cuda_fp16.h>\nnonsense;\n", "digest")
    with pytest.raises(DeviceError, match=r"kernels/broken.cu\(2\): error"):
        compiler.compile(broken, {})


def test_cublas_has_the_functions():
    try:
        path = probe.find_library("cublas", cupy.cuda.nvrtc.getVersion()[0])
    except DeviceError as error:
        pytest.skip(str(error))
    import ctypes

    library = ctypes.CDLL(path)
    for name in _SIGNATURES:
        getattr(library, name)
