// Random numbers for CPU kernels that work for the MPS device: reproducible under
// torch.manual_seed, and different from call to call.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>
#include <optional>

namespace mpsops {

// Advances `generator`, by default the MPS one, and gives the seed of a CPU generator.
uint64_t draw_seed(const std::optional<at::Generator>& generator);

// For kernels without a generator argument: seeds the CPU's default generator, and puts it back.
class SeededDefaultGenerator {
 public:
  explicit SeededDefaultGenerator(uint64_t seed);
  ~SeededDefaultGenerator();
  SeededDefaultGenerator(const SeededDefaultGenerator&) = delete;
  SeededDefaultGenerator& operator=(const SeededDefaultGenerator&) = delete;

 private:
  std::scoped_lock<std::recursive_mutex> borrowed_;
  at::Tensor saved_;
};

}  // namespace mpsops
