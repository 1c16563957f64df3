// What metal/sparse_indices.metal is told by csrc/ops/sparse_indices.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct CooToCsrParams {
  int64_t size;     // rows of the matrix; the result has one offset more
  int64_t entries;  // of the matrix
  int64_t stride;   // between their row indices, in elements
};

struct CsrToCooParams {
  int64_t batch_sizes[16];
  int64_t batch_dims;
  int64_t rows;     // of a matrix
  int64_t entries;  // of a matrix
  int64_t total;    // entries of all matrices
  uint32_t transpose;
};
