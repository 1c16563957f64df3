// Training: noise = x <= 0 ? uniform in [lower, upper] : 1, output = x * noise, for every x.
// A thread takes four elements, neighbours in the order of the logical index, and draws one Philox
// block for them, so the draw of an element depends on seed, offset and index only, not on strides.
// One dispatch; reads the input once, writes noise and output once.
#include <c10/metal/random.h>
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/rrelu_with_noise.h"

using namespace metal;

// The four slopes of block `index`. The sum of products cannot overflow where upper - lower would.
inline float4 draw_slopes(long index, constant RreluWithNoiseParams& params) {
  const uint4 bits = c10::metal::philox4::rand(params.philox.seed, params.philox.offset + index);
  float4 slopes;
  for (uint i = 0; i < 4; ++i) {
    const float u = c10::metal::detail::uint32_to_uniform_float(bits[i]);
    slopes[i] = clamp(fma(u, params.upper, fma(-u, params.lower, params.lower)), params.lower,
                      params.upper);
  }
  return slopes;
}

template <typename T>
kernel void rrelu_with_noise(device T* output [[buffer(0)]], device T* noise [[buffer(1)]],
                             device const T* input [[buffer(2)]],
                             constant RreluWithNoiseParams& params [[buffer(3)]],
                             uint2 position [[thread_position_in_grid]],
                             uint2 grid [[threads_per_grid]]) {
  const long block = linear_index(position, grid);
  const float4 slopes = draw_slopes(block, params);
  for (uint i = 0; i < 4 && block * 4 + i < params.count; ++i) {
    const long at = block * 4 + i;
    const float x = float(input[at]);
    const float slope = x <= 0.0f ? slopes[i] : 1.0f;
    noise[at] = T(slope);
    output[at] = T(x * slope);
  }
}

template <typename T>
kernel void rrelu_with_noise_strided(device T* output [[buffer(0)]], device T* noise [[buffer(1)]],
                                     device const T* input [[buffer(2)]],
                                     constant RreluWithNoiseParams& params [[buffer(3)]],
                                     constant RreluWithNoiseStrides& strides [[buffer(4)]],
                                     uint2 position [[thread_position_in_grid]],
                                     uint2 grid [[threads_per_grid]]) {
  const long block = linear_index(position, grid);
  const float4 slopes = draw_slopes(block, params);
  for (uint i = 0; i < 4 && block * 4 + i < params.count; ++i) {
    long rest = block * 4 + i;
    long input_at = 0;
    long noise_at = 0;
    long output_at = 0;
    for (uint k = 0; k < strides.dimensions; ++k) {
      const long index = rest % strides.size[k];
      rest /= strides.size[k];
      input_at += index * strides.input[k];
      noise_at += index * strides.noise[k];
      output_at += index * strides.output[k];
    }
    const float x = float(input[input_at]);
    const float slope = x <= 0.0f ? slopes[i] : 1.0f;
    noise[noise_at] = T(slope);
    output[output_at] = T(x * slope);
  }
}

INSTANTIATE("rrelu_with_noise_float32", rrelu_with_noise, float)
INSTANTIATE_BFLOAT("rrelu_with_noise_bfloat16", rrelu_with_noise, bfloat)
INSTANTIATE("rrelu_with_noise_strided_float32", rrelu_with_noise_strided, float)
INSTANTIATE_BFLOAT("rrelu_with_noise_strided_bfloat16", rrelu_with_noise_strided, bfloat)
