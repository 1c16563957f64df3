// The two rooms of the simulator that run on the host, seen from outside: device/ and exec/.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>

namespace mpsops::sim {

// One live allocation of the simulated device. `size` is what was asked for; guard bytes follow.
struct Allocation {
  const void* device = nullptr;  // opaque: never readable by the host
  std::byte* host = nullptr;     // where the data really is
  size_t size = 0;
};

// device/memory.cpp. The allocation that a device pointer (also an interior one) belongs to;
// throws c10::Error for a pointer that is not the device's.
Allocation find_allocation(const void* device_pointer);
// Throws if the guard bytes behind the allocation were overwritten.
void check_guard(const Allocation& allocation);

// device/reported_errors.cpp. Where kernels leave their own errors, a c10::metal::ErrorMessages.
Allocation error_buffer();

void bind_device(pybind11::module_& m);  // device/bindings.cpp
void bind_exec(pybind11::module_& m);    // exec/bindings.cpp

}  // namespace mpsops::sim
