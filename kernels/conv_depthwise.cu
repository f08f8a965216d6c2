// What:        y[n,p,q,k] = post(pre(sum over r,s of x[n, p*sh + r*dh - top, q*sw + s*dw - left, k / multiplier] * w[r,s,k] + bias[k]) + residual)
//              for n: for p: for q: for k: for r: for s: one fused multiply-add in float32, in this order whatever the macros
// Layout:      x, y, residual channels last with a pitch (elements between images, lines, pixels); w packed (r, s, k)
// Macros:      HALF = 0, 1; VEC channels a thread (16 bytes, and every half of that down to one element), dividing k and all strides,
//              1 where multiplier > 1;
//              R, S, STRIDE the kernel and stride, without dilation (3x3, 5x5, 7x7; 1, 2), or 0, 0, 0 for those given at run time,
//              and wherever accesses are narrower than 8 bytes;
//              TW neighbouring results of a line a thread (1 where R = 0); THREADS of a block
// Launch:      grid (ceil(items / THREADS), and n over y and z), block THREADS, no shared memory; items = p * ceil(q / TW) * k / VEC
// Launched by: gpucnn/backends/cuda/depthwise.py, ConvDepthwiseDirect
// Source:      direct convolution with the inputs of a line of results in registers; neighbouring lines meet in the first-level cache
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/epilogue.cuh"

typedef Vec<elem, VEC> Channels;

__device__ __forceinline__ void load_or_zero(Channels& v, const elem* p, bool ok) {
    if (ok) v.load_ro(p);
    else
#pragma unroll
        for (int e = 0; e < VEC; e++) v.e[e] = from_float<elem>(0.f);
}

__device__ __forceinline__ void multiply_add(float (&acc)[VEC], const Channels& x, const Channels& w) {
#pragma unroll
    for (int e = 0; e < VEC; e++) acc[e] = fmaf(to_float(x.e[e]), to_float(w.e[e]), acc[e]);
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) conv_depthwise(
    const elem* __restrict__ x, const elem* __restrict__ weight, const float* __restrict__ bias, const elem* residual, elem* y,
    int images, int items, int channels, int height, int width, int q_size,
    int chunks, unsigned chunks_magic, int chunks_shift, int tiles, unsigned tiles_magic, int tiles_shift,
    unsigned multiplier_magic, int multiplier_shift,
    int rows, int columns, int stride_h, int stride_w, int dilation_h, int dilation_w, int top, int left,
    i64 x_image, i64 x_line, int x_pixel, i64 y_image, i64 y_line, int y_pixel, i64 residual_image, i64 residual_line, int residual_pixel,
    int pre, float pre_alpha, float pre_beta, int post, float post_alpha, float post_beta)
{
    const unsigned item = blockIdx.x * THREADS + threadIdx.x;
    const int n = blockIdx.z * gridDim.y + blockIdx.y;
    if (item >= (unsigned)items || n >= images) return;
    const int place = fast_div(item, chunks_magic, chunks_shift), k = ((int)item - place * chunks) * VEC;
    const int p = fast_div(place, tiles_magic, tiles_shift), q0 = (place - p * tiles) * TW;
    const int c = fast_div(k, multiplier_magic, multiplier_shift);
    const int h0 = p * stride_h - top, w0 = q0 * stride_w - left;
    const elem* const taps = weight + k;
    const Epilogue finish = {bias, residual, pre, post, pre_alpha, pre_beta, post_alpha, post_beta};
    const elem* const image = x + n * x_image + c;
    float acc[TW][VEC] = {};
#if R
#pragma unroll(R > 3 ? 1 : R)           // a line of a large kernel has loads enough under way; more of them would spill
    for (int r = 0; r < R; r++) {
        enum { COLUMNS = (TW - 1) * STRIDE + S };
        const int h = h0 + r;
        const elem* const line = image + h * x_line + (i64)w0 * x_pixel;
        Channels in[COLUMNS];
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            load_or_zero(in[j], line + (i64)j * x_pixel, (unsigned)h < (unsigned)height && (unsigned)(w0 + j) < (unsigned)width);
#pragma unroll
        for (int s = 0; s < S; s++) {
            Channels tap;
            tap.load_ro(taps + (i64)(r * S + s) * channels);
#pragma unroll
            for (int t = 0; t < TW; t++) multiply_add(acc[t], in[t * STRIDE + s], tap);
        }
    }
#else
    for (int r = 0; r < rows; r++) {
        const int h = h0 + r * dilation_h;
        for (int s = 0; s < columns; s++) {
            const int w = w0 + s * dilation_w;
            Channels in, tap;
            load_or_zero(in, image + h * x_line + (i64)w * x_pixel, (unsigned)h < (unsigned)height && (unsigned)w < (unsigned)width);
            tap.load_ro(taps + (i64)(r * columns + s) * channels);
            multiply_add(acc[0], in, tap);
        }
    }
#endif
    elem* const y_line_k = y + n * y_image + p * y_line + k;
    const elem* const residual_k = residual ? residual + n * residual_image + p * residual_line + k : nullptr;
#pragma unroll
    for (int t = 0; t < TW; t++) {
        if (q0 + t >= q_size) break;
        Channels added, out;
        if (residual_k) added.load(residual_k + (i64)(q0 + t) * residual_pixel);
#pragma unroll
        for (int e = 0; e < VEC; e++)
            out.e[e] = from_float<elem>(finish(acc[t][e], bias ? __ldg(bias + k + e) : 0.f, residual_k ? to_float(added.e[e]) : 0.f));
        out.store(y_line_k + (i64)(q0 + t) * y_pixel);
    }
}
