// min, max, their kin, clamp and abs, of all numbers. A NaN loses against a number. bfloat converts
// to float, which C++ would not prefer to integers by itself.
#pragma once
#pragma GCC system_header
#include <mpsops_overloads.h>

namespace metal {

#define MPSOPS_INTEGER(T)                   \
  static inline constexpr T min(T x, T y) { \
    return y < x ? y : x;                   \
  }                                         \
  static inline constexpr T max(T x, T y) { \
    return x < y ? y : x;                   \
  }
#define MPSOPS_FLOATING(T)                  \
  static inline constexpr T min(T x, T y) { \
    return T(__builtin_fminf(x, y));        \
  }                                         \
  static inline constexpr T max(T x, T y) { \
    return T(__builtin_fmaxf(x, y));        \
  }                                         \
  static inline constexpr T abs(T x) {      \
    return T(__builtin_fabsf(x));           \
  }
#define MPSOPS_BOTH(T)                                  \
  static inline constexpr T clamp(T x, T low, T high) { \
    return min(max(x, low), high);                      \
  }                                                     \
  static inline constexpr T min3(T x, T y, T z) {       \
    return min(x, min(y, z));                           \
  }                                                     \
  static inline constexpr T max3(T x, T y, T z) {       \
    return max(x, max(y, z));                           \
  }                                                     \
  static inline constexpr T median3(T x, T y, T z) {    \
    return max(min(x, y), min(max(x, y), z));           \
  }
MPSOPS_INTEGERS(MPSOPS_INTEGER)
MPSOPS_FLOATING(half)
MPSOPS_FLOATING(float)
MPSOPS_INTEGERS(MPSOPS_BOTH)
MPSOPS_BOTH(half)
MPSOPS_BOTH(float)
#undef MPSOPS_INTEGER
#undef MPSOPS_FLOATING
#undef MPSOPS_BOTH

// The absolute value of the smallest integer is itself.
#define MPSOPS_ABS(T, expression)      \
  static inline constexpr T abs(T x) { \
    return expression;                 \
  }
MPSOPS_ABS(char, char(x < 0 ? -x : x))
MPSOPS_ABS(uchar, x)
MPSOPS_ABS(short, short(x < 0 ? -x : x))
MPSOPS_ABS(ushort, x)
MPSOPS_ABS(int, x < 0 ? int(-uint(x)) : x)
MPSOPS_ABS(uint, x)
MPSOPS_ABS(long, x < 0 ? long(-ulong(x)) : x)
MPSOPS_ABS(ulong, x)
#undef MPSOPS_ABS

MPSOPS_LIFT_1(abs, Number, V)
MPSOPS_LIFT_2(min, Number, V)
MPSOPS_LIFT_2(max, Number, V)
MPSOPS_LIFT_3(clamp, Number, V)
MPSOPS_LIFT_3(min3, Number, V)
MPSOPS_LIFT_3(max3, Number, V)
MPSOPS_LIFT_3(median3, Number, V)

// Metal has none of these for bfloat and converts. A second type makes a program's own template
// for two of one type the better match, as it is there.
#define MPSOPS_IF_BFLOAT(...) class = typename ::mpsops_msl::If<__VA_ARGS__>::type
template <class B, MPSOPS_IF_BFLOAT(__is_same(B, bfloat))>
static inline float abs(B x) {
  return abs(float(x));
}
template <class B, class C, MPSOPS_IF_BFLOAT(__is_same(B, bfloat) && __is_same(C, bfloat))>
static inline float min(B x, C y) {
  return min(float(x), float(y));
}
template <class B, class C, MPSOPS_IF_BFLOAT(__is_same(B, bfloat) && __is_same(C, bfloat))>
static inline float max(B x, C y) {
  return max(float(x), float(y));
}
template <class B, class C, MPSOPS_IF_BFLOAT(__is_same(B, bfloat) && __is_same(C, bfloat))>
static inline float clamp(B x, C low, C high) {
  return clamp(float(x), float(low), float(high));
}
#undef MPSOPS_IF_BFLOAT

}  // namespace metal
