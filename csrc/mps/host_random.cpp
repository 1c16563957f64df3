#include "csrc/mps/host_random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/mps/MPSGeneratorImpl.h>

#include "csrc/core/mix.h"

namespace mpsops {

namespace {

std::recursive_mutex& borrowing() {
  static std::recursive_mutex instance;
  return instance;
}

}  // namespace

uint64_t draw_seed(const std::optional<at::Generator>& generator) {
  auto* impl = at::get_generator_or_default<at::MPSGeneratorImpl>(
      generator, at::mps::detail::getDefaultMPSGenerator());
  const std::scoped_lock lock(impl->mutex_);
  const uint64_t offset = impl->get_offset();
  impl->set_offset(offset + 4);
  return mix(impl->current_seed() ^ mix(offset));
}

SeededDefaultGenerator::SeededDefaultGenerator(uint64_t seed) : borrowed_(borrowing()) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::scoped_lock lock(generator.mutex());
  saved_ = generator.get_state();
  generator.set_current_seed(seed);
}

SeededDefaultGenerator::~SeededDefaultGenerator() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::scoped_lock lock(generator.mutex());
  generator.set_state(saved_);
}

}  // namespace mpsops
