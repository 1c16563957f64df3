// What the host tells the kernels of metal/rrelu_with_noise.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/random.h"

struct RreluWithNoiseParams {
  PhiloxParams philox;
  float lower;
  float upper;
};
