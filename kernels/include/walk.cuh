// Where an item lies: arrays of up to five axes, folded by the host so that what follows evenly is one axis.
// An item is a run along the innermost axis; axis 4, the outermost, is what the divisions leave.
#pragma once
#include "common.cuh"

struct Place { int i0, i1, i2, i3, i4; };

__device__ __forceinline__ int peel(int& rest, int n, unsigned magic, int shift) {
    int quotient = fast_div(rest, magic, shift), index = rest - quotient * n;
    rest = quotient;
    return index;
}

__device__ __forceinline__ Place place_of(int item, int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
                                          int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3) {
    Place p;
    p.i0 = peel(item, n0, magic0, shift0);
    p.i1 = peel(item, n1, magic1, shift1);
    p.i2 = peel(item, n2, magic2, shift2);
    p.i3 = peel(item, n3, magic3, shift3);
    p.i4 = item;
    return p;
}

// Offset of an item whose runs are `run` elements long.
__device__ __forceinline__ i64 offset_of(const Place& p, int run, i64 d0, i64 d1, i64 d2, i64 d3, i64 d4) {
    return (i64)p.i0 * run * d0 + p.i1 * d1 + p.i2 * d2 + p.i3 * d3 + p.i4 * d4;
}
