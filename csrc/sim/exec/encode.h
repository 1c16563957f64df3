// From bound arguments to a run.
#pragma once

#include <ATen/core/Tensor.h>

#include "csrc/core/kernel.h"
#include "csrc/sim/exec/library.h"

namespace mpsops::sim {

struct Counts {
  uint64_t encodes = 0;
  uint64_t dispatches = 0;
};
Counts counts();
void reset_counts();

// Runs one dispatch to its end. `on_host` also takes tensors of the CPU.
void execute(const Dispatch& dispatch, bool on_host);

}  // namespace mpsops::sim
