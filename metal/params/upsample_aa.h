// What metal/upsample_aa.metal is told by csrc/ops/upsample_aa.cpp, besides the geometry of
// metal/params/pool.h.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// The filter of a resized axis, in units of the input's pixels. `_low` is what float leaves of the
// double, for uint8.
struct UpsampleAaAxis {
  int64_t ranges;   // where in the table of ranges this axis begins
  int64_t weights;  // where in the table of weights
  int64_t totals;   // backward: where in the table of weights the sums of the filter begin
  int32_t input_size;
  int32_t output_size;
  int32_t row;        // weights for each position of the result
  int32_t max_taps;   // of an output, as the CPU kernel cuts them off
  uint32_t identity;  // the axis is not resized: it has no tables
  float scale;        // input pixels per output pixel
  float scale_low;
  float inverse_scale;  // 1 / max(scale, 1)
  float inverse_scale_low;
  float support;  // half the width of the filter
  float support_low;
  float unused;
};

struct UpsampleAaParams {
  UpsampleAaAxis axes[2];  // height, width
  int64_t precision;       // where in the table of ranges the axes' fraction bits are (uint8)
  uint32_t filter;         // 1 linear, 2 cubic, 3 Lanczos: half the taps where nothing shrinks
  uint32_t unused;
};
