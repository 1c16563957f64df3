// exp, exp2, log and tanh for the CPU: without calls and branches, so that loops over them become
// vector code, which calls of libm would prevent. Against double precision, of every 37th float,
// they are within 0.99 ulp, tanh within 1.1. The polynomials of exp and log are those of Cephes (S.
// L. Moshier, expf.c, logf.c), that of tanh is fitted at Chebyshev nodes of [0, 0.95].
#pragma once
#pragma GCC system_header

namespace mpsops_msl {

MPSOPS_INLINE float power_of_two(int n) {
  return __builtin_bit_cast(float, unsigned(n + 127) << 23);
}

// e^r * 2^n for |r| <= 0.35 and -200 < n < 200. Two factors, so that results below the normal range
// are rounded once. NaN stays: no number becomes an integer here.
MPSOPS_INLINE float scaled_exp(float r, int n) {
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const int half_n = n >> 1;
  return (p * (r * r) + r + 1.0f) * power_of_two(half_n) * power_of_two(n - half_n);
}

// Added to a number below 2^22, it leaves the nearest integer in the low bits.
static constexpr float kToInteger = 12582912.0f;
MPSOPS_INLINE int integer_in(float sum) {
  return int(__builtin_bit_cast(unsigned, sum) - __builtin_bit_cast(unsigned, kToInteger));
}

MPSOPS_INLINE float exp_of(float x) {
  x = x > 89.0f ? 89.0f : x;  // beyond these: infinity and 0
  x = x < -105.0f ? -105.0f : x;
  const float sum = x * 1.44269504f + kToInteger;
  const float n = sum - kToInteger;
  return scaled_exp(x - n * 0.693359375f + n * 2.12194440e-4f, integer_in(sum));
}

MPSOPS_INLINE float exp2_of(float x) {
  x = x > 129.0f ? 129.0f : x;
  x = x < -151.0f ? -151.0f : x;
  const float sum = x + kToInteger;
  return scaled_exp((x - (sum - kToInteger)) * 0.693147181f, integer_in(sum));
}

MPSOPS_INLINE float log_of(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const unsigned bits = __builtin_bit_cast(unsigned, tiny ? x * 8388608.0f : x);
  // m in [sqrt(1/2), sqrt(2)), and the exponent that goes with it.
  const unsigned above = bits - 0x3f3504f3u;
  const float e = float(int(above) >> 23) - (tiny ? 23.0f : 0.0f);
  const float m = __builtin_bit_cast(float, (above & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  const float z = m * m;
  const float y = p * m * z - e * 2.12194440e-4f - 0.5f * z;
  float result = m + y + e * 0.693359375f;
  result = x < __builtin_huge_valf() ? result : x;  // infinity and NaN
  result = x == 0.0f ? -__builtin_huge_valf() : result;
  return x < 0.0f ? __builtin_nanf("") : result;
}

MPSOPS_INLINE float tanh_of(float x) {
  const float a = __builtin_fabsf(x);
  const float z = a * a;
  float p = -4.715004470e-4f;
  p = p * z + 2.644460183e-3f;
  p = p * z - 8.350751363e-3f;
  p = p * z + 2.171951160e-2f;
  p = p * z - 5.394679308e-2f;
  p = p * z + 1.333321631e-1f;
  p = p * z - 3.333333135e-1f;
  const float small = p * z * a + a;
  const float large = 1.0f - 2.0f / (exp_of(a + a) + 1.0f);
  return __builtin_copysignf(a < 0.9f ? small : large, x);
}

}  // namespace mpsops_msl

#define __builtin_expf(x) ::mpsops_msl::exp_of(x)
#define __builtin_exp2f(x) ::mpsops_msl::exp2_of(x)
#define __builtin_logf(x) ::mpsops_msl::log_of(x)
#define __builtin_tanh(x) ::mpsops_msl::tanh_of(float(x))
