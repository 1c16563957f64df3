// Stacks, and the switch between them. A fiber never leaves the OS thread that started it, and an
// abandoned one is simply never switched to again: kernels have nothing to destroy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "csrc/sim/msl/mpsops_abi.h"

namespace mpsops::sim {

class Worker;

// The stacks of a group's threads, and behind them what each left when it waits. mpsops_abi.h says
// how a thread finds its own from its stack pointer.
class Stacks {
 public:
  Stacks();
  ~Stacks();
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;

  mpsops_msl::Group* group() const { return group_; }

  // Lanes [0, count) start with `entry`, which must never return, at the top of their stacks.
  void prepare(unsigned count, void (*entry)());

  bool contains(const void* address) const {
    const auto* at = static_cast<const std::byte*>(address);
    return at >= begin_ && at < reinterpret_cast<const std::byte*>(group_);
  }
  // Whether [first, last) is on the stack of a lane that `on` is on, too.
  bool same_stack(const void* on, const void* first, const void* last) const {
    const auto stack = reinterpret_cast<uintptr_t>(on) / mpsops_msl::kStackSize;
    const auto low = reinterpret_cast<uintptr_t>(first);
    return low / mpsops_msl::kStackSize == stack &&
           (reinterpret_cast<uintptr_t>(last) - 1) / mpsops_msl::kStackSize == stack &&
           low % mpsops_msl::kStackSize >= guard_;
  }

 private:
  std::byte* begin_;
  mpsops_msl::Group* group_;
  size_t guard_;             // bytes below each stack that nothing may touch
  unsigned accessible_ = 0;  // so many stacks have memory
};

}  // namespace mpsops::sim

// Saves where it is called in *from, and continues at `to`.
extern "C" void mpsops_switch(mpsops_msl::Lane* from, const mpsops_msl::Lane* to);
