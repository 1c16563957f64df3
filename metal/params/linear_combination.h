// What metal/linear_combination.metal is told by csrc/ops/linear_combination.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/strided.h"

// output[i] (+)= sum over j of coefficients[i, j] * input[j], where input[j] and output[i] have
// `elements` elements.
struct LinearCombinationParams {
  StridedShape input_row;
  StridedShape output_row;
  int64_t elements;
  int64_t terms;
  int64_t outputs;
  int64_t input_stride;  // from input[j] to the next, in elements
  int64_t output_stride;
  int64_t coefficient_strides[2];
  uint32_t add;  // to what the output holds
};
