// The observer of fused fake quantization, for a tensor or for each of its rows:
//   running_min += c (min(x) - running_min), or min(x) where running_min is infinite; as for max
//   scale, zero_point = those that spread running_min..running_max and 0 over the quantized range
// each only if its switch on the device is on. metal/fake_quantize.metal then quantizes.
//
// Threadgroups take a row each, or share one that is long (metal/common/channels.h): one dispatch,
// and where groups share a row a second that combines their extremes, 8 bytes per group. Reads x
// once, or not at all while the observer is off. Minima and maxima are of integers in the order of
// the floats, hence the same in every order; a NaN wins.
//
// scale and zero_point are FBGEMM's, which the CPU uses on x86, and computes in double where one
// rounding would decide about an integer: here too (metal/common/soft_double.h).
#include <metal_stdlib>

#include "metal/common/channels.h"
#include "metal/common/fake_quantize.h"
#include "metal/common/reduce.h"
#include "metal/common/soft_double.h"
#include "metal/params/fused_moving_avg_obs_fq.h"

#pragma clang fp contract(off)

using namespace metal;

// Keys in the order of the floats. Of the largest the complement is kept, so that for both the
// smallest key wins, and that of NaN is 0.
struct Extremes {
  uint lowest;
  uint highest;
};

inline uint ordered_key(float value) {
  const uint bits = as_type<uint>(value);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}

inline float from_key(uint key) {
  return as_type<float>((key >> 31) != 0 ? key ^ 0x80000000u : ~key);
}

inline Extremes with(Extremes so_far, float value) {
  const bool nan = value != value;
  const uint key = ordered_key(value);
  so_far.lowest = min(so_far.lowest, nan ? 0u : key);
  so_far.highest = min(so_far.highest, nan ? 0u : ~key);
  return so_far;
}

struct Qparams {
  float scale;
  int zero_point;
};

// As fbgemm::ChooseQuantizationParams, including what NaN and infinities come to on x86.
inline int zero_point_of_infinite(float low, float high, float scale, int quant_min,
                                  int quant_max) {
  const float below = low / scale;
  const float above = high / scale;
  const float min_error = fabs(float(quant_min)) + fabs(below);
  const float max_error = fabs(float(quant_max)) + fabs(above);
  const float zero_point =
      min_error < max_error ? float(quant_min) - below : float(quant_max) - above;
  if (zero_point < float(quant_min)) {
    return quant_min;
  }
  if (zero_point > float(quant_max)) {
    return quant_max;
  }
  return zero_point != zero_point ? int(0x80000000u) : int(rint(zero_point));
}

inline int zero_point_of_finite(float low, float high, float scale, int quant_min, int quant_max) {
  const SoftDouble unit = soft_double(scale);
  const SoftDouble below = divide(soft_double(low), unit);
  const SoftDouble above = divide(soft_double(high), unit);
  const SoftDouble first = soft_double(quant_min);
  const SoftDouble last = soft_double(quant_max);
  const SoftDouble min_error = add(absolute(first), absolute(below));
  const SoftDouble max_error = add(absolute(last), absolute(above));
  const SoftDouble zero_point =
      less(min_error, max_error) ? add(first, negate(below)) : add(last, negate(above));
  if (less(zero_point, first)) {
    return quant_min;
  }
  if (less(last, zero_point)) {
    return quant_max;
  }
  return nearest_int(zero_point);
}

// Scales below 2^-128, whose reciprocals are infinite, and zero. Bits, because Apple GPUs flush
// subnormal operands.
inline bool has_no_reciprocal(float scale) {
  return (as_type<uint>(scale) & 0x7fffffffu) <= 0x00200000u;
}

inline Qparams choose_qparams(float low, float high, int quant_min, int quant_max, bool symmetric) {
  const int range = int(uint(quant_max) - uint(quant_min));
  const bool centered = low < 0.0f && high > 0.0f && symmetric;
  if (centered) {
    const int lowest = -(range / 2 + 1);
    const int highest = range / 2;
    const float first = fabs(low / float(lowest));
    const float second = fabs(high / float(highest));
    const float unit = first < second ? second : first;
    low = isfinite(unit) ? to_float(multiply(unit, lowest)) : unit * float(lowest);
    high = isfinite(unit) ? to_float(multiply(unit, highest)) : unit * float(highest);
  }
  low = 0.0f < low ? 0.0f : low;
  high = high < 0.0f ? 0.0f : high;

  Qparams result;
  if (isfinite(low) && isfinite(high) && range != 0) {
    const SoftDouble width = add(soft_double(high), negate(soft_double(low)));
    result.scale = to_float(divide(width, soft_double(range)));
  } else {
    result.scale = (high - low) / float(range);
  }
  if (has_no_reciprocal(result.scale)) {
    result.scale = 0.1f;
  }
  constexpr float kSmallest = 6.1e-5f;
  if (result.scale < kSmallest) {
    const float factor = kSmallest / result.scale;
    result.scale = kSmallest;
    if (low == 0.0f) {
      high = kSmallest * float(range);
    } else if (high == 0.0f) {
      low = -kSmallest * float(range);
    } else {
      low *= factor;
      high *= factor;
    }
  }
  if (low < 0.0f && high > 0.0f && symmetric) {
    const SoftDouble sum = soft_double(int(uint(quant_min) + uint(quant_max)));
    result.zero_point = nearest_int(divide(sum, soft_double(2)));
    result.zero_point = min(max(result.zero_point, quant_min), quant_max);
  } else if (isfinite(low) && isfinite(high) && isfinite(result.scale)) {
    result.zero_point = zero_point_of_finite(low, high, result.scale, quant_min, quant_max);
  } else {
    result.zero_point = zero_point_of_infinite(low, high, result.scale, quant_min, quant_max);
  }
  return result;
}

inline bool observes(device const uchar* observer_on, constant FusedObserverParams& params) {
  return params.observes != 0 && is_switched_on(observer_on, params.observer_dtype);
}

inline float moved(float running, float value, float averaging_constant) {
  return isinf(running) ? value : running + averaging_constant * (value - running);
}

// One thread's: all that depends on the extremes of a row.
inline void update_row(ulong row, bool observed, Extremes extremes, device float* running_min,
                       device float* running_max, device float* scale, device int* zero_point,
                       device const uchar* fake_quant_on, constant FusedObserverParams& params) {
  if (observed) {
    const float c = params.averaging_constant;
    const float low = extremes.lowest == 0 ? NAN : from_key(extremes.lowest);
    const float high = extremes.highest == 0 ? NAN : from_key(~extremes.highest);
    running_min[row] = moved(running_min[row], low, c);
    running_max[row] = moved(running_max[row], high, c);
  }
  if (is_switched_on(fake_quant_on, params.fake_quant_dtype)) {
    const Qparams chosen = choose_qparams(running_min[row], running_max[row], params.quant_min,
                                          params.quant_max, params.symmetric != 0);
    scale[row] = chosen.scale;
    zero_point[row] = chosen.zero_point;
  }
}

kernel void fused_moving_avg_obs_fq_observe(
    device const float* input [[buffer(0)]], device uint2* partials [[buffer(1)]],
    device float* running_min [[buffer(2)]], device float* running_max [[buffer(3)]],
    device float* scale [[buffer(4)]], device int* zero_point [[buffer(5)]],
    device const uchar* observer_on [[buffer(6)]], device const uchar* fake_quant_on [[buffer(7)]],
    constant FusedObserverParams& params [[buffer(8)]],
    constant ChannelsParams& channels [[buffer(9)]],
    constant ElementwiseParams& elements [[buffer(10)]], constant long* layout [[buffer(11)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup uint shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const ulong index = linear_index(group, groups);
  const ChannelPart part = channel_part(index, thread_index, threads.x, channels);
  const bool observed = observes(observer_on, params);
  Extremes extremes = {~0u, ~0u};
  if (observed) {
    for (ulong i = part.first; i < elements.count; i += part.step) {
      ulong offsets[1];
      channel_offsets<1>(part, i, channels, elements, layout, offsets);
      extremes = with(extremes, input[offsets[0]]);
    }
  }
  extremes.lowest = group_min(extremes.lowest, shared, at);
  extremes.highest = group_min(extremes.highest, shared, at);
  if (thread_index != 0) {
    return;
  }
  if (channels.splits > 1) {
    partials[index] = uint2(extremes.lowest, extremes.highest);
  } else {
    update_row(part.channel, observed, extremes, running_min, running_max, scale, zero_point,
               fake_quant_on, params);
  }
}

// One simdgroup for each row.
kernel void fused_moving_avg_obs_fq_total(
    device const uint2* partials [[buffer(0)]], device float* running_min [[buffer(1)]],
    device float* running_max [[buffer(2)]], device float* scale [[buffer(3)]],
    device int* zero_point [[buffer(4)]], device const uchar* observer_on [[buffer(5)]],
    device const uchar* fake_quant_on [[buffer(6)]],
    constant FusedObserverParams& params [[buffer(7)]],
    constant ChannelsParams& channels [[buffer(8)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint lane [[thread_index_in_simdgroup]]) {
  const ulong row = linear_index(group, groups);
  const bool observed = observes(observer_on, params);
  Extremes extremes = {~0u, ~0u};
  if (observed) {
    for (uint i = lane; i < channels.splits; i += 32) {
      const uint2 part = partials[row * channels.splits + i];
      extremes.lowest = min(extremes.lowest, part.x);
      extremes.highest = min(extremes.highest, part.y);
    }
  }
  extremes.lowest = simd_min(extremes.lowest);
  extremes.highest = simd_min(extremes.highest);
  if (lane == 0) {
    update_row(row, observed, extremes, running_min, running_max, scale, zero_point, fake_quant_on,
               params);
  }
}
