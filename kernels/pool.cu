// What:        max_pool: y[n,p,q,c] = the largest x[n, p*sh + r*dh - top, q*sw + s*dw - left, c] over r, s;
//              NaN where the window has one; outside is -inf
//              avg_pool: y[n,p,q,c] = (their sum, outside is 0) * factors[p,q]
//              for n: for p: for q: for c: for r: for s: one comparison, or one addition in float32, in this order
// Layout:      x, y channels last with a pitch (elements between images, lines, pixels); factors float32 (p, q), one over what each sum is divided by
// Macros:      HALF = 0, 1; VEC channels a thread (16 bytes, and every half of that down to one element), dividing c and all strides;
//              R, S the kernel (2x2, 3x3), or 0, 0 for one given at run time; THREADS of a block
// Launch:      grid (ceil(items / THREADS), and n over y and z), block THREADS, no shared memory; items = p * q * c / VEC
// Launched by: gpucnn/backends/cuda/pool.py, MaxPoolDirect and AvgPoolDirect
// Source:      direct; windows that overlap meet in the first-level cache
// Ladder:      not timed on hardware yet
#include "include/common.cuh"

typedef Vec<elem, VEC> Channels;

struct Window {
    int images, items, height, width;
    int chunks; unsigned chunks_magic; int chunks_shift;
    int q; unsigned q_magic; int q_shift;
    int rows, columns, stride_h, stride_w, dilation_h, dilation_w, top, left;
    i64 x_image, x_line, y_image, y_line;
    int x_pixel, y_pixel;
};

// The first of equals stays (so +0 and -0 keep the order of the window), and NaN once met stays.
struct Largest {
    float v[VEC];
    __device__ __forceinline__ Largest() {
#pragma unroll
        for (int e = 0; e < VEC; e++) v[e] = __int_as_float(0xff800000);   // -inf; NVRTC has no INFINITY
    }
    __device__ __forceinline__ void take(int e, float x) { v[e] = x > v[e] || x != x ? x : v[e]; }
    __device__ __forceinline__ float result(int e, float) const { return v[e]; }
};

struct Sum {
    float v[VEC];
    __device__ __forceinline__ Sum() {
#pragma unroll
        for (int e = 0; e < VEC; e++) v[e] = 0.f;
    }
    __device__ __forceinline__ void take(int e, float x) { v[e] += x; }
    __device__ __forceinline__ float result(int e, float factor) const { return v[e] * factor; }
};

template <typename Fold>
__device__ __forceinline__ void pool(const elem* __restrict__ x, elem* y, const float* __restrict__ factors, const Window& o) {
    const unsigned item = blockIdx.x * THREADS + threadIdx.x;
    const int n = blockIdx.z * gridDim.y + blockIdx.y;
    if (item >= (unsigned)o.items || n >= o.images) return;
    const int place = fast_div(item, o.chunks_magic, o.chunks_shift), c = ((int)item - place * o.chunks) * VEC;
    const int p = fast_div(place, o.q_magic, o.q_shift), q = place - p * o.q;
    const int h0 = p * o.stride_h - o.top, w0 = q * o.stride_w - o.left;
    const elem* const image = x + n * o.x_image + c;
    Fold fold;
    auto meet = [&](int r, int s) {
        const int h = h0 + r * o.dilation_h, w = w0 + s * o.dilation_w;
        if ((unsigned)h >= (unsigned)o.height || (unsigned)w >= (unsigned)o.width) return;
        Channels in;
        in.load_ro(image + h * o.x_line + (i64)w * o.x_pixel);
#pragma unroll
        for (int e = 0; e < VEC; e++) fold.take(e, to_float(in.e[e]));
    };
#if R
#pragma unroll
    for (int r = 0; r < R; r++)
#pragma unroll
        for (int s = 0; s < S; s++) meet(r, s);
#else
    for (int r = 0; r < o.rows; r++)
#pragma unroll 2                       // by four, as the compiler would, it spills
        for (int s = 0; s < o.columns; s++) meet(r, s);
#endif
    const float factor = factors ? __ldg(factors + place) : 1.f;
    Channels out;
#pragma unroll
    for (int e = 0; e < VEC; e++) out.e[e] = from_float<elem>(fold.result(e, factor));
    out.store(y + n * o.y_image + p * o.y_line + (i64)q * o.y_pixel + c);
}

#define WINDOW                                                                                                                        \
    int images, int items, int height, int width, int chunks, unsigned chunks_magic, int chunks_shift,                                \
    int q, unsigned q_magic, int q_shift, int rows, int columns, int stride_h, int stride_w, int dilation_h, int dilation_w,          \
    int top, int left, i64 x_image, i64 x_line, int x_pixel, i64 y_image, i64 y_line, int y_pixel
#define AS_WINDOW                                                                                                                     \
    Window{images, items, height, width, chunks, chunks_magic, chunks_shift, q, q_magic, q_shift, rows, columns,                      \
           stride_h, stride_w, dilation_h, dilation_w, top, left, x_image, x_line, y_image, y_line, x_pixel, y_pixel}

extern "C" __global__ void __launch_bounds__(THREADS) max_pool(const elem* __restrict__ x, elem* y, WINDOW) {
    pool<Largest>(x, y, nullptr, AS_WINDOW);
}

extern "C" __global__ void __launch_bounds__(THREADS) avg_pool(
    const elem* __restrict__ x, elem* y, WINDOW, const float* __restrict__ factors)
{
    pool<Sum>(x, y, factors, AS_WINDOW);
}
