// What:        activation, unary: y = f(x); binary: y = a (+ - * / max ...) b with broadcasting, PReLU's max(a, 0) + b * min(a, 0),
//              GLU's a * sigmoid(b); batch_norm: y = f(x * scale[c] + shift[c])
//              for every element: one formula in float32, rounded once
// Layout:      any strides, 0 where an input is broadcast; y may be an input itself (each thread reads only where it writes)
// Macros:      HALF; VEC elements a thread, side by side in y; above 1 only where every access of that width is aligned
// Launch:      grid ceil(items/256), block 256; items are runs of VEC along the innermost axis, the last one of a line shorter
// Launched by: gpucnn/backends/cuda/pointwise.py, ActivationKernel, UnaryKernel, BinaryKernel, PReLUKernel, GLUKernel, BatchNormKernel
// Source:      streaming kernels are bound by memory: 16-byte accesses, no reuse; axes folded as in NumPy's nditer
// Ladder:      not timed on hardware yet
#include "include/common.cuh"
#include "include/epilogue.cuh"
#include "include/walk.cuh"

#define THREADS 256

// VEC elements from p on; an input that is broadcast or strided along the run is gathered.
__device__ __forceinline__ void load_run(Vec<elem, VEC>& v, const elem* p, i64 step, int count) {
    if (VEC == 1 || (step == 1 && count == VEC)) v.load(p);
    else {
#pragma unroll
        for (int e = 0; e < VEC; e++)
            if (e < count) v.e[e] = p[e * step];
    }
}

__device__ __forceinline__ void load_run(float (&v)[VEC], const float* p, i64 step, int count) {
    if (VEC % 4 == 0 && step == 1 && count == VEC) {
#pragma unroll
        for (int e = 0; e + 3 < VEC; e += 4) {
            float4 four = __ldg(reinterpret_cast<const float4*>(p + e));
            v[e] = four.x; v[e + 1] = four.y; v[e + 2] = four.z; v[e + 3] = four.w;
        }
    } else {
#pragma unroll
        for (int e = 0; e < VEC; e++) v[e] = e < count ? __ldg(p + e * step) : 0.f;
    }
}

__device__ __forceinline__ void store_run(elem* p, const Vec<elem, VEC>& v, int count) {
    if (VEC == 1 || count == VEC) v.store(p);
    else {
#pragma unroll
        for (int e = 0; e < VEC; e++)
            if (e < count) p[e] = v.e[e];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) activation(
    const elem* x, elem* y, int code, float alpha, float beta, int items, int inner,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4)
{
    const int item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= items) return;
    const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const int count = min(VEC, inner - p.i0 * VEC);
    Vec<elem, VEC> v;
    load_run(v, x + offset_of(p, VEC, x0, x1, x2, x3, x4), x0, count);
#pragma unroll
    for (int e = 0; e < VEC; e++) v.e[e] = from_float<elem>(activate(to_float(v.e[e]), code, alpha, beta));
    store_run(y + offset_of(p, VEC, y0, y1, y2, y3, y4), v, count);
}

enum UnaryCode {
    NEG = 0, ABS = 1, SIGN = 2, SQUARE = 3, SQRT = 4, RSQRT = 5, RECIPROCAL = 6, FLOOR = 7, CEIL = 8, ROUND = 9, TRUNC = 10,
    EXP = 11, EXP2 = 12, EXPM1 = 13, LOG = 14, LOG2 = 15, LOG10 = 16, LOG1P = 17, SIN = 18, COS = 19, TAN = 20,
    ASIN = 21, ACOS = 22, ATAN = 23, SINH = 24, COSH = 25, ASINH = 26, ACOSH = 27, ATANH = 28
};

// Calls, because they are long, and unrolled over a run.
static __device__ __noinline__ float function_of(float v, int code) {
    switch (code) {
        case EXP: return expf(v);
        case EXP2: return exp2f(v);
        case EXPM1: return expm1f(v);
        case LOG: return logf(v);
        case LOG2: return log2f(v);
        case LOG10: return log10f(v);
        case LOG1P: return log1pf(v);
        case SIN: return sinf(v);
        case COS: return cosf(v);
        case TAN: return tanf(v);
        case ASIN: return asinf(v);
        case ACOS: return acosf(v);
        case ATAN: return atanf(v);
        case SINH: return sinhf(v);
        case COSH: return coshf(v);
        case ASINH: return asinhf(v);
        case ACOSH: return acoshf(v);
        default: return atanhf(v);
    }
}

__device__ __forceinline__ float apply(float v, int code) {
    switch (code) {
        case NEG: return -v;
        case ABS: return fabsf(v);
        case SIGN: return v > 0.f ? 1.f : v < 0.f ? -1.f : v == 0.f ? 0.f : v;     // NaN stays
        case SQUARE: return v * v;
        case SQRT: return sqrtf(v);
        case RSQRT: return 1.f / sqrtf(v);
        case RECIPROCAL: return 1.f / v;
        case FLOOR: return floorf(v);
        case CEIL: return ceilf(v);
        case ROUND: return rintf(v);                                                // of two the even one
        case TRUNC: return truncf(v);
        default: return function_of(v, code);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) unary(
    const elem* x, elem* y, int code, int items, int inner,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4)
{
    const int item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= items) return;
    const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const int count = min(VEC, inner - p.i0 * VEC);
    Vec<elem, VEC> v;
    load_run(v, x + offset_of(p, VEC, x0, x1, x2, x3, x4), x0, count);
#pragma unroll
    for (int e = 0; e < VEC; e++)
        if (e < count) v.e[e] = from_float<elem>(apply(to_float(v.e[e]), code));
    store_run(y + offset_of(p, VEC, y0, y1, y2, y3, y4), v, count);
}

enum BinaryCode {
    ADD = 0, SUB = 1, MUL = 2, DIV = 3, PRELU = 4, GLU = 5, MAXIMUM = 6, MINIMUM = 7, POW = 8, ATAN2 = 9, REMAINDER = 10, FMOD = 11,
    FLOOR_DIVIDE = 12, TRUNC_DIVIDE = 13
};

// As Python and NumPy have it: what is left has the sign of b, and the quotient is whole.
__device__ __forceinline__ float divided_down(float a, float b, bool quotient) {
    float left = fmodf(a, b), times = (a - left) / b;
    if (b == 0.f) return quotient ? a / b : left;
    if (left == 0.f) left = copysignf(0.f, b);
    else if ((b < 0.f) != (left < 0.f)) {
        left += b;
        times -= 1.f;
    }
    const float down = floorf(times);
    return !quotient ? left : times == 0.f ? copysignf(0.f, a / b) : times - down > 0.5f ? down + 1.f : down;
}

static __device__ __noinline__ float function_of(float a, float b, int code) {
    switch (code) {
        case POW: return powf(a, b);
        case ATAN2: return atan2f(a, b);
        case REMAINDER: return divided_down(a, b, false);
        case FMOD: return fmodf(a, b);
        case FLOOR_DIVIDE: return divided_down(a, b, true);
        default: return truncf(a / b);
    }
}

// NaN goes through the larger and the smaller one.
__device__ __forceinline__ float combine(float a, float b, int code) {
    switch (code) {
        case ADD: return a + b;
        case SUB: return a - b;
        case MUL: return a * b;
        case DIV: return a / b;
        case PRELU: return a > 0.f ? a : a * b;
        case GLU: return a * sigmoid(b);
        case MAXIMUM: return a > b || a != a ? a : b;
        case MINIMUM: return a < b || a != a ? a : b;
        default: return function_of(a, b, code);
    }
}

extern "C" __global__ void __launch_bounds__(THREADS) binary(
    const elem* a, const elem* b, elem* y, int code, int items, int inner,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 a0, i64 a1, i64 a2, i64 a3, i64 a4, i64 b0, i64 b1, i64 b2, i64 b3, i64 b4)
{
    const int item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= items) return;
    const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const int count = min(VEC, inner - p.i0 * VEC);
    Vec<elem, VEC> v, w;
    load_run(v, a + offset_of(p, VEC, a0, a1, a2, a3, a4), a0, count);
    load_run(w, b + offset_of(p, VEC, b0, b1, b2, b3, b4), b0, count);
#pragma unroll
    for (int e = 0; e < VEC; e++) v.e[e] = from_float<elem>(combine(to_float(v.e[e]), to_float(w.e[e]), code));
    store_run(y + offset_of(p, VEC, y0, y1, y2, y3, y4), v, count);
}

// scale and shift share their strides: one value a channel.
extern "C" __global__ void __launch_bounds__(THREADS) batch_norm(
    const elem* x, const float* __restrict__ scale, const float* __restrict__ shift, elem* y, int code, float alpha, float beta,
    int items, int inner,
    int n0, unsigned magic0, int shift0, int n1, unsigned magic1, int shift1,
    int n2, unsigned magic2, int shift2, int n3, unsigned magic3, int shift3,
    i64 y0, i64 y1, i64 y2, i64 y3, i64 y4, i64 x0, i64 x1, i64 x2, i64 x3, i64 x4, i64 c0, i64 c1, i64 c2, i64 c3, i64 c4)
{
    const int item = blockIdx.x * THREADS + threadIdx.x;
    if (item >= items) return;
    const Place p = place_of(item, n0, magic0, shift0, n1, magic1, shift1, n2, magic2, shift2, n3, magic3, shift3);
    const int count = min(VEC, inner - p.i0 * VEC);
    const i64 channel = offset_of(p, VEC, c0, c1, c2, c3, c4);
    Vec<elem, VEC> v;
    float by[VEC], plus[VEC];
    load_run(v, x + offset_of(p, VEC, x0, x1, x2, x3, x4), x0, count);
    load_run(by, scale + channel, c0, count);
    load_run(plus, shift + channel, c0, count);
#pragma unroll
    for (int e = 0; e < VEC; e++) by[e] = fmaf(to_float(v.e[e]), by[e], plus[e]);
    activate(by, code, alpha, beta);
#pragma unroll
    for (int e = 0; e < VEC; e++) v.e[e] = from_float<elem>(by[e]);
    store_run(y + offset_of(p, VEC, y0, y1, y2, y3, y4), v, count);
}
