// A launch: workers, one for each core, take blocks from the grid; their stacks and shared memory are kept for the next launch.
#include <signal.h>
#include <sys/mman.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "scheduler.h"

namespace emu {

// ---- workers ---------------------------------------------------------------------------------------------------------
static char* map(size_t bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    return (char*)p;
}

Worker::Worker() {
    stacks = map(kMaxThreads * kStackBytes);
    for (uint32_t i = 0; i < kMaxThreads; i++) mprotect(stacks + i * kStackBytes, 4096, PROT_NONE);
    shared = map(kSharedBytes);
    epoch = 1;
}

Worker::~Worker() {
    munmap(stacks, kMaxThreads * kStackBytes);
    munmap(shared, kSharedBytes);
}

void Worker::begin_block(uint64_t number) {
    const Launch& l = *run->launch;
    block_index = {uint32_t(number % l.grid[0]), uint32_t(number / l.grid[0] % l.grid[1]), uint32_t(number / l.grid[0] / l.grid[1])};
    memset(shared, 0xff, window);  // NaN for whoever reads what nobody wrote
    block_epoch = ++epoch;
    live = thread_count;
    for (Barrier& b : barrier) {
        b = Barrier{};
        b.running.all = true;
    }
    for (uint32_t i = 0; i < warp_count; i++) {
        uint32_t lanes = thread_count - i * kWarpSize;
        warp[i].live = warp[i].ready = lanes >= kWarpSize ? ~0u : (1u << lanes) - 1;
        warp[i].group_count = 0;
        warp[i].epoch = 1;
    }
    for (uint32_t i = 0; i < thread_count; i++) {
        Thread& t = thread[i];
        t.block = this;
        t.index = {i % block_size.x, i / block_size.x % block_size.y, i / block_size.x / block_size.y};
        t.linear = i, t.lane = i % kWarpSize, t.warp = i / kWarpSize;
        t.waits_for = nullptr, t.site = 0;
        queue[i].copies.clear();
        queue[i].groups.clear();
        t.stack_pointer = new_fiber(stack_of(t), i);
    }
}

void Worker::report_deadlock() {
    std::string text = "deadlock:";
    std::vector<std::pair<std::string, uint32_t>> waits;
    const Thread* example = nullptr;
    for (uint32_t i = 0; i < thread_count; i++) {
        const Thread& t = thread[i];
        if (!(warp[t.warp].live >> t.lane & 1) || !t.waits_for) continue;
        std::string what = std::string(t.waits_for) + " (" + run->launch->kernel->sites[t.site] + ")";
        bool known = false;
        for (auto& w : waits)
            if (w.first == what) w.second++, known = true;
        if (!known) waits.emplace_back(what, 1);
        if (!example) example = &t;
    }
    for (size_t i = 0; i < waits.size() && i < 4; i++)
        text += (i ? ", " : " ") + std::to_string(waits[i].second) + " threads wait at " + waits[i].first;
    if (live < thread_count) text += ", " + std::to_string(thread_count - live) + " have exited";
    run->report(text + place(*this, example));
}

void Worker::run_block() {
    enter(*this);
    if (live && !run->failed) report_deadlock();
}

void Worker::run_blocks(Run& r) {
    run = &r;
    this_worker = this;
    const Launch& l = *r.launch;
    block_size = {l.block[0], l.block[1], l.block[2]};
    grid_size = {l.grid[0], l.grid[1], l.grid[2]};
    thread_count = l.block[0] * l.block[1] * l.block[2];
    warp_count = (thread_count + kWarpSize - 1) / kWarpSize;
    uint64_t blocks = (uint64_t)l.grid[0] * l.grid[1] * l.grid[2];
    for (uint64_t b; !stop && (b = r.next_block++) < blocks;) {
        begin_block(b);
        run_block();
    }
    this_worker = nullptr;
}

// ---- a wild access becomes an error, not the end of the process --------------------------------------------------------
static const int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE};
static struct sigaction previous[3];
static std::mutex signal_mutex;
static int signal_users;

static void on_signal(int number, siginfo_t* info, void*) {
    if (this_worker && this_worker->current) {
        Thread& self = *this_worker->current;
        const char* stack = this_worker->stack_of(self);
        const char* p = (const char*)info->si_addr;
        if (p >= stack && p < stack + 4096)
            fail(self, self.site, "stack overflow: the kernel's local arrays are too large for the emulator");
        if (number == SIGFPE) fail(self, self.site, "arithmetic trap");
        fail(self, self.site, "segmentation fault at %p; check mode shows the access", info->si_addr);
    }
    for (int i = 0; i < 3; i++)
        if (kSignals[i] == number) sigaction(number, &previous[i], nullptr);
}

struct SignalGuard {
    SignalGuard() {
        std::lock_guard<std::mutex> lock(signal_mutex);
        if (signal_users++) return;
        struct sigaction action {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        for (int i = 0; i < 3; i++) sigaction(kSignals[i], &action, &previous[i]);
    }
    ~SignalGuard() {
        std::lock_guard<std::mutex> lock(signal_mutex);
        if (--signal_users) return;
        for (int i = 0; i < 3; i++) sigaction(kSignals[i], &previous[i], nullptr);
    }
};

struct AlternateStack {  // handlers of a fiber that overflowed need a stack
    std::vector<char> memory = std::vector<char>(64 << 10);
    stack_t old;
    AlternateStack() {
        stack_t stack{};
        stack.ss_sp = memory.data();
        stack.ss_size = memory.size();
        sigaltstack(&stack, &old);
    }
    ~AlternateStack() { sigaltstack(&old, nullptr); }
};

// ---- launches --------------------------------------------------------------------------------------------------------
static std::mutex pool_mutex;
static std::vector<std::unique_ptr<Worker>> pool;

static std::unique_ptr<Worker> take_worker() {
    std::lock_guard<std::mutex> lock(pool_mutex);
    if (pool.empty()) return std::make_unique<Worker>();
    std::unique_ptr<Worker> worker = std::move(pool.back());
    pool.pop_back();
    return worker;
}

static void give_worker(std::unique_ptr<Worker> worker) {
    std::lock_guard<std::mutex> lock(pool_mutex);
    pool.push_back(std::move(worker));
}

static void work(Run& run, Worker& worker) {
    AlternateStack stack;
    worker.run_blocks(run);
    std::lock_guard<std::mutex> lock(run.mutex);
    if (--run.busy == 0) run.done.notify_all();
}

}  // namespace emu

extern "C" int emu_launch(const emu::Launch* launch) {
    using namespace emu;
    SignalGuard guard;
    Run run;
    run.launch = launch;
    std::vector<std::unique_ptr<Worker>> workers;
    for (uint32_t i = 0; i < launch->workers; i++) {
        workers.push_back(take_worker());
        workers[i]->stop = false;
        workers[i]->window = launch->kernel->dynamic_offset + launch->dynamic_bytes;
        workers[i]->dynamic_bytes = launch->dynamic_bytes;
        run.workers.push_back(workers[i].get());
    }
    if (launch->check) run.checker = make_checker(*launch, *workers[0]);
    run.busy = launch->workers;
    std::vector<std::thread> threads;
    for (auto& worker : workers) threads.emplace_back([&run, &worker] { work(run, *worker); });
    bool in_time;
    {
        std::unique_lock<std::mutex> lock(run.mutex);
        in_time = run.done.wait_for(lock, std::chrono::duration<double>(launch->seconds), [&run] { return run.busy == 0; });
    }
    if (!in_time)
        for (Worker* w : run.workers) w->stop = true;  // the next jump backwards reports it, with its place
    for (auto& thread : threads) thread.join();
    if (!in_time) run.report("time limit met");
    for (auto& worker : workers) give_worker(std::move(worker));
    if (run.failed) snprintf(launch->message, launch->message_bytes, "%s", run.message.c_str());
    return run.failed;
}
