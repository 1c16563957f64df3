// What the host tells the kernels of metal/fake_quantize.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Where the zero point comes from, and what it is.
enum FakeQuantizeZeroPoint : uint32_t {
  kZeroPointGiven = 0,      // in FakeQuantizeParams, as is the scale
  kZeroPointInteger = 1,    // a tensor whose values are taken as int32
  kZeroPointReal = 2,       // a tensor of reals, added before rounding; channels only
  kZeroPointLearnable = 3,  // a tensor of reals, rounded and clamped to the range
};

struct FakeQuantizeParams {
  int64_t quant_min;
  int64_t quant_max;
  int64_t zero_point;
  float scale;
  uint32_t source;  // FakeQuantizeZeroPoint
  // ElementwiseDtype of the tensors that hold one value for all, or one for each channel.
  uint32_t scale_dtype;
  uint32_t zero_point_dtype;
  uint32_t enabled_dtype;  // of the switch, where there is one
  uint32_t has_switch;
};

// Channels of dense tensors: those of stride `inner`. Strided kernels get scale and zero point as
// operands instead.
struct FakeQuantizeChannels {
  int64_t channels;
  int64_t inner;
  int64_t scale_stride;
  int64_t zero_point_stride;
};
