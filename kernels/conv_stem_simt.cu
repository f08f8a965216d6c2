// What:        the convolution of conv_stem_mma.cu in IEEE float32, on CUDA cores
//              for n: for p: for q: for k: for r: for s: for c: one fused multiply-add, in this order whatever the tile
// Layout:      x, y, residual channels last with a pitch (elements between images, lines, pixels); w packed (r, s, c, K padded to 64);
//              table (c, 256)
// Macros:      HALF=0; LOOKUP = 0, 1 (x through the table); TP x TQ results of BN channels a block, 8 pixels and BN / 8 channels a thread
// Launch:      grid (tiles of p * tiles of q * ceil(K/BN), and n over y and z), block TP*TQ, dynamic shared: the piece of x, rows_stage
//              rows of weights, the table
// Launched by: gpucnn/backends/cuda/stem.py, ConvStemSimt
// Source:      direct convolution with register tiles; eight lanes side by side share a pixel and read neighbouring channels of weights
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/epilogue.cuh"
#include "include/mma.cuh"
#include "include/patch.cuh"

#define THREADS (TP * TQ)
#define SPREAD (THREADS / 8)           // pixels between those of one thread
#define FOURS (BN / 32)                // a thread's channels: this many times four

extern "C" __global__ void __launch_bounds__(THREADS, 2) conv_stem_simt(
    const pixel_elem* __restrict__ x, const float* __restrict__ table, const float* __restrict__ weight, const float* __restrict__ bias,
    const float* residual, float* y,
    int images, int channels, int k_total, int p_size, int q_size, int rows, int rows_stage, int taps, int depth,
    int stride_h, int stride_w, int top, int left, int height, int width, int whole, int wide,
    int pixels, int columns, unsigned columns_magic, int columns_shift, int weight_at, int table_at,
    int k_tiles, unsigned k_tiles_magic, int k_tiles_shift, int q_tiles, unsigned q_tiles_magic, int q_tiles_shift,
    i64 x_image, i64 x_line, int x_pixel, i64 y_image, i64 y_line, int y_pixel, i64 residual_image, i64 residual_line, int residual_pixel,
    int pre, float pre_alpha, float pre_beta, int post, float post_alpha, float post_beta)
{
    static_assert(SPREAD % TQ == 0 || TQ % SPREAD == 0, "a thread's pixels lie in one column, or in one line and those below");
    extern __shared__ __align__(128) unsigned char shared[];
    float* const patch = reinterpret_cast<float*>(shared);
    float* const w_stage = patch + weight_at;
    float* const table_columns = patch + table_at;
    const int tid = threadIdx.x, n = blockIdx.z * gridDim.y + blockIdx.y;
    if (n >= images) return;
    const int tile = fast_div(blockIdx.x, k_tiles_magic, k_tiles_shift), k0 = (blockIdx.x - tile * k_tiles) * BN;
    const int tile_p = fast_div(tile, q_tiles_magic, q_tiles_shift), p0 = tile_p * TP, q0 = (tile - tile_p * q_tiles) * TQ;

#if LOOKUP
    for (int i = tid * 4; i < channels * 256; i += THREADS * 4) copy_async<16>(table_columns + i, table + i, true);
    copy_commit();
#endif
    const int k_padded = (k_total + 63) / 64 * 64;
    auto load_weights = [&](int row, int count) {
        const float* const from = weight + (i64)row * depth * k_padded + k0;
        for (int i = tid * 4; i < count * depth * BN; i += THREADS * 4)
            copy_async<16>(w_stage + i, from + (i64)(i / BN) * k_padded + i % BN, true);
        copy_commit();
    };
    load_weights(0, min(rows_stage, rows));
#if LOOKUP
    copy_wait<1>();                    // the table, not yet the weights
    __syncthreads();
#endif
    const Piece piece = {p0 * stride_h - top, q0 * stride_w - left, height, width,
                         pixels, columns, columns_magic, columns_shift, channels, whole, x_line, x_pixel};
    load_patch<THREADS>(patch, table_columns, x + n * x_image, piece);

    const int k_lane = tid % 8 * 4, first = tid / 8;
    int at[8];                         // of the thread's pixels: where in the patch their windows begin
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int m = first + i * SPREAD;
        at[i] = (m / TQ * stride_h * columns + m % TQ * stride_w) * 4;
    }
    float acc[8][FOURS][4] = {};
    for (int row = 0; row < rows; row += rows_stage) {
        const int count = min(rows_stage, rows - row);
        if (row) {
            __syncthreads();           // the weights before these have been read by all
            load_weights(row, count);
        }
        copy_wait<0>();
        __syncthreads();
        const float* w_tap = w_stage + k_lane;
        for (int r = 0; r < count; r++) {
            const float* const line = patch + (row + r) * columns * 4;
#pragma unroll 1
            for (int s = 0; s < taps; s++) {
                Vec<float, 2> in[8];   // two channels at a time: four would not fit into the registers beside the sums
#pragma unroll
                for (int c = 0; c < 4; c++) {
                    if (c == channels) break;
                    if (c % 2 == 0)
#pragma unroll
                        for (int i = 0; i < 8; i++) in[i].load(line + at[i] + s * 4 + c);
                    Vec<float, 4> w[FOURS];
#pragma unroll
                    for (int j = 0; j < FOURS; j++) w[j].load(w_tap + j * 32);
#pragma unroll
                    for (int i = 0; i < 8; i++)
#pragma unroll
                        for (int j = 0; j < FOURS; j++)
#pragma unroll
                            for (int e = 0; e < 4; e++) acc[i][j][e] = fmaf(in[i].e[c % 2], w[j].e[e], acc[i][j][e]);
                    w_tap += BN;
                }
            }
        }
    }

    // 32 sums at a time go through shared memory, a thread's own: what an epilogue may call leaves no registers to hold them all.
    __syncthreads();                   // all have read patch and weights
    float* const sums = patch + tid * 4;
    const Epilogue finish = {bias, residual, pre, post, pre_alpha, pre_beta, post_alpha, post_beta};
    float* const y_tile = y + n * y_image + k0 + k_lane;
    const float* const r_tile = residual ? residual + n * residual_image + k0 + k_lane : nullptr;
#pragma unroll
    for (int some = 0; some < FOURS; some++) {
#pragma unroll
        for (int v = 0; v < 8; v++) {
            Vec<float, 4> sum;
#pragma unroll
            for (int e = 0; e < 4; e++) sum.e[e] = acc[(some * 8 + v) / FOURS][v % FOURS][e];
            sum.store(sums + v * THREADS * 4);
        }
#pragma unroll 1
        for (int v = 0; v < 8; v++) {
            const int m = first + (some * 8 + v) / FOURS * SPREAD, p = p0 + m / TQ, q = q0 + m % TQ, k = v % FOURS * 32;
            const int left_over = k_total - (k0 + k_lane + k);
            if (p >= p_size || q >= q_size || left_over <= 0) continue;
            float* const to = y_tile + p * y_line + (i64)q * y_pixel + k;
            const float* const from = r_tile ? r_tile + p * residual_line + (i64)q * residual_pixel + k : nullptr;
            Vec<float, 4> sum, added, out;
            sum.load(sums + v * THREADS * 4);
            if (wide && from) added.load(from);
#pragma unroll
            for (int e = 0; e < 4; e++) {
                if (e >= left_over) break;
                if (!wide && from) added.e[e] = from[e];
                out.e[e] = finish(sum.e[e], bias ? __ldg(bias + k0 + k_lane + k + e) : 0.f, from ? added.e[e] : 0.f);
                if (!wide) to[e] = out.e[e];
            }
            if (wide) out.store(to);
        }
    }
}
