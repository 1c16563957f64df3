// What the host tells the kernels of metal/fake_quantize_learnable.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct FakeQuantizeLearnableParams {
  int64_t quant_min;
  int64_t quant_max;
  int64_t scale_stride;  // from one channel to the next
  int64_t zero_point_stride;
  float grad_factor;
  uint32_t scale_dtype;  // ElementwiseDtype
  uint32_t zero_point_dtype;
  uint32_t adds_half;  // the zero point is truncated after 0.5 is added, else rounded
};
