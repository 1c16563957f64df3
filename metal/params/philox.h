// What the host tells the kernels of metal/philox.metal. A key is two words, `seed` and `offset`.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/strided.h"

struct PhiloxDeriveParams {
  StridedShape input;
  StridedShape output;
  int64_t input_stride;   // from seed to offset
  int64_t output_stride;  // likewise
  int64_t split_stride;   // from a key to the one derived from the next block
  int64_t keys;
  int64_t splits;
  int64_t first;  // block of the first split
};

// A key fills `elements` neighbours in the row-major order of the output, four for each block.
struct PhiloxFillParams {
  StridedShape output;
  StridedShape keys;
  int64_t key_stride;  // from seed to offset
  int64_t key_count;
  int64_t elements;
  int64_t blocks;  // of a key
  float scale;     // high - low, or the standard deviation
  float shift;     // low, or the mean
};
