// torch.mps.profiler: on macOS, intervals in Instruments. Here nobody looks, so that only its rules
// are left.
#pragma once

#include <string>

namespace mpsops::sim {

void start_signposts(const std::string& mode);
void stop_signposts();

}  // namespace mpsops::sim
