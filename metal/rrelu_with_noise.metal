// Training: noise = x <= 0 ? uniform in [lower, upper] : 1, output = x * noise, for every x.
// A thread takes four elements, neighbours in the order of the logical index, and draws one Philox
// block for them, so the draw of an element depends on seed, offset and index only, not on strides.
// One dispatch; reads the input once, writes noise and output once.
#include <c10/metal/random.h>
#include <metal_stdlib>

#include "metal/common/elementwise.h"
#include "metal/params/rrelu_with_noise.h"

using namespace metal;

// The four slopes of block `index`. The sum of products cannot overflow where upper - lower would.
inline float4 draw_slopes(long index, constant RreluWithNoiseParams& range) {
  const uint4 bits = c10::metal::philox4::rand(range.philox.seed, range.philox.offset + index);
  float4 slopes;
  for (uint i = 0; i < 4; ++i) {
    const float u = c10::metal::detail::uint32_to_uniform_float(bits[i]);
    slopes[i] =
        clamp(fma(u, range.upper, fma(-u, range.lower, range.lower)), range.lower, range.upper);
  }
  return slopes;
}

template <class T>
inline void write_slope(device T* output, device T* noise, T input, float drawn) {
  const float x = float(input);
  const float slope = x <= 0.0f ? drawn : 1.0f;
  *noise = T(slope);
  *output = T(x * slope);
}

template <class T>
[[kernel]] void rrelu_with_noise_dense(device T* output [[buffer(0)]],
                                       device T* noise [[buffer(1)]],
                                       device const T* input [[buffer(2)]],
                                       constant ElementwiseParams& params [[buffer(3)]],
                                       constant RreluWithNoiseParams& range [[buffer(4)]],
                                       uint2 position [[thread_position_in_grid]],
                                       uint2 grid [[threads_per_grid]]) {
  const ulong block = linear_index(position, grid);
  const float4 slopes = draw_slopes(long(block), range);
  for (uint i = 0; i < 4 && block * 4 + i < params.count; ++i) {
    const ulong at = block * 4 + i;
    write_slope(output + at, noise + at, input[at], slopes[i]);
  }
}

template <class T>
[[kernel]] void rrelu_with_noise_strided(
    device T* output [[buffer(0)]], device T* noise [[buffer(1)]],
    device const T* input [[buffer(2)]], constant ElementwiseParams& params [[buffer(3)]],
    constant RreluWithNoiseParams& range [[buffer(4)]], constant long* layout [[buffer(5)]],
    uint2 position [[thread_position_in_grid]], uint2 grid [[threads_per_grid]]) {
  const ulong block = linear_index(position, grid);
  const float4 slopes = draw_slopes(long(block), range);
  for (uint i = 0; i < 4 && block * 4 + i < params.count; ++i) {
    ulong offsets[3];
    operand_offsets<3>(block * 4 + i, params, layout, offsets);
    write_slope(output + offsets[0], noise + offsets[1], input[offsets[2]], slopes[i]);
  }
}

INSTANTIATE("rrelu_with_noise_dense_float32", rrelu_with_noise_dense, float)
INSTANTIATE_BFLOAT("rrelu_with_noise_dense_bfloat16", rrelu_with_noise_dense, bfloat)
INSTANTIATE("rrelu_with_noise_strided_float32", rrelu_with_noise_strided, float)
INSTANTIATE_BFLOAT("rrelu_with_noise_strided_bfloat16", rrelu_with_noise_strided, bfloat)
