// What:        values[row, j], places[row, j] = the (j+1)-th best x[row, i] and its i: the largest or the smallest, of equals the lower i
//              for every row: for j: among the elements that come after the last one found, the best
// Layout:      x, values, places any strides; the row's own axis with a step of its own, the other axes folded into five; places int64
// Macros:      HALF; THREADS of a block: 32 for short rows, 256 for long ones
// Launch:      grid rows, block THREADS, no dynamic shared memory
// Launched by: gpucnn/backends/cuda/topk.py, TopKKernel
// Source:      selection; value and index as one 64-bit number, so that every order is total and no two elements tie
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/walk.cuh"

typedef unsigned long long u64;

// Bits that compare as unsigned as the numbers do: NaN above +inf, and all NaNs equal, as are -0 and +0. Never all ones or all zeros.
__device__ __forceinline__ unsigned sortable(float v) {
    if (v != v) return 0xffc00000u;
    const unsigned bits = __float_as_uint(v == 0.f ? 0.f : v);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

__device__ __forceinline__ u64 better(u64 a, u64 b) { return a > b ? a : b; }

extern "C" __global__ void __launch_bounds__(THREADS) topk(
    const elem* __restrict__ x, elem* values, i64* places, int length, int k, int largest,
    i64 x_step, i64 values_step, i64 places_step,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 v0, i64 v1, i64 v2, i64 v3, i64 v4, i64 p0, i64 p1, i64 p2, i64 p3, i64 p4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4)
{
    __shared__ u64 scratch[THREADS / 32];
    const Place p = place_of(blockIdx.x, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const elem* const from = x + offset_of(p, 1, x0, x1, x2, x3, x4);
    elem* const to = values + offset_of(p, 1, v0, v1, v2, v3, v4);
    i64* const at = places + offset_of(p, 1, p0, p1, p2, p3, p4);
    const unsigned turn = largest ? 0u : ~0u;
    u64 last = ~0ull;                    // above every rank
    for (int j = 0; j < k; j++) {
        u64 best = 0;                    // below every rank
        for (unsigned i = threadIdx.x; i < (unsigned)length; i += THREADS) {
            const u64 rank = (u64)(sortable(to_float(__ldg(from + i * x_step))) ^ turn) << 32 | ~i;
            if (rank < last) best = better(best, rank);
        }
#pragma unroll
        for (int far = 16; far > 0; far >>= 1) best = better(best, __shfl_xor_sync(0xffffffffu, best, far));
        if (THREADS > 32) {
            if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = best;
            __syncthreads();
            best = scratch[0];
#pragma unroll
            for (int w = 1; w < THREADS / 32; w++) best = better(best, scratch[w]);
            __syncthreads();             // scratch has been read by all
        }
        last = best;
        if (threadIdx.x == 0) {
            const unsigned i = ~(unsigned)best;
            to[j * values_step] = __ldg(from + i * x_step);
            at[j * places_step] = i;
        }
    }
}
