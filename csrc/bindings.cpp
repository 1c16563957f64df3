#include <pybind11/pybind11.h>

#include "csrc/core/registry.h"

namespace py = pybind11;

PYBIND11_MODULE(_C, m) { m.attr("torch_version") = MPSOPS_TORCH_VERSION; }
