// What:        y[n,c,..] = x[n,c,..] / (k + share * sum over j of x[n,j,..]^2)^beta, j from c - before to c + after
//              for every element: the sum in the order of channels, one power, one division, in float32
// Layout:      x, y any strides, on up to five folded axes; x_channel elements between neighbouring channels of x
// Macros:      HALF
// Launch:      grid ceil(items/256), block 256
// Launched by: gpucnn/backends/cuda/norm.py, LocalResponseNormKernel
// Source:      neighbouring threads read almost the same channels, which the first-level cache serves; a running sum would cancel
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/walk.cuh"

#define THREADS 256

extern "C" __global__ void __launch_bounds__(THREADS) norm_neighbours(
    const elem* __restrict__ x, elem* y, int channels, int before, int after, float share, float beta, float k, i64 x_channel, int items,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4, i64 c0, i64 c1, i64 c2, i64 c3, i64 c4)
{
    const int item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= items) return;
    const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const elem* const from = x + offset_of(p, 1, x0, x1, x2, x3, x4);
    const int c = (int)offset_of(p, 1, c0, c1, c2, c3, c4);
    float sum = 0.f;
    for (int j = max(-before, -c); j <= min(after, channels - 1 - c); j++) {
        const float v = to_float(from[j * x_channel]);
        sum = fmaf(v, v, sum);
    }
    y[offset_of(p, 1, y0, y1, y2, y3, y4)] = from_float<elem>(to_float(*from) / powf(fmaf(share, sum, k), beta));
}
