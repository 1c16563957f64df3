#include "csrc/sim/device/install.h"

#include <c10/core/Allocator.h>

#include "csrc/sim/device/allocator.h"

namespace mpsops::sim {

void install() {
  static bool installed = false;
  if (installed) {
    return;
  }
  install_hooks();
  c10::SetAllocator(c10::kMPS, &allocator());
  install_guard();
  install_host_allocator();
  // Never destroyed: tensors outlive the interpreter.
  const auto library = [](c10::DispatchKey key) {
    return new torch::Library(torch::Library::IMPL, "aten", key, __FILE__, __LINE__);
  };
  static auto* aten = library(c10::DispatchKey::MPS);
  static auto* autograd = library(c10::DispatchKey::AutogradMPS);
  static auto* sparse = library(c10::DispatchKey::SparseMPS);
  register_fallback();
  register_factories(*aten);
  register_copies(*aten);
  register_composed(*aten);
  register_choices(*aten, *autograd);
  register_sparse(*sparse);
  register_stand_ins(*aten, *sparse);
  installed = true;
}

}  // namespace mpsops::sim
