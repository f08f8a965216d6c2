"""The emulator computes what a GPU would, finds the bugs that it says it finds, and refuses what a GPU refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from close import gamma

from emulator import CompileError, Kernel, KernelError, LaunchError, Module, UnsupportedPtxError, build, compile_cubin_log, programs

EPS = 2.0**-24
"""Half a unit in the last place of float32, the type of all sums here."""


def kernel(source: str, name: str, *options: str, arch: str = "80", check: bool = False) -> Kernel:
    return Module(source, f"{name}.cu", options, arch, check).get_function(name)


def within_sum(got: np.ndarray, a: np.ndarray, b: np.ndarray) -> bool:
    """Whether ``got`` is ``a @ b`` up to the rounding of float32 sums in any order (Higham 2002, 3.1)."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    bound = gamma(a.shape[1] + 1, EPS) * (np.abs(a) @ np.abs(b))
    return bool((np.abs(got - a @ b) <= bound).all())


def add(n: int = 1000, *, arch: str = "80", check: bool = False) -> None:
    a, b, c = np.random.default_rng(0).random((3, n), np.float32)
    kernel(programs.ADD, "add", arch=arch, check=check)(((n + 127) // 128,), (128,), (a, b, c, np.int32(n)))
    np.testing.assert_array_equal(c, a + b)


def gemm_f16(*options: str, shape: tuple[int, int, int] = (70, 90, 104), arch: str = "80", check: bool = False) -> bool:
    """Runs the pipelined GEMM on tensor cores; whether the result is right."""
    m, n, k = shape
    rng = np.random.default_rng(m)
    a, b = rng.standard_normal((m, k)).astype(np.float16), rng.standard_normal((n, k)).astype(np.float16)
    c = np.full((m, n), np.nan, np.float32)
    run = kernel(programs.GEMM_F16, "gemm", *options, arch=arch, check=check)
    run(((n + 63) // 64, (m + 63) // 64), (128,), (a, b, c, np.int32(m), np.int32(n), np.int32(k)), shared_mem=3 * 128 * 64)
    return within_sum(c, a, b.T)


def gemm_f32(*options: str, shape: tuple[int, int, int] = (70, 45, 100), check: bool = False) -> bool:
    m, n, k = shape
    rng = np.random.default_rng(k)
    a, b = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((k, n)).astype(np.float32)
    c = np.full((m, n), np.nan, np.float32)
    run = kernel(programs.GEMM_F32, "gemm", *options, check=check)
    run(((n + 31) // 32, (m + 31) // 32), (32, 8), (a, b, c, np.int32(m), np.int32(n), np.int32(k)))
    return within_sum(c, a, b)


class TestResults:
    @pytest.mark.parametrize("arch", ["75", "80", "90", "120"])
    @pytest.mark.parametrize("check", [False, True])
    def test_add(self, arch, check):
        add(arch=arch, check=check)

    @pytest.mark.parametrize("check", [False, True])
    def test_reduction_by_shuffles(self, check):
        x = np.random.default_rng(1).standard_normal((5, 777)).astype(np.float32)
        total, largest = np.zeros((2, 5), np.float32)
        kernel(programs.REDUCE, "reduce", check=check)((5,), (96,), (x, total, largest, np.int32(777)))
        assert within_sum(total, x, np.ones(777))
        np.testing.assert_array_equal(largest, x.max(axis=1))

    @pytest.mark.parametrize("check", [False, True])
    def test_tiled_gemm(self, check):
        assert gemm_f32(check=check)

    @pytest.mark.parametrize("arch", ["80", "90", "100"])
    @pytest.mark.parametrize("shape", [(64, 64, 32), (70, 90, 104), (1, 3, 8), (130, 64, 256)])
    def test_tensor_core_gemm(self, arch, shape):
        assert gemm_f16(arch=arch, shape=shape)

    def test_tensor_core_gemm_in_check_mode(self):
        assert gemm_f16(check=True)

    def test_two_stages(self):
        assert gemm_f16("-DSTAGES=2", check=True)

    @pytest.mark.parametrize("arch", ["75", "80"])
    @pytest.mark.parametrize("check", [False, True])
    def test_tensor_core_gemm_of_turing(self, arch, check):
        rng = np.random.default_rng(2)
        a, b = rng.standard_normal((16, 40)).astype(np.float16), rng.standard_normal((40, 8)).astype(np.float16)
        d = np.zeros((16, 8), np.float32)
        kernel(programs.GEMM_K8, "gemm", arch=arch, check=check)((1,), (32,), (a, b, d, np.int32(5)))
        assert within_sum(d, a, b)


class TestBugs:
    """Each bug is found: by check mode with its place, or because the result is wrong. ``test_planted_bugs.py`` does it in our kernels.

    ======================================= =============================================================
    missing barrier                         NO_FIRST_BARRIER, small ones
    second barrier of a pipelined loop      NO_SECOND_BARRIER, both sides of a race
    wrong wait count                        WAIT=STAGES, with check mode and by the result
    off-by-one read, write                  READ_PAST_END, WRITE_PAST_END; of shared memory: small ones
    misaligned vector                       small ones; cp.async and ldmatrix
    swapped operands of mma, stray .trans   SWAPPED_OPERANDS, STRAY_TRANS, by the result
    dropped src-size                        NO_SOURCE_SIZE, by the result
    ======================================= =============================================================
    """

    @pytest.mark.parametrize(
        ("bug", "message"),
        [
            ("-DNO_FIRST_BARRIER", r"race|no thread has written yet \(uninitialised, or a barrier is missing\)"),
            ("-DNO_SECOND_BARRIER", "race|in flight"),
            ("-DWAIT=STAGES", "in flight"),
            ("-DREAD_PAST_END", r"gemm.cu:\d+.*out of bounds: read of 16 bytes at byte \d+ of argument [01]"),
            ("-DWRITE_PAST_END", r"gemm.cu:\d+.*out of bounds: write of 4 bytes at byte \d+ of argument 2"),
        ],
    )
    def test_found_by_check_mode(self, bug, message):
        with pytest.raises(KernelError, match=message):
            gemm_f16(bug, check=True)

    def test_both_sides_of_a_race_are_named(self):
        message = r"gemm.cu:14: race: read of byte \d+ of [ab]t by thread \d+; written by thread \d+ .* at gemm.cu:9, and no barrier"
        with pytest.raises(KernelError, match=message):
            gemm_f32("-DNO_SECOND_BARRIER", check=True)

    @pytest.mark.parametrize("bug", ["-DSWAPPED_OPERANDS", "-DSTRAY_TRANS", "-DNO_SOURCE_SIZE", "-DWAIT=STAGES"])
    def test_makes_the_result_wrong(self, bug):
        assert not gemm_f16(bug)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("__shared__ float s[64]; if (i < 30) s[i] = 1; __syncthreads(); y[i] = s[i];", r"no thread has written yet .*: byte \d+ of s"),
            ("__shared__ float s[32], t[32]; s[i] = t[i] = i; __syncthreads(); y[i] = s[i + 1];", "byte 128 of s, which has 128 bytes"),
            ("*(float4*)(y + 1 + 4 * (i & 1)) = make_float4(1, 2, 3, 4);", "misaligned write of 16 bytes at byte 4 of argument 0"),
            (
                "__shared__ __align__(16) float s[132]; for (int j = 0; j < 4; j++) s[i * 4 + j] = i; __syncthreads();"
                " float4 v = *(float4*)(s + 2 * i); y[i] = v.x + v.y + v.z + v.w;",
                r"misaligned read of 16 bytes at byte \d+ of s",
            ),
            ("if (i > 7) return; __syncthreads(); y[i] = i;", "__syncthreads was reached by only 8 of 32 threads; the others have exited"),
            ("if (i > 7) __syncthreads(); else { y[i] = i; __syncthreads(); }", "warp 0 is divided between two __syncthreads"),
            ("__shared__ float s[32]; s[i] = i; y[i] = s[i ^ 1];", "race: read of byte|no thread has written yet"),
            ("y[i] = blockIdx.x;", "race: write of byte 0 .*a thread of another block"),
            ("y[0] = i;", "race: write of byte 0 of argument 0 by thread 1; written by thread 0"),
            ("y[i] = 1; y[-1] = 2;", "out of bounds: write of 4 bytes at byte -4 of argument 0"),
            ("const_cast<float*>(x)[i] = 1; y[0] = 0;", "write of argument 1, which is read-only"),
            ("y[i] = __shfl_sync(i < 16 ? 0xffffu : 0xffff0000u, x[i], (i + 16) % 32);", "reads lane 16, which takes no part"),
            ("float v = x[i]; if (i < 5) v = __shfl_xor_sync(~0u, v, 1); y[i] = v; if (i >= 5) __syncwarp(0x7fu);", "not in its own mask"),
            ("*(float*)0x1000 = y[i];", "out of bounds: write of 4 bytes"),
        ],
    )
    def test_small_ones(self, body, message):
        source = f'extern "C" __global__ void bug(float* y, const float* x) {{ int i = threadIdx.x; {body} }}'
        x = np.ones(64, np.float32)
        x.flags.writeable = False
        with pytest.raises(KernelError, match=message):
            kernel(source, "bug", check=True)((2,), (32,), (np.zeros(64, np.float32), x))

    @pytest.mark.parametrize("check", [False, True])
    @pytest.mark.parametrize(
        ("instruction", "message"),
        [
            ("cp.async.cg.shared.global [%0 + 8], [%1], 16;", "cp.async: misaligned copy of 16 bytes"),
            ("cp.async.cg.shared.global [%0], [%1 + 4], 16;", "cp.async: misaligned copy of 16 bytes"),
            ("cp.async.ca.shared.global [%0 + 2], [%1], 4;", "cp.async: misaligned copy of 4 bytes"),
            ("{.reg .b32 r; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {r}, [%0 + 8];}", "ldmatrix: row address .* is not a multiple of 16"),
        ],
    )
    def test_misaligned_instructions(self, instruction, message, check):
        source = r"""extern "C" __global__ void bug(const float* x) {
            __shared__ __align__(16) float s[256];
            for (int j = threadIdx.x; j < 256; j += 32) s[j] = 0.f;
            __syncthreads();
            unsigned to = (unsigned)__cvta_generic_to_shared(s + threadIdx.x * 4);
            asm volatile("INSTRUCTION" :: "r"(to), "l"(x + threadIdx.x * 4) : "memory");
        }""".replace("INSTRUCTION", instruction)
        raw = np.zeros(256, np.float32)
        start = -raw.ctypes.data % 16 // 4
        with pytest.raises(KernelError, match=message):
            kernel(source, "bug", check=check)((1,), (32,), (raw[start:],))

    def test_legal_orders_are_not_reported(self):
        source = r"""extern "C" __global__ void fine(float* y, int* count) {
            __shared__ float s[64];
            int i = threadIdx.x;
            s[i] = i; __syncwarp();
            float v = s[i ^ 1]; __syncthreads();
            s[63 - i] = v; __syncthreads();
            if (i < 32) { y[blockIdx.x * 32 + i] = s[i] + s[63 - i]; atomicAdd(count, 1); }
        }"""
        y, count = np.zeros(96, np.float32), np.zeros(1, np.int32)
        kernel(source, "fine", check=True)((3,), (64,), (y, count))
        i = np.arange(32)
        np.testing.assert_array_equal(y, np.tile(((63 - i) ^ 1) + (i ^ 1), 3))
        assert count[0] == 96

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("if (i < 5) y[i] = __shfl_xor_sync(~0u, y[i], 1); else __syncthreads();", "deadlock: .*5 threads wait at __shfl_sync"),
            ("while (*(volatile float*)y == 0.f) {}", "time limit met"),
            ("*(volatile float*)0x10 = 1;", "segmentation fault at 0x10"),
            ("volatile float a[80000]; for (int j = 0; j < 80000; j++) a[j] = j; y[i] = a[i];", "stack overflow"),
            ("__trap();", "trap"),
            ("*(float4*)(y + 1) = make_float4(1, 2, 3, 4);", "misaligned write of 16 bytes"),
            (
                'asm volatile("st.shared.f32 [%0], %1;" :: "r"((unsigned)(size_t)y), "f"(1.f) : "memory");',
                "lies outside the 0 bytes",
            ),
        ],
    )
    def test_found_without_check_mode(self, body, message, monkeypatch):
        monkeypatch.setenv("GPUCNN_EMULATOR_SECONDS", "0.2")
        source = f'extern "C" __global__ void bug(float* y) {{ int i = threadIdx.x; {body} }}'
        with pytest.raises(KernelError, match=message):
            kernel(source, "bug")((1,), (64,), (np.zeros(64, np.float32),))


class TestLaunches:
    @pytest.fixture
    def run(self) -> Kernel:
        return kernel(programs.ADD, "add")

    @pytest.mark.parametrize(
        ("grid", "block", "shared", "message"),
        [
            ((1,), (1025,), 0, "1025 threads; the most is 1024"),
            ((1,), (2, 2, 65), 0, "64 along z"),
            ((1, 70000), (32,), 0, "65535"),
            ((0,), (32,), 0, "must be positive"),
            ((1,), (32,), 50000, "50000 bytes of dynamic shared memory; allowed are 49152"),
            ((1, 1, 1, 1), (32,), 0, "one to three extents"),
        ],
    )
    def test_refused(self, run, grid, block, shared, message):
        x = np.zeros(8, np.float32)
        with pytest.raises(LaunchError, match=message):
            run(grid, block, (x, x, x, np.int32(8)), shared_mem=shared)

    @pytest.mark.parametrize(
        ("last", "message"),
        [
            (8, "of no definite size"),
            (np.int64(8), "int64"),
            (np.float32(8), "float32"),
            (None, "is a pointer"),
            (np.zeros(2), "is a pointer"),
        ],
    )
    def test_arguments_refused(self, run, last, message):
        x = np.zeros(8, np.float32)
        with pytest.raises(LaunchError, match=message):
            run((1,), (32,), (x, x, x, last))

    def test_number_of_arguments(self, run):
        with pytest.raises(LaunchError, match="4 parameters, 2 arguments"):
            run((1,), (32,), (np.zeros(8, np.float32), np.int32(8)))

    def test_launch_bounds(self):
        run = kernel(programs.GEMM_F16, "gemm")
        assert run.max_threads_per_block == 128
        with pytest.raises(LaunchError, match="__launch_bounds__ says 128"):
            run((1,), (256,), (None, None, None, np.int32(0), np.int32(0), np.int32(0)))

    @pytest.mark.parametrize(("arch", "most"), [("75", 64), ("80", 163), ("86", 99), ("90", 227)])
    def test_shared_memory_of_architectures(self, arch, most):
        run = kernel(programs.ADD, "add", arch=arch)
        run.max_dynamic_shared_size_bytes = most << 10
        run((1,), (32,), (None, None, None, np.int32(0)), shared_mem=most << 10)
        with pytest.raises(LaunchError, match="dynamic shared memory"):
            run.max_dynamic_shared_size_bytes = (most << 10) + 1

    def test_static_shared_memory_counts(self):
        run = kernel(programs.GEMM_F32, "gemm")
        assert run.shared_size_bytes == 32 * 33 * 4 + 32 * 32 * 4
        assert run.max_dynamic_shared_size_bytes == 49152 - run.shared_size_bytes

    def test_views_pass_their_first_element(self, run):
        whole = np.arange(40, dtype=np.float32)
        out = np.zeros((4, 4), np.float32)
        run((1,), (32,), (whole[8:], whole[16:24], out[1:], np.int32(8)))
        np.testing.assert_array_equal(out.ravel()[4:12], whole[8:16] + whole[16:24])
        assert not out[0].any()
        assert not out[3].any()

    def test_check_mode_allows_the_whole_base(self):
        run = kernel(programs.ADD, "add", check=True)
        arena = np.zeros(24, np.float32)
        run((1,), (32,), (arena[8:12], arena[:4], arena[16:20], np.int32(8)))
        with pytest.raises(KernelError, match="argument 0, 1, 2, which has 96 bytes"):
            run((1,), (32,), (arena[8:12], arena[:4], arena[20:], np.int32(8)))

    def test_threads_may_launch_at_the_same_time(self):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: add(1000 + 100 * i, check=i % 2 == 1), range(16)))

    def test_unknown_kernel(self):
        with pytest.raises(LaunchError, match="no kernel 'sub'; it has: add"):
            Module(programs.ADD, "add.cu").get_function("sub")


class TestCompilers:
    def test_a_mistake_in_the_source_shows_the_log(self):
        with pytest.raises(CompileError, match=r'kernels/x.cu\(7\): error: identifier "j" is undefined'):
            Module('#line 7 "kernels/x.cu"\nextern "C" __global__ void k(float* y) { y[j] = 0; }', "k.cu")

    def test_unknown_instruction_is_named(self):
        source = 'extern "C" __global__ void k(int* y) { asm volatile("isspacep.shared p, %0;" :: "l"(y)); }'.replace("p,", "p_,")
        source = source.replace('asm volatile("', 'asm volatile("{.reg .pred p_; ').replace(';" ::', ';}" ::')
        with pytest.raises(UnsupportedPtxError, match=r"k, k.cu:1: the emulator does not know `isspacep.shared p_, %rd\d`"):
            kernel(source, "k")

    def test_instruction_of_a_later_architecture(self):
        with pytest.raises(UnsupportedPtxError, match="sm_75 has no `cp.async"):
            kernel(programs.GEMM_F16, "gemm", arch="75")

    @pytest.mark.parametrize("arch", ["75", "80", "90", "120"])
    def test_resources(self, arch):
        found = compile_cubin_log(programs.GEMM_F32, "gemm.cu", (), arch)["gemm"]
        assert 16 <= found.registers <= 255
        assert (found.spill_stores, found.spill_loads) == (0, 0)
        assert 32 * 33 * 4 + 32 * 32 * 4 <= found.shared <= 32 * 33 * 4 + 32 * 32 * 4 + 1024

    def test_spills_are_reported(self):
        loads = " ".join(f"float v{i} = x[{i} * n];" for i in range(64))
        stores = " ".join(f"x[{i} * n] = v{63 - i};" for i in range(64))
        source = f'extern "C" __global__ void k(float* x, int n) {{ {loads} __syncthreads(); {stores} }}'
        found = compile_cubin_log(source, "k.cu", ("--maxrregcount=32",))["k"]
        assert found.registers <= 32
        assert found.spill_stores > 0

    @pytest.fixture
    def empty_cache(self, tmp_path, monkeypatch):
        """A cache that holds the runtime and nothing else."""
        runtime = Path(build.runtime_library()._name)
        shutil.copy(runtime, tmp_path / runtime.name)
        build.cache_folder.cache_clear()
        monkeypatch.setenv("GPUCNN_EMULATOR_CACHE", str(tmp_path))
        yield tmp_path
        build.cache_folder.cache_clear()

    def test_the_cache_is_used_and_keyed_by_everything(self, empty_cache, monkeypatch):
        source = 'extern "C" __global__ void k(int* y) { y[0] = VALUE; }'
        y = np.zeros(1, np.int32)
        for value in (1, 2, 1):
            kernel(source, "k", f"-DVALUE={value}")((1,), (1,), (y,))
            assert y[0] == value
        assert len(list(empty_cache.glob("*.ptx"))) == 2
        assert len(list(empty_cache.glob("*.cpp"))) == 2
        monkeypatch.setattr(build, "_compile", None)
        kernel(source, "k", "-DVALUE=2")((1,), (1,), (y,))
        assert y[0] == 2

    def test_processes_share_the_cache(self, empty_cache):
        code = "import numpy as np; from emulator import Module, programs; x = np.ones(8, 'f')\n"
        code += "Module(programs.ADD, 'add.cu').get_function('add')((1,), (8,), (x, x, x, np.int32(8))); assert x[7] == 2"
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        both = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(2)]
        assert [process.wait() for process in both] == [0, 0]
        assert sorted(path.suffix for path in empty_cache.iterdir()) == [".cpp", ".ptx", ".so", ".so"]
