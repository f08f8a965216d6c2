// What:        y[n,c] = (sum over i of x[n,i,c]) / pixels, i over the pixels of an image
//              for n: for c: strand t of STRANDS adds the pixels t, t + STRANDS, ... in float32, then the strands are added as a tree
// Layout:      x channels last with a pitch (elements between images, lines, pixels); y (n, c) with channels side by side
// Macros:      HALF = 0, 1; VEC channels per load of x (16 bytes, and every half of that down to one element), dividing c and x's strides;
//              STRANDS a power of two, the same always, for it fixes the bits; LANES threads side by side, VEC channels each
// Launch:      grid (ceil(c / (LANES * VEC)), and n over y and z), block LANES * STRANDS, no dynamic shared memory
// Launched by: gpucnn/backends/cuda/pool.py, GlobalAvgPoolDirect
// Source:      tree reduction in shared memory (Harris 2007, Optimizing Parallel Reduction in CUDA), without atomics
// Ladder:      not timed on hardware yet
#include "include/common.cuh"

#define THREADS (LANES * STRANDS)

extern "C" __global__ void __launch_bounds__(THREADS) global_avg_pool(
    const elem* __restrict__ x, elem* y, int images, int channels, int pixels, int width, unsigned width_magic, int width_shift,
    float divisor, i64 x_image, i64 x_line, int x_pixel, i64 y_image)
{
    __shared__ float sums[VEC][STRANDS][LANES];    // [element] first: a warp then meets every bank once
    const int lane = threadIdx.x % LANES, strand = threadIdx.x / LANES, c = (blockIdx.x * LANES + lane) * VEC;
    const int n = blockIdx.z * gridDim.y + blockIdx.y;
    if (n >= images) return;
    const bool inside = c < channels;
    const elem* const image = x + n * x_image + c;
    float sum[VEC] = {};
    if (inside)
#pragma unroll 4
        for (int i = strand; i < pixels; i += STRANDS) {
            const int h = fast_div(i, width_magic, width_shift), w = i - h * width;
            Vec<elem, VEC> in;
            in.load_ro(image + h * x_line + (i64)w * x_pixel);
#pragma unroll
            for (int e = 0; e < VEC; e++) sum[e] += to_float(in.e[e]);
        }
#pragma unroll
    for (int e = 0; e < VEC; e++) sums[e][strand][lane] = sum[e];
    __syncthreads();
#pragma unroll
    for (int half_way = STRANDS / 2; half_way > 0; half_way /= 2) {
        if (strand < half_way)
#pragma unroll
            for (int e = 0; e < VEC; e++) sums[e][strand][lane] += sums[e][strand + half_way][lane];
        __syncthreads();
    }
    if (inside && strand == 0)
#pragma unroll
        for (int e = 0; e < VEC; e++) y[n * y_image + c + e] = from_float<elem>(sums[e][0][lane] / divisor);
}
