#include <pybind11/stl.h>

#include "csrc/core/bindings.h"
#include "csrc/metal/library.h"

namespace mpsops {

namespace {

std::vector<std::string> kernel_families() {
  std::vector<std::string> names;
  for (const auto* family : metal::embedded_families()) {
    names.emplace_back(family->name);
  }
  return names;
}

std::vector<std::string> kernel_names(const std::string& family) {
  return metal::Family::find(family).kernel_names();
}

}  // namespace

void bind_runtime(pybind11::module_& m) {
  m.attr("runtime") = "metal";
  m.def("kernel_families", &kernel_families);
  m.def("kernel_names", &kernel_names, "Compiles the family.",
        pybind11::call_guard<pybind11::gil_scoped_release>());
}

}  // namespace mpsops
