#include "csrc/core/bindings.h"
#include "csrc/cuda/module.h"

namespace mpsops {

void bind_runtime(pybind11::module_& m) {
  m.attr("runtime") = "cuda";
  m.def("cpu_path_reset_calls", [] {}, "There is no CPU path on this device.");
  m.def("set_ptx_folder", &cuda::set_ptx_folder,
        "Where `python -m mpsops.msl.ptx` put the families' PTX.");
}

}  // namespace mpsops
