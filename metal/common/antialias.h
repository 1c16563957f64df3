// Filters of antialiased resizing, and the windows and weights that they give the outputs of an
// axis (metal/params/upsample_aa.h), with the CPU kernel's arithmetic.
#pragma once
#include <metal_stdlib>

#include "metal/common/float_float.h"
#include "metal/params/upsample_aa.h"

// Taylor series of sin(pi r) / (pi r) in r^2, |r| <= 1/2: pi^2k / (2k + 1)! as float and rest.
constant constexpr float kSinc[] = {1.0f,
                                    -1.64493406f,
                                    0.811742425f,
                                    -0.190751821f,
                                    0.026147848f,
                                    -0.00234608096f,
                                    0.000148428793f,
                                    -6.97587348e-06f,
                                    2.53121726e-07f,
                                    -7.30471195e-09f,
                                    1.71653844e-10f};
constant constexpr float kSincLow[] = {0.0f, -8.65883454e-09f, 3.18448851e-10f, -3.31939565e-09f,
                                       -1.77507203e-10f};
constant constexpr int kSincTerms = 11;
constant constexpr int kSincLowTerms = 5;

// What the rounding of pi makes of the CPU kernel's sinc(n) for whole n, up to the sign. A window
// beyond the input may hold nothing else, and is divided by the sum all the same.
constant constexpr float kSincOfWhole = 2.78275348e-08f;
constant constexpr float kPreciseSincOfWhole = -3.89817183e-17f;

// sin(pi x) / (pi x), with x = whole + rest, |rest| <= 1/2: the sign is that of (-1)^whole.
inline float sinc(float x) {
  const float whole = metal::rint(x);
  const float rest = x - whole;
  const float ratio = whole == 0.0f ? 1.0f : rest / x + kSincOfWhole;
  const float value = ratio * polynomial(rest * rest, kSinc, 7);
  return (int(whole) & 1) != 0 ? -value : value;
}

inline FloatFloat sinc(FloatFloat x) {
  const float whole = metal::rint(x.hi);
  const FloatFloat rest = add(x, -whole);
  const FloatFloat square = multiply(rest, rest);
  float tail = kSinc[kSincTerms - 1];
  for (int k = kSincTerms - 2; k >= kSincLowTerms; --k) {
    tail = metal::fma(tail, square.hi, kSinc[k]);
  }
  FloatFloat value = {tail, 0.0f};
  for (int k = kSincLowTerms - 1; k >= 0; --k) {
    value = add(multiply(value, square), FloatFloat{kSinc[k], kSincLow[k]});
  }
  if (whole != 0.0f) {
    const FloatFloat ratio = divide(rest, x);
    value = multiply(value, rest.hi == 0.0f ? FloatFloat{kPreciseSincOfWhole, 0.0f} : ratio);
  }
  return (int(whole) & 1) != 0 ? FloatFloat{-value.hi, -value.lo} : value;
}

inline float filter_value(uint filter, float x) {
  x = metal::abs(x);
  if (x >= float(filter)) {
    return 0.0f;
  }
  switch (filter) {
    case 1:
      return 1.0f - x;
    case 2:  // Keys, a = -1/2
      return x < 1.0f ? (1.5f * x - 2.5f) * x * x + 1.0f
                      : ((-0.5f * x + 2.5f) * x - 4.0f) * x + 2.0f;
    default:
      return sinc(x) * sinc(x / 3.0f);
  }
}

// Beyond every position, and an int.
constant constexpr float kFarPosition = 33554432.0f;

// trunc(x + 1/2) for x >= 0 and 0 below, as in exact arithmetic.
inline int rounded(float x) {
  x = metal::clamp(x, -1.0f, kFarPosition);
  const float whole = metal::floor(x);
  return metal::max(int(whole) + (x - whole >= 0.5f ? 1 : 0), 0);
}

// An axis whose weights are float: the CPU kernel's arithmetic, step by step.
struct FloatAxis {
  constant UpsampleAaAxis* axis;
  uint filter;

  float center(int output) const { return axis->scale * (float(output) + 0.5f); }

  int start(int output) const { return rounded(center(output) - axis->support); }

  int end(int output) const {
    const int first = start(output);
    const int last = metal::min(rounded(center(output) + axis->support), axis->input_size);
    return first + metal::clamp(last - first, 0, axis->max_taps);
  }

  // Of the input pixel, before the division by the sum.
  float weight(int output, int input) const {
    const float distance = float(input) - center(output);
    return filter_value(filter,
                        metal::fma(distance, axis->inverse_scale, 0.5f * axis->inverse_scale));
  }
};

// An axis whose weights the CPU kernel computes in double.
struct PreciseAxis {
  constant UpsampleAaAxis* axis;

  FloatFloat center(int output) const {
    return multiply(FloatFloat{axis->scale, axis->scale_low}, float(output) + 0.5f);
  }

  int bound(int output, float sign) const {
    const FloatFloat reach = {sign * axis->support, sign * axis->support_low};
    const float whole = floor_of(add(add(center(output), reach), 0.5f));
    return int(metal::clamp(whole, 0.0f, kFarPosition));
  }

  int start(int output) const { return bound(output, -1.0f); }

  int end(int output) const {
    const int first = start(output);
    const int last = metal::min(bound(output, 1.0f), axis->input_size);
    return first + metal::clamp(last - first, 0, axis->max_taps);
  }

  // The Lanczos filter: no other has a uint8 kernel here.
  FloatFloat weight(int output, int input) const {
    const FloatFloat middle = center(output);
    const FloatFloat distance = add(add(FloatFloat{-middle.hi, -middle.lo}, float(input)), 0.5f);
    const FloatFloat x =
        multiply(distance, FloatFloat{axis->inverse_scale, axis->inverse_scale_low});
    if (metal::abs(x.hi) >= 3.0f) {
      return {0.0f, 0.0f};
    }
    return multiply(sinc(x), sinc(multiply(x, FloatFloat{0.333333343f, -9.93410776e-09f})));
  }
};

// The sum of an output's weights, to every lane of a simdgroup. A sum of 0 divides nothing.
inline float total_weight(FloatAxis axis, int output, int lane) {
  float sum = 0.0f;
  const int end = axis.end(output);
  for (int input = axis.start(output) + lane; input < end; input += 32) {
    sum += axis.weight(output, input);
  }
  sum = metal::simd_sum(sum);
  return sum == 0.0f ? 1.0f : sum;
}

inline FloatFloat total_weight(PreciseAxis axis, int output, int lane) {
  FloatFloat sum = {0.0f, 0.0f};
  const int end = axis.end(output);
  for (int input = axis.start(output) + lane; input < end; input += 32) {
    sum = add(sum, axis.weight(output, input));
  }
  for (ushort distance = 16; distance > 0; distance /= 2) {
    sum = add(sum, FloatFloat{metal::simd_shuffle_xor(sum.hi, distance),
                              metal::simd_shuffle_xor(sum.lo, distance)});
  }
  return sum.hi == 0.0f ? FloatFloat{1.0f, 0.0f} : sum;
}
