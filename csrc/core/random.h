// Random numbers from the generator that torch's own MPS kernels use.
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <optional>

namespace mpsops {

// What c10/metal/random.h takes: philox4::rand(seed, offset + i) for 0 <= i < blocks.
struct PhiloxBlocks {
  int64_t seed;
  int64_t offset;
};

// Takes `blocks` blocks of four 32-bit numbers from `generator`, by default the MPS one. Kernels of
// torch advance the offset in the same unit, so the streams of two ops never overlap.
PhiloxBlocks take_philox_blocks(const std::optional<at::Generator>& generator, int64_t blocks);

}  // namespace mpsops
