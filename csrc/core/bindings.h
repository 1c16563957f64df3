// The parts of mpsops._C.
#pragma once

#include <pybind11/pybind11.h>

namespace mpsops {

void bind_registry(pybind11::module_& m);
void bind_trace(pybind11::module_& m);

void bind_cpu_path(pybind11::module_& m);  // of runtimes whose device is MPS

// Defined once per runtime. Sets `runtime` ("metal", "sim", "cuda") and the functions only it has.
void bind_runtime(pybind11::module_& m);

}  // namespace mpsops
