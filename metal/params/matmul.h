// What metal/matmul.metal is told by csrc/ops/matmul.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Products of `batch` pairs of matrices, rows x inner and inner x columns. Strides are in elements,
// of batch, row and column of each matrix.
struct MatmulParams {
  int64_t batch;
  int64_t rows;
  int64_t columns;
  int64_t inner;
  int64_t left_strides[3];
  int64_t right_strides[3];
  int64_t out_strides[3];
  int64_t added_strides[3];  // 0 where it is expanded
  float alpha;
  float beta;
  uint32_t left_by_rows;  // neighbours in memory are in one row, rather than in one column
  uint32_t right_by_rows;
};
