// What the host tells the kernels of metal/rrelu_with_noise.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/random.h"

struct RreluWithNoiseParams {
  PhiloxParams philox;
  int64_t count;
  float lower;
  float upper;
};

// For operands that are not all contiguous: innermost dimension first.
struct RreluWithNoiseStrides {
  int64_t size[16];
  int64_t input[16];
  int64_t noise[16];
  int64_t output[16];
  uint32_t dimensions;
};
