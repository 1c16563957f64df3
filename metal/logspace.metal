// logspace: base^x for `steps` equidistant x, computed from the nearer end. One thread per element,
// one dispatch, each element written once.
//
// base^x = 2^exponent, and the exponent is a straight line too: it is kept in 128-bit integers with
// 96 bits behind the point, so that it loses nothing however large it is. Floating results take
// the fraction's power in two floats (0.51 ulp), complex ones also an angle; integers take it to 62
// bits, rounded to the 53 of the CPU kernel's double, so that whole powers come out whole.
#include "metal/common/float_float.h"
#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/logspace.h"

inline ulong multiply_high(ulong a, ulong b) {
  const ulong a_low = a & 0xffffffffu;
  const ulong a_high = a >> 32;
  const ulong b_low = b & 0xffffffffu;
  const ulong b_high = b >> 32;
  const ulong middle = a_high * b_low + ((a_low * b_low) >> 32);
  const ulong other = a_low * b_high + (middle & 0xffffffffu);
  return a_high * b_high + (middle >> 32) + (other >> 32);
}

// A number in 2^-64: whole + fraction.
struct Split {
  int whole;
  ulong fraction;
};

inline Split point_of(constant LogspaceLine& line, ulong index, ulong steps) {
  const bool from_start = index < steps / 2;
  const ulong count = from_start ? index : steps - 1 - index;
  const ulong low = line.step.low * count;
  const ulong high = ulong(line.step.high) * count + multiply_high(line.step.low, count);
  ulong sum_low;
  ulong sum_high;
  if (from_start) {
    sum_low = line.start.low + low;
    sum_high = ulong(line.start.high) + high + (sum_low < low ? 1 : 0);
  } else {
    sum_low = line.end.low - low;
    sum_high = ulong(line.end.high) - high - (line.end.low < low ? 1 : 0);
  }
  return {int(long(sum_high) >> 32), (sum_high << 32) | (sum_low >> 32)};
}

// The same with the fraction in [-1/2, 1/2): its first 48 bits.
struct Centered {
  int whole;
  FloatFloat fraction;
};

inline Centered center(Split point) {
  const long bits = long(point.fraction) >> 16;
  const float high = float(bits);
  const float low = float(bits - long(high));
  const float unit = 3.55271368e-15f;  // 2^-48
  return {point.whole + int(point.fraction >> 63), {high * unit, low * unit}};
}

inline float to_float(Split point) {
  const Centered x = center(point);
  return float(x.whole) + x.fraction.hi;
}

// (exp(r) - 1 - r - r^2 / 2) / r^3: its series, to 2^-28 of the whole for |r| <= log(2) / 2.
constant constexpr float kExpSeries[] = {0.166666667f,   0.0416666667f,  8.33333333e-3f,
                                         1.38888889e-3f, 1.98412698e-4f, 2.48015873e-5f};

// 1 + r + r^2 / 2 is summed in two floats.
inline float exp2_float(Split exponent) {
  const Centered x = center(exponent);
  const FloatFloat r = multiply(x.fraction, FloatFloat{0.693147182f, -1.90465421e-09f});
  const FloatFloat square = two_product(0.5f * r.hi, r.hi);
  const FloatFloat linear = fast_two_sum(1.0f, r.hi);
  const FloatFloat sum = fast_two_sum(linear.hi, square.hi);
  const float rest = metal::fma(r.hi, r.lo, r.lo) + square.lo + linear.lo + sum.lo;
  const float cubic = 2.0f * square.hi * r.hi * polynomial(r.hi, kExpSeries, 5);
  return scale(sum.hi + (rest + cubic), metal::clamp(x.whole, -250, 250));
}

// Whether x is whole, but for the rounding of its line: within 2^-40.
inline bool is_whole(Split x) {
  return ((x.fraction + (1ul << 23)) >> 24) == 0;
}

inline bool is_odd(Split x) {
  return ((x.whole + int(x.fraction >> 63)) & 1) != 0;
}

// pow(base, x) where base or an end is no number to take logarithms of.
inline float plain_power(ulong index, constant LogspaceParams& params) {
  float x;
  if (params.finite != 0) {
    x = to_float(point_of(params.x, index, ulong(params.steps)));
  } else {
    const float step = (params.end - params.start) / float(params.steps - 1);
    x = index < ulong(params.steps) / 2
            ? params.start + step * float(index)
            : params.end - step * float(ulong(params.steps) - 1 - index);
  }
  return x == 0.0f || params.base == 1.0f ? 1.0f : metal::precise::pow(params.base, x);
}

template <class T>
[[kernel]] void logspace_floating(device T* output [[buffer(0)]],
                                  constant LogspaceParams& params [[buffer(1)]],
                                  uint2 position [[thread_position_in_grid]],
                                  uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  const ulong steps = ulong(params.steps);
  if (index >= steps) {
    return;
  }
  if (params.kind == kLogspacePlain) {
    output[index] = T(plain_power(index, params));
    return;
  }
  float value = exp2_float(point_of(params.exponent, index, steps));
  if (params.kind == kLogspaceNegative) {
    const Split x = point_of(params.x, index, steps);
    value = is_whole(x) ? (is_odd(x) ? -value : value) : NAN;
  }
  output[index] = T(value);
}

// 2^fraction in 2^-63, to 62 bits: the series of exp(y), y = fraction log(2), from its last term.
// Its products are cut off, by about 1 in all.
inline ulong exp2_fixed(ulong fraction) {
  const ulong y = multiply_high(fraction, 0xb17217f7d1cf79abul);
  const ulong one = 1ul << 63;
  ulong sum = one;
  for (ulong k = 20; k > 0; --k) {
    sum = one + multiply_high(y, sum) / k;
  }
  return sum + 1;
}

// 2^exponent towards zero, after rounding to 53 bits; ~0 where it does not fit.
inline ulong exp2_whole(Split exponent) {
  ulong mantissa = exp2_fixed(exponent.fraction);
  int whole = exponent.whole;
  const ulong rounded = (mantissa + (1ul << 10)) & ~((1ul << 11) - 1);
  if (rounded < mantissa && rounded < (1ul << 63)) {
    whole += 1;
    mantissa = 1ul << 63;
  } else {
    mantissa = rounded;
  }
  if (whole < 0) {
    return 0;
  }
  return whole > 62 ? ~0ul : mantissa >> (63 - whole);
}

// What does not fit is C++'s undefined behaviour in the CPU kernel: here it is as on x86, the
// smallest int64, or else the smallest int32, cut to T.
template <class T>
inline T to_integer(ulong magnitude, bool negative) {
  if (sizeof(T) == 8) {
    const long value = magnitude == ~0ul ? long(1ul << 63) : long(magnitude);
    return T(negative ? -value : value);
  }
  const bool fits = magnitude < (1ul << 31) + (negative ? 1 : 0);
  const int value = fits ? int(uint(magnitude)) : int(1u << 31);
  return T(negative && fits ? int(0u - uint(value)) : value);
}

template <class T>
[[kernel]] void logspace_integral(device T* output [[buffer(0)]],
                                  constant LogspaceParams& params [[buffer(1)]],
                                  uint2 position [[thread_position_in_grid]],
                                  uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  const ulong steps = ulong(params.steps);
  if (index >= steps) {
    return;
  }
  if (params.kind == kLogspacePlain) {
    const float value = metal::fabs(plain_power(index, params));
    output[index] = to_integer<T>(value <= 1.0f ? ulong(value) : ~0ul, false);
    return;
  }
  ulong magnitude = exp2_whole(point_of(params.exponent, index, steps));
  bool negative = false;
  if (params.kind == kLogspaceNegative) {
    const Split x = point_of(params.x, index, steps);
    negative = is_odd(x);
    magnitude = is_whole(x) ? magnitude : ~0ul;
  }
  output[index] = to_integer<T>(magnitude, negative && magnitude != ~0ul);
}

// As exp(x log(base)): an infinite or zero base has no angle.
template <class T>
[[kernel]] void logspace_complex(device T* output [[buffer(0)]],
                                 constant LogspaceParams& params [[buffer(1)]],
                                 uint2 position [[thread_position_in_grid]],
                                 uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  const ulong steps = ulong(params.steps);
  if (index >= steps) {
    return;
  }
  if (params.kind == kLogspacePlain) {
    const float x = to_float(point_of(params.x, index, steps));
    const bool numbers = params.finite != 0 && x != 0.0f && !metal::isnan(params.base);
    const bool infinite = (x > 0.0f) == metal::isinf(params.base);
    output[index] =
        T(numbers ? (infinite ? INFINITY : 0.0f) : NAN, numbers && !infinite ? 0.0f : NAN);
    return;
  }
  const float size = exp2_float(point_of(params.exponent, index, steps));
  const Centered turn = center(point_of(params.x, index, steps));
  const float sign = (turn.whole & 1) != 0 ? -size : size;
  const float half_turns = turn.fraction.hi + turn.fraction.lo;
  const float sine = metal::precise::sinpi(half_turns);
  output[index] = T(sign * metal::precise::cospi(half_turns), sine == 0.0f ? 0.0f : sign * sine);
}

INSTANTIATE_FLOATING("logspace", logspace_floating)
INSTANTIATE_INTEGRAL("logspace", logspace_integral)
INSTANTIATE("logspace_complex64", logspace_complex, float2)
