#include "csrc/core/random.h"

#include <ATen/mps/MPSGeneratorImpl.h>

#include <mutex>

namespace mpsops {

PhiloxParams take_philox_blocks(const std::optional<at::Generator>& generator, int64_t blocks) {
  auto* source = at::get_generator_or_default<at::MPSGeneratorImpl>(
      generator, at::mps::detail::getDefaultMPSGenerator());
  const std::lock_guard<std::mutex> lock(source->mutex_);
  const PhiloxParams taken{static_cast<int64_t>(source->current_seed()),
                           static_cast<int64_t>(source->get_offset())};
  source->set_offset(static_cast<uint64_t>(taken.offset) + static_cast<uint64_t>(blocks));
  return taken;
}

}  // namespace mpsops
