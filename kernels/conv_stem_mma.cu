// What:        y[n,p,q,k] = post(pre(sum over r,s,c of x[n, p*sh + r - top, q*sw + s - left, c] * w[k,r,s,c] + bias[k]) + residual), c <= 4,
//              x itself or table[x, c]; for n: for tile of p, q: for tile of k: the piece of x to shared memory, then
//              for r: for (s,c) by 16: for 16 pixels: for 8 k: one matrix product
// Layout:      x, y, residual channels last with a pitch (elements between images, lines, pixels); w packed (K padded to 64, r,
//              s*4 padded to 16), zeros in the padding; table (c, 256); float32 sums in the order of r, then s*4 by 16, for every tile
// Macros:      HALF=1; LOOKUP = 0, 1 (x through the table); TP x TQ results of BN channels a block, TQ divisible by 16; WARPS of it
// Launch:      grid (tiles of p * tiles of q * ceil(K/BN), and n over y and z), block 32*WARPS, dynamic shared: the piece of x, rows_stage
//              rows of weights, the table, or the sums of 16 pixels a warp if those are more
// Launched by: gpucnn/backends/cuda/stem.py, ConvStemMma
// Source:      direct convolution; of four channels a pixel, the window's line is contiguous in shared memory at any stride, so that
//              fragments come straight from the image and an im2col matrix is nowhere
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/epilogue.cuh"
#include "include/mma.cuh"
#include "include/patch.cuh"

#define THREADS (WARPS * 32)
#define FM (TP * TQ / 16 / WARPS)      // fragments of a warp along pixels and channels
#define FN (BN / 8)
#define PITCH (BN + 8)                 // floats between pixels of sums: the four lines that a half warp writes meet different banks

extern "C" __global__ void __launch_bounds__(THREADS, 2) conv_stem_mma(
    const pixel_elem* __restrict__ x, const half* __restrict__ table, const half* __restrict__ weight, const float* __restrict__ bias,
    const half* residual, half* y,
    int images, int channels, int k_total, int p_size, int q_size, int rows, int rows_stage, int taps, int depth,
    int stride_h, int stride_w, int top, int left, int height, int width, int whole, int wide,
    int pixels, int columns, unsigned columns_magic, int columns_shift, int weight_at, int table_at,
    int k_tiles, unsigned k_tiles_magic, int k_tiles_shift, int q_tiles, unsigned q_tiles_magic, int q_tiles_shift,
    i64 x_image, i64 x_line, int x_pixel, i64 y_image, i64 y_line, int y_pixel, i64 residual_image, i64 residual_line, int residual_pixel,
    int pre, float pre_alpha, float pre_beta, int post, float post_alpha, float post_beta)
{
    static_assert(FN % 2 == 0, "one ldmatrix loads two fragments along channels");
    extern __shared__ __align__(128) unsigned char shared[];
    half* const patch = reinterpret_cast<half*>(shared);
    half* const w_stage = patch + weight_at;
    half* const table_columns = patch + table_at;
    const int tid = threadIdx.x, lane = tid & 31, warp = tid >> 5, n = blockIdx.z * gridDim.y + blockIdx.y;
    if (n >= images) return;
    const int tile = fast_div(blockIdx.x, k_tiles_magic, k_tiles_shift), k0 = (blockIdx.x - tile * k_tiles) * BN;
    const int tile_p = fast_div(tile, q_tiles_magic, q_tiles_shift), p0 = tile_p * TP, q0 = (tile - tile_p * q_tiles) * TQ;

#if LOOKUP
    for (int i = tid * 8; i < channels * 256; i += THREADS * 8) copy_async<16>(table_columns + i, table + i, true);
    copy_commit();
#endif
    const int w_pitch = rows_stage * depth + 8;     // an odd number of 16-byte chunks: ldmatrix meets every bank once
    auto load_weights = [&](int row, int count) {
        const half* const from = weight + ((i64)k0 * rows + row) * depth;
        for (int k = tid / 8; k < BN; k += THREADS / 8)
            for (int d = tid % 8 * 8; d < count * depth; d += 64)
                copy_async<16>(w_stage + k * w_pitch + d, from + (i64)k * rows * depth + d, true);
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

    // Lane 4 g + t holds pixels g and g + 8 of a fragment, elements 2 t, 2 t + 1 and the two that lie 8 further of the window's line.
    const int g = lane >> 2, t = lane & 3;
    const half* line[FM];
#pragma unroll
    for (int i = 0; i < FM; i++) {
        const int f = warp * FM + i;
        line[i] = patch + ((f / (TQ / 16)) * stride_h * columns + (f % (TQ / 16) * 16 + g) * stride_w) * 4 + t * 2;
    }
    const int eight = 8 * stride_w * 4;
    const half* const w_lane = w_stage + ((lane & 7) + ((lane >> 4) << 3)) * w_pitch + ((lane >> 3) & 1) * 8;
    float acc[FM][FN][4] = {};
    for (int row = 0; row < rows; row += rows_stage) {
        const int count = min(rows_stage, rows - row);
        if (row) {
            __syncthreads();           // the weights before these have been read by all
            load_weights(row, count);
        }
        copy_wait<0>();
        __syncthreads();
        const half* w_step = w_lane;
        for (int r = 0; r < count; r++)
#pragma unroll 1
            for (int d = 0; d < depth; d += 16, w_step += 16) {
                // Beyond the window lie its neighbours: they meet zero weights, but an Inf or NaN among them would still come through.
                const bool low = d + t * 2 < taps * 4, high = d + 8 + t * 2 < taps * 4;
                const int at = (row + r) * columns * 4 + d;
                unsigned a[FM][4];
#pragma unroll
                for (int i = 0; i < FM; i++) {
                    const half* const from = line[i] + at;
                    a[i][0] = low ? *reinterpret_cast<const unsigned*>(from) : 0;
                    a[i][1] = low ? *reinterpret_cast<const unsigned*>(from + eight) : 0;
                    a[i][2] = high ? *reinterpret_cast<const unsigned*>(from + 8) : 0;
                    a[i][3] = high ? *reinterpret_cast<const unsigned*>(from + eight + 8) : 0;
                }
#pragma unroll
                for (int j = 0; j < FN; j += 2) {
                    unsigned b[4];
                    ldmatrix_x4(b, w_step + j * 8 * w_pitch);
                    const unsigned first[2] = {b[0], b[1]}, second[2] = {b[2], b[3]};
#pragma unroll
                    for (int i = 0; i < FM; i++) {
                        mma_16816(acc[i][j], a[i], first);
                        mma_16816(acc[i][j + 1], a[i], second);
                    }
                }
            }
    }

    // Sums go through shared memory, 16 pixels of a warp at a time, so that neighbouring lanes write neighbouring channels.
    __syncthreads();                   // all have read patch and weights
    float* const sums = reinterpret_cast<float*>(shared) + warp * 16 * PITCH;
    const Epilogue finish = {bias, residual, pre, post, pre_alpha, pre_beta, post_alpha, post_beta};
#pragma unroll
    for (int i = 0; i < FM; i++) {
        const int f = warp * FM + i, p = p0 + f / (TQ / 16), q = q0 + f % (TQ / 16) * 16;
        __syncwarp();                  // the sums before these have been read
#pragma unroll
        for (int j = 0; j < FN; j++)
#pragma unroll
            for (int h = 0; h < 2; h++)
                *reinterpret_cast<float2*>(sums + (g + h * 8) * PITCH + j * 8 + t * 2) = make_float2(acc[i][j][2 * h], acc[i][j][2 * h + 1]);
        __syncwarp();
        if (p >= p_size) continue;
        half* const y_tile = y + n * y_image + p * y_line + (i64)q * y_pixel + k0;
        const half* const r_tile = residual ? residual + n * residual_image + p * residual_line + (i64)q * residual_pixel + k0 : nullptr;
        if (wide) {
            const int k = lane % (BN / 8) * 8;
            if (k0 + k >= k_total) continue;
            float b[8];
#pragma unroll
            for (int e = 0; e < 8; e++) b[e] = bias ? __ldg(bias + k0 + k + e) : 0.f;
#pragma unroll 1
            for (int m = lane / (BN / 8); m < 16 && q + m < q_size; m += 256 / BN) {
                Vec<half, 8> added, out;
                Vec<float, 4> four[2];
                if (r_tile) added.load(r_tile + (i64)m * residual_pixel + k);
                four[0].load(sums + m * PITCH + k);
                four[1].load(sums + m * PITCH + k + 4);
#pragma unroll
                for (int e = 0; e < 8; e++)
                    out.e[e] = __float2half_rn(finish(four[e / 4].e[e % 4], b[e], r_tile ? __half2float(added.e[e]) : 0.f));
                out.store(y_tile + (i64)m * y_pixel + k);
            }
        } else {
#pragma unroll 1
            for (int j = lane; j < 16 * BN; j += 32) {
                const int m = j / BN, k = j % BN;
                if (q + m >= q_size || k0 + k >= k_total) continue;
                const float added = r_tile ? __half2float(r_tile[(i64)m * residual_pixel + k]) : 0.f;
                y_tile[(i64)m * y_pixel + k] = __float2half_rn(finish(sums[m * PITCH + k], bias ? __ldg(bias + k0 + k) : 0.f, added));
            }
        }
    }
}
