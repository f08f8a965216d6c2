// What:        y[i] = x[i] in the other floating-point type, rounded to nearest even
//              for every element: one conversion; beyond float16's range it is an infinity, NaN stays NaN
// Layout:      any strides on both sides
// Macros:      FROM_HALF, HALF: the types of x and of y (0 float32, 1 float16); VEC elements a thread, side by side in both, or 1
// Launch:      grid ceil(items/256), block 256; items are runs of VEC along the innermost axis, the last one of a line shorter
// Launched by: gpucnn/backends/cuda/pointwise.py, CastKernel
// Source:      bound by memory: 16 bytes of the wider type a thread
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/walk.cuh"

#define THREADS 256

#if FROM_HALF
typedef half from_t;
#else
typedef float from_t;
#endif

extern "C" __global__ void __launch_bounds__(THREADS) cast(
    const from_t* __restrict__ x, elem* __restrict__ y, int items, int inner,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4)
{
    const int item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= items) return;
    const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const int count = min(VEC, inner - p.i0 * VEC);
    const from_t* const from = x + offset_of(p, VEC, x0, x1, x2, x3, x4);
    elem* const to = y + offset_of(p, VEC, y0, y1, y2, y3, y4);
    Vec<from_t, VEC> in;
    Vec<elem, VEC> out;
    if (count == VEC) {
        in.load_ro(from);
#pragma unroll
        for (int e = 0; e < VEC; e++) out.e[e] = from_float<elem>(to_float(in.e[e]));
        out.store(to);
    } else {
        for (int e = 0; e < count; e++) to[e] = from_float<elem>(to_float(from[e]));
    }
}
