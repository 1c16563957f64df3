// Checks that adaptive_avg_pool.cpp and adaptive_max_pool.cpp share.
#pragma once

#include <ATen/core/Tensor.h>

namespace mpsops {

// The sizes of the output for `input`; raises as the CPU kernel for a negative size.
c10::SmallVector<int64_t, 5> adaptive_pool_sizes(const char* op, const at::Tensor& input,
                                                 at::IntArrayRef output_size);

// Every dimension from `first_dim` on must have elements; `what` is the argument's name.
void check_not_empty_from(int64_t first_dim, const char* op, const char* what,
                          const at::Tensor& tensor);

}  // namespace mpsops
