// Gradient of fake quantization with a learnable scale and zero point. With q = round(zero_point +
// x / scale), rounded to even:
//   inside the range   dx = dy, dscale = dy (xfq - x) / scale, dzero_point = 0
//   outside            dx = 0,  dscale = dy (end of the range - zero_point), dzero_point = -dy
//   scale
// The last two are summed over the tensor or over each channel and, as all are, scaled by
// grad_factor.
//
// Threadgroups take a channel each, or share one that is long (metal/common/channels.h). One
// dispatch; where groups share a channel a second adds their partial sums, in the same order in
// every run. Reads x and dy once and writes dx once. Channels that are not the outermost dimension
// are read in pieces as long as what lies inside of them.
#include <metal_stdlib>

#include "metal/common/channels.h"
#include "metal/common/fake_quantize.h"
#include "metal/common/reduce.h"
#include "metal/params/fake_quantize_learnable.h"

#pragma clang fp contract(off)

using namespace metal;

inline float clamp_keeping_nan(float value, float low, float high) {
  return value < low ? low : (value > high ? high : value);
}

inline float used_zero_point(float zero_point, constant FakeQuantizeLearnableParams& params) {
  const float low = float(params.quant_min);
  const float high = float(params.quant_max);
  if (params.adds_half != 0) {
    return trunc(clamp_keeping_nan(zero_point + 0.5f, low, high));
  }
  return clamp_keeping_nan(rint(zero_point), low, high);
}

struct LearnableGradients {
  float input;
  float scale;
  float zero_point;
};

inline LearnableGradients gradients(float x, float dy, float scale, float zero_point,
                                    constant FakeQuantizeLearnableParams& params) {
  const float inverse = 1.0f / scale;
  const float q = rint(fma(x, inverse, zero_point));
  const Bounded bounded = bound(q, params.quant_min, params.quant_max);
  LearnableGradients result;
  if (bounded.inside) {
    const float error = fma(float(bounded.value) - zero_point, scale, -x);
    result.input = dy;
    result.scale = dy * error * inverse * params.grad_factor;
    result.zero_point = 0.0f;
  } else {
    const bool above = q >= float(params.quant_max);
    const float edge = float(above ? params.quant_max : params.quant_min) - zero_point;
    // NaN where the zero point is: the CPU raises.
    const bool nan = zero_point != zero_point;
    result.input = dy * (nan ? zero_point : 0.0f);
    result.scale = dy * edge * params.grad_factor;
    result.zero_point = (nan ? zero_point : -dy) * scale * params.grad_factor;
  }
  return result;
}

template <class T>
kernel void fake_quantize_learnable_backward(
    device float* grad_input [[buffer(0)]], device const T* input [[buffer(1)]],
    device const T* grad_output [[buffer(2)]], device const uchar* scales [[buffer(3)]],
    device const uchar* zero_points [[buffer(4)]], device float* grad_scale [[buffer(5)]],
    device float* grad_zero_point [[buffer(6)]], device float2* partials [[buffer(7)]],
    constant FakeQuantizeLearnableParams& params [[buffer(8)]],
    constant ChannelsParams& channels [[buffer(9)]],
    constant ElementwiseParams& elements [[buffer(10)]], constant long* layout [[buffer(11)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const ulong index = linear_index(group, groups);
  const ChannelPart part = channel_part(index, thread_index, threads.x, channels);
  const float scale =
      load_cast<float>(scales, part.channel * ulong(params.scale_stride), params.scale_dtype, 0.0f);
  const float zero_point =
      used_zero_point(load_cast<float>(zero_points, part.channel * ulong(params.zero_point_stride),
                                       params.zero_point_dtype, 0.0f),
                      params);
  float2 sums = float2(0.0f, 0.0f);
  for (ulong i = part.first; i < elements.count; i += part.step) {
    ulong offsets[3];
    channel_offsets<3>(part, i, channels, elements, layout, offsets);
    const LearnableGradients found = gradients(
        float(input[offsets[1]]), float(grad_output[offsets[2]]), scale, zero_point, params);
    grad_input[offsets[0]] = found.input;
    sums.x += found.scale;
    sums.y += found.zero_point;
  }
  sums.x = group_sum(sums.x, shared, at);
  sums.y = group_sum(sums.y, shared, at);
  if (thread_index != 0) {
    return;
  }
  if (channels.splits > 1) {
    partials[index] = sums;
  } else {
    grad_scale[part.channel] = sums.x;
    grad_zero_point[part.channel] = sums.y;
  }
}

// One simdgroup for each channel.
kernel void fake_quantize_learnable_total(device float* grad_scale [[buffer(0)]],
                                          device float* grad_zero_point [[buffer(1)]],
                                          device const float2* partials [[buffer(2)]],
                                          constant ChannelsParams& channels [[buffer(3)]],
                                          uint2 group [[threadgroup_position_in_grid]],
                                          uint2 groups [[threadgroups_per_grid]],
                                          uint lane [[thread_index_in_simdgroup]]) {
  const ulong channel = linear_index(group, groups);
  float2 sums = float2(0.0f, 0.0f);
  for (uint i = lane; i < channels.splits; i += 32) {
    sums += partials[channel * channels.splits + i];
  }
  const float scale_sum = simd_sum(sums.x);
  const float zero_point_sum = simd_sum(sums.y);
  if (lane == 0) {
    grad_scale[channel] = scale_sum;
    grad_zero_point[channel] = zero_point_sum;
  }
}

INSTANTIATE("fake_quantize_learnable_backward_float32", fake_quantize_learnable_backward, float)
INSTANTIATE_BFLOAT("fake_quantize_learnable_backward_bfloat16", fake_quantize_learnable_backward,
                   bfloat)
