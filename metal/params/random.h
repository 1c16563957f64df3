// Where the random numbers of a call begin in its generator's stream (csrc/core/random.h).
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct PhiloxParams {
  int64_t seed;
  int64_t offset;  // Philox counter of the call's first block of four numbers
};
