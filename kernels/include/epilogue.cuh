// The only place where convolution and matrix products turn sums into results: post(pre(sum + bias) + residual).
// The activation is a number that is the same for every thread, so its switch costs a uniform branch and no further compilation.
#pragma once
#include "common.cuh"

enum ActivationCode { ACT_NONE = 0, ACT_RELU = 1, ACT_CLIP = 2, ACT_SIGMOID = 3, ACT_TANH = 4 };

// A call, because a kernel's epilogue is unrolled over dozens of results, and these are long.
static __device__ __noinline__ float activate_slowly(float v, int code) {
    if (code == ACT_TANH) return tanhf(v);
    float e = expf(-fabsf(v));          // never above 1, so nothing overflows
    return (v >= 0.f ? 1.f : e) / (1.f + e);
}

// NaN goes through every one of them.
__device__ __forceinline__ float activate(float v, int code, float alpha, float beta) {
    if (code == ACT_NONE) return v;
    if (code == ACT_RELU) return v < 0.f ? 0.f : v;
    if (code == ACT_CLIP) {
        v = v < alpha ? alpha : v;
        return v > beta ? beta : v;
    }
    return activate_slowly(v, code);
}

// One result per call: `bias` float32 by output channel or null, `residual` in the output's type or null.
struct Epilogue {
    const float* bias;
    const elem* residual;
    int pre, post;
    float pre_alpha, pre_beta, post_alpha, post_beta;

    __device__ __forceinline__ float operator()(float sum, float bias_k, float residual_mk) const {
        float v = activate(sum + bias_k, pre, pre_alpha, pre_beta);
        return activate(v + residual_mk, post, post_alpha, post_beta);
    }
};
