// What single PTX instructions compute, on raw bits. PTX ISA, chapter 9: instruction set.
// Builtins instead of <cmath> and <limits>: every kernel includes this file, and the headers take longer than most kernels.
#pragma once
#include "runtime.h"

#ifndef EMU_CHECK
#define EMU_CHECK 0
#endif

namespace emu {

#define EMU_INLINE static inline __attribute__((always_inline))

// ---- bits and numbers ------------------------------------------------------------------------------------------------
EMU_INLINE float as_f32(uint32_t u) { return __builtin_bit_cast(float, u); }
EMU_INLINE uint32_t of_f32(float f) { return __builtin_bit_cast(uint32_t, f); }
EMU_INLINE double as_f64(uint64_t u) { return __builtin_bit_cast(double, u); }
EMU_INLINE uint64_t of_f64(double f) { return __builtin_bit_cast(uint64_t, f); }
EMU_INLINE float as_f16(uint16_t h) { return (float)__builtin_bit_cast(_Float16, h); }
template <class T> EMU_INLINE uint16_t of_f16(T f) { return __builtin_bit_cast(uint16_t, (_Float16)f); }
EMU_INLINE float as_bf16(uint16_t h) { return as_f32((uint32_t)h << 16); }
EMU_INLINE uint16_t of_bf16(float f) {
    uint32_t u = of_f32(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
EMU_INLINE uint32_t of_tf32(float f) {  // cvt.rna: halves away from zero
    uint32_t u = of_f32(f);
    return (u & 0x7f800000u) == 0x7f800000u ? u : (u + 0x1000u) & 0xffffe000u;
}
EMU_INLINE float low_f16(uint32_t v) { return as_f16((uint16_t)v); }
EMU_INLINE float high_f16(uint32_t v) { return as_f16((uint16_t)(v >> 16)); }
EMU_INLINE float low_bf16(uint32_t v) { return as_bf16((uint16_t)v); }
EMU_INLINE float high_bf16(uint32_t v) { return as_bf16((uint16_t)(v >> 16)); }
EMU_INLINE float low_f32(uint64_t v) { return as_f32((uint32_t)v); }
EMU_INLINE float high_f32(uint64_t v) { return as_f32((uint32_t)(v >> 32)); }
EMU_INLINE uint64_t pack_f32(float low, float high) { return of_f32(low) | (uint64_t)of_f32(high) << 32; }
template <class T> EMU_INLINE uint32_t pack_f16(T low, T high) { return of_f16(low) | (uint32_t)of_f16(high) << 16; }
EMU_INLINE uint32_t pack_bf16(float low, float high) { return of_bf16(low) | (uint32_t)of_bf16(high) << 16; }

// ---- floating point functions for both widths ------------------------------------------------------------------------
#define EMU_FUNCTION(name)                                       \
    EMU_INLINE float name(float x) { return __builtin_##name##f(x); } \
    EMU_INLINE double name(double x) { return __builtin_##name(x); }
EMU_FUNCTION(fabs)
EMU_FUNCTION(sqrt)
EMU_FUNCTION(exp2)
EMU_FUNCTION(log2)
EMU_FUNCTION(sin)
EMU_FUNCTION(cos)
EMU_FUNCTION(tanh)
EMU_FUNCTION(trunc)
EMU_FUNCTION(floor)
EMU_FUNCTION(ceil)
EMU_FUNCTION(nearbyint)
#undef EMU_FUNCTION
EMU_INLINE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
EMU_INLINE double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
EMU_INLINE float copysign(float a, float b) { return __builtin_copysignf(a, b); }
EMU_INLINE double copysign(double a, double b) { return __builtin_copysign(a, b); }
template <class T> EMU_INLINE bool is_subnormal(T x) { return x != 0 && __builtin_isfinite(x) && !__builtin_isnormal(x); }

// ---- floating point --------------------------------------------------------------------------------------------------
EMU_INLINE float flush(float f) { return fabs(f) < 0x1p-126f ? copysign(0.f, f) : f; }  // .ftz
template <class T> EMU_INLINE T saturate(T x) { return x > 0 ? (x < 1 ? x : (T)1) : (T)0; }          // NaN becomes 0
template <class T> EMU_INLINE T minimum(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    return a < b || (a == b && __builtin_signbit(a)) ? a : b;
}
template <class T> EMU_INLINE T maximum(T a, T b) {
    if (a != a) return b;
    if (b != b) return a;
    return a > b || (a == b && !__builtin_signbit(a)) ? a : b;
}
template <class T> EMU_INLINE T nan_minimum(T a, T b) { return a != a || b != b ? (T)__builtin_nan("") : minimum(a, b); }
template <class T> EMU_INLINE T nan_maximum(T a, T b) { return a != a || b != b ? (T)__builtin_nan("") : maximum(a, b); }
EMU_INLINE float round_down(double x) {
    float f = (float)x;
    return f > x ? __builtin_nextafterf(f, -__builtin_inff()) : f;
}
EMU_INLINE float round_up(double x) {
    float f = (float)x;
    return f < x ? __builtin_nextafterf(f, __builtin_inff()) : f;
}
EMU_INLINE float round_to_zero(double x) { return x < 0 ? round_up(x) : round_down(x); }
template <class I> constexpr bool kSigned = (I)-1 < (I)1;
template <class I> constexpr I kLeast = kSigned<I> ? (I)((I)1 << (sizeof(I) * 8 - 1)) : (I)0;
template <class I> constexpr I kMost = (I)~kLeast<I>;
template <class I, class X> EMU_INLINE I to_integer(X x) {  // out of range goes to the nearest end, NaN to 0
    if (x != x) return 0;
    if (x <= (X)kLeast<I>) return kLeast<I>;
    if (x >= (X)kMost<I>) return kMost<I>;
    return (I)x;
}
template <class I, class X> EMU_INLINE I clamp_integer(X x) {
    __int128 wide = x, least = kLeast<I>, most = kMost<I>;
    return (I)(wide < least ? least : wide > most ? most : wide);
}
template <class T> EMU_INLINE bool unordered(T a, T b) { return a != a || b != b; }

// ---- integers --------------------------------------------------------------------------------------------------------
template <class T> EMU_INLINE T shift_left(T a, uint32_t n) { return n >= sizeof(T) * 8 ? (T)0 : (T)(a << n); }
template <class T> EMU_INLINE T shift_right(T a, uint32_t n) { return n >= sizeof(T) * 8 ? (T)(a < 0 ? -1 : 0) : (T)(a >> n); }
template <class T> EMU_INLINE T quotient(T a, T b) {  // by zero: all ones, as the hardware does
    if (b == 0) return (T)-1;
    if (kSigned<T> && b == (T)-1) return (T)(0 - (uint64_t)a);
    return a / b;
}
template <class T> EMU_INLINE T remainder(T a, T b) {
    if (b == 0) return a;
    if (kSigned<T> && b == (T)-1) return 0;
    return a % b;
}
EMU_INLINE uint32_t permute(uint32_t a, uint32_t b, uint32_t selector) {
    uint64_t bytes = a | (uint64_t)b << 32;
    uint32_t result = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t pick = selector >> (4 * i) & 15;
        uint8_t byte = (uint8_t)(bytes >> (8 * (pick & 7)));
        if (pick & 8) byte = (uint8_t)((int8_t)byte >> 7);  // replicate the sign
        result |= (uint32_t)byte << (8 * i);
    }
    return result;
}
EMU_INLINE uint32_t logic3(uint32_t a, uint32_t b, uint32_t c, uint32_t table) {
    uint32_t result = 0;
    for (int row = 0; row < 8; row++)
        if (table >> row & 1) result |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
    return result;
}
template <class T> EMU_INLINE T extract_field(T a, uint32_t position, uint32_t length) {
    const uint32_t bits = sizeof(T) * 8;
    position &= 255, length &= 255;
    if (length == 0) return 0;
    T moved = shift_right<T>(a, position);
    return length >= bits ? moved : (T)((T)((uint64_t)moved << (bits - length)) >> (bits - length));
}
template <class T> EMU_INLINE T insert_field(T field, T base, uint32_t position, uint32_t length) {
    const uint32_t bits = sizeof(T) * 8;
    position &= 255, length &= 255;
    if (length == 0 || position >= bits) return base;
    T mask = shift_left<T>(length >= bits ? (T)-1 : (T)(((T)1 << length) - 1), position);
    return (T)((base & ~mask) | ((field << position) & mask));
}
EMU_INLINE uint32_t funnel_left(uint32_t low, uint32_t high, uint32_t n) {
    return n == 32 ? low : (uint32_t)((((uint64_t)high << 32 | low) << n) >> 32);
}
EMU_INLINE uint32_t funnel_right(uint32_t low, uint32_t high, uint32_t n) { return (uint32_t)(((uint64_t)high << 32 | low) >> n); }
template <class T> EMU_INLINE T reverse_bits(T x) {
    T result = 0;
    for (uint32_t i = 0; i < sizeof(T) * 8; i++) result = (T)(result << 1 | (x >> i & 1));
    return result;
}
template <class T> EMU_INLINE uint32_t highest_bit(T x) {  // bfind: of a negative number the highest zero
    uint64_t u = x < 0 ? ~(uint64_t)(int64_t)x : (uint64_t)x;
    return u ? 63 - __builtin_clzll(u) : ~0u;
}
template <class A, class B> EMU_INLINE uint32_t dot4(uint32_t a, uint32_t b, uint32_t c) {
    for (int i = 0; i < 32; i += 8) c += (uint32_t)((int32_t)(A)(a >> i) * (int32_t)(B)(b >> i));
    return c;
}

// ---- memory ----------------------------------------------------------------------------------------------------------
template <class T> EMU_INLINE T load(const char* p) {
    T value;
    __builtin_memcpy(&value, p, sizeof value);
    return value;
}
template <class T> EMU_INLINE void store(char* p, T value) { __builtin_memcpy(p, &value, sizeof value); }
// A device function that takes and gives single values. Not inlined: the calls are many, and g++ is to see little of each.
template <auto function, class R, class... A> __attribute__((noinline)) R called(Thread& self, A... values) {
    R result;
    char* const arguments[] = {(char*)&result, (char*)&values..., nullptr};
    function(self, arguments);
    return result;
}
EMU_INLINE char* generic(uint64_t address) { return (char*)address; }
// A generic address that lands in the shared window by mistake is far outside it.
EMU_INLINE char* in_shared(Thread& self, uint32_t address, uint32_t bytes, uint32_t site) {
    if (__builtin_expect((uint64_t)address + bytes > self.block->window, 0))
        fail(self, site, "shared-memory address %u (%u bytes) lies outside the %u bytes of the block", address, bytes, self.block->window);
    return self.block->shared + address;
}
EMU_INLINE void touch(Thread& self, const char* p, uint32_t bytes, Access access, uint32_t site) {
    if (EMU_CHECK)
        check_access(self, p, bytes, access, site);
    else if (bytes > 4 && __builtin_expect((uintptr_t)p % bytes != 0, 0))
        fail(self, site, "misaligned %s of %u bytes", access == kRead ? "read" : "write", bytes);
}
EMU_INLINE void poll(Thread& self, uint32_t site) {  // at backward jumps
    if (__builtin_expect(self.block->stop, 0)) fail(self, site, "time limit met: an endless loop, or a wait for another block");
}
// An atomic read-modify-write of the bits T, by `change` on the old bits; returns the old bits.
template <class T, class F> EMU_INLINE T update(char* p, F change) {
    T old = __atomic_load_n((T*)p, __ATOMIC_RELAXED), fresh;
    do fresh = change(old);
    while (!__atomic_compare_exchange_n((T*)p, &old, fresh, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return old;
}

}  // namespace emu
