// The piece of an image that the windows of a block meet, in shared memory: four elements a pixel, zeros in channels that the image has
// not and outside it. Bytes go through the table first, so what lies outside is zero and not the table's first row.
// Macro: LOOKUP = 0, 1: the image holds elem, or bytes and a table comes with it.
#pragma once
#include "common.cuh"

#if LOOKUP
typedef unsigned char pixel_elem;
#else
typedef elem pixel_elem;
#endif

// Where the piece lies in the image, and how the image lies in memory.
struct Piece {
    int h0, w0, height, width;      // first line and column, perhaps outside; size of the image
    int pixels, columns;            // of the piece
    unsigned columns_magic;
    int columns_shift, channels, whole;   // whole: the four channels of a pixel may be loaded in one access
    i64 line;
    int pixel;
};

// `table` is (channels, 256) in shared memory, and may be null without LOOKUP.
template <int THREADS> __device__ __forceinline__ void load_patch(elem* patch, const elem* table, const pixel_elem* image, const Piece& o) {
    enum { AHEAD = 4 };             // pixels of a thread that are under way at once
    for (int first = threadIdx.x; first < o.pixels; first += AHEAD * THREADS) {
        Vec<pixel_elem, 4> in[AHEAD];
        bool inside[AHEAD];
#pragma unroll
        for (int u = 0; u < AHEAD; u++) {
            const int i = first + u * THREADS, line = fast_div(i, o.columns_magic, o.columns_shift);
            const int h = o.h0 + line, w = o.w0 + i - line * o.columns;
            inside[u] = i < o.pixels && (unsigned)h < (unsigned)o.height && (unsigned)w < (unsigned)o.width;
            const pixel_elem* const from = image + h * o.line + (i64)w * o.pixel;
            if (o.whole) {
                if (inside[u]) in[u].load_ro(from);
            } else {
#pragma unroll
                for (int c = 0; c < 4; c++)
                    if (inside[u] && c < o.channels) in[u].e[c] = __ldg(from + c);
            }
        }
#pragma unroll
        for (int u = 0; u < AHEAD; u++) {
            Vec<elem, 4> out;
#pragma unroll
            for (int c = 0; c < 4; c++) {
                out.e[c] = from_float<elem>(0.f);
#if LOOKUP
                if (inside[u] && c < o.channels) out.e[c] = table[c * 256 + in[u].e[c]];
#else
                if (inside[u] && c < o.channels) out.e[c] = in[u].e[c];
#endif
            }
            if (first + u * THREADS < o.pixels) out.store(patch + (first + u * THREADS) * 4);
        }
    }
}
