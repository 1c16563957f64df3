// Float-only arithmetic beyond float: an unevaluated sum hi + lo of two floats carries 48 bits.
// Error-free transformations after Dekker (1971) and Knuth; they need IEEE rounding and explicit
// fma, which safe math and the pragma below give.
#pragma once
#include <metal_stdlib>
#pragma clang fp contract(off)

struct FloatFloat {
  float hi;
  float lo;
};

// Exact: a + b.
inline FloatFloat two_sum(float a, float b) {
  const float sum = a + b;
  const float b_part = sum - a;
  const float a_part = sum - b_part;
  const float a_error = a - a_part;
  const float b_error = b - b_part;
  return {sum, a_error + b_error};
}

// Exact where |a| >= |b|.
inline FloatFloat fast_two_sum(float a, float b) {
  const float sum = a + b;
  const float b_part = sum - a;
  return {sum, b - b_part};
}

// Exact: a * b, unless the error underflows.
inline FloatFloat two_product(float a, float b) {
  const float product = a * b;
  return {product, metal::fma(a, b, -product)};
}

inline FloatFloat add(FloatFloat a, FloatFloat b) {
  const FloatFloat sum = two_sum(a.hi, b.hi);
  const float low = a.lo + b.lo;
  return fast_two_sum(sum.hi, sum.lo + low);
}

inline FloatFloat add(FloatFloat a, float b) {
  const FloatFloat sum = two_sum(a.hi, b);
  return fast_two_sum(sum.hi, sum.lo + a.lo);
}

inline FloatFloat multiply(FloatFloat a, FloatFloat b) {
  const FloatFloat product = two_product(a.hi, b.hi);
  const float cross = metal::fma(a.hi, b.lo, a.lo * b.hi);
  return fast_two_sum(product.hi, product.lo + cross);
}

inline FloatFloat multiply(FloatFloat a, float b) {
  const FloatFloat product = two_product(a.hi, b);
  return fast_two_sum(product.hi, metal::fma(a.lo, b, product.lo));
}

inline FloatFloat divide(FloatFloat a, FloatFloat b) {
  const float quotient = a.hi / b.hi;
  const FloatFloat rest = add(a, multiply(b, -quotient));
  return fast_two_sum(quotient, rest.hi / b.hi);
}

// The largest whole number up to a, for |a| < 2^24.
inline float floor_of(FloatFloat a) {
  const float whole = metal::floor(a.hi);
  return whole == a.hi && a.lo < 0.0f ? whole - 1.0f : whole;
}

// sqrt(a) for a.hi > 0: one Newton step from the rounded root.
inline FloatFloat square_root(FloatFloat a) {
  const float root = metal::precise::sqrt(a.hi);
  const float residual = metal::fma(-root, root, a.hi) + a.lo;
  return fast_two_sum(root, residual / (2.0f * root));
}

// Coefficients from the constant term up.
inline float polynomial(float x, constant const float* coefficients, int degree) {
  float sum = coefficients[degree];
  for (int i = degree - 1; i >= 0; --i) {
    sum = metal::fma(sum, x, coefficients[i]);
  }
  return sum;
}

// x * 2^exponent in two steps, so that neither factor leaves the normal range before the result.
inline float scale(float x, int exponent) {
  const int half_exponent = exponent >> 1;
  const float first = as_type<float>(uint(half_exponent + 127) << 23);
  const float second = as_type<float>(uint(exponent - half_exponent + 127) << 23);
  return x * first * second;
}

// (exp(r) - 1 - r) / r^2 on |r| <= log(2) / 2, minimax.
constant constexpr float kExpCoefficients[] = {0.5f, 0.166665196f, 0.0416662097f, 0.0083688153f,
                                               0.00139503519f};

// factor * exp(x) for a finite factor of moderate size; saturates where float does.
inline float scaled_exp(FloatFloat x, float factor) {
  if (metal::isnan(x.hi)) {
    return x.hi;
  }
  if (metal::fabs(x.hi) > 120.0f) {
    return factor * (x.hi > 0.0f ? INFINITY : 0.0f);
  }
  const float exponent = metal::rint(x.hi * 1.44269502f);
  // 0.693145752 has 9 trailing zeros: the first product is exact.
  float r = metal::fma(exponent, -0.693145752f, x.hi);
  const float r_low = metal::fma(exponent, -1.42860677e-06f, x.lo);
  const FloatFloat reduced = fast_two_sum(r, r_low);
  r = reduced.hi;
  const float tail = metal::fma(r * r, polynomial(r, kExpCoefficients, 4), reduced.lo);
  const FloatFloat sum = fast_two_sum(1.0f, r);
  const float mantissa = metal::fma(factor, sum.hi, factor * (sum.lo + tail));
  return scale(mantissa, int(exponent));
}

// (log(1 + f) - f + f^2 / 2) / f^3 on sqrt(1/2) <= 1 + f <= sqrt(2), minimax.
constant constexpr float kLogCoefficients[] = {0.333333224f,  -0.249999866f, 0.200015545f,
                                               -0.166689411f, 0.142304301f,  -0.123949386f,
                                               0.118035853f,  -0.117089488f, 0.0696765259f};

// log(x) for finite x > 0 to 2^-28, subnormal x included: it is decoded from its bits, because
// Apple GPUs flush subnormal operands to zero.
inline FloatFloat log_float_float(float x) {
  uint bits = as_type<uint>(x);
  int exponent = 0;
  if (bits < 0x00800000u) {
    const uint shift = metal::clz(bits) - 8;
    bits = (bits << shift) & 0x007fffffu;
    exponent = 1 - int(shift) - 127;
  } else {
    exponent = int(bits >> 23) - 127;
    bits &= 0x007fffffu;
  }
  // Mantissas above sqrt(2) are halved.
  const bool large = bits > 0x003504f3u;
  exponent += large ? 1 : 0;
  const float f = as_type<float>(bits | (large ? 0x3f000000u : 0x3f800000u)) - 1.0f;
  const FloatFloat square = two_product(f, f);
  const float cube = f * square.hi * polynomial(f, kLogCoefficients, 8);
  FloatFloat result = two_sum(f, -0.5f * square.hi);
  result.lo += metal::fma(-0.5f, square.lo, cube);
  result = fast_two_sum(result.hi, result.lo);
  return add(multiply(FloatFloat{0.693147182f, -1.90465421e-09f}, float(exponent)), result);
}
