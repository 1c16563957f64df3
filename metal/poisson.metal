// poisson: counts with the rates of the input. Elementwise: one thread per 1 or 4 elements, one
// dispatch, each element read and written once.
//
//   rate < 1    uniforms multiplied until they fall below exp(-rate) (Knuth), in the complement
//               1 - product, which keeps small rates exact
//   rate < 10   the same in the product itself
//   others      transformed rejection, PTRS of Hoermann, "The transformed rejection method for
//               generating Poisson random variables" (1993): 1.2 to 1.3 pairs of numbers
//
// Above, a count is floor(rate) plus a whole step, and is judged by that step: nothing of the size
// of lgamma(rate) is rounded, whatever the rate. Probabilities are off by 1e-6 of themselves. From
// 2^24 on counts are rounded to float.
#include "metal/common/device_flag.h"
#include "metal/common/elementwise.h"
#include "metal/common/random.h"
#include "metal/common/stirling.h"

// 1 - exp(-x) for x > 0: the rounding error of exp cancels (Kahan).
inline float one_minus_exp(float x) {
  const float u = metal::precise::exp(-x);
  return u == 1.0f ? x : (u - 1.0f) * x / metal::precise::log(u);
}

inline float small_poisson(float rate, thread PhiloxStream& stream) {
  const float limit = one_minus_exp(rate);
  float passed = 0.0f;
  for (float k = 0.0f;; k += 1.0f) {
    passed = metal::fma(next_fine_uniform(stream), 1.0f - passed, passed);
    if (passed >= limit) {
      return k;
    }
  }
}

inline float medium_poisson(float rate, thread PhiloxStream& stream) {
  const float limit = metal::precise::exp(-rate);
  float product = 1.0f;
  for (float k = 0.0f;; k += 1.0f) {
    product *= next_uniform(stream);
    if (product <= limit) {
      return k;
    }
  }
}

inline float large_poisson(float rate, thread PhiloxStream& stream) {
  const float b = metal::fma(2.53f, metal::precise::sqrt(rate), 0.931f);
  const float a = metal::fma(0.02483f, b, -0.059f);
  const float inverse_alpha = 1.1239f + 1.1328f / (b - 3.4f);
  const float inner = 0.9277f - 3.6224f / (b - 2.0f);
  const float whole = metal::floor(rate);
  const float fraction = rate - whole;
  for (;;) {
    const CenteredUniform u = next_centered_uniform(stream);
    const float v = next_uniform(stream);
    const float step = metal::floor(metal::fma(2.0f * a / u.margin + b, u.value, fraction + 0.43f));
    const float k = whole + step;
    if (u.margin >= 0.07f && v <= inner) {
      return k;
    }
    if (k < 0.0f || (u.margin < 0.013f && v > u.margin)) {
      continue;
    }
    // sqrt(2 pi) is 2.50662827.
    const float height = v * inverse_alpha / (a / (u.margin * u.margin) + b) * 2.50662827f *
                         metal::precise::sqrt(stirling_root(k));
    if (metal::precise::log(height) <= -stirling_error(k) - deviance(k, rate, step - fraction)) {
      return k;
    }
  }
}

// NaN and negative rates raise, as in the CPU kernel.
inline float sample_poisson(float rate, thread PhiloxStream& stream,
                            device metal::atomic_uint* flag) {
  if (!(rate >= 0.0f)) {
    raise_flag(flag, 1);
    return NAN;
  }
  if (rate == 0.0f) {
    return 0.0f;
  }
  if (metal::isinf(rate)) {
    return rate;
  }
  if (rate < 1.0f) {
    return small_poisson(rate, stream);
  }
  return rate < 10.0f ? medium_poisson(rate, stream) : large_poisson(rate, stream);
}

template <class T>
[[kernel]] void poisson_dense(device T* output [[buffer(0)]], device const T* rates [[buffer(1)]],
                              constant ElementwiseParams& params [[buffer(2)]],
                              constant PhiloxParams& philox [[buffer(3)]],
                              device metal::atomic_uint* flag [[buffer(4)]],
                              uint2 position [[thread_position_in_grid]],
                              uint2 grid [[threads_per_grid]]) {
  const ulong first = linear_index(position, grid);
  if (first >= params.threads) {
    return;
  }
  for (ulong index = first; index < params.count; index += params.threads) {
    PhiloxStream stream = philox_stream(philox, index);
    output[index] = T(sample_poisson(float(rates[index]), stream, flag));
  }
}

template <class T>
[[kernel]] void poisson_strided(device T* output [[buffer(0)]], device const T* rates [[buffer(1)]],
                                constant ElementwiseParams& params [[buffer(2)]],
                                constant PhiloxParams& philox [[buffer(3)]],
                                device metal::atomic_uint* flag [[buffer(4)]],
                                constant long* layout [[buffer(5)]],
                                uint2 position [[thread_position_in_grid]],
                                uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= params.count) {
    return;
  }
  ulong offsets[2];
  operand_offsets<2>(index, params, layout, offsets);
  PhiloxStream stream = philox_stream(philox, index);
  output[offsets[0]] = T(sample_poisson(float(rates[offsets[1]]), stream, flag));
}

INSTANTIATE_FLOATING("poisson_dense", poisson_dense)
INSTANTIATE_FLOATING("poisson_strided", poisson_strided)
