// What metal/transform_bias_rescale_qkv.metal is told by csrc/ops/transform_bias_rescale_qkv.cpp.
#pragma once

#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct TransformBiasRescaleQkvParams {
  int64_t stride[3];  // of qkv: batch, token, feature
  int64_t bias_stride;
  int64_t tokens;     // of all batches
  uint32_t length;    // tokens of a batch
  uint32_t features;  // of each of query, key and value
  uint32_t head;      // features of a head
  float scale;        // of the query
};
