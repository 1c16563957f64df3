#include "csrc/sim/exec/signals.h"

#include <signal.h>
#include <ucontext.h>

#include <cstddef>
#include <type_traits>

#include "csrc/sim/exec/source_lines.h"
#include "csrc/sim/exec/worker.h"

namespace mpsops::sim {

namespace {

// What the handlers find on their thread.
thread_local Worker* running = nullptr;
thread_local const void* left_at = nullptr;

struct sigaction division_before{};

void report_hang() {
  running->hang(line_of(left_at));
}

void report_division() {
  running->fail(std::string("integer division by zero, or of the smallest value by -1, at ") +
                line_of(left_at));
}

// Continues at `report` behind the handler, on the stack of the kernel, below what it has there.
// False when the thread is not in a kernel.
bool leave_kernel(void* context, void (*report)()) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  auto& instruction = machine.gregs[REG_RIP];
  auto& stack = machine.gregs[REG_RSP];
  constexpr uintptr_t kReturnAddress = 8;
#else
  auto& instruction = machine.pc;
  auto& stack = machine.sp;
  constexpr uintptr_t kReturnAddress = 0;
#endif
  constexpr uintptr_t kRedZone = 256;
  const auto* at = reinterpret_cast<const std::byte*>(instruction);
  if (running == nullptr || !running->may_leave(at, reinterpret_cast<const std::byte*>(stack))) {
    return false;
  }
  left_at = at + 1;  // as if a call returned there
  using Register = std::remove_reference_t<decltype(instruction)>;
  const auto below = (static_cast<uintptr_t>(stack) - kRedZone) & ~uintptr_t{15};
  stack = static_cast<Register>(below - kReturnAddress);
  instruction = static_cast<Register>(reinterpret_cast<uintptr_t>(report));
  return true;
}

void on_hang(int, siginfo_t*, void* context) {
  leave_kernel(context, &report_hang);
}

void on_division(int number, siginfo_t* info, void* context) {
  if (leave_kernel(context, &report_division)) {
    return;
  }
  if ((division_before.sa_flags & SA_SIGINFO) != 0) {
    division_before.sa_sigaction(number, info, context);
  } else if (division_before.sa_handler != SIG_DFL && division_before.sa_handler != SIG_IGN) {
    division_before.sa_handler(number);
  } else {
    sigaction(number, &division_before, nullptr);  // the instruction traps again
  }
}

struct sigaction action(void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction action{};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
  return action;
}

// A real-time signal that nobody uses.
int install_hang() {
  for (int number = SIGRTMAX; number >= SIGRTMIN; --number) {
    struct sigaction current{};
    if (sigaction(number, nullptr, &current) == 0 && (current.sa_flags & SA_SIGINFO) == 0 &&
        current.sa_handler == SIG_DFL) {
      const auto wanted = action(&on_hang);
      sigaction(number, &wanted, nullptr);
      return number;
    }
  }
  return 0;
}

}  // namespace

KernelSignals::KernelSignals(Worker& worker) {
  static const int installed = [] {
    const auto wanted = action(&on_division);
    return sigaction(SIGFPE, &wanted, &division_before);
  }();
  (void)installed;
  running = &worker;
}

KernelSignals::~KernelSignals() {
  running = nullptr;
}

void signal_hang(pthread_t thread) {
  static const int number = install_hang();
  if (number != 0) {
    pthread_kill(thread, number);
  }
}

bool Worker::may_leave(const std::byte* address, const std::byte* stack) const {
  return work_->code.library->has_code(address) && stacks_.contains(stack);
}

}  // namespace mpsops::sim
