// Orders and scopes of memory. The other orders are for fences (Metal 3.2).
#pragma once
#pragma GCC system_header

namespace metal {

enum memory_order {
  memory_order_relaxed = 0,
  memory_order_acquire = 2,
  memory_order_release = 3,
  memory_order_acq_rel = 4,
  memory_order_seq_cst = 5,
};
enum thread_scope {
  thread_scope_thread = 0,
  thread_scope_threadgroup = 1,
  thread_scope_device = 2,
  thread_scope_simdgroup = 4,
};

}  // namespace metal

// Behind the parameters of atomic functions, which are relaxed all.
#define MPSOPS_RELAXED(order)                                      \
  __attribute__((enable_if(order == ::metal::memory_order_relaxed, \
                           "atomic functions take memory_order_relaxed only")))

using metal::memory_order;
using metal::memory_order_relaxed;
