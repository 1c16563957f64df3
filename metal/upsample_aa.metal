// Antialiased resizing of images: Lanczos forward, and the gradients of the bilinear, bicubic and
// Lanczos filters. result[y][x] = sum over a window of wy[h] wx[w] source[h][w]: forward, the
// window is the input pixels of an output; backward, the outputs whose input pixels hold (y, x), so
// that gradients are gathered without atomics.
// First the tables of windows and normalized weights, a threadgroup for each axis: one dispatch.
// Forward, a simdgroup weighs an output's pixels; backward, it sums their weights, then a thread
// takes an input position. About (taps + 2) * (height + width) words of scratch.
// Then a thread gathers one position in four channels: one dispatch for both axes, every element of
// the larger side read taps^2 times from cache; or, where that is many, one for each axis, with an
// intermediate that has the height of the source and the width of the result.
// uint8 is computed in fixed point with the CPU kernel's weights and roundings, bit for bit.
#include <metal_stdlib>

#include "metal/common/antialias.h"
#include "metal/common/instantiate.h"
#include "metal/common/pool.h"
#include "metal/params/upsample_aa.h"

using namespace metal;

struct UpsampleAaThread {
  uint axis;
  int thread_index;
  int threads;
  int lane;
  int simdgroup;
  int simdgroups;

  UpsampleAaThread(uint group, uint index, uint count, uint lane_index)
      : axis(group),
        thread_index(int(index)),
        threads(int(count)),
        lane(int(lane_index)),
        simdgroup(int(index / 32)),
        simdgroups(int(count / 32)) {}
};

[[kernel]] void upsample_aa_weights(device int* ranges [[buffer(0)]],
                                    device float* weights [[buffer(1)]],
                                    constant UpsampleAaParams& params [[buffer(2)]],
                                    uint group [[threadgroup_position_in_grid]],
                                    uint index [[thread_index_in_threadgroup]],
                                    uint threads [[threads_per_threadgroup]],
                                    uint lane [[thread_index_in_simdgroup]]) {
  const UpsampleAaThread self(group, index, threads, lane);
  constant UpsampleAaAxis& axis = params.axes[self.axis];
  if (axis.identity != 0) {
    return;
  }
  const FloatAxis filter{&axis, params.filter};
  for (int output = self.simdgroup; output < axis.output_size; output += self.simdgroups) {
    const int start = filter.start(output);
    const int end = filter.end(output);
    const float total = total_weight(filter, output, self.lane);
    device float* row = weights + axis.weights + long(output) * axis.row;
    for (int input = start + self.lane; input < end; input += 32) {
      row[input - start] = filter.weight(output, input) / total;
    }
    if (self.lane == 0) {
      ranges[axis.ranges + 2 * output] = start;
      ranges[axis.ranges + 2 * output + 1] = end - start;
    }
  }
}

// Windows start and end later for later outputs, so those that hold a position are neighbours.
[[kernel]] void upsample_aa_weights_backward(device int* ranges [[buffer(0)]],
                                             device float* weights [[buffer(1)]],
                                             constant UpsampleAaParams& params [[buffer(2)]],
                                             uint group [[threadgroup_position_in_grid]],
                                             uint index [[thread_index_in_threadgroup]],
                                             uint threads [[threads_per_threadgroup]],
                                             uint lane [[thread_index_in_simdgroup]]) {
  const UpsampleAaThread self(group, index, threads, lane);
  constant UpsampleAaAxis& axis = params.axes[self.axis];
  const FloatAxis filter{&axis, params.filter};
  device float* totals = weights + axis.totals;
  for (int output = self.simdgroup; output < axis.output_size; output += self.simdgroups) {
    const float total = total_weight(filter, output, self.lane);
    if (self.lane == 0) {
      totals[output] = total;
    }
  }
  threadgroup_barrier(mem_flags::mem_device);
  for (int input = self.thread_index; input < axis.input_size; input += self.threads) {
    int first = 0;  // the first output whose window ends after the position
    for (int end = axis.output_size; first < end;) {
      const int middle = first + (end - first) / 2;
      const bool later = filter.end(middle) > input;
      end = later ? middle : end;
      first = later ? first : middle + 1;
    }
    device float* row = weights + axis.weights + long(input) * axis.row;
    int count = 0;
    for (; count < axis.row && first + count < axis.output_size; ++count) {
      const int output = first + count;
      if (filter.start(output) > input) {
        break;
      }
      row[count] = filter.weight(output, input) / totals[output];
    }
    ranges[axis.ranges + 2 * input] = first;
    ranges[axis.ranges + 2 * input + 1] = count;
  }
}

// Weights of 16 bits with as many fraction bits as the largest allows: pillow's trick, which the
// CPU kernel follows.
[[kernel]] void upsample_aa_weights_uint8(device int* ranges [[buffer(0)]],
                                          device int* weights [[buffer(1)]],
                                          constant UpsampleAaParams& params [[buffer(2)]],
                                          uint group [[threadgroup_position_in_grid]],
                                          uint index [[thread_index_in_threadgroup]],
                                          uint threads [[threads_per_threadgroup]],
                                          uint lane [[thread_index_in_simdgroup]]) {
  threadgroup float largest_of[32];
  const UpsampleAaThread self(group, index, threads, lane);
  constant UpsampleAaAxis& axis = params.axes[self.axis];
  if (axis.identity != 0) {
    return;
  }
  const PreciseAxis filter{&axis};
  float largest = 0.0f;
  for (int output = self.simdgroup; output < axis.output_size; output += self.simdgroups) {
    const int end = filter.end(output);
    const FloatFloat total = total_weight(filter, output, self.lane);
    for (int input = filter.start(output) + self.lane; input < end; input += 32) {
      largest = max(largest, divide(filter.weight(output, input), total).hi);
    }
  }
  largest = simd_max(largest);
  if (self.lane == 0) {
    largest_of[self.simdgroup] = largest;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  largest = simd_max(self.lane < self.simdgroups ? largest_of[self.lane] : 0.0f);
  int precision = 0;
  while (precision < 22 && 0.5f + largest * float(1 << (precision + 1)) < 32768.0f) {
    ++precision;
  }
  if (self.thread_index == 0) {
    ranges[params.precision + self.axis] = precision;
  }
  const float one = float(1 << precision);
  for (int output = self.simdgroup; output < axis.output_size; output += self.simdgroups) {
    const int start = filter.start(output);
    const int end = filter.end(output);
    const FloatFloat total = total_weight(filter, output, self.lane);
    device int* row = weights + axis.weights + long(output) * axis.row;
    for (int input = start + self.lane; input < end; input += 32) {
      const FloatFloat weight = multiply(divide(filter.weight(output, input), total), one);
      const float sign = weight.hi < 0.0f ? -1.0f : 1.0f;
      const FloatFloat magnitude = {sign * weight.hi, sign * weight.lo};
      row[input - start] = int(sign * floor_of(add(magnitude, 0.5f)));
    }
    if (self.lane == 0) {
      ranges[axis.ranges + 2 * output] = start;
      ranges[axis.ranges + 2 * output + 1] = end - start;
    }
  }
}

// Sums of weighted elements: in float, or in fixed point, rounded after each axis.
template <typename T>
struct WeightedSum {
  using Value = float;
  static float initial(int) { return 0.0f; }
  static float finish(float sum, int) { return sum; }
};

template <>
struct WeightedSum<uchar> {
  using Value = int;
  static int initial(int precision) { return precision > 0 ? 1 << (precision - 1) : 0; }
  static int finish(int sum, int precision) {
    return precision > 0 ? clamp(sum >> precision, 0, 255) : sum;
  }
};

template <typename T>
struct UpsampleAaWindow {
  using Value = typename WeightedSum<T>::Value;

  int start;
  int count;
  int precision;
  const device Value* weights;

  UpsampleAaWindow(const device int* ranges, const device Value* table,
                   constant UpsampleAaParams& params, int which, long position) {
    constant UpsampleAaAxis& axis = params.axes[which];
    const bool identity = axis.identity != 0;
    start = identity ? int(position) : ranges[axis.ranges + 2 * position];
    count = identity ? 1 : ranges[axis.ranges + 2 * position + 1];
    precision = identity || !is_same_v<T, uchar> ? 0 : ranges[params.precision + which];
    weights = identity ? nullptr : table + axis.weights + position * axis.row;
  }

  Value weight(int tap) const { return weights != nullptr ? weights[tap] : Value(1); }
};

template <typename T, typename Source, typename Index>
[[kernel]] void upsample_aa_gather(device T* result [[buffer(0)]],
                                   const device Source* source [[buffer(1)]],
                                   const device int* ranges [[buffer(2)]],
                                   const device typename WeightedSum<T>::Value* table [[buffer(3)]],
                                   constant PoolParams& params [[buffer(4)]],
                                   constant UpsampleAaParams& resize [[buffer(5)]],
                                   uint3 position [[thread_position_in_grid]],
                                   uint3 grid [[threads_per_grid]]) {
  using Sum = WeightedSum<T>;
  using Value = typename Sum::Value;
  const PoolThread<Index> self(position, grid, params);
  const Index sites = pool_sites<Index>(params);
  const Index channels = Index(params.channels);
  const Index height_stride = Index(params.source_strides[3]);
  const Index width_stride = Index(params.source_strides[4]);
  for (Index batch = self.batch; batch < Index(params.batch); batch += self.batch_step) {
    const device Source* batch_source = source + batch * Index(params.source_strides[0]);
    device T* batch_result = result + batch * Index(params.result_strides[0]);
    for (Index index = self.site; index < sites; index += self.site_step) {
      const PoolSite<Index> site(index, params);
      const UpsampleAaWindow<T> heights(ranges, table, resize, 0, long(site.position[1]));
      const UpsampleAaWindow<T> widths(ranges, table, resize, 1, long(site.position[2]));
      for (Index first = self.channel; first < channels;
           first += kPoolChannels * self.channel_step) {
        const PoolChannels<Index> lanes(first, self.channel_step, channels);
        Index base[kPoolChannels];
        Value sum[kPoolChannels];
        for (uint k = 0; k < kPoolChannels; ++k) {
          base[k] = lanes.channel[k] * Index(params.source_strides[1]) +
                    Index(heights.start) * height_stride + Index(widths.start) * width_stride;
          sum[k] = Sum::initial(heights.precision);
        }
        for (int height = 0; height < heights.count; ++height) {
          const Index row = Index(height) * height_stride;
          Value row_sum[kPoolChannels];
          for (uint k = 0; k < kPoolChannels; ++k) {
            row_sum[k] = Sum::initial(widths.precision);
          }
          for (int width = 0; width < widths.count; ++width) {
            const Value weight = widths.weight(width);
            const Index at = row + Index(width) * width_stride;
            for (uint k = 0; k < kPoolChannels; ++k) {
              row_sum[k] += weight * Value(batch_source[base[k] + at]);
            }
          }
          const Value weight = heights.weight(height);
          for (uint k = 0; k < kPoolChannels; ++k) {
            sum[k] += weight * Sum::finish(row_sum[k], widths.precision);
          }
        }
        const Index at = site.offset(params.result_strides);
        for (uint k = 0; k < lanes.count; ++k) {
          batch_result[lanes.channel[k] * Index(params.result_strides[1]) + at] =
              T(Sum::finish(sum[k], heights.precision));
        }
      }
    }
  }
}

// "<stem>_from_<source>[_wide]_<result>"; the intermediate of two passes is float.
#define UPSAMPLE_AA_ROWS(result, T, source, Source, ROW)                                 \
  ROW("upsample_aa_gather_from_" source "_" result, upsample_aa_gather, T, Source, uint) \
  ROW("upsample_aa_gather_from_" source "_wide_" result, upsample_aa_gather, T, Source, ulong)

UPSAMPLE_AA_ROWS("uint8", uchar, "uint8", uchar, INSTANTIATE)
UPSAMPLE_AA_ROWS("float32", float, "float32", float, INSTANTIATE)
UPSAMPLE_AA_ROWS("float16", half, "float16", half, INSTANTIATE)
UPSAMPLE_AA_ROWS("float16", half, "float32", float, INSTANTIATE)
UPSAMPLE_AA_ROWS("float32", float, "float16", half, INSTANTIATE)
UPSAMPLE_AA_ROWS("bfloat16", bfloat, "bfloat16", bfloat, INSTANTIATE_BFLOAT)
UPSAMPLE_AA_ROWS("bfloat16", bfloat, "float32", float, INSTANTIATE_BFLOAT)
UPSAMPLE_AA_ROWS("float32", float, "bfloat16", bfloat, INSTANTIATE_BFLOAT)
