// What three-term recurrences over the degree of a polynomial share: values carry their rounding
// error in a second float, and a power of two keeps them from overflowing on the way.
#pragma once
#include <metal_stdlib>

#include "metal/common/float_float.h"

constant constexpr float kRecurrenceLimit = 7.3786976294838206e+19f;  // 2^66
constant constexpr float kRescaleAbove = 1099511627776.0f;            // 2^40
constant constexpr float kRescale = 5.421010862427522e-20f;           // 2^-64

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

// Called before each step: with |x| <= kRecurrenceLimit neither it nor the next can overflow.
inline void rescale(thread Recurrence& state) {
  if (metal::fabs(state.current.hi) > kRescaleAbove ||
      metal::fabs(state.previous.hi) > kRescaleAbove) {
    state.previous.hi *= kRescale;
    state.previous.lo *= kRescale;
    state.current.hi *= kRescale;
    state.current.lo *= kRescale;
    state.exponent += 64;
  }
}

inline float recurrence_value(Recurrence state) {
  const FloatFloat sum = state.current;
  const float value = sum.lo == 0.0f ? sum.hi : sum.hi + sum.lo;  // keeps -0
  return scale(value, metal::min(state.exponent, 250));
}
