// What:        copy: y[i] = x[i]; transpose: the same where x and y have different axes with neighbours side by side;
//              pad: y[i] = x[i - before] inside x, else a constant; pad_mapped: else x mirrored, repeated at its edge or continued
// Layout:      any strides on both sides; bytes are moved, never read as numbers
// Macros:      SIZE bytes of an item (1, 2, 4, 8, 16): the host widens elements that lie side by side in both arrays
// Launch:      copy, pad, pad_mapped: grid ceil(items/1024), block 256; transpose: a block of 256 per tile of 32 x 32 items
// Launched by: gpucnn/backends/cuda/layout.py, CopyKernel, RouteKernel, ConcatKernel, PadKernel
// Source:      tiled transpose through padded shared memory (Ruetsch & Micikevicius 2009)
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/walk.cuh"

#define THREADS 256
#define EACH 4                          // items of a thread: as many loads under way
#define TILE 32
#define LINES (THREADS / TILE)

template <> struct Wide<1> { typedef unsigned char type; };
typedef Wide<SIZE>::type item_t;
typedef unsigned long long u64;

extern "C" __global__ void __launch_bounds__(THREADS) copy(
    const item_t* __restrict__ x, item_t* __restrict__ y, int items,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4)
{
    const int first = blockIdx.x * (THREADS * EACH) + threadIdx.x;
    item_t v[EACH];
    i64 to[EACH];
#pragma unroll
    for (int e = 0; e < EACH; e++) {
        const int item = first + e * THREADS;
        if (item >= items) break;
        const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
        v[e] = __ldg(x + offset_of(p, 1, x0, x1, x2, x3, x4));
        to[e] = offset_of(p, 1, y0, y1, y2, y3, y4);
    }
#pragma unroll
    for (int e = 0; e < EACH; e++)
        if (first + e * THREADS < items) y[to[e]] = v[e];
}

// `a` is the axis with neighbours side by side in x, `b` that in y; a_y and b_x are their strides in the other array.
extern "C" __global__ void __launch_bounds__(THREADS) transpose(
    const item_t* __restrict__ x, item_t* __restrict__ y, int a_size, int b_size, i64 a_y, i64 b_x,
    int a_tiles, unsigned a_magic, int a_shift, int b_tiles, unsigned b_magic, int b_shift,
    int n1, unsigned magic1, int shift1, int n2, unsigned magic2, int shift2,
    i64 y1, i64 y2, i64 y3, i64 x1, i64 x2, i64 x3)
{
    __shared__ item_t tile[TILE][TILE + 1];     // one more: a column then lies in as many banks as a row
    const int lane = threadIdx.x % TILE, line = threadIdx.x / TILE;
    int rest = blockIdx.x;
    const int b0 = peel(rest, b_tiles, b_magic, b_shift) * TILE, a0 = peel(rest, a_tiles, a_magic, a_shift) * TILE;
    const int i1 = peel(rest, n1, magic1, shift1), i2 = peel(rest, n2, magic2, shift2);
    const item_t* const from = x + i1 * x1 + i2 * x2 + rest * x3;
    item_t* const to = y + i1 * y1 + i2 * y2 + rest * y3;
    item_t v[TILE / LINES];
#pragma unroll
    for (int r = 0; r < TILE; r += LINES)
        if (a0 + lane < a_size && b0 + line + r < b_size) v[r / LINES] = __ldg(from + (a0 + lane) + (b0 + line + r) * b_x);
#pragma unroll
    for (int r = 0; r < TILE; r += LINES)
        if (a0 + lane < a_size && b0 + line + r < b_size) tile[line + r][lane] = v[r / LINES];
    __syncthreads();
#pragma unroll
    for (int r = 0; r < TILE; r += LINES)
        if (b0 + lane < b_size && a0 + line + r < a_size) to[(b0 + lane) + (a0 + line + r) * a_y] = tile[lane][line + r];
}

// SIZE bytes of a pattern that repeats every eight.
template <typename T> __device__ __forceinline__ T pattern(u64 value) { return (T)value; }
template <> __device__ __forceinline__ uint2 pattern<uint2>(u64 value) { return make_uint2((unsigned)value, (unsigned)(value >> 32)); }
template <> __device__ __forceinline__ uint4 pattern<uint4>(u64 value) {
    return make_uint4((unsigned)value, (unsigned)(value >> 32), (unsigned)value, (unsigned)(value >> 32));
}

// Axis i of y holds `in` items of x from `before` on.
extern "C" __global__ void __launch_bounds__(THREADS) pad(
    const item_t* __restrict__ x, item_t* __restrict__ y, u64 value, int items,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4,
    int before0, int in0, int before1, int in1, int before2, int in2, int before3, int in3, int before4, int in4)
{
    const int first = blockIdx.x * (THREADS * EACH) + threadIdx.x;
    item_t v[EACH];
    i64 to[EACH];
#pragma unroll
    for (int e = 0; e < EACH; e++) {
        const int item = first + e * THREADS;
        if (item >= items) break;
        const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
        const Place q = {p.i0 - before0, p.i1 - before1, p.i2 - before2, p.i3 - before3, p.i4 - before4};
        const bool inside = (unsigned)q.i0 < (unsigned)in0 && (unsigned)q.i1 < (unsigned)in1 && (unsigned)q.i2 < (unsigned)in2
                            && (unsigned)q.i3 < (unsigned)in3 && (unsigned)q.i4 < (unsigned)in4;
        v[e] = inside ? __ldg(x + offset_of(q, 1, x0, x1, x2, x3, x4)) : pattern<item_t>(value);
        to[e] = offset_of(p, 1, y0, y1, y2, y3, y4);
    }
#pragma unroll
    for (int e = 0; e < EACH; e++)
        if (first + e * THREADS < items) y[to[e]] = v[e];
}

enum PadMode { REFLECT = 0, REPLICATE = 1, CIRCULAR = 2 };

// Where index i of an axis of n, at most n outside of it, is found. At most n - 1 outside for REFLECT.
__device__ __forceinline__ int mapped(int i, int n, int mode) {
    if ((unsigned)i < (unsigned)n) return i;
    if (mode == REFLECT) return i < 0 ? -i : n - 1 - (i - (n - 1));
    if (mode == REPLICATE) return i < 0 ? 0 : n - 1;
    return i < 0 ? i + n : i - n;
}

extern "C" __global__ void __launch_bounds__(THREADS) pad_mapped(
    const item_t* __restrict__ x, item_t* __restrict__ y, int mode, int items,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4,
    int before0, int in0, int before1, int in1, int before2, int in2, int before3, int in3, int before4, int in4)
{
    const int first = blockIdx.x * (THREADS * EACH) + threadIdx.x;
    item_t v[EACH];
    i64 to[EACH];
#pragma unroll
    for (int e = 0; e < EACH; e++) {
        const int item = first + e * THREADS;
        if (item >= items) break;
        const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
        const Place q = {mapped(p.i0 - before0, in0, mode), mapped(p.i1 - before1, in1, mode), mapped(p.i2 - before2, in2, mode),
                         mapped(p.i3 - before3, in3, mode), mapped(p.i4 - before4, in4, mode)};
        v[e] = __ldg(x + offset_of(q, 1, x0, x1, x2, x3, x4));
        to[e] = offset_of(p, 1, y0, y1, y2, y3, y4);
    }
#pragma unroll
    for (int e = 0; e < EACH; e++)
        if (first + e * THREADS < items) y[to[e]] = v[e];
}
