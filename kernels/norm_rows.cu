// What:        y[row, i] = (x[row, i] - mean(row)) / sqrt(var(row) + eps) * weight[i] + bias[i], or x[row, i] / max(norm(row), eps)
//              for every row: the sum, the sum of squares of what is left without the mean, the results; all in float32
// Layout:      x, y any strides, on up to five folded axes of rows and five of a row; weight, bias float32 or null, strides of their own
// Macros:      HALF; LANES threads a row: 32 for short rows, 256 for long ones; ACROSS = 1: eight rows side by side, for rows whose
//              elements lie apart while those of their neighbours are near; FLAT = 1: a row is one axis
// Launch:      grid ceil(rows / (256/LANES)), block 256
// Launched by: gpucnn/backends/cuda/norm.py, LayerNormKernel, GroupNormKernel, NormalizeKernel
// Source:      two passes, so that nothing cancels (Higham 2002, Accuracy and Stability of Numerical Algorithms, 1.9); caches serve the second
//              and the third reading; each lane adds its every LANES-th element, then lanes by halving
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/walk.cuh"

#define THREADS 256
#define ROWS (THREADS / LANES)

enum RowKind { CENTRED = 0, UNCENTRED = 1, BY_SUM = 2, BY_ROOT = 3, BY_LARGEST = 4 };

struct Sum { __device__ __forceinline__ float operator()(float a, float b) const { return a + b; } };
struct Largest { __device__ __forceinline__ float operator()(float a, float b) const { return a > b || a != a ? a : b; } };    // NaN stays

// The same value on all lanes of a row, combined in an order that nothing changes.
template <typename F> __device__ __forceinline__ float across(float v, F f, float* scratch) {
#if ACROSS
    __syncthreads();                    // scratch has been read by all
    scratch[threadIdx.x] = v;
    __syncthreads();
#pragma unroll
    for (int half_way = LANES / 2; half_way > 0; half_way /= 2) {
        if (threadIdx.x < half_way * ROWS) scratch[threadIdx.x] = f(scratch[threadIdx.x], scratch[threadIdx.x + half_way * ROWS]);
        __syncthreads();
    }
    return scratch[threadIdx.x % ROWS];
#else
#pragma unroll
    for (int far = 16; far > 0; far >>= 1) v = f(v, __shfl_xor_sync(0xffffffffu, v, far));
    if (LANES > 32) {
        __syncthreads();                // scratch has been read by all
        if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = v;
        __syncthreads();
        v = scratch[0];
#pragma unroll
        for (int w = 1; w < LANES / 32; w++) v = f(v, scratch[w]);
    }
    return v;
#endif
}

// Divisors and strides of the axes of a row.
struct Inside {
    int n0, n1, n2, n3, shift0, shift1, shift2, shift3;
    unsigned magic0, magic1, magic2, magic3;
    i64 y0, y1, y2, y3, y4, x0, x1, x2, x3, x4, w0, w1, w2, w3, w4;
    __device__ __forceinline__ Place at(int i) const { return place_of(i, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3); }
    __device__ __forceinline__ i64 x(int i) const { return FLAT ? i * x0 : offset_of(at(i), 1, x0, x1, x2, x3, x4); }
    __device__ __forceinline__ i64 y(int i) const { return FLAT ? i * y0 : offset_of(at(i), 1, y0, y1, y2, y3, y4); }
    __device__ __forceinline__ i64 w(int i) const { return FLAT ? i * w0 : offset_of(at(i), 1, w0, w1, w2, w3, w4); }
};

// f over the elements of a lane, in their order, from 0 on.
template <typename F> __device__ __forceinline__ float gather(const elem* from, const Inside& in, int lane, int length, F f) {
    float v = 0.f;
#pragma unroll 4
    for (int i = lane; i < length; i += LANES) v = f(v, to_float(from[in.x(i)]));
    return v;
}

struct AddSquare {
    float mean;
    __device__ __forceinline__ float operator()(float v, float x) const { return fmaf(x - mean, x - mean, v); }
};
struct AddSize { __device__ __forceinline__ float operator()(float v, float x) const { return v + fabsf(x); } };
struct TakeLargest { __device__ __forceinline__ float operator()(float v, float x) const { return Largest()(v, fabsf(x)); } };

// Three blocks are enough to ask for: aiming at four, ptxas spills registers on sm_100.
extern "C" __global__ void __launch_bounds__(THREADS, 3) norm_rows(
    const elem* x, elem* y, const float* __restrict__ weight, const float* __restrict__ bias, int kind, float eps, int length, int rows,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4, i64 w0, i64 w1, i64 w2, i64 w3, i64 w4,
    int m0, unsigned m_magic0, int m_shift0, int m1, unsigned m_magic1, int m_shift1,
    int m2, unsigned m_magic2, int m_shift2, int m3, unsigned m_magic3, int m_shift3,
    i64 v0, i64 v1, i64 v2, i64 v3, i64 v4, i64 u0, i64 u1, i64 u2, i64 u3, i64 u4, i64 t0, i64 t1, i64 t2, i64 t3, i64 t4)
{
    __shared__ float scratch[ACROSS ? THREADS : THREADS / 32];
    const int row = blockIdx.x * ROWS + (ACROSS ? threadIdx.x % ROWS : threadIdx.x / LANES);
    const int lane = ACROSS ? threadIdx.x / ROWS : threadIdx.x % LANES;
    if (!ACROSS && row >= rows) return;         // whole warps; side by side, what is beyond the last row sums the last one again
    const Place p = place_of(min(row, rows - 1), n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const Inside in = {m0, m1, m2, m3, m_shift0, m_shift1, m_shift2, m_shift3, m_magic0, m_magic1, m_magic2, m_magic3,
                       v0, v1, v2, v3, v4, u0, u1, u2, u3, u4, t0, t1, t2, t3, t4};
    const elem* const from = x + offset_of(p, 1, x0, x1, x2, x3, x4);
    elem* const to = y + offset_of(p, 1, y0, y1, y2, y3, y4);
    const i64 first = offset_of(p, 1, w0, w1, w2, w3, w4);

    float mean = 0.f, divisor;
    if (kind <= UNCENTRED) {
        if (kind == CENTRED) {
            auto add = [](float v, float e) { return v + e; };
            mean = across(gather(from, in, lane, length, add), Sum(), scratch) / length;
        }
        divisor = sqrtf(across(gather(from, in, lane, length, AddSquare{mean}), Sum(), scratch) / length + eps);
    } else {
        if (kind == BY_SUM) divisor = across(gather(from, in, lane, length, AddSize()), Sum(), scratch);
        else if (kind == BY_ROOT) divisor = sqrtf(across(gather(from, in, lane, length, AddSquare{0.f}), Sum(), scratch));
        else divisor = across(gather(from, in, lane, length, TakeLargest()), Largest(), scratch);
        divisor = divisor < eps ? eps : divisor;
    }
    if (row >= rows) return;
#pragma unroll 2
    for (int i = lane; i < length; i += LANES) {
        const i64 at = first + in.w(i);
        const float v = (to_float(from[in.x(i)]) - mean) / divisor;
        to[in.y(i)] = from_float<elem>(fmaf(v, weight ? __ldg(weight + at) : 1.f, bias ? __ldg(bias + at) : 0.f));
    }
}
