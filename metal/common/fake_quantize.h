// What fake quantization, its learnable gradient and the fused observer share.
#pragma once
#include <metal_stdlib>

#include "metal/common/elementwise.h"

// A whole number within the range, and whether it needed no clamping.
struct Bounded {
  long value;
  bool inside;
};

// `q` is whole, NaN or infinite. NaN lies below the range.
inline Bounded bound(float q, long quant_min, long quant_max) {
  Bounded result;
  result.inside = false;
  if (!(q > -9.2e18f)) {
    result.value = quant_min;
  } else if (q >= 9.2e18f) {
    result.value = quant_max;
  } else {
    const long whole = long(q);
    result.value = whole < quant_min ? quant_min : (whole > quant_max ? quant_max : whole);
    result.inside = result.value == whole;
  }
  return result;
}

// A learnable zero point as the integer that the forward uses; NaN is whatever.
inline long rounded_zero_point(float zero_point, long quant_min, long quant_max) {
  return bound(metal::rint(zero_point), quant_min, quant_max).value;
}

inline bool is_real(uint dtype) {
  return dtype == kElementwiseFloat32 || dtype == kElementwiseFloat16 ||
         dtype == kElementwiseBFloat16;
}

// As Scalar::toInt() of the one value: 0.5 is off.
inline bool is_switched_on(device const uchar* data, uint dtype) {
  if (is_real(dtype)) {
    return metal::trunc(load_cast<float>(data, 0, dtype, 0.0f)) != 0.0f;
  }
  return load_cast<long>(data, 0, dtype, 0.0f) != 0;
}
