// Random numbers from the generator that torch's own MPS kernels use.
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <optional>

#include "metal/params/random.h"

namespace mpsops {

// Takes `blocks` blocks of four 32-bit numbers from `generator`, by default the MPS one: those of
// c10::metal::philox4::rand(seed, offset + i) for 0 <= i < blocks. Kernels of torch advance the
// offset in the same unit, so the streams of two ops never overlap. A sampler that draws an unknown
// number of numbers takes one block per element (metal/common/random.h).
PhiloxParams take_philox_blocks(const std::optional<at::Generator>& generator, int64_t blocks);

}  // namespace mpsops
