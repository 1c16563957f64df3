#include "csrc/sim/sim.h"

namespace mpsops::sim {

void bind_exec(pybind11::module_&) {}

}  // namespace mpsops::sim
