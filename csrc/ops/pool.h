// What poolings share: the geometry of a call, grids, checks.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "csrc/core/kernel.h"
#include "metal/params/pool.h"

namespace mpsops {

// One call. The result has one thread per element; windows are read from the source. `indices` is
// undefined for average pooling, else it has the sizes of whichever of the two is the output.
struct Pool {
  Pool(int64_t spatial_dims, const at::Tensor& result, const at::Tensor& source,
       const at::Tensor& indices = {});

  bool empty() const { return empty_; }

  // Kernels of `family` are <stem>, <stem>_wide (64-bit indices) and, where the sizes of a window
  // are given, <stem>_simd (a simdgroup per window).
  const Kernel& kernel(const char* family, const char* stem, at::ScalarType dtype,
                       at::IntArrayRef windows = {});
  Grid grid(const Kernel& kernel) const;

  // The largest windows of adaptive pooling along depth, height and width.
  std::array<int64_t, 3> adaptive_windows() const;

  PoolParams params{};

 private:
  bool fits_32_bits() const;
  bool wants_simdgroups(at::IntArrayRef windows) const;

  bool empty_ = false;
  bool simdgroups_ = false;
  int64_t largest_offset_ = 0;      // of any operand
  int64_t largest_in_channel_ = 0;  // the same, from the start of a channel
};

// grad_output must have the batch and channels of `self`, which the CPU kernels take for granted.
void check_same_planes(const char* op, int64_t spatial_dims, const at::Tensor& grad_output,
                       const at::Tensor& self);

}  // namespace mpsops
