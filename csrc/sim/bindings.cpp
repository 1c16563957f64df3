#include "csrc/core/bindings.h"
#include "csrc/sim/sim.h"

namespace mpsops {

void bind_runtime(pybind11::module_& m) {
  m.attr("runtime") = "sim";
  bind_cpu_path(m);
  sim::bind_device(m);
  sim::bind_exec(m);
}

}  // namespace mpsops
