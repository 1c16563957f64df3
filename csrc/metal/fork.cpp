#include "csrc/metal/fork.h"

#include <c10/util/Exception.h>
#include <pthread.h>

#include <atomic>

namespace mpsops::metal {

namespace {

// Atomics and no std::call_once: a lock that another thread holds at fork() is never freed here.
std::atomic<bool> registered{false};
std::atomic<bool> forked{false};

}  // namespace

void check_fork() {
  if (!registered.load() && !registered.exchange(true)) {
    pthread_atfork(nullptr, nullptr, [] { forked = true; });
  }
  TORCH_CHECK(!forked.load(),
              "mpsops: Metal cannot be used in a forked process; to use MPS with multiprocessing, "
              "use the 'spawn' start method");
}

}  // namespace mpsops::metal
