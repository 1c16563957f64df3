// What pooling kernels (metal/common/pool.h) are told by csrc/ops/pool.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Every call is seen as pooling over (batch, channels, depth, height, width); 2-D has depth 1. The
// result is the side with one thread per element; the source is the side that windows are read from
// (the input, or in backward the gradient of the output). Strides are in elements.
struct PoolParams {
  int64_t result_strides[5];
  int64_t source_strides[5];
  int64_t indices_strides[5];  // max pooling: of the indices, which have the sizes of the output
  int64_t batch;
  int64_t channels;
  int64_t result_size[3];
  int64_t source_size[3];
  uint32_t channels_last;  // 1: channels along x of the grid, sites along y; 0: the reverse
  uint32_t lane_columns;   // simdgroup kernels: lanes side by side in a row of the window
  uint32_t units;          // simdgroup kernels: elements of the result
  uint32_t unused;
};
