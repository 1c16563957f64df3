// Stacks, and the switch between them. A fiber never leaves the OS thread that started it, and an
// abandoned one is simply never switched to again: kernels have nothing to destroy.
#pragma once

#include <cstddef>

namespace mpsops::sim {

// Memory for one stack, a guard page below it.
class Stack {
 public:
  static constexpr size_t kSize = size_t{128} << 10;

  // Tops of stacks with different `colour` fall on different lines of the processor's cache.
  explicit Stack(size_t colour = 0);
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  std::byte* begin() const { return begin_; }
  std::byte* end() const { return top_; }

  // The stack pointer to switch to so that `entry` runs on this stack. It must never return.
  void* prepare(void (*entry)()) const;

 private:
  std::byte* begin_;
  std::byte* top_;
};

}  // namespace mpsops::sim

// Saves the registers that a call preserves and the stack pointer in *from; continues at `to`.
extern "C" void mpsops_switch_stack(void** from, void* to);
