// The arithmetic of IEEE double in integers, bit for bit, for the few values of a call whose
// rounding decides an integer. A division takes some 300 integer operations. No NaN and no
// infinity; exponents have no limits, so that nothing overflows or is subnormal on the way.
#pragma once
#include <metal_stdlib>

// (negative ? -1 : 1) * significand * 2^exponent, with 2^52 <= significand < 2^53, or 0.
struct SoftDouble {
  ulong significand;
  int exponent;
  bool negative;
};

// `significand` without its lowest `bits`, rounded to nearest even; `more` if the value goes on
// behind them.
inline ulong shift_right_rounded(ulong significand, int bits, bool more) {
  if (bits <= 0) {
    return significand << -bits;
  }
  if (bits > 64) {
    return 0;
  }
  const ulong half_unit = 1ul << (bits - 1);
  const ulong rest = bits == 64 ? significand : significand & ((half_unit << 1) - 1);
  const ulong kept = bits == 64 ? 0 : significand >> bits;
  const bool up = rest > half_unit || (rest == half_unit && (more || (kept & 1) != 0));
  return kept + (up ? 1 : 0);
}

inline int leading_zeros(ulong value) {
  const uint high = uint(value >> 32);
  return high != 0 ? int(metal::clz(high)) : 32 + int(metal::clz(uint(value)));
}

inline SoftDouble make_soft_double(bool negative, ulong significand, int exponent, bool more) {
  SoftDouble result;
  result.negative = negative;
  if (significand == 0) {
    result.significand = 0;
    result.exponent = 0;
    return result;
  }
  const int bits = 11 - leading_zeros(significand);
  result.significand = shift_right_rounded(significand, bits, more);
  result.exponent = exponent + bits;
  if ((result.significand >> 53) != 0) {
    result.significand >>= 1;
    result.exponent += 1;
  }
  return result;
}

inline SoftDouble soft_double(int value) {
  const long wide = value;
  return make_soft_double(wide < 0, ulong(wide < 0 ? -wide : wide), 0, false);
}

// A finite float, decoded from its bits: Apple GPUs flush subnormal operands.
inline SoftDouble soft_double(float value) {
  const uint bits = as_type<uint>(value);
  const int exponent = int((bits >> 23) & 0xffu);
  const uint fraction = bits & 0x007fffffu;
  const uint significand = exponent == 0 ? fraction : fraction | 0x00800000u;
  return make_soft_double((bits >> 31) != 0, significand, metal::max(exponent, 1) - 150, false);
}

inline SoftDouble negate(SoftDouble value) {
  value.negative = !value.negative;
  return value;
}

inline SoftDouble absolute(SoftDouble value) {
  value.negative = false;
  return value;
}

inline bool magnitude_less(SoftDouble a, SoftDouble b) {
  if (a.significand == 0 || b.significand == 0) {
    return a.significand < b.significand;
  }
  return a.exponent != b.exponent ? a.exponent < b.exponent : a.significand < b.significand;
}

inline bool less(SoftDouble a, SoftDouble b) {
  if (a.significand == 0 && b.significand == 0) {
    return false;
  }
  if (a.negative != b.negative) {
    return a.negative;
  }
  return a.negative ? magnitude_less(b, a) : magnitude_less(a, b);
}

inline SoftDouble add(SoftDouble a, SoftDouble b) {
  if (magnitude_less(a, b)) {
    const SoftDouble larger = b;
    b = a;
    a = larger;
  }
  if (b.significand == 0) {
    return a;
  }
  // Ten bits below the significand, and `more` for all that is below those.
  const ulong left = a.significand << 10;
  const int distance = a.exponent - b.exponent;
  const ulong whole = b.significand << 10;
  const ulong right = distance > 63 ? 0 : whole >> distance;
  const bool more = distance > 63 || (right << distance) != whole;
  const ulong sum = a.negative == b.negative ? left + right : left - right - (more ? 1 : 0);
  return make_soft_double(a.negative, sum, a.exponent - 10, more);
}

inline SoftDouble divide(SoftDouble a, SoftDouble b) {
  ulong rest = a.significand;
  ulong quotient = 0;
  for (int i = 0; i < 56; ++i) {
    quotient <<= 1;
    if (rest >= b.significand) {
      rest -= b.significand;
      quotient |= 1;
    }
    rest <<= 1;
  }
  return make_soft_double(a.negative != b.negative, quotient, a.exponent - b.exponent - 55,
                          rest != 0);
}

// The product of a finite float and an integer.
inline SoftDouble multiply(float a, int b) {
  const SoftDouble left = soft_double(a);
  const long wide = b;
  const ulong product = (left.significand >> 29) * ulong(wide < 0 ? -wide : wide);
  return make_soft_double(left.negative != (b < 0), product, left.exponent + 29, false);
}

inline float to_float(SoftDouble value) {
  const uint sign = value.negative ? 0x80000000u : 0u;
  if (value.significand == 0) {
    return as_type<float>(sign);
  }
  const int unit = metal::max(value.exponent + 29, -149);
  if (unit > 104) {
    return as_type<float>(sign | 0x7f800000u);
  }
  const uint rounded = uint(shift_right_rounded(value.significand, unit - value.exponent, false));
  // A carry out of the fraction goes on into the exponent, up to infinity.
  const uint bits = unit == -149 ? rounded : (uint(unit + 150) << 23) + rounded - 0x00800000u;
  return as_type<float>(sign | bits);
}

// The nearest integer, ties to even, of a value within the range of int.
inline int nearest_int(SoftDouble value) {
  const ulong whole = shift_right_rounded(value.significand, -value.exponent, false);
  return int(value.negative ? -long(whole) : long(whole));
}
