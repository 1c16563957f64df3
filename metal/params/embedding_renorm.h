// What metal/embedding_renorm.metal is told by csrc/ops/embedding_renorm.cpp.
#pragma once

#ifndef __METAL_VERSION__
#include <cstdint>
#endif

enum EmbeddingNorm : uint32_t {
  kNormTwo = 0,
  kNormOne = 1,
  kNormZero = 2,      // how many elements are not zero
  kNormLargest = 3,   // of infinity
  kNormSmallest = 4,  // of -infinity
  kNormGeneral = 5,
};

struct EmbeddingRenormParams {
  int64_t rows;  // of the table
  int64_t columns;
  int64_t stride[2];
  int64_t indices;
  float threshold;  // the largest float that is not above max_norm
  float max_norm;
  float max_norm_rest;  // what max_norm has beyond float
  float p;
  uint32_t norm;
  uint32_t lanes;  // threads that share a row: see metal/common/row_teams.h
};
