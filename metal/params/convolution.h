// What metal/convolution.metal is told by csrc/ops/convolution.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Spatial axes are depth, height, width; two-dimensional convolutions have a depth of 1. Strides
// are in elements, in the order of the dimensions: batch or output channel first, then channel.
struct ConvolutionParams {
  int64_t outputs;   // elements of the result
  int64_t channels;  // of the result
  int64_t input_channels_per_group;
  int64_t output_channels_per_group;
  int64_t input_size[3];
  int64_t kernel_size[3];
  int64_t output_size[3];
  int64_t stride[3];
  int64_t padding[3];
  int64_t dilation[3];
  int64_t input_strides[5];
  int64_t weight_strides[5];
  int64_t output_strides[5];
  int64_t bias_stride;
  uint32_t has_bias;
};
