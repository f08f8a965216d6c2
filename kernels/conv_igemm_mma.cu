// What:        y[n,p,q,k] = post(pre(sum over r,s,c of x[n, p*sh + r*dh - top, q*sw + s*dw - left, c] * w[k,r,s,c] + bias[k]) + residual)
//              for n: for p: for q: for k: for (r,s,c): one multiply-add, as the matrix product M x K x D with M = n*p*q, D = r*s*c
// Layout:      x, y, residual channels last with a pitch (elements between pixels); w packed (groups, K padded to BN, D padded to BK),
//              zeros in the padding; float16 in memory, float32 sums, always added in the order of D by 16: every tile gives the same bits
// Macros:      HALF=1; BM, BN the tile, WM x WN warps; STAGES of the pipeline; VEC halfs per load of x (8, 4, 2, 1), dividing c and its alignment
// Launch:      grid (ceil(M/BM), ceil(K/BN), groups), block 32*WM*WN, dynamic shared STAGES*(BM+BN)*BK*2 bytes
// Launched by: gpucnn/backends/cuda/conv.py, ConvIgemmMma
// Source:      implicit GEMM as in CUTLASS (Thakkar et al. 2023); the swizzle makes ldmatrix free of bank conflicts
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/epilogue.cuh"
#include "include/mma.cuh"

#define BK 32                          // halfs of D per stage: four 16-byte chunks a row
#define THREADS (WM * WN * 32)
#define FM (BM / WM / 16)              // fragments of a warp along M and N
#define FN (BN / WN / 8)

// Chunk c of row r lies at chunk c ^ ((r >> 1) & 3): the eight rows that one ldmatrix phase reads then fall into different banks.
__device__ __forceinline__ int swizzle(int row, int chunk) { return row * BK + ((chunk ^ ((row >> 1) & 3)) << 3); }

struct Pixel { const half* x; int h, w; };   // where an output pixel's window begins; h is far outside for rows beyond M

extern "C" __global__ void __launch_bounds__(THREADS, 2) conv_igemm_mma(
    const half* __restrict__ x, const half* __restrict__ weight, const float* __restrict__ bias, const half* residual, half* y,
    const int4* __restrict__ taps,     // per VEC elements of D: offset into x in elements, line, column, 1 inside D else 0
    int m_total, int k_group, int d_padded, int k_padded, int c_group,
    int height, int width, int stride_h, int stride_w, int top, int left,
    int pq, unsigned pq_magic, int pq_shift, int q, unsigned q_magic, int q_shift,
    i64 x_image, i64 x_line, int x_pixel, int y_pixel, int residual_pixel,
    int pre, float pre_alpha, float pre_beta, int post, float post_alpha, float post_beta)
{
    static_assert(FN % 2 == 0, "one ldmatrix loads two fragments along N");
    extern __shared__ __align__(128) unsigned char shared[];
    half* const stages = reinterpret_cast<half*>(shared);
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5, warp_m = warp / WN, warp_n = warp % WN;
    const int m0 = blockIdx.x * BM, k0 = blockIdx.y * BN, group = blockIdx.z;
    const half* const w_tile = weight + ((i64)group * k_padded + k0) * d_padded;
    const half* const x_group = x + (i64)group * c_group;

    // A thread always copies the same place of a row (so one tap a stage) of several rows of x.
    enum { CHUNKS = BK / VEC, ROWS = THREADS / CHUNKS, PASSES = (BM + ROWS - 1) / ROWS };
    const int x_chunk = tid % CHUNKS, x_row = tid / CHUNKS;
    Pixel pixel[PASSES];
#pragma unroll
    for (int i = 0; i < PASSES; i++) {
        int m = m0 + x_row + i * ROWS;
        bool inside = m < m_total && x_row + i * ROWS < BM;
        int n = fast_div(m, pq_magic, pq_shift), rest = m - n * pq;
        int p = fast_div(rest, q_magic, q_shift), column = rest - p * q;
        pixel[i].h = inside ? p * stride_h - top : -(1 << 30);
        pixel[i].w = column * stride_w - left;
        pixel[i].x = x_group + n * x_image + (i64)pixel[i].h * x_line + (i64)pixel[i].w * x_pixel;
    }

    auto load = [&](int step) {
        half* const a = stages + (step % STAGES) * (BM + BN) * BK;
        half* const b = a + BM * BK;
        const int4 tap = __ldg(taps + step * CHUNKS + x_chunk);
#pragma unroll
        for (int i = 0; i < PASSES; i++) {
            int row = x_row + i * ROWS;
            if (BM % ROWS != 0 && row >= BM) break;
            int h = pixel[i].h + tap.y, w = pixel[i].w + tap.z;
            bool ok = tap.w && (unsigned)h < (unsigned)height && (unsigned)w < (unsigned)width;
            half* dst = a + swizzle(row, x_chunk * VEC / 8) + x_chunk * VEC % 8;
            const half* src = ok ? pixel[i].x + tap.x : x;
            if (VEC > 1) copy_async<VEC * 2 < 4 ? 4 : VEC * 2>(dst, src, ok);
            else *dst = ok ? *src : __float2half(0.f);   // cp.async has no 2-byte form
        }
#pragma unroll
        for (int i = tid; i < BN * 4; i += THREADS)
            copy_async<16>(b + swizzle(i >> 2, i & 3), w_tile + (i64)(i >> 2) * d_padded + step * BK + (i & 3) * 8, true);
    };

    float acc[FM][FN][4] = {};
    const int steps = d_padded / BK;
#pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps) load(s);
        copy_commit();
    }
    for (int step = 0; step < steps; step++) {
        copy_wait<STAGES - 2>();
        __syncthreads();               // this stage has landed for all, and the one before it has been read by all
        if (step + STAGES - 1 < steps) load(step + STAGES - 1);
        copy_commit();                 // empty at the end, so that the count of groups stays right
        const half* const a = stages + (step % STAGES) * (BM + BN) * BK;
        const half* const b = a + BM * BK;
#pragma unroll
        for (int kk = 0; kk < BK / 16; kk++) {
            unsigned fa[FM][4], fb[FN][2];
#pragma unroll
            for (int i = 0; i < FM; i++)
                ldmatrix_x4(fa[i], a + swizzle(warp_m * (BM / WM) + i * 16 + (lane & 15), kk * 2 + (lane >> 4)));
#pragma unroll
            for (int j = 0; j < FN; j += 2) {
                unsigned two[4];
                ldmatrix_x4(two, b + swizzle(warp_n * (BN / WN) + j * 8 + (lane & 7) + ((lane >> 4) << 3), kk * 2 + ((lane >> 3) & 1)));
                fb[j][0] = two[0]; fb[j][1] = two[1]; fb[j + 1][0] = two[2]; fb[j + 1][1] = two[3];
            }
#pragma unroll
            for (int i = 0; i < FM; i++)
#pragma unroll
                for (int j = 0; j < FN; j++) mma_16816(acc[i][j], fa[i], fb[j]);
        }
    }

    const Epilogue finish = {bias, residual, pre, post, pre_alpha, pre_beta, post_alpha, post_beta};
    const bool pairs = ((y_pixel | k_group | residual_pixel) & 1) == 0;   // even pitches: two channels in one access
#pragma unroll
    for (int i = 0; i < FM; i++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            const int m = m0 + warp_m * (BM / WM) + i * 16 + h * 8 + (lane >> 2);
            if (m >= m_total) continue;
            half* const y_row = y + (i64)m * y_pixel + (i64)group * k_group;
            const half* const r_row = residual ? residual + (i64)m * residual_pixel + (i64)group * k_group : nullptr;
#pragma unroll
            for (int j = 0; j < FN; j++) {
                const int k = k0 + warp_n * (BN / WN) + j * 8 + (lane & 3) * 2;
                float v[2];
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    if (k + e >= k_group) continue;
                    float b = bias ? __ldg(bias + group * k_group + k + e) : 0.f;
                    v[e] = finish(acc[i][j][2 * h + e], b, r_row ? __half2float(r_row[k + e]) : 0.f);
                }
                if (pairs && k + 1 < k_group) *reinterpret_cast<half2*>(y_row + k) = __floats2half2_rn(v[0], v[1]);
                else {
                    if (k < k_group) y_row[k] = __float2half_rn(v[0]);
                    if (k + 1 < k_group) y_row[k + 1] = __float2half_rn(v[1]);
                }
            }
        }
}
