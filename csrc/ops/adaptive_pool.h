// What adaptive_avg_pool.cpp and adaptive_max_pool.cpp share: geometry, grids, checks.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "csrc/core/kernel.h"
#include "metal/params/adaptive_pool.h"

namespace mpsops {

// One call. The result has one thread per element; windows are read from the source. `indices` is
// undefined for average pooling, else it has the sizes of whichever of the two is the output.
struct AdaptivePool {
  AdaptivePool(int64_t spatial_dims, const at::Tensor& result, const at::Tensor& source,
               const at::Tensor& indices = {});

  bool empty() const { return empty_; }

  // Kernels of `family` are <stem>, <stem>_wide (64-bit indices) and, for forward passes,
  // <stem>_simd (a simdgroup per window).
  const Kernel& kernel(const char* family, const char* stem, at::ScalarType dtype, bool forward);
  Grid grid(const Kernel& kernel) const;

  AdaptivePoolParams params{};

 private:
  bool fits_32_bits() const;
  bool wants_simdgroups() const;

  bool empty_ = false;
  bool simdgroups_ = false;
  int64_t largest_offset_ = 0;      // of any operand
  int64_t largest_in_channel_ = 0;  // the same, from the start of a channel
};

// The sizes of the output for `input`; raises as the CPU kernel for a negative size.
c10::SmallVector<int64_t, 5> adaptive_pool_sizes(const char* op, const at::Tensor& input,
                                                 at::IntArrayRef output_size);

// Every dimension from `first_dim` on must have elements; `what` is the argument's name.
void check_not_empty_from(int64_t first_dim, const char* op, const char* what,
                          const at::Tensor& tensor);

// grad_output must have the batch and channels of `self`, which the CPU kernels take for granted.
void check_same_planes(const char* op, int64_t spatial_dims, const at::Tensor& grad_output,
                       const at::Tensor& self);

}  // namespace mpsops
