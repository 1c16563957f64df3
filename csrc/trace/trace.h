// Records every op that touches MPS tensors: how often, how long, where it ran and which source
// line asked for it. Behind mpsops.trace(). Nothing is registered with torch while no trace runs.
#pragma once

#include <atomic>
#include <cstdint>

namespace mpsops {

namespace trace {

// Process-wide and nestable; `synchronize` waits for the device around each op while any trace
// that asked for it runs; stop() throws what the device reported then. The first start() clears
// what was recorded.
void start(bool synchronize);
void stop(bool synchronize);

namespace detail {
extern std::atomic<bool> active;
void note_kernel();
void note_torchs_kernel();
void note_cpu_path(uint64_t bytes_copied);
}  // namespace detail

}  // namespace trace

// A kernel of ours is about to do the op that runs on this thread.
inline void note_kernel() {
  if (trace::detail::active.load(std::memory_order_relaxed)) {
    trace::detail::note_kernel();
  }
}

// It leaves the op to torch's kernel instead.
inline void note_torchs_kernel() {
  if (trace::detail::active.load(std::memory_order_relaxed)) {
    trace::detail::note_torchs_kernel();
  }
}

// The op that runs on this thread was done by the CPU on the memory of the device; `bytes_copied`
// is what could not be used in place. Called at the end of the op, below the dispatcher.
inline void note_cpu_path(uint64_t bytes_copied) {
  if (trace::detail::active.load(std::memory_order_relaxed)) {
    trace::detail::note_cpu_path(bytes_copied);
  }
}

}  // namespace mpsops
