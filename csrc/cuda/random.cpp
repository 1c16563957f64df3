#include "csrc/core/random.h"

#include <ATen/cuda/CUDAGeneratorImpl.h>

#include <mutex>

namespace mpsops {

// CUDA's generator counts 32-bit numbers, in fours.
PhiloxParams take_philox_blocks(const std::optional<at::Generator>& generator, int64_t blocks) {
  auto* source = at::get_generator_or_default<at::CUDAGeneratorImpl>(
      generator, at::cuda::detail::getDefaultCUDAGenerator());
  const std::lock_guard<std::mutex> lock(source->mutex_);
  const uint64_t offset = source->philox_offset_per_thread();
  source->set_philox_offset_per_thread(offset + 4 * static_cast<uint64_t>(blocks));
  return {static_cast<int64_t>(source->current_seed()), static_cast<int64_t>(offset / 4)};
}

}  // namespace mpsops
