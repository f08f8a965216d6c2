// Where an implicit matrix product finds x: every result has a place where its window begins, every step of the sum a place relative to
// that (a tap, from a table made by the host); their sum is what is read, zero where it is outside the image.
#pragma once
#include "common.cuh"

#define OUTSIDE (-(1 << 30))           // a line that no image has, even after OUTSIDE is added to it once more

struct __align__(16) Point { i64 offset; int line, column; };   // offset in elements of x

// Of result m of (n, p, q); OUTSIDE for rows beyond the last.
__device__ __forceinline__ Point window_of(int m, int m_total, int pq, unsigned pq_magic, int pq_shift, int q, unsigned q_magic, int q_shift,
                                           int stride_h, int stride_w, int top, int left, i64 x_image, i64 x_line, i64 x_pixel) {
    const int n = fast_div(m, pq_magic, pq_shift), rest = m - n * pq, p = fast_div(rest, q_magic, q_shift);
    const int line = p * stride_h - top, column = (rest - p * q) * stride_w - left;
    return {n * x_image + line * x_line + column * x_pixel, m < m_total ? line : OUTSIDE, column};
}

__device__ __forceinline__ Point tap_of(const int4* tap) {
    const int4 v = __ldg(tap);
    return {(i64)(unsigned)v.x | (i64)v.y << 32, v.z, v.w};
}

__device__ __forceinline__ bool is_inside(const Point& window, const Point& tap, int height, int width) {
    return (unsigned)(window.line + tap.line) < (unsigned)height && (unsigned)(window.column + tap.column) < (unsigned)width;
}
