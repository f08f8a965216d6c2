// One fiber per CUDA thread. A fiber runs until it must wait, then hands over to the next ready lane of its warp, else to the
// next warp; blocks run one after another on each worker. Nothing here depends on chance.
#include "scheduler.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#if defined(__x86_64__) && !defined(EMU_UCONTEXT)
#define EMU_ASSEMBLY 1
#else
#include <ucontext.h>
#endif

namespace emu {

thread_local Worker* this_worker;

// ---- switching stacks ------------------------------------------------------------------------------------------------
static void fiber_main();

#if EMU_ASSEMBLY
extern "C" void emu_switch(void** save, void* to);
// Saves what the ABI says a callee keeps. A jump instead of `ret`: the return predictor knows nothing of fibers.
asm(R"(.text
.globl emu_switch
.hidden emu_switch
.type emu_switch,@function
emu_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    pop %rcx
    jmp *%rcx
.size emu_switch,.-emu_switch
)");

void* new_fiber(char* stack, uint32_t colour) {
    // Stacks lie a power of two apart: without an offset of its own each would fight for the same lines of the cache.
    uintptr_t top = (uintptr_t)stack + kStackBytes - colour % 64 * 576;
    void** slot = (void**)(top & ~(uintptr_t)63);
    *--slot = nullptr;
    *--slot = (void*)fiber_main;
    for (int i = 0; i < 6; i++) *--slot = nullptr;
    return slot;
}
#else
extern "C" void emu_switch(void** save, void* to) {
    ucontext_t here;
    *save = &here;
    swapcontext(&here, (ucontext_t*)to);
}

void* new_fiber(char* stack, uint32_t) {
    ucontext_t* context = (ucontext_t*)(stack + kStackBytes - 8192);
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = kStackBytes - 8192;
    context->uc_link = nullptr;
    makecontext(context, fiber_main, 0);
    return context;
}
#endif

void enter(Worker& w) {
    w.current = &w.thread[0];
    emu_switch(&w.main_stack_pointer, w.current->stack_pointer);
}

static void to_main(Worker& w) {
    Thread& self = *w.current;
    emu_switch(&self.stack_pointer, w.main_stack_pointer);
}

static void run_next(Worker& w, Thread& self) {
    uint32_t number = self.warp;
    if (!w.warp[number].ready) {
        uint32_t first = number;
        do number = number + 1 == w.warp_count ? 0 : number + 1;
        while (!w.warp[number].ready && number != first);
        if (!w.warp[number].ready) return to_main(w);
    }
    uint32_t ready = w.warp[number].ready, above = number == self.warp ? ready & ~((2u << self.lane) - 1) : ready;
    Thread& next = w.thread[number * kWarpSize + __builtin_ctz(above ? above : ready)];
    w.current = &next;
    if (&next != &self) emu_switch(&self.stack_pointer, next.stack_pointer);
}

static void suspend(Worker& w, Thread& self, const char* what, uint32_t site) {
    self.waits_for = what;
    self.site = site;
    w.warp[self.warp].ready &= ~(1u << self.lane);
    run_next(w, self);
}

// ---- failures --------------------------------------------------------------------------------------------------------
void Run::report(const std::string& text) {
    std::lock_guard<std::mutex> lock(mutex);
    if (!failed) message = text;
    failed = true;
    for (Worker* w : workers) w->stop = true;
}

std::string place(const Worker& w, const Thread* t) {
    char text[160];
    const Index& b = w.block_index;
    int n = snprintf(text, sizeof text, " [block (%u,%u,%u)", b.x, b.y, b.z);
    if (t) n += snprintf(text + n, sizeof text - n, " thread (%u,%u,%u)", t->index.x, t->index.y, t->index.z);
    snprintf(text + n, sizeof text - n, "]");
    return text;
}

void fail(Thread& self, uint32_t site, const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    Worker& w = worker_of(self);
    w.run->report(std::string(w.run->launch->kernel->sites[site]) + ": " + text + place(w, &self));
    to_main(w);
    abort();  // a fiber that failed is never resumed
}

// ---- barriers --------------------------------------------------------------------------------------------------------
static void release(Worker& w, Thread& self, Barrier& barrier, uint32_t site) {
    bool whole = barrier.arrived >= w.live;
    if (w.run->checker && whole && w.live < w.thread_count)
        fail(self, site, "__syncthreads was reached by only %u of %u threads; the others have exited", w.live, w.thread_count);
    for (uint32_t i = 0; i < w.warp_count; i++) w.warp[i].ready |= barrier.waiting[i];
    if (whole) w.epoch++;
    Tally result = barrier.running;
    barrier = Barrier{};
    barrier.running.all = true;
    barrier.result = result;
}

static bool arrive(Worker& w, Thread& self, uint32_t id, uint32_t count, uint32_t instruction, uint32_t site) {
    if (id >= kBarriers) fail(self, site, "barrier %u: there are %u", id, kBarriers);
    Barrier& barrier = w.barrier[id];
    if (w.run->checker) {
        if (count && count < w.live)
            fail(self, site, "check mode does not follow barriers of a part of the block (%u of %u threads)", count, w.live);
        uint32_t& first = barrier.instruction[self.warp];
        if (barrier.waiting[self.warp] && first != instruction)
            fail(self, site, "warp %u is divided between two __syncthreads", self.warp);
        first = instruction;
    }
    barrier.arrived++;
    barrier.expected = count;
    if (barrier.arrived < (count ? count : w.live)) return false;
    release(w, self, barrier, site);
    return true;
}

void barrier(Thread& self, uint32_t id, uint32_t count, uint32_t instruction, uint32_t site) {
    Worker& w = worker_of(self);
    if (arrive(w, self, id, count, instruction, site)) return;
    w.barrier[id].waiting[self.warp] |= 1u << self.lane;
    suspend(w, self, "__syncthreads", site);
}

void barrier_arrive(Thread& self, uint32_t id, uint32_t count, uint32_t site) {
    arrive(worker_of(self), self, id, count, 0, site);
}

Tally barrier_tally(Thread& self, uint32_t id, uint32_t count, bool predicate, uint32_t instruction, uint32_t site) {
    Barrier& b = worker_of(self).barrier[id % kBarriers];
    b.running.count += predicate;
    b.running.all &= predicate;
    b.running.any |= predicate;
    barrier(self, id, count, instruction, site);
    return b.result;
}

// ---- collectives of a warp -------------------------------------------------------------------------------------------
static void finish(Warp& warp, Group& group, Thread& last) {
    group.complete(group, last);
    warp.ready |= group.need;
    group = warp.group[--warp.group_count];
}

void meet(Thread& self, uint32_t mask, uint64_t key, Complete complete, void* operand, const char* what, uint32_t site) {
    Worker& w = worker_of(self);
    Warp& warp = w.warp[self.warp];
    uint32_t bit = 1u << self.lane;
    if (!(mask & bit)) fail(self, site, "%s: lane %u is not in its own mask 0x%08x", what, self.lane, mask);
    Group* group = nullptr;
    for (uint32_t i = 0; i < warp.group_count && !group; i++)
        if (warp.group[i].key == key && warp.group[i].mask == mask) group = &warp.group[i];
    if (!group) {
        group = &warp.group[warp.group_count++];
        group->key = key, group->mask = mask, group->need = mask & warp.live, group->arrived = 0, group->complete = complete;
    }
    group->arrived |= bit;
    group->operand[self.lane] = operand;
    if (group->arrived == group->need)
        finish(warp, *group, self);
    else
        suspend(w, self, what, site);
}

static void leave(Worker& w, Thread& self) {
    Warp& warp = w.warp[self.warp];
    uint32_t bit = 1u << self.lane;
    warp.live &= ~bit;
    warp.ready &= ~bit;
    w.live--;
    for (uint32_t i = warp.group_count; i-- > 0;) {  // those who have exited are not waited for
        Group& group = warp.group[i];
        group.need &= ~bit;
        if (group.need == group.arrived) finish(warp, group, self);
    }
    for (Barrier& barrier : w.barrier)
        if (barrier.arrived && !barrier.expected && barrier.arrived >= w.live) release(w, self, barrier, self.site);
    run_next(w, self);
}

static void fiber_main() {
    Worker& w = *this_worker;
    Thread& self = *w.current;
    w.run->launch->kernel->entry(self, w.run->launch->params);
    leave(w, self);
    abort();
}

}  // namespace emu
