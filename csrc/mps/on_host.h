// One op on the CPU, on the memory of its MPS tensors.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <cstdint>

namespace mpsops {

// Calls the op's CPU kernel with aliases of the arguments on `stack`, and leaves MPS tensors there.
// Returns the bytes that it had to copy. The device must be idle.
uint64_t run_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack);

}  // namespace mpsops
