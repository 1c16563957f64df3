// Log-probabilities of counts near their mean, without the cancellation that lgamma brings: the
// saddle-point form of Loader, "Fast and accurate computation of binomial probabilities" (2000),
//
//   log(k^k / k! exp(-k)) = -log(2 pi k) / 2 - stirling_error(k)
//   log Poisson(k; mean)  = -log(2 pi k) / 2 - stirling_error(k) - deviance(k, mean)
//
// where both terms are small and float carries them: 1e-6 absolute where the probability matters.
#pragma once
#include <metal_stdlib>

constant constexpr float kStirlingErrors[] = {0.0f, 0.0810614668f, 0.0413406960f, 0.0276779257f,
                                              0.0207906721f};

// log(k!) - log(2 pi k) / 2 - k log(k) + k for whole k > 0; 0 for k = 0, whose 2 pi k counts as 1.
inline float stirling_error(float k) {
  if (k < 5.0f) {
    return kStirlingErrors[uint(k)];
  }
  const float inverse = 1.0f / k;
  const float square = inverse * inverse;
  return inverse *
         metal::fma(square, metal::fma(square, 7.93650794e-4f, -2.77777778e-3f), 0.0833333333f);
}

// 2 pi k / (2 pi), with the value that makes stirling_error(0) = 0.
inline float stirling_root(float k) {
  return k == 0.0f ? 0.159154943f : k;
}

// k log(k / mean) - (k - mean). `difference` is k - mean, which the caller knows more exactly.
inline float deviance(float k, float mean, float difference) {
  if (k == 0.0f) {
    return mean;
  }
  if (metal::fabs(difference) < 0.1f * (k + mean)) {
    const float v = difference / (k + mean);
    const float square = v * v;
    const float series =
        square * metal::fma(square, metal::fma(square, 0.142857143f, 0.2f), 0.333333333f);
    return v * metal::fma(2.0f * k, series, difference);
  }
  return metal::fma(k, metal::precise::log(k / mean), -difference);
}
