// What kernels report with TORCH_REPORT_ERROR, kept until the host next waits, as on torch's MPS
// stream.
#include <c10/metal/error.h>
#include <c10/util/Exception.h>

#include <utility>

#include "csrc/sim/device/memory.h"
#include "csrc/sim/sim.h"

namespace mpsops::sim {

namespace {

c10::metal::ErrorMessages messages{};

}  // namespace

Allocation error_buffer() {
  return {&messages, reinterpret_cast<std::byte*>(&messages), sizeof(messages)};
}

void throw_device_errors() {
  throw_memory_errors();
  if (std::exchange(messages.count, 0) != 0) {
    const auto& first = messages.msg[0];
    throw c10::AcceleratorError({first.func, first.file, first.line}, 1, first.message);
  }
}

}  // namespace mpsops::sim
