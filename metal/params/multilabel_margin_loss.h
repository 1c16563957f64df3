// What the host tells the kernels of metal/multilabel_margin_loss.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct MultilabelMarginLossParams {
  int64_t rows;
  int64_t input_stride[2];
  int64_t target_stride[2];
  int64_t is_target_stride[2];  // backward; forward writes it contiguously
  int64_t loss_stride;          // of the output, or of grad_output in backward
  float divisor;                // of the sum of a row (none), or of all rows (mean, sum)
  float gradient;               // backward: the share of one term, 1 / divisor
  uint32_t columns;
  uint32_t reduced;  // the output is one value
};
