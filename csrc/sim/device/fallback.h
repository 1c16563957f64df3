#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <string>

namespace mpsops::sim {

// Runs the op on copies on the CPU, with torch's warning; counted.
void fall_back(const c10::OperatorHandle& op, torch::jit::Stack* stack);

bool fallback_enabled();                    // PYTORCH_ENABLE_MPS_FALLBACK when first asked
void set_git_version(std::string version);  // what the error text cites

}  // namespace mpsops::sim
