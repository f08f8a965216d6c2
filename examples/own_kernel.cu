// What:        y[n,p,q,c] = max of x[n, 2p, 2q, c] and its three neighbours; maps of even sizes, c a multiple of VEC
// Layout:      x, y dense, channels last
// Macros:      HALF = 0, 1: float32, float16; VEC channels a thread, one access of 16 bytes
// Launch:      grid ceil(items / 256), block 256; items = n * p * q * c / VEC
// Launched by: examples/own_kernel.py
#include "include/common.cuh"

extern "C" __global__ void __launch_bounds__(256) max_pool_2x2(
    const elem* __restrict__ x, elem* __restrict__ y, int items, int chunks, int q_size)
{
    const int item = blockIdx.x * 256 + threadIdx.x;
#ifndef FORGET_THE_END                   // the example leaves this line out on purpose, to see who notices
    if (item >= items) return;
#endif
    const int chunk = item % chunks, place = item / chunks;
    const int q = place % q_size, np = place / q_size;             // np counts lines of y through all images
    const int line = 2 * q_size * chunks, pixel = chunks;          // of x, in accesses
    const Vec<elem, VEC>* const from = reinterpret_cast<const Vec<elem, VEC>*>(x) + (i64)np * 2 * line + 2 * q * pixel + chunk;
    Vec<elem, VEC> best, other;
    best.load_ro(reinterpret_cast<const elem*>(from));
#pragma unroll
    for (int i = 1; i < 4; i++) {
        other.load_ro(reinterpret_cast<const elem*>(from + i / 2 * line + i % 2 * pixel));
#pragma unroll
        for (int e = 0; e < VEC; e++) {
            const float a = to_float(best.e[e]), b = to_float(other.e[e]);
            if (b > a || b != b) best.e[e] = other.e[e];           // NaN goes through, as the op says
        }
    }
    best.store(y + (i64)item * VEC);
}
