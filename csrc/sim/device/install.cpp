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
  // Never destroyed: tensors outlive the interpreter.
  static auto* aten =
      new torch::Library(torch::Library::IMPL, "aten", c10::DispatchKey::MPS, __FILE__, __LINE__);
  register_fallback();
  register_factories(*aten);
  register_copies(*aten);
  register_composed(*aten);
  register_stand_ins(*aten);
  installed = true;
}

}  // namespace mpsops::sim
