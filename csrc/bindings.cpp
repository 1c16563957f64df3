#include <pybind11/pybind11.h>

#include "csrc/core/bindings.h"

PYBIND11_MODULE(MPSOPS_MODULE, m) {
  m.attr("torch_version") = MPSOPS_TORCH_VERSION;
  mpsops::bind_registry(m);
  mpsops::bind_trace(m);
  mpsops::bind_runtime(m);
}
