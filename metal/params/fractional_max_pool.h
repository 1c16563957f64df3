// What metal/fractional_max_pool.metal is told by csrc/ops/fractional_max_pool.cpp, besides the
// geometry of metal/params/pool.h.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Forward. Axes are depth, height, width; a 2-D pooling has depth 1.
struct FractionalWindowParams {
  int64_t sample_strides[2];  // of the random samples: batch, channel
  int64_t sample_offset[3];   // of an axis' sample; not read where the axis has one window
  int64_t kernel_size[3];     // may be 0 or less, as on the CPU: windows are empty then
  float alpha[3];             // mean distance of two windows' starts, in the precision of the dtype
  float unused;
};

// Backward. Windows are not known, because the samples are not: output i has a start within
// `slack` of i * alpha, whatever its sample.
struct FractionalReachParams {
  float kernel_size[3];        // at least 1: the index of an empty window names its start
  float outputs_per_input[3];  // 1 / alpha
  float slack[3];
  float rounding[3];  // what a bound that is computed in float may be off by
};
