#include "csrc/sim/exec/fiber.h"

#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <unistd.h>

// Continues by a jump, not by a return: processors predict returns from the calls before them.
#if defined(__x86_64__)

asm(R"(
.text
.globl mpsops_switch
.hidden mpsops_switch
.type mpsops_switch, @function
mpsops_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  leaq 1f(%rip), %rax
  movq %rsp, (%rdi)
  movq %rax, 8(%rdi)
  movq (%rsi), %rsp
  jmpq *8(%rsi)
1:
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size mpsops_switch, . - mpsops_switch
)");

namespace {
constexpr size_t kReturnAddress =
    sizeof(void*);  // below the alignment that a function is called with
}  // namespace

#elif defined(__aarch64__)

asm(R"(
.text
.globl mpsops_switch
.hidden mpsops_switch
.type mpsops_switch, %function
mpsops_switch:
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
  adr x3, 1f
  str x2, [x0, #0]
  str x3, [x0, #8]
  ldr x2, [x1, #0]
  ldr x3, [x1, #8]
  mov sp, x2
  br x3
1:
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
.size mpsops_switch, . - mpsops_switch
)");

namespace {
constexpr size_t kReturnAddress = 0;
}  // namespace

#else
#error "mpsops.simulator: no stack switch for this processor"
#endif

namespace mpsops::sim {

namespace {

using mpsops_msl::Group;
using mpsops_msl::kLanes;
using mpsops_msl::kStackSize;

constexpr size_t kRegion = size_t{kStackSize} * kLanes;
constexpr size_t kBehind = (sizeof(Group) + 65535) / 65536 * 65536;  // whole pages of any size

size_t colour(unsigned lane) {
  return size_t{lane} * mpsops_msl::kColour % mpsops_msl::kColours;
}

}  // namespace

Stacks::Stacks() : guard_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
  void* memory = mmap(nullptr, 2 * kRegion + kBehind, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  TORCH_CHECK(memory != MAP_FAILED, "mpsops.simulator: no memory for the stacks of threads");
  auto* all = static_cast<std::byte*>(memory);
  const size_t skipped = (kRegion - reinterpret_cast<uintptr_t>(all) % kRegion) % kRegion;
  begin_ = all + skipped;
  if (skipped > 0) {
    munmap(all, skipped);
  }
  munmap(begin_ + kRegion + kBehind, kRegion - skipped);
  mprotect(begin_ + kRegion, kBehind, PROT_READ | PROT_WRITE);
  group_ = reinterpret_cast<Group*>(begin_ + kRegion);
}

Stacks::~Stacks() {
  munmap(begin_, kRegion + kBehind);
}

void Stacks::prepare(unsigned count, void (*entry)()) {
  for (; accessible_ < count; ++accessible_) {
    std::byte* stack = begin_ + size_t{accessible_} * kStackSize;
    TORCH_CHECK(mprotect(stack + guard_, kStackSize - guard_, PROT_READ | PROT_WRITE) == 0,
                "mpsops.simulator: no memory for the stack of a thread");
  }
  for (unsigned i = 0; i < count; ++i) {
    auto& lane = group_->lanes[i];
    lane.stack_pointer = begin_ + size_t{i + 1} * kStackSize - colour(i) - kReturnAddress;
    lane.resume = reinterpret_cast<void*>(entry);
  }
}

}  // namespace mpsops::sim
