// What three-term recurrences over the degree of a polynomial share: values carry their rounding
// error in a second float, and a power of two keeps them from overflowing on the way.
#pragma once
#include <metal_stdlib>

#include "metal/common/float_float.h"

// The degree as an integer, towards zero; -1 where int64 has none (NaN, inf), as on x86.
inline long polynomial_degree(float degree) {
  return degree > -1.0f && degree < 9.2e18f ? long(degree) : -1;
}

// Two consecutive states of a recurrence, each times 2^exponent.
struct Recurrence {
  FloatFloat previous;
  FloatFloat current;
  int exponent;
};

// Called before each step: with |x| <= 2^66 neither it nor the next can overflow.
inline void rescale(thread Recurrence& state) {
  if (metal::fabs(state.current.hi) > 0x1p40f || metal::fabs(state.previous.hi) > 0x1p40f) {
    state.previous.hi *= 0x1p-64f;
    state.previous.lo *= 0x1p-64f;
    state.current.hi *= 0x1p-64f;
    state.current.lo *= 0x1p-64f;
    state.exponent += 64;
  }
}

inline float recurrence_value(Recurrence state) {
  return scale(state.current.hi + state.current.lo, metal::min(state.exponent, 250));
}
