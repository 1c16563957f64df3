#include "csrc/sim/sim.h"

namespace mpsops::sim {

void bind_device(pybind11::module_&) {}

}  // namespace mpsops::sim
