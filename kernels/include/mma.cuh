// The only place with PTX: named wrappers of ldmatrix, mma.sync and cp.async.
// Fragments of m16n8k16 (lane = 4 g + t): a[0] = A[g][2t..], a[1] = A[g+8][2t..], a[2] = A[g][2t+8..], a[3] = A[g+8][2t+8..];
// b[0] = B[2t..][g], b[1] = B[2t+8..][g]; d = {D[g][2t], D[g][2t+1], D[g+8][2t], D[g+8][2t+1]}.
#pragma once
#include "common.cuh"

__device__ __forceinline__ unsigned shared_address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }

// Four 8x8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
__device__ __forceinline__ void ldmatrix_x4(unsigned (&r)[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(row)) : "memory");
}

// d += a * b, 16x8x16, float16 operands, float32 sums.
__device__ __forceinline__ void mma_16816(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else  // sm_75 has k8 only: two of them
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(b[0]));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}

// BYTES (4, 8, 16) from global to shared memory, zeros where !ok (then src is not read). Complete after copy_wait and a barrier.
template <int BYTES> __device__ __forceinline__ void copy_async(void* dst, const void* src, bool ok) {
#if __CUDA_ARCH__ >= 800
    int n = ok ? BYTES : 0;
    if (BYTES == 16)  // .cg: past the first-level cache, which only the 16-byte form can
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(shared_address(dst)), "l"(src), "r"(n) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" :: "r"(shared_address(dst)), "l"(src), "n"(BYTES), "r"(n) : "memory");
#else
    typedef typename Wide<BYTES>::type wide;
    wide v = {};
    if (ok) v = __ldg(reinterpret_cast<const wide*>(src));
    *reinterpret_cast<wide*>(dst) = v;
#endif
}

__device__ __forceinline__ void copy_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Wait until at most PENDING of this thread's committed groups are still under way.
template <int PENDING> __device__ __forceinline__ void copy_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" :: "n"(PENDING) : "memory");
#endif
}

// A copy in two halves, to do something else between: start, and later finish with the same dst. Where cp.async does not exist (sm_75,
// and 2 bytes), start loads into registers and finish stores.
template <int BYTES> struct Copy {
    typedef typename Wide<BYTES>::type wide;
#if __CUDA_ARCH__ >= 800
    enum { ASYNC = BYTES >= 4 };
#else
    enum { ASYNC = 0 };
#endif
    wide v;

    __device__ __forceinline__ void start(void* dst, const void* src, bool ok) {
        if (ASYNC) copy_async<BYTES < 4 ? 4 : BYTES>(dst, src, ok);
        else {
            v = wide{};
            if (ok) v = __ldg(reinterpret_cast<const wide*>(src));
        }
    }
    __device__ __forceinline__ void finish(void* dst) const {
        if (!ASYNC) *reinterpret_cast<wide*>(dst) = v;
    }
};
