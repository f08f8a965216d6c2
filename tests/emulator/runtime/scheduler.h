// What the parts of the runtime share: the threads of one block, and who of them may run.
#pragma once
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime.h"

namespace emu {

constexpr uint32_t kMaxThreads = 1024, kWarpSize = 32, kMaxWarps = kMaxThreads / kWarpSize, kBarriers = 16;
constexpr size_t kStackBytes = 256 << 10, kSharedBytes = 256 << 10;

struct Group;
struct Worker;
using Complete = void (*)(Group& group, Thread& last);

struct Copy {  // one cp.async on its way
    char* to;
    const char* from;
    uint32_t bytes, valid, site;  // the first `valid` bytes are copied, the others become zero
};

struct CopyQueue {
    std::vector<Copy> copies;
    std::vector<uint32_t> groups;  // for each committed group, how many of `copies` it ends at
};

struct Group {  // lanes of one warp that have met, or are about to, at one collective operation
    uint64_t key;
    uint32_t mask, need, arrived;
    Complete complete;
    void* operand[kWarpSize];
};

struct Warp {
    uint32_t live, ready;  // lanes that have not exited; lanes that may run
    uint32_t group_count;
    Group group[kWarpSize];
    uint32_t epoch;  // __syncwarp of all live lanes so far
};

struct Barrier {
    uint32_t arrived, expected;
    uint32_t waiting[kMaxWarps];
    uint32_t instruction[kMaxWarps];
    Tally running, result;
};

struct Checker;

struct Run {  // one launch
    const Launch* launch;
    std::unique_ptr<Checker> checker;
    std::atomic<uint64_t> next_block{0};
    std::mutex mutex;
    std::condition_variable done;
    uint32_t busy = 0;
    std::atomic<bool> failed{false};
    std::string message;
    std::vector<Worker*> workers;
    void report(const std::string& text);  // the first one counts; stops all workers
};

struct Worker : Block {  // executes one block at a time on one thread of the system
    Run* run;
    Thread* current;
    void* main_stack_pointer;
    char* stacks;
    uint32_t thread_count, warp_count, live;
    uint32_t epoch;  // barriers and blocks so far; never 0
    uint32_t block_epoch;  // `epoch` when this block began
    Warp warp[kMaxWarps];
    Barrier barrier[kBarriers];
    Thread thread[kMaxThreads];
    CopyQueue queue[kMaxThreads];

    Worker();
    ~Worker();
    Worker(const Worker&) = delete;
    void run_blocks(Run& run);
    char* stack_of(const Thread& t) const { return stacks + t.linear * kStackBytes; }

private:
    void begin_block(uint64_t number);
    void run_block();
    void report_deadlock();
};

inline Worker& worker_of(Thread& self) { return *static_cast<Worker*>(self.block); }

extern thread_local Worker* this_worker;
void* new_fiber(char* stack, uint32_t colour);  // its stack pointer; it will run the kernel
void enter(Worker& w);                          // run the fibers until none is ready, or one failed
std::string place(const Worker& w, const Thread* t);

// Wait until the lanes of `mask` have come with the same key; the last one executes `complete` for all.
void meet(Thread& self, uint32_t mask, uint64_t key, Complete complete, void* operand, const char* what, uint32_t site);

// Keys: collectives with the same one meet.
enum : uint64_t { kSyncWarpKey = 1, kShuffleKey = 2, kVoteKey = 8, kReduceKey = 16, kActiveKey = 32, kAlignedKey = 1ull << 32 };

// Check mode.
struct Checker {
    virtual ~Checker() = default;
    virtual void access(Thread& self, const char* p, uint32_t bytes, Access access, uint32_t site) = 0;
    virtual void copy_begins(Thread& self, const Copy& copy) = 0;
    virtual void copy_lands(Thread& self, const Copy& copy) = 0;
};
std::unique_ptr<Checker> make_checker(const Launch& launch, Worker& worker);

}  // namespace emu
