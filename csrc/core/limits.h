// Limits of an op whose kernel was measured against torch's: the calls that are ours. The others
// are torch's, and ours again where torch's kernel refuses them.
#pragma once

#include <ATen/core/boxing/KernelFunction.h>
#include <c10/core/ScalarType.h>
#include <torch/library.h>

#include <cstdint>
#include <vector>

namespace mpsops {

// Calls whose first tensor has the dtype and whose largest tensor has so many elements, both ends
// included.
struct Limit {
  at::ScalarType dtype;
  int64_t fewest;
  int64_t most;

  bool operator==(const Limit&) const = default;
};

using Limits = std::vector<Limit>;

// The kernel that chooses between two. `takes_refused`: ours does what torch's raises for; else the
// error stands.
torch::CppFunction limited_kernel(Limits limits, c10::SafeKernelFunction ours,
                                  c10::SafeKernelFunction torchs, bool takes_refused);

}  // namespace mpsops
