// What metal/fused_rms_norm.metal is told by csrc/ops/fused_rms_norm.cpp.
#pragma once

#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct RmsNormParams {
  int64_t rows;
  int64_t columns;
  uint32_t lanes;  // threads that share a row: see metal/common/row_teams.h
  uint32_t parts;  // partial sums of the gradient of weight, for each column
  uint32_t weighted;
  uint32_t want_input;
  uint32_t want_weight;
};
