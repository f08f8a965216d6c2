// What the lanes of a warp do together, and copies that run by themselves. PTX ISA, 9.7.9 (data movement), 9.7.13 (parallel
// synchronisation), 9.7.14 (warp-level matrix instructions).
#include <cstring>

#include "bits.h"
#include "scheduler.h"
#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace emu {

// ---- synchronisation, votes, shuffles --------------------------------------------------------------------------------
static void complete_sync(Group& group, Thread& last) {
    Warp& warp = worker_of(last).warp[last.warp];
    if (group.need == warp.live) warp.epoch++;  // the only operation of a warp that orders memory
}

void sync_warp(Thread& self, uint32_t mask, uint32_t site) { meet(self, mask, kSyncWarpKey, complete_sync, nullptr, "__syncwarp", site); }

struct ShuffleLane {
    uint32_t value, b, c, result, site;
    bool valid;
};

template <Shuffle kind> static void complete_shuffle(Group& group, Thread& last) {
    for (uint32_t lane = 0; lane < kWarpSize; lane++) {
        if (!(group.need >> lane & 1)) continue;
        auto& mine = *(ShuffleLane*)group.operand[lane];
        int b = mine.b & 31, clamp = mine.c & 31, segment = mine.c >> 8 & 31;
        int least = lane & segment, most = least | (clamp & ~segment), from;
        switch (kind) {
            case kIndex: from = least | (b & ~segment), mine.valid = from <= most; break;
            case kUp: from = (int)lane - b, mine.valid = from >= most; break;
            case kDown: from = (int)lane + b, mine.valid = from <= most; break;
            case kButterfly: from = (int)lane ^ b, mine.valid = from <= most; break;
        }
        if (!mine.valid) from = (int)lane;
        if (group.need >> from & 1)
            mine.result = ((ShuffleLane*)group.operand[from])->value;
        else if (worker_of(last).run->checker)
            fail(last, mine.site, "__shfl_sync: lane %u reads lane %d, which takes no part", lane, from);
        else
            mine.result = 0xdeadbeef;
    }
}

uint32_t shuffle(Thread& self, uint32_t mask, uint32_t value, Shuffle kind, uint32_t b, uint32_t c, bool& valid, uint32_t site) {
    static const Complete complete[] = {complete_shuffle<kIndex>, complete_shuffle<kUp>, complete_shuffle<kDown>,
                                        complete_shuffle<kButterfly>};
    ShuffleLane lane{value, b, c, 0, site, false};
    meet(self, mask, kShuffleKey + kind, complete[kind], &lane, "__shfl_sync", site);
    valid = lane.valid;
    return lane.result;
}

struct VoteLane {
    uint32_t result;
    Vote kind;
    bool predicate;
};

static void complete_vote(Group& group, Thread&) {
    uint32_t ballot = 0;
    for (uint32_t lane = 0; lane < kWarpSize; lane++)
        if (group.need >> lane & 1) ballot |= (uint32_t)((VoteLane*)group.operand[lane])->predicate << lane;
    for (uint32_t lane = 0; lane < kWarpSize; lane++) {
        if (!(group.need >> lane & 1)) continue;
        auto& mine = *(VoteLane*)group.operand[lane];
        switch (mine.kind) {
            case kBallot: mine.result = ballot; break;
            case kAny: mine.result = ballot != 0; break;
            case kAll: mine.result = ballot == group.need; break;
            case kUniform: mine.result = ballot == 0 || ballot == group.need; break;
        }
    }
}

uint32_t vote(Thread& self, uint32_t mask, bool predicate, Vote kind, uint32_t site) {
    VoteLane lane{0, kind, predicate};
    meet(self, mask, kVoteKey + kind, complete_vote, &lane, "vote.sync", site);
    return lane.result;
}

struct ReduceLane {
    uint32_t value, result;
    Reduce kind;
    bool is_signed;
};

static uint32_t combine(const ReduceLane& how, uint32_t a, uint32_t b) {
    bool less = how.is_signed ? (int32_t)b < (int32_t)a : b < a;
    switch (how.kind) {
        case kAdd: return a + b;
        case kMin: return less ? b : a;
        case kMax: return less ? a : b;
        case kAnd: return a & b;
        case kOr: return a | b;
        default: return a ^ b;
    }
}

static void complete_reduce(Group& group, Thread&) {
    uint32_t rest = group.need, first = __builtin_ctz(rest), result = ((ReduceLane*)group.operand[first])->value;
    for (rest &= rest - 1; rest; rest &= rest - 1) {
        auto& lane = *(ReduceLane*)group.operand[__builtin_ctz(rest)];
        result = combine(lane, result, lane.value);
    }
    for (rest = group.need; rest; rest &= rest - 1) ((ReduceLane*)group.operand[__builtin_ctz(rest)])->result = result;
}

uint32_t reduce(Thread& self, uint32_t mask, uint32_t value, Reduce kind, bool is_signed, uint32_t site) {
    ReduceLane lane{value, 0, kind, is_signed};
    meet(self, mask, kReduceKey + kind, complete_reduce, &lane, "redux.sync", site);
    return lane.result;
}

uint32_t active_mask(Thread& self) { return worker_of(self).warp[self.warp].live; }

// ---- matrices --------------------------------------------------------------------------------------------------------
struct MatrixLane {
    const char* row;
    uint32_t* out;
    uint32_t count;
    bool transposed;
};

static void complete_load(Group& group, Thread&) {
    auto& first = *(MatrixLane*)group.operand[0];
    for (uint32_t m = 0; m < first.count; m++) {
        uint16_t matrix[8][8];
        for (uint32_t row = 0; row < 8; row++) memcpy(matrix[row], ((MatrixLane*)group.operand[m * 8 + row])->row, 16);
        for (uint32_t lane = 0; lane < kWarpSize; lane++) {
            uint32_t major = lane / 4, minor = lane % 4 * 2;
            uint16_t low = first.transposed ? matrix[minor][major] : matrix[major][minor];
            uint16_t high = first.transposed ? matrix[minor + 1][major] : matrix[major][minor + 1];
            ((MatrixLane*)group.operand[lane])->out[m] = low | (uint32_t)high << 16;
        }
    }
}

static void need_whole_warp(Thread& self, const char* what, uint32_t site) {
    uint32_t live = worker_of(self).warp[self.warp].live;
    if (live != ~0u) fail(self, site, "%s needs all 32 lanes of the warp; there are 0x%08x", what, live);
}

void load_matrices(Thread& self, const char* row, uint32_t count, bool transposed, uint32_t* out, uint32_t instruction, uint32_t site) {
    need_whole_warp(self, "ldmatrix", site);
    if (self.lane < 8 * count) {
        if ((uintptr_t)row % 16) fail(self, site, "ldmatrix: row address %p is not a multiple of 16", (const void*)row);
        if (worker_of(self).run->checker) check_access(self, row, 16, kRead, site);
    }
    MatrixLane lane{row, out, count, transposed};
    meet(self, ~0u, kAlignedKey + instruction, complete_load, &lane, "ldmatrix", site);
}

static void widen(const uint16_t* half, float* wide, uint32_t count, bool bf16) {
#if defined(__F16C__)
    if (!bf16) {
        for (uint32_t i = 0; i < count; i += 8) _mm256_storeu_ps(wide + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(half + i))));
        return;
    }
#endif
    for (uint32_t i = 0; i < count; i++) wide[i] = bf16 ? as_bf16(half[i]) : as_f16(half[i]);
}

struct MultiplyLane {
    const Mma* list;
    uint32_t count;
    uint32_t* fragments;
};

// d = a·b + c of one 16×8 tile. The sums run over k in order, in float32; the hardware adds all products of one instruction at
// once with a few bits less, so bits may differ, within the bound of float32 sums.
template <uint32_t K, bool kBF16> static void multiply_tile(const Mma& mma, uint32_t* const* lanes) {
    uint16_t a_half[16][K], b_half[K][8];
    float a[16][K], b[K][8], sum[16][8];
    for (uint32_t lane = 0; lane < kWarpSize; lane++) {
        const uint32_t* f = lanes[lane];
        uint32_t row = lane / 4, pair = lane % 4 * 2;
        for (uint32_t half = 0; half < K / 8; half++) {
            memcpy(&a_half[row][pair + 8 * half], &f[mma.a[2 * half]], 4);
            memcpy(&a_half[row + 8][pair + 8 * half], &f[mma.a[2 * half + 1]], 4);
            uint32_t column = f[mma.b[half]];
            b_half[pair + 8 * half][row] = (uint16_t)column;
            b_half[pair + 8 * half + 1][row] = (uint16_t)(column >> 16);
        }
        for (uint32_t i = 0; i < 4; i++) sum[row + i / 2 * 8][pair + i % 2] = as_f32(f[mma.c[i]]);
    }
    widen(&a_half[0][0], &a[0][0], 16 * K, kBF16);
    widen(&b_half[0][0], &b[0][0], K * 8, kBF16);
    for (uint32_t row = 0; row < 16; row++)
        for (uint32_t k = 0; k < K; k++)
            for (uint32_t n = 0; n < 8; n++) sum[row][n] = __builtin_fmaf(a[row][k], b[k][n], sum[row][n]);
    for (uint32_t lane = 0; lane < kWarpSize; lane++)
        for (uint32_t i = 0; i < 4; i++) lanes[lane][mma.d[i]] = of_f32(sum[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
}

static void multiply_tile_tf32(const Mma& mma, uint32_t* const* lanes) {
    auto tf32 = [](uint32_t u) { return as_f32(u & 0xffffe000u); };
    float a[16][8], b[8][8], sum[16][8];
    for (uint32_t lane = 0; lane < kWarpSize; lane++) {
        const uint32_t* f = lanes[lane];
        uint32_t row = lane / 4, column = lane % 4;
        for (uint32_t i = 0; i < 4; i++) a[row + i % 2 * 8][column + i / 2 * 4] = tf32(f[mma.a[i]]);
        for (uint32_t i = 0; i < 2; i++) b[column + i * 4][row] = tf32(f[mma.b[i]]);
        for (uint32_t i = 0; i < 4; i++) sum[row + i / 2 * 8][column * 2 + i % 2] = as_f32(f[mma.c[i]]);
    }
    for (uint32_t row = 0; row < 16; row++)
        for (uint32_t k = 0; k < 8; k++)
            for (uint32_t n = 0; n < 8; n++) sum[row][n] = __builtin_fmaf(a[row][k], b[k][n], sum[row][n]);
    for (uint32_t lane = 0; lane < kWarpSize; lane++)
        for (uint32_t i = 0; i < 4; i++) lanes[lane][mma.d[i]] = of_f32(sum[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2]);
}

static void complete_multiply(Group& group, Thread&) {
    uint32_t* lanes[kWarpSize];
    for (uint32_t lane = 0; lane < kWarpSize; lane++) lanes[lane] = ((MultiplyLane*)group.operand[lane])->fragments;
    auto& first = *(MultiplyLane*)group.operand[0];
    for (uint32_t i = 0; i < first.count; i++) {
        const Mma& mma = first.list[i];
        switch (mma.kind) {
            case kF16K16: multiply_tile<16, false>(mma, lanes); break;
            case kBF16K16: multiply_tile<16, true>(mma, lanes); break;
            case kF16K8: multiply_tile<8, false>(mma, lanes); break;
            case kBF16K8: multiply_tile<8, true>(mma, lanes); break;
            case kTF32K8: multiply_tile_tf32(mma, lanes); break;
        }
    }
}

void multiply(Thread& self, const Mma* list, uint32_t count, uint32_t* fragments, uint32_t instruction, uint32_t site) {
    need_whole_warp(self, "mma.sync", site);
    MultiplyLane lane{list, count, fragments};
    meet(self, ~0u, kAlignedKey + instruction, complete_multiply, &lane, "mma.sync", site);
}

// ---- cp.async: carried out at the latest moment that is legal, the wait for it -----------------------------------------
static CopyQueue& queue_of(Thread& self) { return worker_of(self).queue[self.linear]; }

void copy_async(Thread& self, char* to, const char* from, uint32_t bytes, uint32_t valid, uint32_t site) {
    if (valid > bytes) fail(self, site, "cp.async: src-size %u is larger than cp-size %u", valid, bytes);
    if ((uintptr_t)to % bytes || (valid && (uintptr_t)from % bytes))
        fail(self, site, "cp.async: misaligned copy of %u bytes, to shared %p from %p", bytes, (void*)to, (const void*)from);
    Copy copy{to, from, bytes, valid, site};
    if (Checker* checker = worker_of(self).run->checker.get()) checker->copy_begins(self, copy);
    queue_of(self).copies.push_back(copy);
}

void copy_commit(Thread& self) {
    CopyQueue& queue = queue_of(self);
    queue.groups.push_back((uint32_t)queue.copies.size());
}

void copy_wait(Thread& self, uint32_t newest) {
    CopyQueue& queue = queue_of(self);
    if (newest == ~0u) {
        copy_commit(self);
        newest = 0;
    }
    if (queue.groups.size() <= newest) return;
    size_t groups = queue.groups.size() - newest;
    uint32_t landed = queue.groups[groups - 1];
    Checker* checker = worker_of(self).run->checker.get();
    for (uint32_t i = 0; i < landed; i++) {
        const Copy& copy = queue.copies[i];
        memcpy(copy.to, copy.from, copy.valid);
        memset(copy.to + copy.valid, 0, copy.bytes - copy.valid);
        if (checker) checker->copy_lands(self, copy);
    }
    queue.copies.erase(queue.copies.begin(), queue.copies.begin() + landed);
    queue.groups.erase(queue.groups.begin(), queue.groups.begin() + (ptrdiff_t)groups);
    for (uint32_t& end : queue.groups) end -= landed;
}

void check_access(Thread& self, const void* address, uint32_t bytes, Access access, uint32_t site) {
    worker_of(self).run->checker->access(self, (const char*)address, bytes, access, site);
}

}  // namespace emu
