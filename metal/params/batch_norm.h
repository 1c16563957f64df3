// What the host tells the kernels of metal/batch_norm.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Tensors are seen as (batch, channel, feature): features are all dimensions after the channel.
enum BatchNormOperand : uint32_t {
  kBatchNormInput = 0,
  kBatchNormGradOutput = 1,
  kBatchNormOutput = 2,
  kBatchNormOperands = 3,
};

// Bits of BatchNormParams::given: optional tensors that are bound, results that are wanted.
enum BatchNormGiven : uint32_t {
  kBatchNormRunningMean = 1,
  kBatchNormRunningVar = 2,
  kBatchNormWeight = 4,
  kBatchNormBias = 8,
  kBatchNormSums = 16,
  kBatchNormGradWeight = 32,
  kBatchNormGradBias = 64,
  kBatchNormInvert = 128,  // 1 / sqrt(variance + eps) instead of the variance
};

struct BatchNormParams {
  int64_t strides[kBatchNormOperands][3];  // in elements: of batch, channel, feature
  int64_t channels;
  int64_t features;
  int64_t elements;            // of a channel: batch * features
  int64_t slice;               // of these, what a block takes
  int64_t running_strides[2];  // of running_mean, running_var
  float eps;
  float momentum;
  uint32_t lanes;   // channels side by side in a threadgroup, a power of two up to 32
  uint32_t blocks;  // threadgroups that share `lanes` channels
  uint32_t groups;
  uint32_t ranks;  // backward_elemt: length of count
  uint32_t given;
  uint32_t narrow;  // 1 when elements fit 32 bits
};

struct BatchNormGatherParams {
  int64_t ranks;
  int64_t channels;
  int64_t mean_strides[2];
  int64_t invstd_strides[2];
  int64_t running_strides[2];
  float eps;
  float momentum;
  float count;       // of every rank, where `counted` is 0
  uint32_t counted;  // counts are bound, contiguous
  uint32_t given;
  uint32_t unused;
};
