#include <pybind11/stl.h>
#include <torch/csrc/DynamicTypes.h>
#include <torch/csrc/Exceptions.h>

#include "csrc/sim/device/allocator.h"
#include "csrc/sim/device/counters.h"
#include "csrc/sim/device/fallback.h"
#include "csrc/sim/device/install.h"
#include "csrc/sim/device/memory.h"
#include "csrc/sim/plain_errors.h"
#include "csrc/sim/sim.h"

namespace mpsops::sim {

void bind_device(pybind11::module_& m) {
  auto device = m.def_submodule("device");
  device.def("install", [](const std::string& git_version) {
    set_git_version(git_version);
    install();
  });
  device.def("fallback_calls", &fallback_calls);
  device.def("stand_in_calls", &stand_in_calls);
  device.def("reset_counters", &reset_counters);
  device.def("host_alias_storage", [](pybind11::handle storage) {
    return plain_errors([&] {
      const auto alias = allocator().getHostAliasStorage(torch::createStorage(storage.ptr()));
      return pybind11::reinterpret_steal<pybind11::object>(torch::createPyObject(alias));
    });
  });
  device.def("set_shared_memory", &set_shared_memory);
  device.def("check_guard", [](uintptr_t pointer) {
    plain_errors([&] { check_guard(find_allocation(reinterpret_cast<const void*>(pointer))); });
  });
  device.def("host_address", [](uintptr_t pointer) {
    return plain_errors([&] {
      const auto* device_pointer = reinterpret_cast<const std::byte*>(pointer);
      const auto allocation = find_allocation(device_pointer);
      const auto offset = device_pointer - static_cast<const std::byte*>(allocation.device);
      return reinterpret_cast<uintptr_t>(allocation.host + offset);
    });
  });
}

}  // namespace mpsops::sim
