"""CUDA texts that the emulator's own tests run; macros plant the bugs that it must find."""

from __future__ import annotations

__all__ = ["ADD", "GEMM_F16", "GEMM_F32", "GEMM_K8", "REDUCE"]

ADD = r"""
extern "C" __global__ void add(const float* a, const float* b, float* c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) c[i] = a[i] + b[i];
}
"""

REDUCE = r"""
// One sum and one maximum per row: shuffles within a warp, shared memory between warps.
extern "C" __global__ void reduce(const float* x, float* total, float* largest, int columns) {
    __shared__ float totals[32], maxima[32];
    const float* row = x + (size_t)blockIdx.x * columns;
    float t = 0.f, m = -__int_as_float(0x7f800000);
    for (int i = threadIdx.x; i < columns; i += blockDim.x) t += row[i], m = fmaxf(m, row[i]);
    for (int d = 16; d; d /= 2) t += __shfl_xor_sync(~0u, t, d), m = fmaxf(m, __shfl_down_sync(~0u, m, d));
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    if (lane == 0) totals[warp] = t, maxima[warp] = m;
    __syncthreads();
    if (warp == 0) {
        t = lane < blockDim.x / 32 ? totals[lane] : 0.f;
        m = lane < blockDim.x / 32 ? maxima[lane] : -__int_as_float(0x7f800000);
        for (int d = 16; d; d /= 2) t += __shfl_xor_sync(~0u, t, d), m = fmaxf(m, __shfl_down_sync(~0u, m, d));
        if (lane == 0) total[blockIdx.x] = t, largest[blockIdx.x] = m;
    }
}
"""

GEMM_F32 = r"""
// c[m][n] = sum over k of a[m][k] * b[k][n]; 32x32 tiles, 4 results a thread.
extern "C" __global__ void __launch_bounds__(256) gemm(const float* a, const float* b, float* c, int m, int n, int k) {
    __shared__ float at[32][33], bt[32][32];
    int x = threadIdx.x, y = threadIdx.y, row0 = blockIdx.y * 32, column = blockIdx.x * 32 + x;
    float sum[4] = {};
    for (int k0 = 0; k0 < k; k0 += 32) {
        for (int i = y; i < 32; i += 8) {
            at[i][x] = row0 + i < m && k0 + x < k ? a[(size_t)(row0 + i) * k + k0 + x] : 0.f;
            bt[i][x] = k0 + i < k && column < n ? b[(size_t)(k0 + i) * n + column] : 0.f;
        }
        __syncthreads();
        for (int kk = 0; kk < 32; kk++)
            for (int i = 0; i < 4; i++) sum[i] = fmaf(at[y + 8 * i][kk], bt[kk][x], sum[i]);
#ifndef NO_SECOND_BARRIER
        __syncthreads();
#endif
    }
    for (int i = 0; i < 4; i++)
        if (row0 + y + 8 * i < m && column < n) c[(size_t)(row0 + y + 8 * i) * n + column] = sum[i];
}
"""

_TENSOR = r"""
#include <cuda_fp16.h>
__device__ __forceinline__ unsigned address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }
__device__ __forceinline__ void ldmatrix_x4(unsigned (&r)[4], const void* p) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address(p)) : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(unsigned (&r)[4], const void* p) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address(p)) : "memory");
}
"""

GEMM_F16 = (
    _TENSOR
    + r"""
// c[m][n] = sum over k of a[m][k] * b[n][k] in float16 with float32 sums. 64x64 tiles of 32 along k, 2x2 warps of 32x32,
// STAGES tiles on their way by cp.async; 16-byte chunk j of row r lies at j ^ (r / 2 % 4). k must be a multiple of 8.
#ifndef STAGES
#define STAGES 3
#endif
#ifndef WAIT
#define WAIT (STAGES - 1)
#endif
__device__ __forceinline__ void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#ifdef SWAPPED_OPERANDS
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b1), "r"(b0));
#else
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}
__device__ __forceinline__ void copy16(half* to, const half* from, bool valid) {
#ifdef NO_SOURCE_SIZE
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address(to)), "l"(from) : "memory");
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
#endif
}
__device__ __forceinline__ int at(int row, int chunk) { return row * 32 + ((chunk ^ (row / 2 % 4)) * 8); }

extern "C" __global__ void __launch_bounds__(128) gemm(const half* a, const half* b, float* c, int m, int n, int k) {
    extern __shared__ __align__(128) half tiles[];
    int lane = threadIdx.x % 32, warp_m = threadIdx.x / 64 * 32, warp_n = threadIdx.x / 32 % 2 * 32;
    int m0 = blockIdx.y * 64, n0 = blockIdx.x * 64, steps = (k + 31) / 32;
    float sum[2][4][4] = {};
    auto load = [&](int step) {
        half* to = tiles + step % STAGES * 128 * 32;
        for (int i = threadIdx.x; i < 512; i += 128) {
            int row = i / 4 % 64, chunk = i % 4, column = step * 32 + chunk * 8;
            const half* matrix = i < 256 ? a : b;
            int global_row = (i < 256 ? m0 : n0) + row;
#ifdef READ_PAST_END
            bool valid = global_row <= (i < 256 ? m : n) && column < k;
#else
            bool valid = global_row < (i < 256 ? m : n) && column < k;
#endif
            copy16(to + at(i / 4, chunk), valid ? matrix + (size_t)global_row * k + column : matrix, valid);
        }
    };
    for (int step = 0; step < STAGES - 1; step++) {
        if (step < steps) load(step);
        asm volatile("cp.async.commit_group;" ::: "memory");
    }
    for (int step = 0; step < steps; step++) {
        if (step + STAGES - 1 < steps) load(step + STAGES - 1);
        asm volatile("cp.async.commit_group;" ::: "memory");
        asm volatile("cp.async.wait_group %0;" ::"n"(WAIT) : "memory");
#ifndef NO_FIRST_BARRIER
        __syncthreads();
#endif
        const half* tile = tiles + step % STAGES * 128 * 32;
#pragma unroll
        for (int kk = 0; kk < 2; kk++) {
            unsigned fa[2][4], fb[2][4];
#pragma unroll
            for (int i = 0; i < 2; i++) ldmatrix_x4(fa[i], tile + at(warp_m + i * 16 + lane % 16, kk * 2 + lane / 16));
#pragma unroll
            for (int j = 0; j < 2; j++) {
                const half* rows = tile + at(64 + warp_n + j * 16 + lane / 16 * 8 + lane % 8, kk * 2 + lane / 8 % 2);
#ifdef STRAY_TRANS
                ldmatrix_x4_trans(fb[j], rows);
#else
                ldmatrix_x4(fb[j], rows);
#endif
            }
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) mma(sum[i][j], fa[i], fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]);
        }
#ifndef NO_SECOND_BARRIER
        __syncthreads();
#endif
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 4; j++)
            for (int e = 0; e < 4; e++) {
                int row = m0 + warp_m + i * 16 + e / 2 * 8 + lane / 4, column = n0 + warp_n + j * 8 + lane % 4 * 2 + e % 2;
#ifdef WRITE_PAST_END
                if (row <= m && column < n) c[(size_t)row * n + column] = sum[i][j][e];
#else
                if (row < m && column < n) c[(size_t)row * n + column] = sum[i][j][e];
#endif
            }
}
"""
)

GEMM_K8 = (
    _TENSOR
    + r"""
// One warp: d[16][8] = a[16][8 steps] * b[8 steps][8], b row-major, so its fragments come through ldmatrix.trans. sm_75.
extern "C" __global__ void gemm(const half* a, const half* b, float* d, int steps) {
    __shared__ __align__(16) half at[16 * 8], bt[4][8 * 8];
    int lane = threadIdx.x;
    float sum[4] = {};
    for (int s = 0; s < steps; s++) {
        for (int i = lane; i < 128; i += 32) at[i] = a[i / 8 * 8 * steps + s * 8 + i % 8];
        for (int i = lane; i < 64; i += 32) bt[0][i] = b[s * 64 + i];
        __syncwarp();
        unsigned fa[2], fb;
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                     : "=r"(fa[0]), "=r"(fa[1]) : "r"(address(at + lane % 16 * 8)) : "memory");
        asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                     : "=r"(fb) : "r"(address(bt[0] + lane % 8 * 8)) : "memory");
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                     : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3]) : "r"(fa[0]), "r"(fa[1]), "r"(fb));
        __syncwarp();
    }
    for (int e = 0; e < 4; e++) d[(lane / 4 + e / 2 * 8) * 8 + lane % 4 * 2 + e % 2] = sum[e];
}
"""
)
