// Where stock torch on a Mac refuses what the CPU could do.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <string>

namespace mpsops::sim {

// Throws what torch's kernel throws for arguments that it does not take.
using Limit = void (*)(const c10::IValue* arguments);

// By operator name without namespace ("addmm.out"); nullptr for most.
Limit find_limit(const std::string& name);

// For convolutions, which are no stand-ins of their own name.
void check_convolution(const at::Tensor& input, bool transposed);

}  // namespace mpsops::sim
