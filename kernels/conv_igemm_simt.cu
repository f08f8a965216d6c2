// What:        the convolution of conv_igemm_mma.cu in IEEE float32, on CUDA cores
//              for n: for p: for q: for k: for (r,s,c): one fused multiply-add, in the order of D = (r, s, c)
// Layout:      x, y, residual channels last with a pitch; w packed (groups, K padded, D padded) and bias (groups, K padded), zeros in the
//              padding, which fits every tile
// Macros:      HALF=0; BM x BN the tile, TM x TN sums a thread, multiples of 4; VEC floats per load of x (4, 2, 1), dividing c and its alignment
// Launch:      grid (ceil(M/BM) * ceil(K/BN), groups), block BM/TM * BN/TN, no dynamic shared memory
// Launched by: gpucnn/backends/cuda/conv.py, ConvIgemmSimt
// Source:      register-tiled SGEMM with double-buffered shared memory (Volkov & Demmel 2008; CUTLASS's SIMT kernels)
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/epilogue.cuh"
#include "include/window.cuh"

#define BK 16
#define THREADS ((BM / TM) * (BN / TN))
#define PAD 4                           // floats between columns of a tile: keeps vectors aligned; stores of a warp meet half of the banks twice

extern "C" __global__ void __launch_bounds__(THREADS, 512 / THREADS) conv_igemm_simt(
    const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ bias, const float* residual, float* y,
    const int4* __restrict__ taps,     // Points, one per VEC elements of D, OUTSIDE beyond D
    int m_total, int k_group, int d_total, int d_padded, int k_padded, int c_group,
    int height, int width, int stride_h, int stride_w, int top, int left,
    int pq, unsigned pq_magic, int pq_shift, int q, unsigned q_magic, int q_shift,
    i64 x_image, i64 x_line, int x_pixel, int y_pixel, int residual_pixel, int access,
    int pre, float pre_alpha, float pre_beta, int post, float post_alpha, float post_beta)
{
    // [d][row]: a thread reads its TM rows of one d as a vector.
    __shared__ __align__(16) float a_tile[2][BK][BM + PAD];
    __shared__ __align__(16) float b_tile[2][BK][BN + PAD];
    __shared__ Point windows[BM];
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5;
    const int group = blockIdx.y;
    const int k_tiles = (k_group + BN - 1) / BN, m0 = (int)(blockIdx.x / k_tiles) * BM, k0 = (int)(blockIdx.x % k_tiles) * BN;
    // A warp's threads lie 4 x 8 over the tile, each with groups of 4 lines and 4 columns that are far apart: what 8 lanes read of a line
    // of b_tile, or store of a line of y, is 128 bytes side by side.
    const int tm = warp / (BN / TN / 8) * 4 + (lane >> 3), tn = warp % (BN / TN / 8) * 8 + (lane & 7);
    auto line_of = [&](int i) { return i / 4 * (BM / TM * 4) + tm * 4 + i % 4; };
    auto column_of = [&](int j) { return j / 4 * (BN / TN * 4) + tn * 4 + j % 4; };
    const float* const w_from = weight + ((i64)group * k_padded + k0 + tid / (BK / 4)) * d_padded + tid % (BK / 4) * 4;
    const float* const x_group = x + (i64)group * c_group;

    enum { CHUNKS = BK / VEC, ROWS = THREADS / CHUNKS, PASSES = (BM + ROWS - 1) / ROWS };
    enum { W_ROWS = THREADS / (BK / 4), W_PASSES = (BN + W_ROWS - 1) / W_ROWS };
    const int x_chunk = tid % CHUNKS, x_row = tid / CHUNKS;
    for (int row = tid; row < BM; row += THREADS)
        windows[row] = window_of(m0 + row, m_total, pq, pq_magic, pq_shift, q, q_magic, q_shift, stride_h, stride_w, top, left, x_image, x_line, x_pixel);
    __syncthreads();

    Vec<float, VEC> xs[PASSES];         // the next tile, on its way through registers
    float4 ws[W_PASSES];
    auto fetch = [&](int step) {
        const Point tap = tap_of(taps + step * CHUNKS + x_chunk);
#pragma unroll
        for (int i = 0; i < PASSES; i++) {
            if (BM % ROWS != 0 && x_row + i * ROWS >= BM) break;
            const Point window = windows[x_row + i * ROWS];
            if (is_inside(window, tap, height, width)) xs[i].load_ro(x_group + window.offset + tap.offset);
            else
#pragma unroll
                for (int e = 0; e < VEC; e++) xs[i].e[e] = 0.f;
        }
#pragma unroll
        for (int i = 0; i < W_PASSES; i++) {
            if (BN % W_ROWS != 0 && tid / (BK / 4) + i * W_ROWS >= BN) break;
            ws[i] = __ldg(reinterpret_cast<const float4*>(w_from + (i64)i * W_ROWS * d_padded + step * BK));
        }
    };
    auto deposit = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < PASSES; i++) {
            int row = x_row + i * ROWS;
            if (BM % ROWS != 0 && row >= BM) break;
#pragma unroll
            for (int e = 0; e < VEC; e++) a_tile[buffer][x_chunk * VEC + e][row] = xs[i].e[e];
        }
#pragma unroll
        for (int i = 0; i < W_PASSES; i++) {
            int row = tid / (BK / 4) + i * W_ROWS, d = tid % (BK / 4) * 4;
            if (BN % W_ROWS != 0 && row >= BN) break;
            b_tile[buffer][d][row] = ws[i].x; b_tile[buffer][d + 1][row] = ws[i].y;
            b_tile[buffer][d + 2][row] = ws[i].z; b_tile[buffer][d + 3][row] = ws[i].w;
        }
    };

    float acc[TM][TN] = {};
    const int steps = (d_total + BK - 1) / BK;
    fetch(0);
    deposit(0);
    __syncthreads();
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps) fetch(step + 1);
#pragma unroll (TM * TN < 64 ? BK : 2)    // by more, 64 sums spill
        for (int d = 0; d < BK; d++) {
            float fa[TM], fb[TN];
#pragma unroll
            for (int i = 0; i < TM; i += 4) *reinterpret_cast<float4*>(fa + i) = *reinterpret_cast<const float4*>(&a_tile[step & 1][d][line_of(i)]);
#pragma unroll
            for (int j = 0; j < TN; j += 4) *reinterpret_cast<float4*>(fb + j) = *reinterpret_cast<const float4*>(&b_tile[step & 1][d][column_of(j)]);
#pragma unroll
            for (int i = 0; i < TM; i++)
#pragma unroll
                for (int j = 0; j < TN; j++) acc[i][j] = fmaf(fa[i], fb[j], acc[i][j]);
        }
        if (step + 1 < steps) deposit((step + 1) & 1);   // the other buffer: all have left it at the last barrier
        __syncthreads();
    }

    const Epilogue finish = {bias, residual, pre, post, pre_alpha, pre_beta, post_alpha, post_beta};
#pragma unroll
    for (int j = 0; j < TN; j += RUN) {
        const int k = k0 + column_of(j);
        if (k >= k_group) break;
        float shift[RUN] = {};
        if (bias) load_four(shift, bias + (i64)group * k_padded + k);
#pragma unroll
        for (int i = 0; i < TM; i++) {
            const i64 m = m0 + line_of(i);
            if (m >= m_total) break;
            float sum[RUN];
#pragma unroll
            for (int e = 0; e < RUN; e++) sum[e] = acc[i][j + e];
            Run added;
            added.w = make_uint4(0, 0, 0, 0);
            if (residual) load_run(added, residual + m * residual_pixel + (i64)group * k_group + k, access, k_group - k);
            store_run(finish(sum, shift, added), y + m * y_pixel + (i64)group * k_group + k, access, k_group - k);
        }
    }
}
