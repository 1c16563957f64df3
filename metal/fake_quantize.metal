// Fake quantization and its mask: q = round(x / scale) + zero_point, output = (clamp(q) -
// zero_point) * scale, mask = quant_min <= q <= quant_max; ties go to even, and 1 / scale is
// multiplied with, as on the CPU. Elementwise: one thread per 1 or 4 elements, one dispatch, each
// element read and written once. Scale, zero point and the switch that turns it all off are read
// by every thread, from a tensor of one value or from one with a value for each channel.
//
// NaN lies below the range, infinities lie where their sign says. The CPU's kernel for channels
// converts them to int64 first, which C++ leaves undefined: x86 has +inf below the range, Arm has
// NaN at 0.
#include <metal_stdlib>

#include "metal/common/device_flag.h"
#include "metal/common/elementwise.h"
#include "metal/common/fake_quantize.h"
#include "metal/common/float_float.h"
#include "metal/params/fake_quantize.h"

using namespace metal;

struct FakeQuantized {
  float value;
  bool inside;
};

inline bool is_on(device const uchar* enabled, constant FakeQuantizeParams& params) {
  if (params.has_switch == 0) {
    return true;
  }
  return is_switched_on(enabled, params.enabled_dtype);
}

struct TensorQparams {
  float scale;
  float inverse;
  long zero_point;
};

// Values that the CPU cannot take as an int raise the flag.
inline long load_zero_point(device const uchar* data, uint dtype, device atomic_uint* flag) {
  long value = 0;
  bool fits = true;
  if (is_real(dtype)) {
    const float real = load_cast<float>(data, 0, dtype, 0.0f);
    fits = real >= -2147483648.0f && real < 2147483648.0f;
    value = fits ? long(real) : 0;
  } else {
    value = load_cast<long>(data, 0, dtype, 0.0f);
    fits = value >= -2147483648l && value <= 2147483647l;
  }
  if (!fits) {
    raise_flag(flag, 1);
    return 0;
  }
  return value;
}

inline TensorQparams tensor_qparams(device const uchar* scale, device const uchar* zero_point,
                                    device atomic_uint* flag, constant FakeQuantizeParams& params) {
  TensorQparams result;
  result.scale = params.scale;
  result.zero_point = params.zero_point;
  if (params.source != kZeroPointGiven) {
    result.scale = load_cast<float>(scale, 0, params.scale_dtype, 0.0f);
    if (params.source == kZeroPointInteger) {
      result.zero_point = load_zero_point(zero_point, params.zero_point_dtype, flag);
    } else {
      const float real = load_cast<float>(zero_point, 0, params.zero_point_dtype, 0.0f);
      result.zero_point = rounded_zero_point(real, params.quant_min, params.quant_max);
      result.scale = real != real ? real : result.scale;
    }
  }
  result.inverse = 1.0f / result.scale;
  return result;
}

// The ends of the range are compared as floats, as on the CPU.
inline FakeQuantized quantize(float x, TensorQparams qparams, constant FakeQuantizeParams& params) {
  const float q = float(qparams.zero_point) + rint(x * qparams.inverse);
  FakeQuantized result;
  result.inside = float(params.quant_min) <= q && q <= float(params.quant_max);
  const long bounded = bound(q, params.quant_min, params.quant_max).value;
  result.value = float(bounded - qparams.zero_point) * qparams.scale;
  return result;
}

// a * b, rounded once though `a` may be longer than a float.
inline float multiply_long(long a, float b) {
  const float high = float(a);
  const float low = float(a - long(high));
  return low == 0.0f ? high * b : fma(high, b, low * b);
}

// (a - zero_point) * scale, rounded once but for ties.
inline float dequantize_real(long a, float zero_point, float scale) {
  const float plain = (float(a) - zero_point) * scale;
  if (!isfinite(plain)) {
    return plain;
  }
  const float high = float(a);
  const FloatFloat exact = {high, float(a - long(high))};
  return multiply(add(exact, -zero_point), scale).hi;
}

inline FakeQuantized quantize_in_channel(float x, device const uchar* scales, ulong scale_at,
                                         device const uchar* zero_points, ulong zero_point_at,
                                         device atomic_uint* flag,
                                         constant FakeQuantizeParams& params) {
  FakeQuantized result;
  float scale = load_cast<float>(scales, scale_at, params.scale_dtype, 0.0f);
  if (params.source == kZeroPointReal) {
    const float zero_point =
        load_cast<float>(zero_points, zero_point_at, params.zero_point_dtype, 0.0f);
    const float q = rint(fma(x, 1.0f / scale, zero_point));
    const Bounded bounded = bound(q, params.quant_min, params.quant_max);
    result.inside = bounded.inside;
    result.value = dequantize_real(bounded.value, zero_point, scale);
    return result;
  }
  long zero_point = 0;
  if (params.source == kZeroPointInteger) {
    zero_point = load_element<int, long>(zero_points, zero_point_at);
    if (zero_point < params.quant_min || zero_point > params.quant_max) {
      raise_flag(flag, 1);
    }
  } else {
    const float real = load_cast<float>(zero_points, zero_point_at, params.zero_point_dtype, 0.0f);
    zero_point = rounded_zero_point(real, params.quant_min, params.quant_max);
    scale = real != real ? real : scale;
  }
  const float q = float(zero_point) + rint(x * (1.0f / scale));
  const Bounded bounded = bound(q, params.quant_min, params.quant_max);
  result.inside = bounded.inside;
  result.value = multiply_long(bounded.value - zero_point, scale);
  return result;
}

template <class T>
kernel void fake_quantize_tensor_dense(
    device T* output [[buffer(0)]], device bool* mask [[buffer(1)]],
    device const T* input [[buffer(2)]], constant ElementwiseParams& elements [[buffer(3)]],
    device const uchar* scale [[buffer(4)]], device const uchar* zero_point [[buffer(5)]],
    device const uchar* enabled [[buffer(6)]], device atomic_uint* flag [[buffer(7)]],
    constant FakeQuantizeParams& params [[buffer(8)]], uint2 position [[thread_position_in_grid]],
    uint2 grid [[threads_per_grid]]) {
  const ulong first = linear_index(position, grid);
  if (first >= elements.threads) {
    return;
  }
  T values[kElementsPerThread];
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * elements.threads;
    values[i] = index < elements.count ? input[index] : T(0.0f);
  }
  const TensorQparams qparams = tensor_qparams(scale, zero_point, flag, params);
  const bool on = is_on(enabled, params);
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * elements.threads;
    if (index < elements.count) {
      const FakeQuantized result = quantize(float(values[i]), qparams, params);
      output[index] = on ? T(result.value) : values[i];
      mask[index] = !on || result.inside;
    }
  }
}

template <class T>
kernel void fake_quantize_tensor_strided(
    device T* output [[buffer(0)]], device bool* mask [[buffer(1)]],
    device const T* input [[buffer(2)]], constant ElementwiseParams& elements [[buffer(3)]],
    device const uchar* scale [[buffer(4)]], device const uchar* zero_point [[buffer(5)]],
    device const uchar* enabled [[buffer(6)]], device atomic_uint* flag [[buffer(7)]],
    constant FakeQuantizeParams& params [[buffer(8)]], constant long* layout [[buffer(9)]],
    uint2 position [[thread_position_in_grid]], uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= elements.count) {
    return;
  }
  ulong offsets[3];
  operand_offsets<3>(index, elements, layout, offsets);
  const T value = input[offsets[2]];
  const bool on = is_on(enabled, params);
  const FakeQuantized result =
      quantize(float(value), tensor_qparams(scale, zero_point, flag, params), params);
  output[offsets[0]] = on ? T(result.value) : value;
  mask[offsets[1]] = !on || result.inside;
}

inline ulong channel_of(ulong index, constant ElementwiseParams& elements,
                        constant FakeQuantizeChannels& channels) {
  if (elements.narrow != 0) {
    return uint(index) / uint(channels.inner) % uint(channels.channels);
  }
  return index / ulong(channels.inner) % ulong(channels.channels);
}

template <class T>
kernel void fake_quantize_channel_dense(
    device T* output [[buffer(0)]], device bool* mask [[buffer(1)]],
    device const T* input [[buffer(2)]], constant ElementwiseParams& elements [[buffer(3)]],
    device const uchar* scales [[buffer(4)]], device const uchar* zero_points [[buffer(5)]],
    device const uchar* enabled [[buffer(6)]], device atomic_uint* flag [[buffer(7)]],
    constant FakeQuantizeParams& params [[buffer(8)]],
    constant FakeQuantizeChannels& channels [[buffer(9)]],
    uint2 position [[thread_position_in_grid]], uint2 grid [[threads_per_grid]]) {
  const ulong first = linear_index(position, grid);
  if (first >= elements.threads) {
    return;
  }
  T values[kElementsPerThread];
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * elements.threads;
    values[i] = index < elements.count ? input[index] : T(0.0f);
  }
  const bool on = is_on(enabled, params);
  for (uint i = 0; i < kElementsPerThread; ++i) {
    const ulong index = first + i * elements.threads;
    if (index < elements.count) {
      const ulong channel = channel_of(index, elements, channels);
      const FakeQuantized result = quantize_in_channel(
          float(values[i]), scales, channel * ulong(channels.scale_stride), zero_points,
          channel * ulong(channels.zero_point_stride), flag, params);
      output[index] = on ? T(result.value) : values[i];
      mask[index] = !on || result.inside;
    }
  }
}

template <class T>
kernel void fake_quantize_channel_strided(
    device T* output [[buffer(0)]], device bool* mask [[buffer(1)]],
    device const T* input [[buffer(2)]], device const uchar* scales [[buffer(3)]],
    device const uchar* zero_points [[buffer(4)]],
    constant ElementwiseParams& elements [[buffer(5)]], device const uchar* enabled [[buffer(6)]],
    device atomic_uint* flag [[buffer(7)]], constant FakeQuantizeParams& params [[buffer(8)]],
    constant long* layout [[buffer(9)]], uint2 position [[thread_position_in_grid]],
    uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= elements.count) {
    return;
  }
  ulong offsets[5];
  operand_offsets<5>(index, elements, layout, offsets);
  const T value = input[offsets[2]];
  const bool on = is_on(enabled, params);
  const FakeQuantized result =
      quantize_in_channel(float(value), scales, offsets[3], zero_points, offsets[4], flag, params);
  output[offsets[0]] = on ? T(result.value) : value;
  mask[offsets[1]] = !on || result.inside;
}

INSTANTIATE_FLOATING("fake_quantize_tensor_dense", fake_quantize_tensor_dense)
INSTANTIATE_FLOATING("fake_quantize_tensor_strided", fake_quantize_tensor_strided)
INSTANTIATE_FLOATING("fake_quantize_channel_dense", fake_quantize_channel_dense)
INSTANTIATE_FLOATING("fake_quantize_channel_strided", fake_quantize_channel_strided)
