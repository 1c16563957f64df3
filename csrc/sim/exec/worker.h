// One OS thread's worker: runs the groups that it is given, one after the other, each thread of a
// group on a fiber of its own. scheduler.cpp has who runs when, runtime.cpp what they call,
// access.cpp what memory they touch, suspicion.cpp in what order, watchdog.cpp for how long.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "csrc/sim/exec/fiber.h"
#include "csrc/sim/exec/initialised.h"
#include "csrc/sim/exec/races.h"
#include "csrc/sim/exec/scheduler.h"

namespace mpsops::sim {

using mpsops_msl::Access;
using mpsops_msl::Combine;
using mpsops_msl::Extent;
using mpsops_msl::kSimdgroupSize;
using mpsops_msl::Site;
using mpsops_msl::Thread;

using mpsops_msl::Lane;
using mpsops_msl::State;

constexpr unsigned kMaxThreads = 1024;

struct Variable {
  const void* tag;
  std::byte* begin;
  size_t size;
  const char* name;
};

// An access that the next one, or what the memory then holds, will clear or convict.
struct Doubt {
  enum class Kind : uint8_t {
    kNone,
    kPartialStore,  // a load of uninitialised memory: the first half of a store to some components?
    kEqualStore,    // a store that races, unless it leaves memory as it is
  };
  Kind kind = Kind::kNone;
  bool stored = false;  // kPartialStore: the second half came
  std::byte* first = nullptr;
  std::vector<std::byte> before;  // what was there
  std::string error;
};

// Everything that one OS thread needs to run groups, kept from dispatch to dispatch.
class Worker {
 public:
  // Kernels' accesses pass here: no guard of a static, no call to find the thread's storage.
  static Worker& current() { return current_ != nullptr ? *current_ : create(); }

  // Groups [begin, end) of the work. Returns what went wrong, or "".
  std::string run(const Work& work, uint64_t begin, uint64_t end);

  // Called by kernels, on a fiber.
  void barrier(Site site, unsigned memory_flags);
  void simdgroup_barrier(Site site, unsigned memory_flags);
  void simdgroup(Site site, const char* operation, Combine combine);
  void* threadgroup_variable(const void* tag, size_t size, size_t alignment, const char* name,
                             Site site);
  void finished();
  void access(const void* address, size_t size, Access kind, const void* from) {
    const auto* first = static_cast<const std::byte*>(address);
    const auto* last = first + size;
    const void* here = __builtin_frame_address(0);
    // What combines the values of lanes, which are no kernel's memory, runs on no lane's stack.
    if (stacks_.same_stack(here, first, last) || !stacks_.contains(here)) {
      return;
    }
    const Hit& hit = hits_[static_cast<size_t>(kind)];
    if (first >= hit.begin && last <= hit.end) {
      return;
    }
    look_up(first, last, kind, from);
  }
  [[noreturn]] void misaligned(const void* address, size_t size, Access kind, const void* from);
  void atomic(const void* address, bool modifies) {
    atomic_ = static_cast<const std::byte*>(address);
    atomic_modifies_ = modifies;
  }
  [[noreturn]] void fail(std::string what);

  // For the watchdog, on another OS thread: a number that changes when a group or a thread begins;
  // then that this one hangs.
  uint64_t progress() const;
  void expire() { expired_.store(true, std::memory_order_relaxed); }
  // For the signal that it sends: whether the code at `address`, on a stack at `stack`, may be
  // left.
  bool may_leave(const std::byte* address, const std::byte* stack) const;
  [[noreturn]] void hang(const std::string& where);

 private:
  static Worker& create();
  std::string run_loop(const Work& work, uint64_t begin, uint64_t end);
  std::string run_group(uint64_t group);
  void start_group(uint64_t group);
  bool run_together();
  bool advance_together(unsigned first, unsigned last);
  bool advance(unsigned simdgroup);
  bool meet(unsigned first, unsigned last);
  void combine(const Lane& leader, unsigned simdgroup, unsigned mask);
  bool open_barrier();
  void run_chain(const std::vector<unsigned>& lanes);
  void wait(State state, Site site, const char* operation, Combine combine);
  // The thread on whose stack the caller is.
  unsigned current_lane() const {
    return static_cast<unsigned>(reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) /
                                 mpsops_msl::kStackSize % mpsops_msl::kLanes);
  }
  [[noreturn]] void stop(std::string error);
  void look_up(const std::byte* first, const std::byte* last, Access kind, const void* from);
  void threadgroup_access(const std::byte* first, const std::byte* last, Access kind,
                          const void* from);
  void check_initialised(const Variable& variable, const std::byte* first, size_t size, bool atomic,
                         const void* from);
  void check_race(const std::byte* first, size_t size, Access kind, bool atomic, Space space,
                  const void* from);
  void suspect(Doubt::Kind kind, const std::byte* first, size_t size, std::string error);
  // Before the next access, or where the thread waits or ends.
  void settle(const std::byte* first = nullptr, const std::byte* last = nullptr,
              Access kind = Access::kLoad) {
    if (doubt_.kind != Doubt::Kind::kNone) {
      judge(first, last, kind);
    }
  }
  void judge(const std::byte* first, const std::byte* last, Access kind);
  const Variable* variable_at(const std::byte* first, const std::byte* last) const;
  const Binding* binding_at(const std::byte* first, const std::byte* last) const;
  std::string describe_access(const std::byte* first, const std::byte* last, Access kind) const;
  std::string describe_place(const std::byte* first, const std::byte* last) const;
  std::string who() const;
  Thread current_thread() const {
    return looping_ ? loop_thread_ : mpsops_msl::thread_at(stacks_.group()->first, current_lane());
  }
  Extent group_at(uint64_t group) const;
  Extent group_size(Extent group) const;
  uint64_t random();
  template <class T>
  void order(std::vector<T>& items);

  static void loop_entry();

  __attribute__((tls_model("initial-exec"))) static thread_local constinit Worker* current_;

  Stacks stacks_;
  Lane* lanes_ = stacks_.group()->lanes;
  Lane* scheduler_ = &lanes_[mpsops_msl::kScheduler];
  Thread loop_thread_{};  // without fibers, the one that is running
  std::unique_ptr<std::byte[]> arena_storage_ = std::make_unique<std::byte[]>(kArena + 256);
  std::byte* arena_ = nullptr;
  std::vector<Variable> variables_;
  unsigned known_ = 0;  // of them, in the group's table
  uint32_t arena_used_ = 0;
  uint32_t arena_charged_ = 0;  // without the gaps
  Initialised initialised_{kArena};
  RaceDetector races_;
  Doubt doubt_;
  const std::byte* atomic_ = nullptr;  // where the next access is atomic
  bool atomic_modifies_ = false;
  std::atomic<uint64_t> progress_ = 0;
  std::atomic<bool> expired_ = false;
  std::vector<unsigned> simdgroup_order_;
  std::vector<unsigned> lane_order_;
  std::vector<unsigned> thread_order_;

  const Work* work_ = nullptr;
  unsigned count_ = 0;  // threads in this group
  bool looping_ = false;
  uint64_t loop_begin_ = 0;
  uint64_t loop_end_ = 0;
  uint64_t random_ = 0;
  std::string error_;

  // Where the last load and the last store went: most go to the same buffer again.
  struct Hit {
    const std::byte* begin = nullptr;
    const std::byte* end = nullptr;
  };
  Hit hits_[2];
};

// Of messages: "load", and "(1, 2, 3)" and "file.metal:12".
const char* name_of(Access kind);
std::string position(const Extent& e);
std::string place(const Site& site);

// Threadgroup memory starts with all bits set: NaN as floating point, -1 as an integer.
inline void poison(std::byte* memory, size_t size) {
  std::memset(memory, 0xff, size);
}

}  // namespace mpsops::sim
