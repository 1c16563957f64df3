// What metal/masked_softmax.metal is told by csrc/ops/masked_softmax.cpp.
#pragma once

#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/strided.h"

struct MaskedSoftmaxOperand {
  StridedShape rows;  // without the dimension of the softmax
  int64_t stride;     // along it, in elements
};

struct MaskedSoftmaxParams {
  MaskedSoftmaxOperand result;
  MaskedSoftmaxOperand mask;      // of the sizes of the result, by stride 0 where it is smaller
  MaskedSoftmaxOperand input;     // backward: the output of the softmax
  MaskedSoftmaxOperand gradient;  // backward: of the output
  int64_t rows;
  int64_t length;  // of a row
  uint32_t lanes;  // threads that share a row: see metal/common/row_teams.h
};
