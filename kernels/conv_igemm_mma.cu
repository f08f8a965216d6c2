// What:        y[n,p,q,k] = post(pre(sum over r,s,c of x[n, p*sh + r*dh - top, q*sw + s*dw - left, c] * w[k,r,s,c] + bias[k]) + residual)
//              for n: for p: for q: for k: for (r,s,c): one multiply-add, as the matrix product M x K x D with M = n*p*q, D = r*s*c
// Layout:      x, y, residual channels last with a pitch (elements between pixels); w packed (groups, K padded, D padded) and bias
//              (groups, K padded), zeros in the padding, which fits every tile; float16 in memory, float32 sums, always added in the
//              order of D by 16: every tile gives the same bits
// Macros:      HALF=1; BM, BN the tile, WM x WN warps; BK halfs of D per stage (64 or 32), STAGES of the pipeline (2 or more);
//              VEC halfs per load of x (8, 4, 2, 1), dividing c and its alignment
// Launch:      grid (ceil(M/BM) * ceil(K/BN), groups), block 32*WM*WN; dynamic shared memory: BM*16 bytes for windows, then as
//              many stages of (BM+BN)*BK*2 bytes as D fills, STAGES at most (short sums so leave room for more blocks), and no less than
//              the epilogue's WM*WN*16*(BN/WN+8)*4
// Launched by: gpucnn/backends/cuda/conv.py, ConvIgemmMma
// Source:      implicit GEMM as in CUTLASS (Thakkar et al. 2023); the swizzle makes ldmatrix free of bank conflicts
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/epilogue.cuh"
#include "include/mma.cuh"
#include "include/window.cuh"

#define THREADS (WM * WN * 32)
#define WARP_M (BM / WM)               // lines of M and columns of N of a warp
#define WARP_N (BN / WN)
#define FM (WARP_M / 16)               // fragments along them
#define FN (WARP_N / 8)
#define SLICES (BK / 16)               // of D in a stage: one mma deep each
#define STAGE ((BM + BN) * BK)         // halfs
#define PITCH (WARP_N + 8)             // floats between lines of sums

// Chunk c (16 bytes) of a row lies at chunk c ^ (row & 7), or for rows of half a bank sweep c ^ ((row >> 1) & 3): the eight rows that one
// phase of ldmatrix reads, and the rows that one warp writes, then fall into different banks.
__device__ __forceinline__ int swizzle(int row, int chunk) { return row * BK + ((chunk ^ (BK == 64 ? row & 7 : (row >> 1) & 3)) << 3); }

extern "C" __global__ void __launch_bounds__(THREADS, 256 / THREADS) conv_igemm_mma(
    const half* __restrict__ x, const half* __restrict__ weight, const float* __restrict__ bias, const half* residual, half* y,
    const int4* __restrict__ taps,     // Points, one per VEC elements of D, OUTSIDE beyond D
    int m_total, int k_group, int d_total, int d_padded, int k_padded, int c_group,
    int height, int width, int stride_h, int stride_w, int top, int left,
    int pq, unsigned pq_magic, int pq_shift, int q, unsigned q_magic, int q_shift,
    i64 x_image, i64 x_line, int x_pixel, int y_pixel, int residual_pixel, int access,
    int pre, float pre_alpha, float pre_beta, int post, float post_alpha, float post_beta)
{
    static_assert((BK == 32 || BK == 64) && STAGES >= 2 && FN % 2 == 0, "see Macros; one ldmatrix loads two fragments along N");
    extern __shared__ __align__(128) unsigned char shared[];
    Point* const windows = reinterpret_cast<Point*>(shared);
    half* const stages = reinterpret_cast<half*>(windows + BM);
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5, warp_m = warp / WN, warp_n = warp % WN;

    // Tiles of K run fastest: blocks that run together read the same x, which so comes from memory once, and all of the weights, which
    // are small and stay in the second-level cache.
    const int k_tiles = (k_group + BN - 1) / BN, m0 = (int)(blockIdx.x / k_tiles) * BM, k0 = (int)(blockIdx.x % k_tiles) * BN;
    const int group = blockIdx.y;

    // A thread always copies the same place of a row (so one tap a stage) of several rows, a part of them beside each slice's products but
    // the last's: the stage is then complete when the barrier wants it. 1x1 needs no path of its own: bounds and tap cost a few
    // instructions per 16 bytes, and the schedulers idle while tensor cores work.
    enum { X_ACROSS = BK / VEC, X_DOWN = THREADS / X_ACROSS, X_COUNT = BM / X_DOWN };
    enum { W_ACROSS = BK / 8, W_DOWN = THREADS / W_ACROSS, W_COUNT = BN / W_DOWN };
    enum { PARTS = SLICES - 1, X_MOST = (X_COUNT + PARTS - 1) / PARTS, W_MOST = (W_COUNT + PARTS - 1) / PARTS };
    static_assert(BM % X_DOWN == 0 && BN % W_DOWN == 0, "all threads copy equally much");
    const int x_at = tid % X_ACROSS * VEC, x_row = tid / X_ACROSS, w_at = tid % W_ACROSS, w_row = tid / W_ACROSS;
    const half* const x_group = x + (i64)group * c_group;
    const half* const w_from = weight + ((i64)group * k_padded + k0 + w_row) * d_padded + w_at * 8;
    const int steps = (d_total + BK - 1) / BK;
    Copy<VEC * 2> x_copies[X_MOST];
    Copy<16> w_copies[W_MOST];
    auto tap_at = [&](int step) { return tap_of(taps + min(step, steps - 1) * X_ACROSS + tid % X_ACROSS); };
    Point first[STAGES - 1];
#pragma unroll
    for (int step = 0; step < STAGES - 1; step++) first[step] = tap_at(step);
    auto x_into = [&](int step, int i) {
        int row = x_row + i * X_DOWN;
        return stages + step % STAGES * STAGE + swizzle(row, x_at / 8) + x_at % 8;
    };
    auto w_into = [&](int step, int i) { return stages + step % STAGES * STAGE + BM * BK + i * W_DOWN * BK + swizzle(w_row, w_at); };
    auto start = [&](int step, int part, const Point& tap) {
#pragma unroll
        for (int e = 0; e < X_MOST; e++) {
            const int i = part * X_COUNT / PARTS + e;
            if (i >= (part + 1) * X_COUNT / PARTS) break;
            const Point window = windows[x_row + i * X_DOWN];
            const bool ok = is_inside(window, tap, height, width);
            x_copies[e].start(x_into(step, i), ok ? x_group + window.offset + tap.offset : x, ok);
        }
#pragma unroll
        for (int e = 0; e < W_MOST; e++) {
            const int i = part * W_COUNT / PARTS + e;
            if (i >= (part + 1) * W_COUNT / PARTS) break;
            w_copies[e].start(w_into(step, i), w_from + (i64)i * W_DOWN * d_padded + step * BK, true);
        }
    };
    auto finish_copies = [&](int step, int part) {
#pragma unroll
        for (int e = 0; e < X_MOST; e++)
            if (part * X_COUNT / PARTS + e < (part + 1) * X_COUNT / PARTS) x_copies[e].finish(x_into(step, part * X_COUNT / PARTS + e));
#pragma unroll
        for (int e = 0; e < W_MOST; e++)
            if (part * W_COUNT / PARTS + e < (part + 1) * W_COUNT / PARTS) w_copies[e].finish(w_into(step, part * W_COUNT / PARTS + e));
    };

    // Where windows begin lies in shared memory, as a thread copies pieces of up to 64 rows: registers would not hold so many.
    for (int row = tid; row < BM; row += THREADS)
        windows[row] = window_of(m0 + row, m_total, pq, pq_magic, pq_shift, q, q_magic, q_shift, stride_h, stride_w, top, left, x_image, x_line, x_pixel);
    __syncthreads();

    // Two sets of fragments: one is read while the other is multiplied.
    unsigned fa[2][FM][4], fb[2][FN][2];
    const int a_row = warp_m * WARP_M + (lane & 15), b_row = warp_n * WARP_N + (lane & 7) + ((lane >> 4) << 3);
    auto read = [&](int step, int slice, int set) {
        const half* const a = stages + step % STAGES * STAGE;
#pragma unroll
        for (int i = 0; i < FM; i++) ldmatrix_x4(fa[set][i], a + i * 16 * BK + swizzle(a_row, slice * 2 + (lane >> 4)));
#pragma unroll
        for (int j = 0; j < FN; j += 2) {
            unsigned two[4];
            ldmatrix_x4(two, a + BM * BK + j * 8 * BK + swizzle(b_row, slice * 2 + ((lane >> 3) & 1)));
            fb[set][j][0] = two[0]; fb[set][j][1] = two[1]; fb[set][j + 1][0] = two[2]; fb[set][j + 1][1] = two[3];
        }
    };

    float acc[FM][FN][4] = {};
#pragma unroll
    for (int step = 0; step < STAGES - 1; step++) {
        if (step < steps)
#pragma unroll
            for (int part = 0; part < PARTS; part++) { start(step, part, first[step]); finish_copies(step, part); }
        copy_commit();
    }
    Point tap = tap_at(STAGES - 1);
    copy_wait<STAGES - 2>();
    __syncthreads();
    read(0, 0, 0);
    for (int step = 0; step < steps; step++) {
        const int coming = step + STAGES - 1;      // goes where step - 1 was: all have read that before the last barrier
#pragma unroll
        for (int slice = 0; slice < SLICES; slice++) {
            if (slice < PARTS) {
                read(step, slice + 1, (slice + 1) & 1);
                if (coming < steps) start(coming, slice, tap);
            } else {
                tap = tap_at(coming + 1);
                copy_commit();                     // empty at the end, so that the count of groups stays right
                copy_wait<STAGES - 2>();
                __syncthreads();                   // the next stage has landed for all, and this one has been read by all
                if (step + 1 < steps) read(step + 1, 0, 0);
            }
#pragma unroll
            for (int i = 0; i < FM; i++)
#pragma unroll
                for (int j = 0; j < FN; j++) mma_16816(acc[i][j], fa[slice & 1][i], fb[slice & 1][j]);
            if (slice < PARTS && coming < steps) finish_copies(coming, slice);
        }
    }

    // Sums change hands in shared memory, 16 lines of a warp at a time, until a lane has 8 channels side by side: one access of 16 bytes.
    // A line is 8 floats longer than the tile, and groups of 4 floats trade places: neither side then meets a bank twice.
    enum { LANES = WARP_N / 8, LINES = 32 / LANES, TURNS = 16 / LINES };
    float* const sums = reinterpret_cast<float*>(stages) + warp * 16 * PITCH;
    auto staged = [&](int line, int column) { return sums + line * PITCH + (column ^ ((line ^ column >> 5) & 1) << 2); };
    const int line = lane / LANES, column = lane % LANES * 8, k = k0 + warp_n * WARP_N + column, m_warp = m0 + warp_m * WARP_M + line;
    const Epilogue finish = {bias, residual, pre, post, pre_alpha, pre_beta, post_alpha, post_beta};
    float shift[RUN] = {};
    if (bias)
#pragma unroll
        for (int e = 0; e < RUN; e += 4) load_four(shift + e, bias + (i64)group * k_padded + k + e);
#pragma unroll
    for (int i = 0; i < FM; i++) {
        Run added[TURNS];                 // on their way while the sums change hands
#pragma unroll
        for (int t = 0; t < TURNS; t++) {
            const int m = m_warp + i * 16 + t * LINES;
            added[t].w = make_uint4(0, 0, 0, 0);
            if (residual && m < m_total && k < k_group)
                load_run(added[t], residual + (i64)m * residual_pixel + (i64)group * k_group + k, access, k_group - k);
        }
#pragma unroll
        for (int j = 0; j < FN; j++)
#pragma unroll
            for (int h = 0; h < 2; h++)
                *reinterpret_cast<float2*>(staged(h * 8 + (lane >> 2), j * 8 + (lane & 3) * 2)) = make_float2(acc[i][j][2 * h], acc[i][j][2 * h + 1]);
        __syncwarp();
#pragma unroll
        for (int t = 0; t < TURNS; t++) {
            const int m = m_warp + i * 16 + t * LINES;
            float sum[RUN];
#pragma unroll
            for (int e = 0; e < RUN; e += 4) load_four(sum + e, staged(t * LINES + line, column + e));
            const Run result = finish(sum, shift, added[t]);
            if (m < m_total && k < k_group) store_run(result, y + (i64)m * y_pixel + (i64)group * k_group + k, access, k_group - k);
        }
        __syncwarp();
    }
}
