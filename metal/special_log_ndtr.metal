// special_log_ndtr: log(Phi(x)), Phi the normal distribution function. Elementwise: one thread per
// 1 or 4 elements, one dispatch, each element read and written once.
//
// Float only, with M(a) = Phi(-a) / phi(a), the Mills ratio:
//   x < -1        log(M(-x)) - x^2 / 2 - log(sqrt(2 pi)), summed in two floats
//   -1 <= x <= 1  minimax polynomials
//   x > 1         log(1 - Q) = -Q - Q^2 * poly(Q) with Q = phi(x) * M(x), exponent in two floats
// The coefficients are fits made for this file against 50-digit arithmetic. Error at
// most, in ulp (CPU float32 kernel): x < -3 0.9 (3.1), x <= 1 2.1 (4.7), x > 1 4.0 (195).
#include "metal/common/elementwise.h"
#include "metal/common/float_float.h"

// M * (a + 2) in (a - 5) / (a + 2), a >= 1.
constant constexpr float kMills[] = {1.3496567f,       -0.412357569f,   0.0569667108f,
                                     0.010349649f,     -0.00428544311f, -0.000765156234f,
                                     0.00036448153f,   0.000108844462f, -2.42791193e-05f,
                                     -1.31365596e-05f, -8.45580075e-07f};
// log(Phi(x)) on [-1, 0], and in x - 1 on [0, 1].
constant constexpr float kLogPhiLow[] = {-0.693147182f,    0.797884583f,     -0.318309873f,
                                         0.036335595f,     0.00478198892f,   -3.77101824e-05f,
                                         -0.000214290645f, -5.62736532e-05f, -6.10448706e-06f};
constant constexpr float kLogPhiHigh[] = {-0.172753781f,    0.287599981f,    -0.185156986f,
                                          0.0492849573f,    1.51147751e-05f, -0.00194789364f,
                                          -0.000263744092f, 7.28667292e-05f, 2.21074588e-05f};
// (-log(1 - Q) - Q) / Q^2 for Q <= Phi(-1).
constant constexpr float kLogOneMinus[] = {0.49999997f,  0.333336681f, 0.249864057f,
                                           0.202489272f, 0.144140735f, 0.238043159f};

inline float mills_ratio(float a) {
  const float shifted = a + 2.0f;
  return polynomial((a - 5.0f) / shifted, kMills, 10) / shifted;
}

struct LogNdtr {
  float operator()(float x) const {
    if (x < -1.0f) {
      if (x < -1e10f) {
        return -0.5f * x * x;
      }
      FloatFloat half_square = two_product(x, x);
      half_square.hi *= -0.5f;
      half_square.lo *= -0.5f;
      const FloatFloat log_mills = log_float_float(mills_ratio(-x));
      const FloatFloat rest = add(log_mills, FloatFloat{-0.918938518f, -1.56341766e-08f});
      const FloatFloat sum = add(half_square, rest);
      return sum.hi + sum.lo;
    }
    if (x <= 0.0f) {
      return polynomial(x, kLogPhiLow, 8);
    }
    if (x <= 1.0f) {
      return polynomial(x - 1.0f, kLogPhiHigh, 8);
    }
    if (metal::isnan(x)) {
      return x;
    }
    if (x > 20.0f) {
      return -0.0f;
    }
    FloatFloat exponent = two_product(x, x);
    exponent.hi *= -0.5f;
    exponent.lo *= -0.5f;
    const float q = scaled_exp(exponent, 0.398942292f * mills_ratio(x));
    return -metal::fma(q * q, polynomial(q, kLogOneMinus, 5), q);
  }
};

INSTANTIATE_UNARY_FLOAT32("special_log_ndtr", LogNdtr)
