// What the host tells the kernels of metal/fused_moving_avg_obs_fq.metal.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

struct FusedObserverParams {
  int32_t quant_min;
  int32_t quant_max;
  float averaging_constant;
  uint32_t symmetric;
  // ElementwiseDtype of the two switches.
  uint32_t observer_dtype;
  uint32_t fake_quant_dtype;
  uint32_t observes;  // 0: the observer is known to be off
};
