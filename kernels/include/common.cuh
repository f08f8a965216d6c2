// What every kernel shares: element types, wide loads and stores, division by an invariant.
// Macro: HALF = 0 stores float32, 1 stores float16. Arithmetic is float32 in both.
#pragma once
#include <cuda_fp16.h>

#if HALF
typedef half elem;
#else
typedef float elem;
#endif

typedef long long i64;

__device__ __forceinline__ float to_float(float v) { return v; }
__device__ __forceinline__ float to_float(half v) { return __half2float(v); }

template <typename E> __device__ __forceinline__ E from_float(float v);
template <> __device__ __forceinline__ float from_float<float>(float v) { return v; }
template <> __device__ __forceinline__ half from_float<half>(float v) { return __float2half_rn(v); }

// BYTES consecutive bytes as one access; both pointers aligned to BYTES.
template <int BYTES> struct Wide;
template <> struct Wide<16> { typedef uint4 type; };
template <> struct Wide<8> { typedef uint2 type; };
template <> struct Wide<4> { typedef unsigned type; };
template <> struct Wide<2> { typedef unsigned short type; };

// COUNT consecutive elements of type E, loaded and stored in one access.
template <typename E, int COUNT> struct Vec {
    typedef typename Wide<COUNT * sizeof(E)>::type wide;
    union { wide w; E e[COUNT]; };
    __device__ __forceinline__ Vec() {}
    __device__ __forceinline__ void load(const E* p) { w = *reinterpret_cast<const wide*>(p); }
    __device__ __forceinline__ void load_ro(const E* p) { w = __ldg(reinterpret_cast<const wide*>(p)); }
    __device__ __forceinline__ void store(E* p) const { *reinterpret_cast<wide*>(p) = w; }
};

// n / d for 0 <= n < 2^31 with magic = ceil(2^(31 + l) / d), shift = l - 1, 2^l the least power of two >= d; the host computes both.
// Exact, because the error magic * d - 2^(31 + l) is below 2^l (Granlund & Montgomery 1994). d = 1 has shift = -1.
__device__ __forceinline__ int fast_div(int n, unsigned magic, int shift) {
    return shift < 0 ? n : (int)(__umulhi((unsigned)n, magic) >> shift);
}
