// From addresses in kernel code to lines of the .metal source. Only errors ask, once no kernel
// runs: looking them up takes the GIL.
#pragma once

#include <string>

#include "csrc/sim/exec/library.h"

namespace mpsops::sim {

// Stands in a text for the source line of code that calls or is at `address`.
std::string line_of(const void* address);

// `text` with "file.metal:12" where line_of() put something.
std::string with_lines(const std::string& text, const KernelLibrary& library);

}  // namespace mpsops::sim
