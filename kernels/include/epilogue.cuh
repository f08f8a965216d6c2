// The only place where convolution and matrix products turn sums into results: post(pre(sum + bias) + residual).
// The activation is a number that is the same for every thread, so its switch costs a uniform branch and no further compilation.
#pragma once
#include "common.cuh"

enum ActivationCode {
    ACT_NONE = 0, ACT_RELU = 1, ACT_CLIP = 2, ACT_SIGMOID = 3, ACT_TANH = 4, ACT_LEAKY_RELU = 5, ACT_ELU = 6, ACT_SELU = 7, ACT_CELU = 8,
    ACT_SILU = 9, ACT_MISH = 10, ACT_HARDSIGMOID = 11, ACT_HARDSWISH = 12, ACT_ERF = 13, ACT_GELU = 14, ACT_GELU_TANH = 15,
    ACT_SOFTPLUS = 16, ACT_SOFTSIGN = 17, ACT_LOGSIGMOID = 18, ACT_SHRINK = 19, ACT_TANHSHRINK = 20, ACT_THRESHOLD = 21
};

__device__ __forceinline__ float sigmoid(float v) {
    const float e = expf(-fabsf(v));    // never above 1, so nothing overflows
    return (v >= 0.f ? 1.f : e) / (1.f + e);
}

__device__ __forceinline__ float cut_off(float v) {     // to 0...1; NaN stays NaN
    v = v < 0.f ? 0.f : v;
    return v > 1.f ? 1.f : v;
}

// A call, because a kernel's epilogue is unrolled over dozens of results, and these are long. The formulas are those of gpucnn/ops/activation.py.
static __device__ __noinline__ float activate_slowly(float v, int code, float alpha, float beta) {
    switch (code) {
        case ACT_TANH: return tanhf(v);
        case ACT_LEAKY_RELU: return v > 0.f ? v : v * alpha;
        case ACT_ELU: return v > 0.f ? v : expm1f(v) * alpha;
        case ACT_SELU: return (v > 0.f ? v : expm1f(v) * alpha) * beta;
        case ACT_CELU: return v > 0.f ? v : expm1f(v / alpha) * alpha;
        case ACT_SILU: return v * sigmoid(v);
        case ACT_MISH: return v * tanhf((v < 0.f ? 0.f : v) + log1pf(expf(-fabsf(v))));
        case ACT_HARDSIGMOID: return cut_off(v * alpha + beta);
        case ACT_HARDSWISH: return v * cut_off(v * (1.f / 6.f) + 0.5f);
        case ACT_ERF: return erff(v);
        case ACT_GELU: return v * (0.5f + 0.5f * erff(v * 0.70710678f));
        case ACT_GELU_TANH: return v * sigmoid(v * (1.59576912f + 0.07135481f * v * v));   // (1 + tanh(u))/2 = sigmoid(2u)
        case ACT_SOFTPLUS: {
            const float scaled = v * alpha;
            if (scaled > beta) return v;
            const float line = scaled < 0.f ? 0.f : v;
            return line + log1pf(expf(-fabsf(scaled))) / alpha;
        }
        case ACT_SOFTSIGN: return v / (1.f + fabsf(v));
        case ACT_LOGSIGMOID: return (v > 0.f ? 0.f : v) - log1pf(expf(-fabsf(v)));
        case ACT_SHRINK: return fabsf(v) <= alpha ? 0.f : v - copysignf(beta, v);
        case ACT_TANHSHRINK: return v - tanhf(v);
        case ACT_THRESHOLD: return v <= alpha ? beta : v;
        default: return sigmoid(v);
    }
}

// NaN goes through every one of them.
__device__ __forceinline__ float activate(float v, int code, float alpha, float beta) {
    if (code == ACT_NONE) return v;
    if (code == ACT_RELU) return v < 0.f ? 0.f : v;
    if (code == ACT_CLIP) {
        v = v < alpha ? alpha : v;
        return v > beta ? beta : v;
    }
    return activate_slowly(v, code, alpha, beta);
}

// The same for neighbours: one branch for all of them.
template <int N> __device__ __forceinline__ void activate(float (&v)[N], int code, float alpha, float beta) {
    if (code == ACT_NONE) return;
    if (code == ACT_RELU) {
#pragma unroll
        for (int e = 0; e < N; e++) v[e] = activate(v[e], ACT_RELU, alpha, beta);
    } else if (code == ACT_CLIP) {
#pragma unroll
        for (int e = 0; e < N; e++) v[e] = activate(v[e], ACT_CLIP, alpha, beta);
    } else {
#pragma unroll
        for (int e = 0; e < N; e++) v[e] = activate_slowly(v[e], code, alpha, beta);
    }
}

// As many results as one access of 16 bytes holds.
#define RUN (16 / (int)sizeof(elem))
typedef Vec<elem, RUN> Run;

template <int WIDTH> __device__ __forceinline__ void load_pieces(Run& run, const elem* from, int count) {
#pragma unroll
    for (int e = 0; e < RUN; e += WIDTH)
        if (e < count) {
            Vec<elem, WIDTH> piece;
            piece.load(from + e);
#pragma unroll
            for (int i = 0; i < WIDTH; i++) run.e[e + i] = piece.e[i];
        }
}

template <int WIDTH> __device__ __forceinline__ void store_pieces(const Run& run, elem* to, int count) {
#pragma unroll
    for (int e = 0; e < RUN; e += WIDTH)
        if (e < count) {
            Vec<elem, WIDTH> piece;
#pragma unroll
            for (int i = 0; i < WIDTH; i++) piece.e[i] = run.e[e + i];
            piece.store(to + e);
        }
}

// Calls too, for what few layers need: addresses, pitches or channel counts that 16 bytes do not divide.
static __device__ __noinline__ uint4 load_narrow(const elem* from, int width, int count) {
    Run run;
    run.w = make_uint4(0, 0, 0, 0);
    if (width == 4) load_pieces<RUN < 4 ? RUN : 4>(run, from, count);
    else if (width == 2) load_pieces<2>(run, from, count);
    else load_pieces<1>(run, from, count);
    return run.w;
}

static __device__ __noinline__ void store_narrow(uint4 what, elem* to, int width, int count) {
    Run run;
    run.w = what;
    if (width == 4) store_pieces<RUN < 4 ? RUN : 4>(run, to, count);
    else if (width == 2) store_pieces<2>(run, to, count);
    else store_pieces<1>(run, to, count);
}

// `count` elements are left, of which a run takes up to RUN; `width` of them, a power of two, divide count, pitches and addresses.
__device__ __forceinline__ void load_run(Run& run, const elem* from, int width, int count) {
    if (width == RUN) run.load(from);
    else run.w = load_narrow(from, width, count);
}

__device__ __forceinline__ void store_run(const Run& run, elem* to, int width, int count) {
    if (width == RUN) run.store(to);
    else store_narrow(run.w, to, width, count);
}

__device__ __forceinline__ void load_four(float* to, const float* from) {
    const float4 v = *reinterpret_cast<const float4*>(from);
    to[0] = v.x; to[1] = v.y; to[2] = v.z; to[3] = v.w;
}

// One result per call, or RUN of them, channels side by side: `bias` float32 by output channel or null, `residual` in the output's type or null.
struct Epilogue {
    const float* bias;
    const elem* residual;
    int pre, post;
    float pre_alpha, pre_beta, post_alpha, post_beta;

    __device__ __forceinline__ float operator()(float sum, float bias_k, float residual_mk) const {
        float v = activate(sum + bias_k, pre, pre_alpha, pre_beta);
        return activate(v + residual_mk, post, post_alpha, post_beta);
    }

    __device__ __forceinline__ Run operator()(const float (&sum)[RUN], const float (&bias_k)[RUN], const Run& residual_mk) const {
        float v[RUN];
        Run result;
#pragma unroll
        for (int e = 0; e < RUN; e++) v[e] = sum[e] + bias_k[e];
        activate(v, pre, pre_alpha, pre_beta);
#pragma unroll
        for (int e = 0; e < RUN; e++) v[e] += to_float(residual_mk.e[e]);
        activate(v, post, post_alpha, post_beta);
#pragma unroll
        for (int e = 0; e < RUN; e++) result.e[e] = from_float<elem>(v[e]);
        return result;
    }
};
