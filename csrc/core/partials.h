// Reductions to one value in a fixed order: host side of metal/common/partial_sums.h.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "csrc/core/kernel.h"

namespace mpsops {

// One group adds the partial sums.
inline constexpr uint32_t kMaxPartials = 1024;
inline constexpr uint32_t kPartialsThreads = 256;

// Runs `first` over `groups` groups (at most kMaxPartials) and, if they are several, has the kernel
// "<family>_total" add their sums into `output`. `divisor` is what the sum is divided by, as
// `first` does for a single group.
template <class... Args>
void launch_partial_sums(std::string_view family, const Kernel& first, const Grid& groups,
                         float divisor, const at::Tensor& output, const Args&... args) {
  const uint32_t count = groups.count.x;
  if (count == 1) {
    launch(first, groups, output, output, args...);  // no partial sum is written
    return;
  }
  const at::Tensor partials = at::empty({count}, output.options().dtype(at::kFloat));
  const auto& total =
      get_kernel(family, kernel_name(std::string(family) + "_total", {output.scalar_type()}));
  launch_all(
      {make_dispatch(first, groups, output, partials, args...),
       make_dispatch(total, groups_for(1, kPartialsThreads), output, partials, count, divisor)});
}

}  // namespace mpsops
