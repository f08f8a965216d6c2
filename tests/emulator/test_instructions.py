"""What single instructions compute, held to NumPy and to Python's integers, for the PTX of old and of new architectures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from emulator import Kernel, KernelError, Module

ARCHS = ("75", "80", "100")


def kernel(body: str, signature: str, arch: str, *, before: str = "", check: bool = True, options: tuple[str, ...] = ()) -> Kernel:
    source = f'{before}\nextern "C" __global__ void k({signature}) {{ int i = blockIdx.x * blockDim.x + threadIdx.x; {body} }}'
    return Module(source, "k.cu", options, arch, check).get_function("k")


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(3).standard_normal(64).astype(np.float32)


UNARY = {
    "1.f / (1.f + __expf(-v))": lambda v: 1 / (1 + np.exp(-v)),
    "tanhf(v)": np.tanh,
    "expf(v)": np.exp,
    "expm1f(v)": np.expm1,
    "logf(fabsf(v) + .1f)": lambda v: np.log(np.abs(v) + 0.1),
    "log1pf(expf(v))": lambda v: np.log1p(np.exp(v)),
    "sqrtf(fabsf(v))": lambda v: np.sqrt(np.abs(v)),
    "rsqrtf(fabsf(v) + 1)": lambda v: 1 / np.sqrt(np.abs(v) + 1),
    "v / 3.7f": lambda v: v / 3.7,
    "__fdividef(v, 1.7f)": lambda v: v / 1.7,
    "sinf(v * 9.f)": lambda v: np.sin(v * 9),
    "sinf(v * 1e6f)": lambda v: np.sin((v.astype(np.float32) * np.float32(1e6)).astype(np.float64)),
    "cosf(v)": np.cos,
    "powf(fabsf(v), 2.3f)": lambda v: np.abs(v) ** 2.3,
    "fmodf(v, .3f)": lambda v: np.fmod(v, float(np.float32(0.3))),
    "rintf(v * 10)": lambda v: np.rint((v.astype(np.float32) * np.float32(10)).astype(np.float64)),
    "floorf(v) + ceilf(v) + truncf(v)": lambda v: np.floor(v) + np.ceil(v) + np.trunc(v),
    "(float)((double)v * 1.1)": lambda v: v * 1.1,
    "erff(v)": np.vectorize(math.erf),
    "erfcf(v)": np.vectorize(math.erfc),
    "__saturatef(v)": lambda v: np.clip(v, 0, 1),
    "copysignf(2.f, v)": lambda v: np.copysign(2, v),
    "fminf(fmaxf(v, -.5f), 6.f)": lambda v: np.clip(v, -0.5, 6),
}


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("options", [(), ("--use_fast_math",)])
def test_float_functions(x, arch, options):
    cases = " ".join(f"case {i}: r = {code}; break;" for i, code in enumerate(UNARY))
    body = f"float v = x[i], r = 0; switch (mode) {{ {cases} }} y[i] = r;"
    run = kernel(body, "const float* x, float* y, int mode", arch, options=options)
    y = np.zeros_like(x)
    for mode, (code, reference) in enumerate(UNARY.items()):
        if options and "1e6" in code:  # the fast sine has no range reduction
            continue
        run((2,), (32,), (x, y, np.int32(mode)))
        expected = reference(x.astype(np.float64))
        slack = 64 if options else 8  # units in the last place: CUDA's own bounds for these functions are 1 to 5
        np.testing.assert_allclose(y, expected, rtol=slack * 2.0**-23, atol=slack * 2.0**-23, err_msg=code)


@pytest.mark.parametrize("arch", ARCHS)
def test_nan_and_signed_zero(arch):
    a = np.array([np.nan, 1, np.nan, -0.0, 0.0, -np.inf], np.float32)
    b = np.array([2, np.nan, np.nan, 0.0, -0.0, np.inf], np.float32)
    y = np.zeros((5, 6), np.float32)
    body = """y[i] = fminf(a[i], b[i]); y[6 + i] = fmaxf(a[i], b[i]);
        y[12 + i] = a[i] < b[i]; y[18 + i] = !(a[i] >= b[i]); y[24 + i] = a[i] != b[i];"""
    kernel(body, "const float* a, const float* b, float* y", arch)((1,), (6,), (a, b, y))
    np.testing.assert_array_equal(y[0], np.array([2, 1, np.nan, -0.0, -0.0, -np.inf], np.float32))
    assert np.signbit(y[0, 3:5]).all()
    np.testing.assert_array_equal(y[1], np.array([2, 1, np.nan, 0, 0, np.inf], np.float32))
    assert not np.signbit(y[1, 3:5]).any()
    np.testing.assert_array_equal(y[2], a < b)
    np.testing.assert_array_equal(y[3], ~(a >= b))
    np.testing.assert_array_equal(y[4], a != b)


@pytest.mark.parametrize("arch", ARCHS)
def test_denormals_are_flushed_where_asked(arch):
    x, y = np.full(4, 1e-39, np.float32), np.zeros(4, np.float32)
    kernel("y[i] = x[i] + x[i];", "const float* x, float* y", arch)((1,), (4,), (x, y))
    np.testing.assert_array_equal(y, x + x)
    kernel("y[i] = x[i] + x[i];", "const float* x, float* y", arch, options=("--ftz=true",))((1,), (4,), (x, y))
    assert not y.any()


@pytest.mark.parametrize("arch", ARCHS)
def test_half_arithmetic(arch):
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((2, 64)).astype(np.float16)
    y, z = np.zeros((2, 64), np.float16)
    body = """half2 r = __hfma2(a[i], b[i], __hadd2(a[i], __float2half2_rn(.5f)));
        y[i] = __hmax2(r, __float2half2_rn(0.f));
        float2 f = __half22float2(a[i]); z[i] = __floats2half2_rn(f.y * 3.f, f.x);"""
    kernel(body, "const half2* a, const half2* b, half2* y, half2* z", arch, before="#include <cuda_fp16.h>")((1,), (32,), (a, b, y, z))
    exact = a.astype(np.float64) * b + (a + np.float16(0.5)).astype(np.float64)
    np.testing.assert_array_equal(y, np.maximum(exact.astype(np.float16), np.float16(0)))
    np.testing.assert_array_equal(z[0::2], (a[1::2].astype(np.float32) * np.float32(3)).astype(np.float16))
    np.testing.assert_array_equal(z[1::2], a[0::2])


@pytest.mark.parametrize("arch", ARCHS)
def test_half_scalars_and_comparisons(arch):
    a = np.random.default_rng(5).standard_normal(64).astype(np.float16)
    y, inside = np.zeros(64, np.float16), np.zeros(64, np.int32)
    body = """half v = a[i]; y[i] = __hlt(v, __float2half(0.f)) ? hexp(v) : v * v + __float2half(1.f);
        n[i] = __half2int_rz(v * __float2half(100.f));"""
    kernel(body, "const half* a, half* y, int* n", arch, before="#include <cuda_fp16.h>")((1,), (64,), (a, y, inside))
    wide = a.astype(np.float64)
    np.testing.assert_allclose(y, np.where(wide < 0, np.exp(wide), wide * wide + 1), rtol=2.0**-9)
    np.testing.assert_array_equal(inside, np.trunc(a * np.float16(100)).astype(np.int32))


@pytest.mark.parametrize("arch", ARCHS)
def test_bfloat16(arch):
    f = np.random.default_rng(6).standard_normal(64).astype(np.float32)
    a = (f.view(np.uint32) >> 16).astype(np.uint16)
    y, z = np.zeros(64, np.uint16), np.zeros(64, np.float32)
    body = "float f = __bfloat162float(a[i]); y[i] = __float2bfloat16(f * 1.3f); z[i] = __bfloat162float(__hadd(a[i], a[i]));"
    kernel(body, "const __nv_bfloat16* a, __nv_bfloat16* y, float* z", arch, before="#include <cuda_bf16.h>")((1,), (64,), (a, y, z))
    wide = (a.astype(np.uint32) << 16).view(np.float32)
    got = (y.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_allclose(got, wide * np.float32(1.3), rtol=2.0**-8)
    np.testing.assert_array_equal(z, 2 * wide)


def integers(v: int, i: int) -> int:
    """What the kernel of test_integers computes, by Python."""
    u = v % 2**32
    towards_zero = abs(v) // 7 * (1 if v >= 0 else -1)
    signed = [((u >> 8 * k & 255) ^ 128) - 128 for k in range(4)]
    by3 = u * 3 % 2**32
    octets = [u >> 8 * k & 255 for k in range(4)] + [by3 >> 8 * k & 255 for k in range(4)]
    permuted = sum(octets[0x3715 >> 4 * k & 7] << 8 * k for k in range(4))
    funnel = ((u * 5 % 2**32 << 32 | u) << (i & 31) >> 32) % 2**32
    total = v * v // (i + 3) + v - 7 * towards_zero
    total += u.bit_count() + (32 - u.bit_length()) + int(f"{u:032b}"[::-1], 2) % 1000
    total += u // 13 + u % (i + 5) + (u * 0x9E3779B9 >> 32) + sum(s * s for s in signed) + 3 + permuted % 97 + funnel % 91
    return total + (u >> 5 & 0x7FF) + min(v, i) + max(u, 7)


@pytest.mark.parametrize("arch", ARCHS)
def test_integers(arch):
    v = np.random.default_rng(7).integers(-(2**31), 2**31 - 1, 64).astype(np.int32)
    y = np.zeros(64, np.int64)
    body = """int v = a[i]; unsigned u = v;
        long long q = (long long)v * v / (i + 3) + v % 7 + __popc(v) + __clz(v) + __brev(v) % 1000u;
        q += u / 13u + u % (i + 5u);
        q += __umulhi(u, 0x9E3779B9u); q += __dp4a(v, v, 3);
        q += __byte_perm(v, u * 3, 0x3715) % 97u; q += __funnelshift_l(v, u * 5, i) % 91u;
        y[i] = q + (u >> 5 & 0x7ffu) + min(v, i) + max(u, 7u);"""
    kernel(body, "const int* a, long long* y", arch)((1,), (64,), (v, y))
    assert y.tolist() == [integers(int(value), i) for i, value in enumerate(v)]


@pytest.mark.parametrize("arch", ARCHS)
def test_wide_integers_and_carries(arch):
    rng = np.random.default_rng(8)
    a, b = rng.integers(0, 2**64, (2, 32), np.uint64)
    y = np.zeros((3, 32), np.uint64)
    body = """unsigned __int128 s = (unsigned __int128)a[i] * b[i] + a[i];
        y[i] = (unsigned long long)s; y[32 + i] = (unsigned long long)(s >> 64); y[64 + i] = a[i] / (b[i] >> 40 | 1) % 1000;"""
    kernel(body, "const unsigned long long* a, const unsigned long long* b, unsigned long long* y", arch, options=("--device-int128",))(
        (1,), (32,), (a, b, y)
    )
    for i, (p, q) in enumerate(zip(a.tolist(), b.tolist())):
        assert y[:, i].tolist() == [(p * q + p) % 2**64, (p * q + p) >> 64, p // (q >> 40 | 1) % 1000]


def test_packed_floats(x):
    y = np.zeros_like(x)
    body = """unsigned long long r; asm("fma.rn.f32x2 %0, %1, %1, %1;" : "=l"(r) : "l"(((const unsigned long long*)x)[i]));
        ((unsigned long long*)y)[i] = r;"""
    kernel(body, "const float* x, float* y", "100")((1,), (32,), (x, y))
    wide = x.astype(np.float64)
    np.testing.assert_array_equal(y, (wide * wide + wide).astype(np.float32))


@pytest.mark.parametrize("arch", ARCHS)
def test_local_arrays_and_vectors(x, arch):
    index = np.random.default_rng(9).integers(0, 256, 64).astype(np.int32)
    y, z = np.zeros((2, 64), np.float32)
    body = """float t[16]; for (int k = 0; k < 16; k++) t[k] = x[(i + k) % 64];
        y[i] = t[index[i] & 15] + t[index[i] >> 4 & 15];
        if (i < 16) {
            float4 v = ((const float4*)x)[i];
            ((float2*)z)[2 * i] = make_float2(v.w, v.z); ((float2*)z)[2 * i + 1] = make_float2(v.y, v.x);
        }"""
    kernel(body, "const float* x, float* y, float* z, const int* index", arch)((1,), (64,), (x, y, z, index))
    i = np.arange(64)
    np.testing.assert_array_equal(y, x[(i + (index & 15)) % 64] + x[(i + (index >> 4 & 15)) % 64])
    np.testing.assert_array_equal(z.reshape(16, 4), x.reshape(16, 4)[:, ::-1])


@pytest.mark.parametrize("arch", ARCHS)
def test_constants_and_device_variables(arch):
    before = """__constant__ float tab[4] = {1.f, 2.f, 4.f, 8.f};
        __device__ float win[6][3] = {{1, 0, 0}, {.5f, .5f, .5f}, {.5f, -.5f, .5f}, {0, 0, 1}, {2, 3, 4}, {5, 6, 7}};"""
    a = np.random.default_rng(10).integers(0, 60, 64).astype(np.int32)
    y = np.zeros(64, np.float32)
    kernel("y[i] = tab[a[i] & 3] + win[a[i] % 6][i % 3];", "const int* a, float* y", arch, before=before)((1,), (64,), (a, y))
    win = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1], [2, 3, 4], [5, 6, 7]])
    np.testing.assert_array_equal(y, 2.0 ** (a & 3) + win[a % 6, np.arange(64) % 3])
    with pytest.raises(KernelError, match="byte 16 of tab, which has 16 bytes"):
        kernel("y[i] = tab[i];", "const int* a, float* y", arch, before=before)((1,), (64,), (a, y))


@pytest.mark.parametrize("arch", ARCHS)
def test_structures_by_value(x, arch):
    layout = np.dtype([("a", "<i4"), ("b", "<f4"), ("n", "<u8"), ("c", "u1", 5), ("pad", "u1", 3)])
    value = np.zeros((), layout)
    value["a"], value["b"], value["n"], value["c"] = 3, 0.5, 2**33, [1, 2, 3, 4, 5]
    y = np.zeros(64, np.float32)
    before = "struct Big { int a; float b; unsigned long long n; unsigned char c[5]; };"
    kernel("y[i] = s.a + s.b + (float)(s.n >> 32) + s.c[i % 5];", "Big s, float* y", arch, before=before)((1,), (64,), (value[()], y))
    np.testing.assert_array_equal(y, 5.5 + np.arange(64) % 5 + 1)


@pytest.mark.parametrize("arch", ARCHS)
def test_warp_operations(arch):
    v = np.random.default_rng(11).integers(0, 9, 64).astype(np.int32)
    y = np.zeros(64, np.int32)
    body = """int v = x[i]; for (int d = 1; d < 32; d *= 2) { int t = __shfl_up_sync(~0u, v, d); if (i % 32 >= d) v += t; }
        y[i] = v + __popc(__ballot_sync(~0u, v & 1)) + __any_sync(~0u, v == 3) + __all_sync(~0u, v >= 0) + __shfl_sync(~0u, v, 3, 8)
            + __shfl_xor_sync(i < 32 ? 0xffffu << (i & 16) : ~0u, v, 5) + __syncthreads_count(v & 1) + __syncthreads_or(v == 200);"""
    kernel(body, "const int* x, int* y", arch)((1,), (64,), (v, y))
    scan = v.reshape(2, 32).cumsum(axis=1)
    expected = scan + (scan & 1).sum(axis=1, keepdims=True) + (scan == 3).any(axis=1, keepdims=True) + 1
    expected = expected + scan[:, np.arange(32) // 8 * 8 + 3] + scan[:, np.arange(32) ^ 5] + (scan & 1).sum() + (scan == 200).any()
    np.testing.assert_array_equal(y.reshape(2, 32), expected)


def test_reductions_of_a_warp():
    v = np.random.default_rng(12).integers(-99, 99, 32).astype(np.int32)
    y = np.zeros((3, 32), np.int32)
    body = """y[i] = __reduce_add_sync(~0u, x[i]); y[32 + i] = __reduce_min_sync(~0u, x[i]);
        y[64 + i] = __reduce_max_sync(~0u, (unsigned)x[i]);"""
    kernel(body, "const int* x, int* y", "80")((1,), (32,), (v, y))
    assert (y[0] == v.sum()).all()
    assert (y[1] == v.min()).all()
    assert (y[2] == v.view(np.uint32).max().astype(np.int32)).all()


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("check", [False, True])
def test_atomics(arch, check):
    x = np.random.default_rng(13).integers(0, 99, 1000).astype(np.int32)
    histogram, total, largest = np.zeros(16, np.int32), np.zeros(1, np.float32), np.zeros(1, np.int32)
    body = """__shared__ int s[16]; if (threadIdx.x < 16) s[threadIdx.x] = 0; __syncthreads();
        for (int j = i; j < 1000; j += gridDim.x * blockDim.x) atomicAdd(&s[x[j] & 15], 1), atomicMax(largest, x[j]);
        __syncthreads(); if (threadIdx.x < 16) atomicAdd(&h[threadIdx.x], s[threadIdx.x]); if (threadIdx.x == 0) atomicAdd(f, .5f);"""
    run = kernel(body, "int* h, float* f, int* largest, const int* x", arch, check=check)
    run((4,), (64,), (histogram, total, largest, x))
    np.testing.assert_array_equal(histogram, np.bincount(x & 15, minlength=16))
    assert (total[0], largest[0]) == (2, x.max())


@pytest.mark.parametrize("arch", ARCHS)
def test_calls_and_switches(x, arch):
    before = """__device__ __noinline__ float sum(float x, int n) { float s = 0; for (int i = 0; i < n; i++) s += x * i; return s; }
        __device__ __noinline__ float choose(float x, int n) {
            switch (n) {
                case 0: return x; case 1: return sum(x, 4); case 2: return -x; case 3: return x * x;
                case 4: return 7; case 5: return x - 1; default: return 0;
            }
        }"""
    y = np.zeros(64, np.float32)
    kernel("y[i] = choose(x[i], i % 8);", "const float* x, float* y", arch, before=before)((1,), (64,), (x, y))
    cases = [x, x + x * np.float32(2) + x * np.float32(3), -x, x * x, 7 + 0 * x, x - 1, 0 * x, 0 * x]
    np.testing.assert_array_equal(y, np.choose(np.arange(64) % 8, cases))


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("check", [False, True])
def test_arguments_of_calls(x, arch, check):
    """Single values of every width, negative ones too; a struct, and a function that returns nothing, go through memory."""
    before = """__device__ __noinline__ double mix(double a, unsigned char b, long long c, short d, float e) { return a * b + c * d + e; }
        __device__ __noinline__ void put(float4 v, float* y, int k) { y[k] = v.x + 2 * v.y + 3 * v.z + 4 * v.w; }"""
    body = "put(make_float4(x[i], 1, 2, 3), y, i); y[i] += (float)mix(x[i], (unsigned char)(200 + i), 1ll << 33, (short)-i, 0.5f);"
    x, y = np.round(8 * x), np.zeros(64, np.float32)  # whole numbers: nothing is rounded in between
    kernel(body, "const float* x, float* y", arch, before=before, check=check)((1,), (64,), (x, y))
    i, wide = np.arange(64), x.astype(np.float64)
    mixed = wide * ((200 + i) % 256) - i * 2.0**33 + 0.5
    np.testing.assert_array_equal(y, (x + np.float32(2 + 6 + 12)) + mixed.astype(np.float32))


@pytest.mark.parametrize("shape", ["m16n8k16.f16", "m16n8k16.bf16", "m16n8k8.f16", "m16n8k8.bf16", "m16n8k8.tf32"])
def test_matrix_fragments(shape):
    """Every fragment layout as the PTX ISA draws it, written down a second time by index formulas."""
    size, kind = shape.split(".")
    k, per = int(size.split("k")[1]), 1 if kind == "tf32" else 2  # elements of a register
    rng = np.random.default_rng(14)
    a, b, c = rng.integers(-8, 8, (16, k)), rng.integers(-8, 8, (k, 8)), rng.integers(-8, 8, (16, 8))
    lane = np.arange(32)
    group, member = lane // 4, lane % 4

    def bits(values: np.ndarray) -> np.ndarray:
        if kind == "f16":
            return values.astype(np.float16).view(np.uint16).astype(np.uint32)
        wide = values.astype(np.float32).view(np.uint32)
        return wide if kind == "tf32" else wide >> 16

    na, nb = 16 * k // 32 // per, 8 * k // 32 // per
    fa, fb, out = np.zeros((na, 32), np.uint32), np.zeros((nb, 32), np.uint32), np.zeros((16, 8), np.float32)
    for register in range(na):
        for e in range(per):
            column = member * per + e + register // 2 * 4 * per
            fa[register] |= bits(a[group + register % 2 * 8, column]) << (16 * e)
    for register in range(nb):
        for e in range(per):
            fb[register] |= bits(b[member * per + e + register * 4 * per, group]) << (16 * e)
    first, second = ",".join(f"%{i}" for i in range(8, 8 + na)), ",".join(f"%{i}" for i in range(8 + na, 8 + na + nb))
    registers = [f"a[{r * 32} + i]" for r in range(na)] + [f"b[{r * 32} + i]" for r in range(nb)]
    inputs = ", ".join([*(f'"f"(f{e})' for e in range(4)), *(f'"r"({r})' for r in registers)])
    at = [f"(i / 4 + {e // 2 * 8}) * 8 + i % 4 * 2 + {e % 2}" for e in range(4)]
    body = " ".join(f"float f{e} = c[{at[e]}], d{e};" for e in range(4))
    instruction = f"mma.sync.aligned.{size}.row.col.f32.{kind}.{kind}.f32"
    body += f' asm volatile("{instruction} {{%0,%1,%2,%3}}, {{{first}}}, {{{second}}}, {{%4,%5,%6,%7}};"'
    body += ' : "=f"(d0), "=f"(d1), "=f"(d2), "=f"(d3) : ' + inputs + "); "
    body += " ".join(f"out[{at[e]}] = d{e};" for e in range(4))
    run = kernel(body, "const unsigned* a, const unsigned* b, const float* c, float* out", "80")
    run((1,), (32,), (fa, fb, c.astype(np.float32), out))
    np.testing.assert_array_equal(out, a @ b + c)
