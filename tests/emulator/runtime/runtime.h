// The interface between translated kernels and the runtime that executes them: one fiber per CUDA thread.
//
// A translated kernel is one C++ function `void kernel(Thread& self, char* const* params)`. Registers are local variables that
// hold raw bits. Whatever concerns more than one thread is a call below; `site` numbers a source line for messages.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace emu {

struct Index {
    uint32_t x, y, z;
};

struct Block {  // what the threads of a block share
    char* shared;
    uint32_t window;  // bytes of the shared window: static and dynamic
    uint32_t dynamic_bytes;
    Index block_index, block_size, grid_size;
    volatile bool stop;  // raised when the launch failed elsewhere or took too long
};

struct Thread {
    void* stack_pointer;
    Block* block;
    Index index;
    uint32_t linear, lane, warp;
    const char* waits_for;
    uint32_t site;  // where it waits
};

enum Access : uint32_t { kRead, kWrite, kAtomic };
enum Shuffle : uint32_t { kIndex, kUp, kDown, kButterfly };
enum Vote : uint32_t { kBallot, kAny, kAll, kUniform };
enum Reduce : uint32_t { kAdd, kMin, kMax, kAnd, kOr, kXor };
enum Fragment : uint32_t { kF16K16, kBF16K16, kF16K8, kBF16K8, kTF32K8 };

// One mma.sync: where its operands lie in the array of fragments of each thread.
struct Mma {
    Fragment kind;
    uint16_t d[4], a[4], b[2], c[4];
};

[[noreturn]] void fail(Thread& self, uint32_t site, const char* format, ...) __attribute__((format(printf, 3, 4)));

// Block: barrier `id` of `count` threads (0: all). `instruction` numbers the PTX instruction within the kernel.
void barrier(Thread& self, uint32_t id, uint32_t count, uint32_t instruction, uint32_t site);
void barrier_arrive(Thread& self, uint32_t id, uint32_t count, uint32_t site);
struct Tally {
    uint32_t count;
    bool all, any;
};
Tally barrier_tally(Thread& self, uint32_t id, uint32_t count, bool predicate, uint32_t instruction, uint32_t site);

// Warp.
void sync_warp(Thread& self, uint32_t mask, uint32_t site);
uint32_t shuffle(Thread& self, uint32_t mask, uint32_t value, Shuffle kind, uint32_t b, uint32_t c, bool& valid, uint32_t site);
uint32_t vote(Thread& self, uint32_t mask, bool predicate, Vote kind, uint32_t site);
uint32_t reduce(Thread& self, uint32_t mask, uint32_t value, Reduce kind, bool is_signed, uint32_t site);
uint32_t active_mask(Thread& self);
void load_matrices(Thread& self, const char* row, uint32_t count, bool transposed, uint32_t* out, uint32_t instruction, uint32_t site);
void multiply(Thread& self, const Mma* list, uint32_t count, uint32_t* fragments, uint32_t instruction, uint32_t site);

// Copies that run by themselves.
void copy_async(Thread& self, char* to, const char* from, uint32_t bytes, uint32_t valid, uint32_t site);
void copy_commit(Thread& self);
void copy_wait(Thread& self, uint32_t newest);  // all but the newest groups; ~0u: everything, committed or not

// Check mode: is this access inside a buffer, aligned, of initialised memory, and ordered against all others?
void check_access(Thread& self, const void* address, uint32_t bytes, Access access, uint32_t site);

struct Array {  // a variable: `address` is an offset for shared memory
    const char* name;
    uintptr_t address;
    uint64_t bytes;
    uint32_t writable;
};

struct Kernel {
    void (*entry)(Thread& self, char* const* params);
    const char* const* sites;
    const Array* shared;
    uint32_t shared_count;
    uint32_t dynamic_offset;
    const Array* globals;
    uint32_t global_count;
};

struct Launch {
    const Kernel* kernel;
    uint32_t grid[3], block[3];
    char* const* params;
    uint32_t dynamic_bytes, check, workers;
    double seconds;  // time limit
    const Array* buffers;
    uint32_t buffer_count;
    char* message;
    uint32_t message_bytes;
};

}  // namespace emu

extern "C" int emu_launch(const emu::Launch* launch);  // 0, or 1 with launch->message
