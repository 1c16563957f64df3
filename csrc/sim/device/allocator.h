// The c10 allocator of the mps device, on memory.h.
#pragma once

#include <ATen/mps/MPSAllocatorInterface.h>

namespace mpsops::sim {

at::mps::IMPSAllocator& allocator();

}  // namespace mpsops::sim
