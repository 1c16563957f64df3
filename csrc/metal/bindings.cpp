#include <pybind11/stl.h>

#include "csrc/core/bindings.h"
#include "csrc/metal/family.h"

namespace mpsops {

namespace {

std::vector<std::string> kernels(const std::string& family) {
  return metal::Family::find(family).kernel_names();
}

}  // namespace

void bind_runtime(pybind11::module_& m) {
  m.attr("runtime") = "metal";
  bind_cpu_path(m);
  auto metal = m.def_submodule("metal");
  metal.def("kernels", &kernels, "Compiles the family.",
            pybind11::call_guard<pybind11::gil_scoped_release>());
}

}  // namespace mpsops
