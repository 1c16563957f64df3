// What the host tells the kernels of metal/multi_margin_loss.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct MultiMarginLossParams {
  int64_t rows;
  int64_t columns;
  int64_t input_stride[2];
  int64_t target_stride;
  int64_t weight_stride;
  int64_t loss_stride;  // of the output, or of grad_output in backward
  float margin;
  float divisor;     // of the sum of a row (none), or of all rows (mean, sum)
  float gradient;    // backward: the share of one term, 1 / divisor
  uint32_t lanes;    // threads that share a row: see metal/common/row_teams.h
  uint32_t squared;  // p == 2
  uint32_t weighted;
  uint32_t reduced;  // the output is one value
};
