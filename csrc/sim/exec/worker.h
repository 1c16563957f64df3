// One OS thread's worker: runs the groups that it is given, one after the other, each thread of a
// group on a fiber of its own. scheduler.cpp has who runs when, access.cpp what memory they touch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "csrc/sim/exec/fiber.h"
#include "csrc/sim/exec/scheduler.h"

namespace mpsops::sim {

using mpsops_msl::Combine;
using mpsops_msl::Extent;
using mpsops_msl::kSimdgroupSize;
using mpsops_msl::Site;
using mpsops_msl::Thread;

constexpr unsigned kMaxThreads = 1024;

enum class State : uint8_t { kReady, kBarrier, kSimdgroup, kDone };

// One thread of the group that is running.
struct Lane {
  State state = State::kDone;
  void* stack_pointer = nullptr;
  Site site{};                      // where it waits
  const char* operation = nullptr;  // kSimdgroup: what for
  void* value = nullptr;
  Combine combine = nullptr;
};

struct Variable {
  const void* tag;
  std::byte* begin;
  size_t size;
  const char* name;
};

// Everything that one OS thread needs to run groups, kept from dispatch to dispatch.
class Worker {
 public:
  static Worker& current() {
    thread_local Worker worker;
    return worker;
  }

  // Groups [begin, end) of the work. Returns what went wrong, or "".
  std::string run(const Work& work, uint64_t begin, uint64_t end);

  // Called by kernels, on a fiber.
  void barrier(Site site);
  void simdgroup(Site site, const char* operation, void* value, Combine combine);
  void* threadgroup_variable(const void* tag, size_t size, size_t alignment, const char* name,
                             Site site);
  void access(const void* address, size_t size, bool store) {
    const auto* first = static_cast<const std::byte*>(address);
    const auto* last = first + size;
    if (first >= stack_begin_ && last <= stack_end_) {
      return;
    }
    const Hit& hit = hits_[store ? 1 : 0];
    if (first >= hit.begin && last <= hit.end) {
      return;
    }
    look_up(first, last, store);
  }

 private:
  std::string run_loop(const Work& work, uint64_t begin, uint64_t end);
  std::string run_group(uint64_t group);
  void start_group(uint64_t group);
  bool advance(unsigned simdgroup);
  bool meet(unsigned first, unsigned last);
  bool open_barrier();
  void resume(unsigned lane);
  void wait();
  [[noreturn]] void fail(std::string what);
  void look_up(const std::byte* first, const std::byte* last, bool store);
  std::string describe_access(const std::byte* first, const std::byte* last, bool store) const;
  std::string who() const;
  const Stack& stack(unsigned i);
  uint64_t random();
  template <class T>
  void order(std::vector<T>& items);

  static void lane_entry();
  static void loop_entry();

  std::vector<std::unique_ptr<Stack>> stacks_;
  std::vector<Lane> lanes_{kMaxThreads};
  std::vector<Thread> threads_{kMaxThreads};
  std::unique_ptr<std::byte[]> arena_storage_ = std::make_unique<std::byte[]>(kArena + 256);
  std::byte* arena_ = nullptr;
  std::vector<Variable> variables_;
  uint32_t arena_used_ = 0;
  uint32_t arena_charged_ = 0;  // without the gaps
  std::vector<unsigned> simdgroup_order_;
  std::vector<unsigned> lane_order_;
  std::vector<unsigned> thread_order_;

  const Work* work_ = nullptr;
  void* scheduler_ = nullptr;  // stack pointer
  unsigned count_ = 0;         // threads in this group
  unsigned lane_ = 0;          // the one that runs
  bool looping_ = false;
  uint64_t loop_begin_ = 0;
  uint64_t loop_end_ = 0;
  uint64_t random_ = 0;
  std::string error_;

  const std::byte* stack_begin_ = nullptr;
  const std::byte* stack_end_ = nullptr;
  // Where the last load and the last store went: most go to the same buffer again.
  struct Hit {
    const std::byte* begin = nullptr;
    const std::byte* end = nullptr;
  };
  Hit hits_[2];
};

// "(1, 2, 3)" and "file.metal:12", as errors say them.
std::string position(const Extent& e);
std::string place(const Site& site);

// Threadgroup memory starts with all bits set: NaN as floating point, -1 as an integer.
inline void poison(std::byte* memory, size_t size) {
  std::memset(memory, 0xff, size);
}

}  // namespace mpsops::sim
