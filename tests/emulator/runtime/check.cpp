// Check mode. Every byte of the buffers and of shared memory has a shadow: who wrote and who read it last, when, and where in the
// source. Two accesses by different threads, one of them a write, must have a barrier between them (or __syncwarp within a warp);
// accesses of different blocks are never ordered. It sees what one run touched, whatever the order in which threads happened to run.
#include <cxxabi.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "scheduler.h"

namespace emu {

enum : uint32_t {  // flags beside a thread's number
    kThreadMask = 0xffff,
    kAtomicAccess = 1u << 31,
    kInFlight = 1u << 30,      // a cp.async has begun and nobody has waited for it
    kSeveralLanes = 1u << 29,  // reads only: several lanes of one warp
    kSeveralWarps = 1u << 28,  // reads only
    kSeveralBlocks = 1u << 27,  // reads only
};

struct Stamp {
    uint32_t epoch;  // of the block's barriers; 0: never
    uint32_t warp_epoch, who, site;
};

struct Shadow {
    Stamp write, read;
};

struct Region {
    const char* begin;
    const char* end;
    Shadow* shadow;
    std::string name;
    bool writable, shared;
};

static const char* const kVerb[] = {"read", "write", "atomic"};

static std::string readable(const char* symbol) {
    int status = 1;
    char* text = abi::__cxa_demangle(symbol, nullptr, nullptr, &status);
    std::string name = status == 0 ? text : symbol;
    free(text);
    size_t colons = name.rfind("::");
    return colons == std::string::npos ? name : name.substr(colons + 2);
}

class ByteChecker final : public Checker {
public:
    ByteChecker(const Launch& launch, Worker& worker) : worker_(worker), sites_(launch.kernel->sites) {
        const Kernel& kernel = *launch.kernel;
        for (uint32_t i = 0; i < launch.buffer_count; i++) add(launch.buffers[i], 0, false);
        for (uint32_t i = 0; i < kernel.global_count; i++) add(kernel.globals[i], 0, false);
        for (uint32_t i = 0; i < kernel.shared_count; i++) add(kernel.shared[i], (uintptr_t)worker.shared, true);
        add(Array{"dynamic shared memory", kernel.dynamic_offset, launch.dynamic_bytes, 1}, (uintptr_t)worker.shared, true);
        std::sort(regions_.begin(), regions_.end(), [](const Region& a, const Region& b) { return a.begin < b.begin; });
    }

    ~ByteChecker() override {
        for (Region& r : regions_) munmap(r.shadow, size_of_shadow(r));
    }

    void access(Thread& self, const char* p, uint32_t bytes, Access access, uint32_t site) override {
        const char* stack = worker_.stack_of(self);
        if (p >= stack && p + bytes <= stack + kStackBytes) return;  // local arrays
        Region& region = find(self, p, bytes, access, site);
        if ((uintptr_t)p % bytes)
            fail(self, site, "misaligned %s of %u bytes at byte %td of %s", kVerb[access], bytes, p - region.begin, region.name.c_str());
        if (access != kRead && !region.writable) fail(self, site, "%s of %s, which is read-only", kVerb[access], region.name.c_str());
        check_bytes(self, region, p, bytes, access, site);
    }

    void copy_begins(Thread& self, const Copy& copy) override {
        access(self, copy.to, copy.bytes, kWrite, copy.site);
        if (copy.valid) check_bytes(self, find(self, copy.from, copy.valid, kRead, copy.site), copy.from, copy.valid, kRead, copy.site);
        mark(self, copy, kInFlight);
    }

    void copy_lands(Thread& self, const Copy& copy) override { mark(self, copy, 0); }

private:
    static size_t size_of_shadow(const Region& r) { return std::max<size_t>(1, r.end - r.begin) * sizeof(Shadow); }

    void add(const Array& array, uintptr_t base, bool shared) {
        Region r{(const char*)(base + array.address), (const char*)(base + array.address + array.bytes), nullptr,
                 readable(array.name), array.writable != 0, shared};
        void* shadow = mmap(nullptr, size_of_shadow(r), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (shadow == MAP_FAILED) throw std::bad_alloc();
        r.shadow = (Shadow*)shadow;
        regions_.push_back(r);
    }

    Region& find(Thread& self, const char* p, uint32_t bytes, Access access, uint32_t site) {
        if (last_ < regions_.size() && p >= regions_[last_].begin && p + bytes <= regions_[last_].end) return regions_[last_];
        size_t nearest = 0;
        ptrdiff_t distance = PTRDIFF_MAX;
        for (size_t i = 0; i < regions_.size(); i++) {
            const Region& r = regions_[i];
            if (p >= r.begin && p + bytes <= r.end) return regions_[last_ = i];
            ptrdiff_t gap = p < r.begin ? r.begin - p : p - r.end;
            if (gap < distance) distance = gap, nearest = i;
        }
        if (regions_.empty())
            fail(self, site, "out of bounds: %s of %u bytes at %p; there are no buffers", kVerb[access], bytes, (const void*)p);
        const Region& r = regions_[nearest];
        fail(self, site, "out of bounds: %s of %u bytes at byte %td of %s, which has %td bytes", kVerb[access], bytes, p - r.begin,
             r.name.c_str(), r.end - r.begin);
    }

    Stamp stamp(const Thread& self, uint32_t flags, uint32_t site) const {
        return Stamp{worker_.epoch, worker_.warp[self.warp].epoch, self.linear | flags, site};
    }

    void mark(Thread& self, const Copy& copy, uint32_t flags) {
        for (Region& r : regions_)
            if (copy.to >= r.begin && copy.to + copy.bytes <= r.end)
                for (uint32_t i = 0; i < copy.bytes; i++) {
                    Shadow& s = r.shadow[copy.to - r.begin + i];
                    s.write = stamp(self, flags, copy.site);
                    s.read = Stamp{};
                }
    }

    bool ordered(const Thread& self, const Stamp& s) const {
        if (s.epoch < worker_.block_epoch || s.who & kSeveralBlocks) return s.epoch == 0;
        if (s.epoch < worker_.epoch) return true;                // a barrier lies between
        if (s.who & kSeveralWarps) return false;
        uint32_t thread = s.who & kThreadMask;
        if (thread == self.linear && !(s.who & kSeveralLanes)) return true;
        return thread / kWarpSize == self.warp && s.warp_epoch < worker_.warp[self.warp].epoch;
    }

    std::string who(const Stamp& s) const {
        uint32_t thread = s.who & kThreadMask;
        if (s.who & kSeveralBlocks) return "several blocks";
        if (s.epoch < worker_.block_epoch) return "a thread of another block";
        if (s.who & kSeveralWarps) return "several warps";
        if (s.who & kSeveralLanes) return "lanes of warp " + std::to_string(thread / kWarpSize);
        return "thread " + std::to_string(thread) + " of the block";
    }

    [[noreturn]] void race(Thread& self, const Region& r, const char* p, const Stamp& before, const char* verb, Access access,
                           uint32_t site) {
        fail(self, site, "race: %s of byte %td of %s by thread %u; %s by %s at %s, and no barrier between", kVerb[access], p - r.begin,
             r.name.c_str(), self.linear, verb, who(before).c_str(), sites_[before.site]);
    }

    void check_bytes(Thread& self, const Region& region, const char* p, uint32_t bytes, Access access, uint32_t site) {
        Shadow* shadow = region.shadow + (p - region.begin);
        for (uint32_t i = 0; i < bytes; i++) check_byte(self, region, p + i, shadow[i], access, site);
    }

    void check_byte(Thread& self, const Region& r, const char* p, Shadow& s, Access access, uint32_t site) {
        bool written = r.shared ? s.write.epoch >= worker_.block_epoch : s.write.epoch != 0;
        bool read = r.shared ? s.read.epoch >= worker_.block_epoch : s.read.epoch != 0;
        if (r.shared && !written && access != kWrite)
            fail(self, site, "%s of shared memory that no thread has written yet (uninitialised, or a barrier is missing): byte %td of %s",
                 kVerb[access], p - r.begin, r.name.c_str());
        if (written && s.write.who & kInFlight)
            fail(self, site, "%s of byte %td of %s while the cp.async of thread %u at %s is in flight", kVerb[access], p - r.begin,
                 r.name.c_str(), s.write.who & kThreadMask, sites_[s.write.site]);
        bool both_atomic = access == kAtomic && s.write.who & kAtomicAccess;
        if (written && !both_atomic && !ordered(self, s.write)) race(self, r, p, s.write, "written", access, site);
        if (access == kRead) {
            note_read(self, s, read, site);
            return;
        }
        if (read && !ordered(self, s.read)) race(self, r, p, s.read, "read", access, site);
        s.write = stamp(self, access == kAtomic ? (uint32_t)kAtomicAccess : 0, site);
        s.read = Stamp{};
    }

    void note_read(Thread& self, Shadow& s, bool read, uint32_t site) {
        Stamp mine = stamp(self, 0, site);
        if (read && !ordered(self, s.read)) mine.who |= shared_with(self, s.read);
        s.read = mine;
    }

    uint32_t shared_with(const Thread& self, const Stamp& other) const {
        if (other.who & kSeveralBlocks || other.epoch < worker_.block_epoch) return kSeveralBlocks;
        if (other.who & kSeveralWarps || (other.who & kThreadMask) / kWarpSize != self.warp) return kSeveralWarps;
        return kSeveralLanes;
    }

    Worker& worker_;
    const char* const* sites_;
    std::vector<Region> regions_;
    size_t last_ = 0;
};

std::unique_ptr<Checker> make_checker(const Launch& launch, Worker& worker) { return std::make_unique<ByteChecker>(launch, worker); }

}  // namespace emu
