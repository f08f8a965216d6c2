// What:        y[n, c, ...] = table[x[n, c, ...], c]
//              for every byte: one load from its channel's column
// Layout:      lookup_flat: x and y dense in the same order, channel = index / run % channels (run 1: channels last);
//              lookup: any strides, the table's column as a third "array" that is broadcast over all axes but the channels'
// Macros:      HALF (of table and y); VEC elements a thread (lookup_flat: 16 bytes of y; lookup: 1)
// Launch:      grid ceil(items/256), block 256
// Launched by: gpucnn/backends/cuda/pointwise.py, LookupKernel
// Source:      the table is 3 KB for three channels and stays in the first-level cache
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/walk.cuh"

#define THREADS 256

template <> struct Wide<1> { typedef unsigned char type; };

extern "C" __global__ void __launch_bounds__(THREADS) lookup_flat(
    const unsigned char* __restrict__ x, const elem* __restrict__ table, elem* __restrict__ y, int size, i64 level, i64 column,
    int run, unsigned run_magic, int run_shift, int channels, unsigned channels_magic, int channels_shift)
{
    const int first = (blockIdx.x * THREADS + threadIdx.x) * VEC;
    if (first >= size) return;
    const int count = min(VEC, size - first);
    Vec<unsigned char, VEC> bytes;
    Vec<elem, VEC> v;
    if (count == VEC) bytes.load_ro(x + first);
    else {
#pragma unroll
        for (int e = 0; e < VEC; e++) bytes.e[e] = e < count ? x[first + e] : 0;
    }
    int quotient = fast_div(first, run_magic, run_shift), within = first - quotient * run;
    int channel = quotient - fast_div(quotient, channels_magic, channels_shift) * channels;
#pragma unroll
    for (int e = 0; e < VEC; e++) {
        v.e[e] = table[bytes.e[e] * level + channel * column];
        if (++within == run) {
            within = 0;
            if (++channel == channels) channel = 0;
        }
    }
    if (count == VEC) v.store(y + first);
    else {
#pragma unroll
        for (int e = 0; e < VEC; e++)
            if (e < count) y[first + e] = v.e[e];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) lookup(
    const unsigned char* __restrict__ x, const elem* __restrict__ table, elem* __restrict__ y, i64 level, int items,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4, i64 c0, i64 c1, i64 c2, i64 c3, i64 c4)
{
    const int item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= items) return;
    const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const unsigned char byte = __ldg(x + offset_of(p, 1, x0, x1, x2, x3, x4));
    y[offset_of(p, 1, y0, y1, y2, y3, y4)] = __ldg(table + byte * level + offset_of(p, 1, c0, c1, c2, c3, c4));
}
