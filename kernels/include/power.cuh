// Lp norms that neither overflow nor vanish: the largest |x| times the root of the sum of powers of what share of it each |x| is.
#pragma once

// NaN once met stays.
__device__ __forceinline__ float larger_size(float most, float x) {
    const float size = fabsf(x);
    return size > most || size != size ? size : most;
}

__device__ __forceinline__ bool is_measure(float largest) { return largest > 0.f && largest < __int_as_float(0x7f800000); }

// What sizes are divided by; 1 where the largest is 0, infinite or NaN.
__device__ __forceinline__ float unit_of(float largest) { return is_measure(largest) ? largest : 1.f; }

__device__ __forceinline__ float raised(float share, float pow) {
    return pow == 2.f ? share * share : pow == 1.f ? share : powf(share, pow);
}

// root is 1/pow.
__device__ __forceinline__ float norm_of(float largest, float sum, float root) {
    return !is_measure(largest) ? largest : largest * (root == 0.5f ? sqrtf(sum) : root == 1.f ? sum : powf(sum, root));
}
