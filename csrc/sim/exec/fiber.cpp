#include "csrc/sim/exec/fiber.h"

#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)

asm(R"(
.text
.globl mpsops_switch_stack
.hidden mpsops_switch_stack
.type mpsops_switch_stack, @function
mpsops_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size mpsops_switch_stack, . - mpsops_switch_stack
)");

namespace {
// Six registers, the address to return to, and the alignment that a called function sees.
constexpr size_t kFrame = 8 * sizeof(void*);
constexpr size_t kEntrySlot = 6;
}  // namespace

#elif defined(__aarch64__)

asm(R"(
.text
.globl mpsops_switch_stack
.hidden mpsops_switch_stack
.type mpsops_switch_stack, %function
mpsops_switch_stack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x2, sp
  str x2, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size mpsops_switch_stack, . - mpsops_switch_stack
)");

namespace {
constexpr size_t kFrame = 160;
constexpr size_t kEntrySlot = 11;  // x30
}  // namespace

#else
#error "mpsops.simulator: no stack switch for this processor"
#endif

namespace mpsops::sim {

Stack::Stack(size_t colour) {
  const size_t guard = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, guard + kSize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  TORCH_CHECK(memory != MAP_FAILED, "mpsops.simulator: no memory for the stack of a thread");
  mprotect(memory, guard, PROT_NONE);
  begin_ = static_cast<std::byte*>(memory) + guard;
  top_ = begin_ + kSize - colour * 320 % 4096;
}

Stack::~Stack() {
  const size_t guard = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  munmap(begin_ - guard, guard + kSize);
}

void* Stack::prepare(void (*entry)()) const {
  std::byte* pointer = top_ - kFrame;
  std::memset(pointer, 0, kFrame);
  const auto address = reinterpret_cast<uintptr_t>(entry);
  std::memcpy(pointer + kEntrySlot * sizeof(void*), &address, sizeof(address));
  return pointer;
}

}  // namespace mpsops::sim
