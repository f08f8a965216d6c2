// What:        y[m,k] = post(pre(sums[m,k] + bias[k]) + residual[m,k])
//              for m: for k: one formula in float32, rounded once; what follows the matrix product of a dense layer
// Layout:      sums float32 (m, k) without gaps, null where nothing was summed; y and residual with a pitch (elements between rows)
// Macros:      HALF: the type of y and residual; VEC results a thread: 4 where k and every access of four are aligned, else 1
// Launch:      grid ceil(items/256), block 256; items = m * k / VEC
// Launched by: gpucnn/backends/cuda/linear.py, LinearCublas
// Source:      cuBLAS keeps its sums in float32 here, so bias, residual and activation cost no rounding of their own
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/epilogue.cuh"

#define THREADS 256

extern "C" __global__ void __launch_bounds__(THREADS) linear_epilogue(
    const float* __restrict__ sums, const float* __restrict__ bias, const elem* residual, elem* y, int items, int k_total,
    int chunks, unsigned chunks_magic, int chunks_shift, i64 y_row, i64 residual_row,
    int pre, float pre_alpha, float pre_beta, int post, float post_alpha, float post_beta)
{
    const int item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= items) return;
    const int m = fast_div(item, chunks_magic, chunks_shift), k = (item - m * chunks) * VEC;
    const Epilogue finish = {bias, residual, pre, post, pre_alpha, pre_beta, post_alpha, post_beta};
    Vec<float, VEC> sum, shift;
    Vec<elem, VEC> added, out;
    if (sums) sum.load_ro(sums + (i64)m * k_total + k);
    if (bias) shift.load_ro(bias + k);
    if (residual) added.load(residual + m * residual_row + k);
#pragma unroll
    for (int e = 0; e < VEC; e++)
        out.e[e] = from_float<elem>(finish(sums ? sum.e[e] : 0.f, bias ? shift.e[e] : 0.f, residual ? to_float(added.e[e]) : 0.f));
    out.store(y + m * y_row + k);
}
