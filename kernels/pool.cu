// What:        max_pool, min_pool: y[n,p,q,c] = the largest, smallest x[n, p*sh + r*dh - top, q*sw + s*dw - left, c] over r, s;
//              NaN where the window has one; outside is -inf, +inf. max_pool_places: also where in the map the first of the largest lies, or -1
//              avg_pool: y[n,p,q,c] = (their sum, outside is 0) * factors[p,q]
//              lp_pool: the pow-th root of the sum of |x|^pow, of what share of the window's largest |x| each is, so that nothing overflows
//              adaptive_avg_pool: the mean over the lines floor(p*height/p_size) to ceil((p+1)*height/p_size), and columns likewise;
//              adaptive_max_pool, adaptive_max_pool_places: their maximum, and its place
//              for n: for p: for q: for c: for r: for s: one comparison, or one addition in float32, in this order
// Layout:      x, y, places channels last with a pitch (elements between images, lines, pixels); places int64;
//              factors float32 (p, q), one over what each sum is divided by
// Macros:      HALF = 0, 1; VEC channels a thread (16 bytes, and every half of that down to one element), dividing c and all strides;
//              above 1, two int64 of places are aligned too;
//              R, S the kernel (2x2, 3x3), or 0, 0 for one given at run time, for lp_pool and adaptive windows; THREADS of a block
// Launch:      grid (ceil(items / THREADS), and n over y and z), block THREADS, no shared memory; items = p * q * c / VEC
// Launched by: gpucnn/backends/cuda/pool.py, MaxPoolDirect, MinPoolDirect, AvgPoolDirect and LpPoolDirect; adaptive.py,
//              AdaptiveAvgPoolDirect and AdaptiveMaxPoolDirect
// Source:      direct; windows that overlap meet in the first-level cache
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/power.cuh"

typedef Vec<elem, VEC> Channels;

struct Window {
    int height, width, rows, columns, stride_h, stride_w, dilation_h, dilation_w, top, left;
    i64 x_image, x_line;
    int x_pixel;
};

#define INFINITE __int_as_float(0x7f800000)    // NVRTC has no INFINITY

// The first of equals stays (so +0 and -0 keep the order of the window), and NaN once met stays.
struct Largest {
    float v[VEC];
    __device__ __forceinline__ Largest() {
#pragma unroll
        for (int e = 0; e < VEC; e++) v[e] = -INFINITE;
    }
    __device__ __forceinline__ void take(int e, float x, int) { v[e] = x > v[e] || x != x ? x : v[e]; }
};

struct Smallest {
    float v[VEC];
    __device__ __forceinline__ Smallest() {
#pragma unroll
        for (int e = 0; e < VEC; e++) v[e] = INFINITE;
    }
    __device__ __forceinline__ void take(int e, float x, int) { v[e] = x < v[e] || x != x ? x : v[e]; }
};

// As Largest, with the place of the first of equals, be they NaN or -inf.
struct LargestPlace {
    float v[VEC];
    int at[VEC];
    __device__ __forceinline__ LargestPlace() {
#pragma unroll
        for (int e = 0; e < VEC; e++) { v[e] = -INFINITE; at[e] = -1; }
    }
    __device__ __forceinline__ void take(int e, float x, int place) {
        if (at[e] < 0 || x > v[e] || (x != x && v[e] == v[e])) { v[e] = x; at[e] = place; }
    }
};

struct Sum {
    float v[VEC];
    __device__ __forceinline__ Sum() {
#pragma unroll
        for (int e = 0; e < VEC; e++) v[e] = 0.f;
    }
    __device__ __forceinline__ void take(int e, float x, int) { v[e] += x; }
};

struct LargestSize {
    float v[VEC];
    __device__ __forceinline__ LargestSize() {
#pragma unroll
        for (int e = 0; e < VEC; e++) v[e] = 0.f;
    }
    __device__ __forceinline__ void take(int e, float x, int) { v[e] = larger_size(v[e], x); }
};

struct Powers {
    float v[VEC], unit[VEC], pow;
    __device__ __forceinline__ Powers(const float (&largest)[VEC], float pow) : pow(pow) {
#pragma unroll
        for (int e = 0; e < VEC; e++) v[e] = 0.f, unit[e] = unit_of(largest[e]);
    }
    __device__ __forceinline__ void take(int e, float x, int) { v[e] += raised(fabsf(x) / unit[e], pow); }
};

// The results of a thread: VEC channels from c on, at place (p, q) of image n.
struct Spot {
    bool inside;
    int n, place, p, q, c;
    template <typename E> __device__ __forceinline__ E* in(E* y, i64 image, i64 line, int pixel) const {
        return y + n * image + p * line + (i64)q * pixel + c;
    }
};

#define SPOT int images, int items, int chunks, unsigned chunks_magic, int chunks_shift, int q, unsigned q_magic, int q_shift
#define AS_SPOT spot_of(images, items, chunks, chunks_magic, chunks_shift, q, q_magic, q_shift)

__device__ __forceinline__ Spot spot_of(SPOT) {
    const unsigned item = blockIdx.x * THREADS + threadIdx.x;
    Spot spot;
    spot.n = blockIdx.z * gridDim.y + blockIdx.y;
    spot.inside = item < (unsigned)items && spot.n < images;
    spot.place = fast_div(item, chunks_magic, chunks_shift), spot.c = ((int)item - spot.place * chunks) * VEC;
    spot.p = fast_div(spot.place, q_magic, q_shift), spot.q = spot.place - spot.p * q;
    return spot;
}

template <typename Fold> __device__ __forceinline__ void take_pixel(Fold& fold, const elem* pixel, int place) {
    Channels in;
    in.load_ro(pixel);
#pragma unroll
    for (int e = 0; e < VEC; e++) fold.take(e, to_float(in.e[e]), place);
}

template <typename Fold>
__device__ __forceinline__ Fold pool(const elem* __restrict__ x, const Window& o, const Spot& spot, Fold fold = Fold()) {
    const int h0 = spot.p * o.stride_h - o.top, w0 = spot.q * o.stride_w - o.left;
    const elem* const image = x + spot.n * o.x_image + spot.c;
    auto meet = [&](int r, int s) {
        const int h = h0 + r * o.dilation_h, w = w0 + s * o.dilation_w;
        if ((unsigned)h >= (unsigned)o.height || (unsigned)w >= (unsigned)o.width) return;
        take_pixel(fold, image + h * o.x_line + (i64)w * o.x_pixel, h * o.width + w);
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
    return fold;
}

__device__ __forceinline__ void store(elem* y, const float (&v)[VEC], float factor) {
    Channels out;
#pragma unroll
    for (int e = 0; e < VEC; e++) out.e[e] = from_float<elem>(v[e] * factor);
    out.store(y);
}

#define STRIDES i64 x_image, i64 x_line, int x_pixel, i64 y_image, i64 y_line, int y_pixel
#define WINDOW                                                                                                              \
    int height, int width, int rows, int columns, int stride_h, int stride_w, int dilation_h, int dilation_w, int top, int left
#define AS_WINDOW                                                                                                           \
    Window{height, width, rows, columns, stride_h, stride_w, dilation_h, dilation_w, top, left, x_image, x_line, x_pixel}

extern "C" __global__ void __launch_bounds__(THREADS) max_pool(const elem* __restrict__ x, elem* y, SPOT, STRIDES, WINDOW) {
    const Spot spot = AS_SPOT;
    if (spot.inside) store(spot.in(y, y_image, y_line, y_pixel), pool<Largest>(x, AS_WINDOW, spot).v, 1.f);
}

extern "C" __global__ void __launch_bounds__(THREADS) min_pool(const elem* __restrict__ x, elem* y, SPOT, STRIDES, WINDOW) {
    const Spot spot = AS_SPOT;
    if (spot.inside) store(spot.in(y, y_image, y_line, y_pixel), pool<Smallest>(x, AS_WINDOW, spot).v, 1.f);
}

__device__ __forceinline__ void store_places(i64* to, const int (&at)[VEC]) {
    enum { TWO = VEC > 1 ? 2 : 1 };
#pragma unroll
    for (int e = 0; e < VEC; e += TWO) {
        Vec<i64, TWO> out;
#pragma unroll
        for (int i = 0; i < TWO; i++) out.e[i] = at[e + i];
        out.store(to + e);
    }
}

// Without the 1, the compiler keeps to 40 registers for sm_100 and 120, and spills.
extern "C" __global__ void __launch_bounds__(THREADS, 1) max_pool_places(
    const elem* __restrict__ x, elem* y, SPOT, STRIDES, WINDOW, i64* places, i64 places_image, i64 places_line, int places_pixel)
{
    const Spot spot = AS_SPOT;
    if (!spot.inside) return;
    const LargestPlace fold = pool<LargestPlace>(x, AS_WINDOW, spot);
    store(spot.in(y, y_image, y_line, y_pixel), fold.v, 1.f);
    store_places(spot.in(places, places_image, places_line, places_pixel), fold.at);
}

extern "C" __global__ void __launch_bounds__(THREADS) avg_pool(
    const elem* __restrict__ x, elem* y, SPOT, STRIDES, WINDOW, const float* __restrict__ factors)
{
    const Spot spot = AS_SPOT;
    if (spot.inside) store(spot.in(y, y_image, y_line, y_pixel), pool<Sum>(x, AS_WINDOW, spot).v, __ldg(factors + spot.place));
}

#if !R
extern "C" __global__ void __launch_bounds__(THREADS, 1) lp_pool(
    const elem* __restrict__ x, elem* y, SPOT, STRIDES, WINDOW, float pow, float root)
{
    const Spot spot = AS_SPOT;
    if (!spot.inside) return;
    const LargestSize largest = pool<LargestSize>(x, AS_WINDOW, spot);
    Powers sum = pool(x, AS_WINDOW, spot, Powers(largest.v, pow));
#pragma unroll
    for (int e = 0; e < VEC; e++) sum.v[e] = norm_of(largest.v[e], sum.v[e], root);
    store(spot.in(y, y_image, y_line, y_pixel), sum.v, 1.f);
}

// The window of spot in a grid of p by q that covers a map.
struct Adaptive {
    int top, bottom, left, right;
    __device__ __forceinline__ Adaptive(
        const Spot& spot, int height, int width, int p, unsigned p_magic, int p_shift, int q, unsigned q_magic, int q_shift)
    {
        top = fast_div(spot.p * height, p_magic, p_shift), bottom = fast_div((spot.p + 1) * height + p - 1, p_magic, p_shift);
        left = fast_div(spot.q * width, q_magic, q_shift), right = fast_div((spot.q + 1) * width + q - 1, q_magic, q_shift);
    }
    template <typename Fold>
    __device__ __forceinline__ Fold pool(const elem* image, i64 x_line, int x_pixel, int width) const {
        Fold fold;
        for (int h = top; h < bottom; h++)
            for (int w = left; w < right; w++) take_pixel(fold, image + h * x_line + (i64)w * x_pixel, h * width + w);
        return fold;
    }
};

#define GRID int height, int width, int p, unsigned p_magic, int p_shift
#define AS_ADAPTIVE Adaptive(spot, height, width, p, p_magic, p_shift, q, q_magic, q_shift)

extern "C" __global__ void __launch_bounds__(THREADS, 1) adaptive_avg_pool(const elem* __restrict__ x, elem* y, SPOT, STRIDES, GRID) {
    const Spot spot = AS_SPOT;
    if (!spot.inside) return;
    const Adaptive window = AS_ADAPTIVE;
    Sum sum = window.pool<Sum>(x + spot.n * x_image + spot.c, x_line, x_pixel, width);
    const float count = (float)(window.bottom - window.top) * (float)(window.right - window.left);
#pragma unroll
    for (int e = 0; e < VEC; e++) sum.v[e] /= count;
    store(spot.in(y, y_image, y_line, y_pixel), sum.v, 1.f);
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) adaptive_max_pool(const elem* __restrict__ x, elem* y, SPOT, STRIDES, GRID) {
    const Spot spot = AS_SPOT;
    if (!spot.inside) return;
    const Largest fold = AS_ADAPTIVE.pool<Largest>(x + spot.n * x_image + spot.c, x_line, x_pixel, width);
    store(spot.in(y, y_image, y_line, y_pixel), fold.v, 1.f);
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) adaptive_max_pool_places(
    const elem* __restrict__ x, elem* y, SPOT, STRIDES, GRID, i64* places, i64 places_image, i64 places_line, int places_pixel)
{
    const Spot spot = AS_SPOT;
    if (!spot.inside) return;
    const LargestPlace fold = AS_ADAPTIVE.pool<LargestPlace>(x + spot.n * x_image + spot.c, x_line, x_pixel, width);
    store(spot.in(y, y_image, y_line, y_pixel), fold.v, 1.f);
    store_places(spot.in(places, places_image, places_line, places_pixel), fold.at);
}
#endif
