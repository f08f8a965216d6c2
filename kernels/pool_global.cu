// What:        global_avg_pool: y[n,c] = (sum over i of x[n,i,c]) / pixels, i over the pixels of an image
//              global_max_pool, global_min_pool: their largest, smallest; NaN where there is one
//              global_lp_pool: the pow-th root of the sum of |x|^pow, of what share of the largest |x| each is, so that nothing overflows
//              for n: for c: strand t of STRANDS takes the pixels t, t + STRANDS, ... in float32, then the strands meet as a tree
// Layout:      x channels last with a pitch (elements between images, lines, pixels); y (n, c) with channels side by side
// Macros:      HALF = 0, 1; VEC channels per load of x (16 bytes, and every half of that down to one element), dividing c and x's strides;
//              STRANDS a power of two, the same always, for it fixes the bits; LANES threads side by side, VEC channels each
// Launch:      grid (ceil(c / (LANES * VEC)), and n over y and z), block LANES * STRANDS, no dynamic shared memory
// Launched by: gpucnn/backends/cuda/global_pool.py, GlobalAvgPoolDirect, GlobalExtremePoolDirect and GlobalLpPoolDirect
// Source:      tree reduction in shared memory (Harris 2007, Optimizing Parallel Reduction in CUDA), without atomics
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/power.cuh"

#define THREADS (LANES * STRANDS)
#define INFINITE __int_as_float(0x7f800000)    // NVRTC has no INFINITY

// How many values are loaded at once, what a strand starts from, what it makes of a value, and of what another strand has.
struct Sum {
    enum { AT_ONCE = 4 };
    static __device__ __forceinline__ float start() { return 0.f; }
    __device__ __forceinline__ float take(int, float a, float x) const { return a + x; }
    __device__ __forceinline__ float meet(float a, float b) const { return a + b; }
};

struct Largest {
    enum { AT_ONCE = 4 };
    static __device__ __forceinline__ float start() { return -INFINITE; }
    __device__ __forceinline__ float take(int, float a, float x) const { return x > a || x != x ? x : a; }
    __device__ __forceinline__ float meet(float a, float b) const { return take(0, a, b); }
};

struct Smallest {
    enum { AT_ONCE = 4 };
    static __device__ __forceinline__ float start() { return INFINITE; }
    __device__ __forceinline__ float take(int, float a, float x) const { return x < a || x != x ? x : a; }
    __device__ __forceinline__ float meet(float a, float b) const { return take(0, a, b); }
};

struct LargestSize {
    enum { AT_ONCE = 4 };
    static __device__ __forceinline__ float start() { return 0.f; }
    __device__ __forceinline__ float take(int, float a, float x) const { return larger_size(a, x); }
    __device__ __forceinline__ float meet(float a, float b) const { return larger_size(a, b); }
};

struct Powers {
    enum { AT_ONCE = 1 };    // a power is long
    float unit[VEC], pow;
    static __device__ __forceinline__ float start() { return 0.f; }
    __device__ __forceinline__ float take(int e, float a, float x) const { return a + raised(fabsf(x) / unit[e], pow); }
    __device__ __forceinline__ float meet(float a, float b) const { return a + b; }
};

// A thread's share of the block's work: VEC channels from c on of image n.
struct Part {
    int lane, strand, c, n, pixels, width, width_shift, x_pixel;
    unsigned width_magic;
    bool inside;
    i64 x_image, x_line;
};

typedef float Strands[STRANDS][LANES];    // one for each element of VEC: a warp then meets every bank once

#define PART                                                                                                                \
    int images, int channels, int pixels, int width, unsigned width_magic, int width_shift, i64 x_image, i64 x_line, int x_pixel
#define AS_PART part_of(channels, pixels, width, width_magic, width_shift, x_image, x_line, x_pixel)

__device__ __forceinline__ Part part_of(
    int channels, int pixels, int width, unsigned width_magic, int width_shift, i64 x_image, i64 x_line, int x_pixel)
{
    Part part;
    part.lane = threadIdx.x % LANES, part.strand = threadIdx.x / LANES, part.c = (blockIdx.x * LANES + part.lane) * VEC;
    part.n = blockIdx.z * gridDim.y + blockIdx.y, part.inside = part.c < channels;
    part.pixels = pixels, part.width = width, part.width_magic = width_magic, part.width_shift = width_shift;
    part.x_image = x_image, part.x_line = x_line, part.x_pixel = x_pixel;
    return part;
}

// Leaves the results in strand 0, for all threads to read.
template <typename Fold> __device__ __forceinline__ void reduce(const elem* x, const Part& part, Strands* sums, const Fold& fold) {
    const int lane = part.lane, strand = part.strand, pixels = part.pixels;
    const elem* const image = x + part.n * part.x_image + part.c;
    float sum[VEC];
#pragma unroll
    for (int e = 0; e < VEC; e++) sum[e] = Fold::start();
    if (part.inside)
#pragma unroll (Fold::AT_ONCE)
        for (int i = strand; i < pixels; i += STRANDS) {
            const int h = fast_div(i, part.width_magic, part.width_shift), w = i - h * part.width;
            Vec<elem, VEC> in;
            in.load_ro(image + h * part.x_line + (i64)w * part.x_pixel);
#pragma unroll
            for (int e = 0; e < VEC; e++) sum[e] = fold.take(e, sum[e], to_float(in.e[e]));
        }
#pragma unroll
    for (int e = 0; e < VEC; e++) sums[e][strand][lane] = sum[e];
    __syncthreads();
#pragma unroll
    for (int half_way = STRANDS / 2; half_way > 0; half_way /= 2) {
        if (strand < half_way)
#pragma unroll
            for (int e = 0; e < VEC; e++) sums[e][strand][lane] = fold.meet(sums[e][strand][lane], sums[e][strand + half_way][lane]);
        __syncthreads();
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) global_avg_pool(
    const elem* __restrict__ x, elem* y, PART, i64 y_image, float divisor)
{
    __shared__ Strands sums[VEC];
    const Part part = AS_PART;
    if (part.n >= images) return;
    reduce(x, part, sums, Sum());
    if (part.inside && part.strand == 0)
#pragma unroll
        for (int e = 0; e < VEC; e++) y[part.n * y_image + part.c + e] = from_float<elem>(sums[e][0][part.lane] / divisor);
}

template <typename Fold> __device__ __forceinline__ void extreme(const elem* x, elem* y, const Part& part, i64 y_image) {
    __shared__ Strands best[VEC];
    reduce(x, part, best, Fold());
    if (part.inside && part.strand == 0)
#pragma unroll
        for (int e = 0; e < VEC; e++) y[part.n * y_image + part.c + e] = from_float<elem>(best[e][0][part.lane]);
}

extern "C" __global__ void __launch_bounds__(THREADS) global_max_pool(const elem* __restrict__ x, elem* y, PART, i64 y_image) {
    const Part part = AS_PART;
    if (part.n < images) extreme<Largest>(x, y, part, y_image);
}

extern "C" __global__ void __launch_bounds__(THREADS) global_min_pool(const elem* __restrict__ x, elem* y, PART, i64 y_image) {
    const Part part = AS_PART;
    if (part.n < images) extreme<Smallest>(x, y, part, y_image);
}

extern "C" __global__ void __launch_bounds__(THREADS) global_lp_pool(
    const elem* __restrict__ x, elem* y, PART, i64 y_image, float pow, float root)
{
    __shared__ Strands sums[VEC];
    const Part part = AS_PART;
    if (part.n >= images) return;
    reduce(x, part, sums, LargestSize());
    Powers powers;
    float largest[VEC];
    powers.pow = pow;
#pragma unroll
    for (int e = 0; e < VEC; e++) largest[e] = sums[e][0][part.lane], powers.unit[e] = unit_of(largest[e]);
    __syncthreads();                      // sums has been read by all
    reduce(x, part, sums, powers);
    if (part.inside && part.strand == 0)
#pragma unroll
        for (int e = 0; e < VEC; e++) y[part.n * y_image + part.c + e] = from_float<elem>(norm_of(largest[e], sums[e][0][part.lane], root));
}
