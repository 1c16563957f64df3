#pragma once

#include <string>

namespace mpsops::sim {

bool fallback_enabled();                    // PYTORCH_ENABLE_MPS_FALLBACK when first asked
void set_git_version(std::string version);  // what the error text cites

}  // namespace mpsops::sim
