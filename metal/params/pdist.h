// What metal/pdist.metal is told by csrc/ops/pdist.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// The input is rows x features, contiguous; pairs is rows (rows - 1) / 2.
struct PdistParams {
  int64_t rows;
  int64_t features;
  int64_t pairs;
  int64_t grad_stride;  // backward: elements between the gradients of two pairs
  float p;
  uint32_t lanes;  // of a simdgroup, a power of two: per pair (forward), over features (backward)
};
