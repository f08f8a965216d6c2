// What:        softmax: y[row, i] = exp(x[row, i] - max(row)) / sum over j of exp(x[row, j] - max(row)); log_softmax: its logarithm
//              for every row: the maximum, the sum, the quotients or differences; exponentials and sums in float32
// Layout:      x, y any strides; the row's own axis with a step of its own, the other axes folded into four
// Macros:      HALF; LANES threads a row: 1 where rows lie side by side, 32 for short rows, 256 for long ones
// Launch:      grid ceil(rows / (256/LANES)), block 256
// Launched by: gpucnn/backends/cuda/softmax.py, SoftmaxKernel, LogSoftmaxKernel
// Source:      three passes, of which caches serve the last two; each lane adds its every LANES-th element, then lanes by halving
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/walk.cuh"

#define THREADS 256

struct Max { __device__ __forceinline__ float operator()(float a, float b) const { return fmaxf(a, b); } };
struct Sum { __device__ __forceinline__ float operator()(float a, float b) const { return a + b; } };

// The same value on all lanes of a row; a butterfly of commutative operations gives every lane the same bits.
template <typename F> __device__ __forceinline__ float across(float v, F f, float* scratch) {
    if (LANES >= 32) {
#pragma unroll
        for (int far = 16; far > 0; far >>= 1) v = f(v, __shfl_xor_sync(0xffffffffu, v, far));
    }
    if (LANES > 32) {
        __syncthreads();                // scratch has been read by all
        if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
        __syncthreads();
        v = scratch[0];
#pragma unroll
        for (int w = 1; w < LANES / 32; w++) v = f(v, scratch[w]);
    }
    return v;
}

template <bool LOG> __device__ __forceinline__ void row_by_row(const elem* from, elem* to, int length, i64 x_step, i64 y_step)
{
    __shared__ float scratch[THREADS / 32];
    const int lane = threadIdx.x % LANES;
    float most = __int_as_float(0xff800000);    // -Inf; a NaN is met again in the sum
    for (int i = lane; i < length; i += LANES) most = fmaxf(most, to_float(from[i * x_step]));
    most = across(most, Max(), scratch);
    float sum = 0.f;
    for (int i = lane; i < length; i += LANES) sum += expf(to_float(from[i * x_step]) - most);
    sum = across(sum, Sum(), scratch);
    if (LOG) sum = logf(sum);
    for (int i = lane; i < length; i += LANES) {
        const float v = to_float(from[i * x_step]) - most;
        to[i * y_step] = from_float<elem>(LOG ? v - sum : expf(v) / sum);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) softmax(
    const elem* x, elem* y, int length, i64 x_step, i64 y_step, int rows,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4)
{
    const int row = blockIdx.x * (THREADS / LANES) + threadIdx.x / LANES;
    if (row >= rows) return;            // whole warps, or single threads that meet no others
    const Place p = place_of(row, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    row_by_row<false>(x + offset_of(p, 1, x0, x1, x2, x3, x4), y + offset_of(p, 1, y0, y1, y2, y3, y4), length, x_step, y_step);
}

// Four blocks are enough to ask for: aiming at eight, ptxas spills a register.
extern "C" __global__ void __launch_bounds__(THREADS, 4) log_softmax(
    const elem* x, elem* y, int length, i64 x_step, i64 y_step, int rows,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4)
{
    const int row = blockIdx.x * (THREADS / LANES) + threadIdx.x / LANES;
    if (row >= rows) return;            // whole warps, or single threads that meet no others
    const Place p = place_of(row, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    row_by_row<true>(x + offset_of(p, 1, x0, x1, x2, x3, x4), y + offset_of(p, 1, y0, y1, y2, y3, y4), length, x_step, y_step);
}
