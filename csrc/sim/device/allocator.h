// The c10 allocator of the mps device, on memory.h.
#pragma once

#include <ATen/mps/MPSAllocatorInterface.h>

namespace mpsops::sim {

at::mps::IMPSAllocator& allocator();

// Whether the allocator says that the host can reach its memory. On by default.
void set_shared_memory(bool on);

}  // namespace mpsops::sim
