// What the host tells the kernels of metal/fused_adagrad.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Four buffers each, and three more: the 31 that Metal has.
enum FusedAdagradLimits : uint32_t {
  kFusedAdagradTensors = 7,
  kFusedAdagradGroup = 1024,  // elements of a threadgroup
};

// Bits of FusedAdagradParams::given.
enum FusedAdagradGiven : uint32_t {
  kFusedAdagradScale = 1,
  kFusedAdagradFoundInf = 2,
  kFusedAdagradRate = 4,  // lr is on the device, where the step of the last tensor would be
  kFusedAdagradMaximize = 8,
};

struct FusedAdagradParams {
  int64_t sizes[kFusedAdagradTensors];
  int64_t first_groups[kFusedAdagradTensors];  // of each tensor's threadgroups
  int64_t groups;
  float lr;
  float lr_decay;
  float weight_decay;
  float eps;
  uint32_t tensors;
  uint32_t given;
};
