// binomial: numbers of successes in floor(count) trials, of the given probability. Elementwise: one
// thread per 1 or 4 elements, one dispatch, each element read and written once.
//
// p > 1/2 counts the failures instead. Otherwise, with n trials:
//
//   n p < 10    trials up to each success, geometric, until they exceed n
//   others      transformed rejection, BTRS of Hoermann, "The generation of binomial random
//               variates" (1993): 1.2 to 1.5 pairs of numbers
//
// As in metal/poisson.metal a count is judged by its distance from n p, which is known to two
// floats: probabilities are off by 2e-6 of themselves for any n. From 2^24 on counts are rounded.
#include "metal/common/elementwise.h"
#include "metal/common/float_float.h"
#include "metal/common/random.h"
#include "metal/common/stirling.h"

// -log(1 - x) for 0 <= x <= 1: the rounding error of 1 - x cancels (Kahan).
inline float minus_log_complement(float x) {
  const float u = 1.0f - x;
  return u == 1.0f ? x : x * metal::precise::log(u) / (u - 1.0f);
}

inline float binomial_by_waiting(float n, float p, thread PhiloxStream& stream) {
  const float rate = minus_log_complement(p);
  float trials = 0.0f;
  for (float k = 0.0f;; k += 1.0f) {
    const float wait = metal::ceil(minus_log_complement(next_fine_uniform(stream)) / rate);
    trials += metal::max(wait, 1.0f);
    if (trials > n) {
      return k;
    }
  }
}

// log of the probability of k successes but for its root and a term of n alone; `difference` is
// k - n p.
inline float binomial_log_height(float k, float n, float mean, float difference) {
  return -(stirling_error(k) + stirling_error(n - k) + deviance(k, mean, difference) +
           deviance(n - k, n - mean, -difference));
}

inline float binomial_by_rejection(float n, float p, thread PhiloxStream& stream) {
  const FloatFloat mean = two_product(n, p);
  const float deviation = metal::precise::sqrt(mean.hi * (1.0f - p));
  const float b = metal::fma(2.53f, deviation, 1.15f);
  const float a = metal::fma(0.0248f, b, metal::fma(0.01f, p, -0.0873f));
  const float alpha = (2.83f + 5.1f / b) * deviation;
  const float inner = 0.92f - 4.2f / b;
  const float whole = metal::floor(mean.hi);
  const float fraction = (mean.hi - whole) + mean.lo;
  const float mode = whole + metal::floor(fraction + p);
  const float mode_log = binomial_log_height(mode, n, mean.hi, (mode - whole) - fraction);
  for (;;) {
    const CenteredUniform u = next_centered_uniform(stream);
    const float v = next_uniform(stream);
    const float step = metal::floor(metal::fma(2.0f * a / u.margin + b, u.value, fraction + 0.5f));
    const float k = whole + step;
    if (k < 0.0f || k > n) {
      continue;
    }
    if (u.margin >= 0.07f && v <= inner) {
      return k;
    }
    const float root = metal::precise::sqrt(stirling_root(k) / mode) *
                       metal::precise::sqrt(stirling_root(n - k) / (n - mode));
    const float height = v * alpha / (a / (u.margin * u.margin) + b) * root;
    if (metal::precise::log(height) <=
        binomial_log_height(k, n, mean.hi, step - fraction) - mode_log) {
      return k;
    }
  }
}

inline float sample_binomial(float count, float probability, thread PhiloxStream& stream) {
  if (count <= 0.0f || probability <= 0.0f) {
    return 0.0f;
  }
  if (probability >= 1.0f) {
    return count;
  }
  if (metal::isnan(probability) || !metal::isfinite(count)) {
    return count + probability;
  }
  const float n = metal::floor(count);
  const bool failures = probability > 0.5f;
  const float p = failures ? 1.0f - probability : probability;
  const float k =
      n * p < 10.0f ? binomial_by_waiting(n, p, stream) : binomial_by_rejection(n, p, stream);
  return failures ? count - k : k;
}

template <class T>
[[kernel]] void binomial_dense(device T* output [[buffer(0)]], device const T* counts [[buffer(1)]],
                               device const T* probabilities [[buffer(2)]],
                               constant ElementwiseParams& params [[buffer(3)]],
                               constant PhiloxParams& philox [[buffer(4)]],
                               uint2 position [[thread_position_in_grid]],
                               uint2 grid [[threads_per_grid]]) {
  const ulong first = linear_index(position, grid);
  if (first >= params.threads) {
    return;
  }
  for (ulong index = first; index < params.count; index += params.threads) {
    PhiloxStream stream = philox_stream(philox, index);
    output[index] = T(sample_binomial(float(counts[index]), float(probabilities[index]), stream));
  }
}

template <class T>
[[kernel]] void binomial_strided(
    device T* output [[buffer(0)]], device const T* counts [[buffer(1)]],
    device const T* probabilities [[buffer(2)]], constant ElementwiseParams& params [[buffer(3)]],
    constant PhiloxParams& philox [[buffer(4)]], constant long* layout [[buffer(5)]],
    uint2 position [[thread_position_in_grid]], uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong offsets[3];
  operand_offsets<3>(index, params, layout, offsets);
  PhiloxStream stream = philox_stream(philox, index);
  output[offsets[0]] =
      T(sample_binomial(float(counts[offsets[1]]), float(probabilities[offsets[2]]), stream));
}

INSTANTIATE("binomial_dense_float32", binomial_dense, float)
INSTANTIATE("binomial_strided_float32", binomial_strided, float)
