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

// A tensor that the kernel reaches through a pointer among the bytes bound to buffer `buffer`.
struct Indirect {
  unsigned buffer;
  unsigned position;  // among those pointers
  at::Tensor tensor;
};

// Runs one dispatch to its end. `on_host` also takes tensors of the CPU.
void execute(const Dispatch& dispatch, bool on_host, c10::ArrayRef<Indirect> indirect = {});

}  // namespace mpsops::sim
