// Convolution of integers, plain and transposed, in two and three dimensions. Direct: one thread
// sums one output over the channels of its group and the taps of the window, in unsigned
// arithmetic, which wraps around as the CPU's does. Neighbouring threads have neighbouring outputs
// of one channel: they read the same weights, and inputs next to each other. One dispatch, no
// scratch; each output written once.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/convolution.h"

using namespace metal;

// Input position under tap `tap` of output `at`; negative in the padding.
inline long tap_of(long at, long tap, int axis, constant ConvolutionParams& params) {
  const long position =
      at * params.stride[axis] - params.padding[axis] + tap * params.dilation[axis];
  return position < params.input_size[axis] ? position : -1l;
}

// Of a transposed convolution: the input whose window puts tap `tap` on output `at`; -1 if none.
inline long transposed_tap_of(long at, long tap, int axis, constant ConvolutionParams& params) {
  const long scaled = at + params.padding[axis] - tap * params.dilation[axis];
  if (scaled < 0 || scaled % params.stride[axis] != 0) {
    return -1;
  }
  const long position = scaled / params.stride[axis];
  return position < params.input_size[axis] ? position : -1l;
}

template <bool Transposed>
inline long input_of(long at, long tap, int axis, constant ConvolutionParams& params) {
  return Transposed ? transposed_tap_of(at, tap, axis, params) : tap_of(at, tap, axis, params);
}

template <typename T, typename Sum, bool Transposed>
[[kernel]] void convolution(device T* output [[buffer(0)]], const device T* input [[buffer(1)]],
                            const device T* weight [[buffer(2)]],
                            const device T* bias [[buffer(3)]],
                            constant ConvolutionParams& params [[buffer(4)]],
                            uint2 position [[thread_position_in_grid]],
                            uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= ulong(params.outputs)) {
    return;
  }
  long rest = long(index);
  long at[3];
  for (int axis = 2; axis >= 0; --axis) {
    at[axis] = rest % params.output_size[axis];
    rest /= params.output_size[axis];
  }
  const long channel = rest % params.channels;
  const long batch = rest / params.channels;
  const long group = channel / params.output_channels_per_group;
  // A plain convolution's weight is (output, input / groups, ...), a transposed one's is
  // (input, output / groups, ...).
  const long first_input = group * params.input_channels_per_group;
  const long step = params.weight_strides[Transposed ? 0 : 1];
  const device T* weights =
      Transposed ? weight + first_input * step +
                       (channel % params.output_channels_per_group) * params.weight_strides[1]
                 : weight + channel * params.weight_strides[0];
  const device T* inputs =
      input + batch * params.input_strides[0] + first_input * params.input_strides[1];

  Sum sum = params.has_bias ? Sum(bias[channel * params.bias_stride]) : Sum(0);
  for (long z = 0; z < params.kernel_size[0]; ++z) {
    const long depth = input_of<Transposed>(at[0], z, 0, params);
    for (long y = 0; depth >= 0 && y < params.kernel_size[1]; ++y) {
      const long row = input_of<Transposed>(at[1], y, 1, params);
      for (long x = 0; row >= 0 && x < params.kernel_size[2]; ++x) {
        const long column = input_of<Transposed>(at[2], x, 2, params);
        if (column < 0) {
          continue;
        }
        const device T* source = inputs + depth * params.input_strides[2] +
                                 row * params.input_strides[3] + column * params.input_strides[4];
        const device T* factor = weights + z * params.weight_strides[2] +
                                 y * params.weight_strides[3] + x * params.weight_strides[4];
        for (long k = 0; k < params.input_channels_per_group; ++k) {
          sum += Sum(source[k * params.input_strides[1]]) * Sum(factor[k * step]);
        }
      }
    }
  }
  output[batch * params.output_strides[0] + channel * params.output_strides[1] +
         at[0] * params.output_strides[2] + at[1] * params.output_strides[3] +
         at[2] * params.output_strides[4]] = T(sum);
}

INSTANTIATE("convolution_int64", convolution, long, ulong, false)
INSTANTIATE("convolution_int32", convolution, int, uint, false)
INSTANTIATE("convolution_int16", convolution, short, uint, false)
INSTANTIATE("convolution_int8", convolution, char, uint, false)
INSTANTIATE("convolution_uint8", convolution, uchar, uint, false)
INSTANTIATE("convolution_transpose_int64", convolution, long, ulong, true)
