// Adaptive average pooling in 1 to 3 dimensions, forward and backward.
// Forward: a thread sums one window in four channels; where windows are large, a simdgroup has one
// window. Backward: a thread gathers one input position in four channels from the outputs whose
// windows hold it, so no atomics. One dispatch per call, no scratch. Bytes moved: every input
// element read once (again, from cache, where windows overlap) and every output element written.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/common/pool.h"

using namespace metal;

template <typename T, typename Index>
[[kernel]] void adaptive_avg_pool(device T* output [[buffer(0)]],
                                  const device T* input [[buffer(1)]],
                                  constant PoolParams& params [[buffer(2)]],
                                  uint3 position [[thread_position_in_grid]],
                                  uint3 grid [[threads_per_grid]]) {
  const PoolThread<Index> self(position, grid, params);
  const Index sites = pool_sites<Index>(params);
  const Index channels = Index(params.channels);
  const Index depth_stride = Index(params.source_strides[2]);
  const Index height_stride = Index(params.source_strides[3]);
  const Index width_stride = Index(params.source_strides[4]);
  for (Index batch = self.batch; batch < Index(params.batch); batch += self.batch_step) {
    const device T* batch_input = input + batch * Index(params.source_strides[0]);
    device T* batch_output = output + batch * Index(params.result_strides[0]);
    for (Index index = self.site; index < sites; index += self.site_step) {
      const PoolSite<Index> site(index, params);
      const PoolWindow<Index> depths = site.window(0, params);
      const PoolWindow<Index> heights = site.window(1, params);
      const PoolWindow<Index> widths = site.window(2, params);
      const float volume = float(depths.size() * heights.size() * widths.size());
      for (Index first = self.channel; first < channels;
           first += kPoolChannels * self.channel_step) {
        const PoolChannels<Index> lanes(first, self.channel_step, channels);
        Index base[kPoolChannels];
        float sum[kPoolChannels];
        for (uint k = 0; k < kPoolChannels; ++k) {
          base[k] = lanes.channel[k] * Index(params.source_strides[1]);
          sum[k] = 0.0f;
        }
        for (Index depth = depths.start; depth < depths.end; ++depth) {
          for (Index height = heights.start; height < heights.end; ++height) {
            const Index row = depth * depth_stride + height * height_stride;
            for (Index width = widths.start; width < widths.end; ++width) {
              for (uint k = 0; k < kPoolChannels; ++k) {
                sum[k] += float(batch_input[base[k] + row + width * width_stride]);
              }
            }
          }
        }
        const Index at = site.offset(params.result_strides);
        for (uint k = 0; k < lanes.count; ++k) {
          batch_output[lanes.channel[k] * Index(params.result_strides[1]) + at] =
              T(sum[k] / volume);
        }
      }
    }
  }
}

template <typename T>
[[kernel]] void adaptive_avg_pool_simd(
    device T* output [[buffer(0)]], const device T* input [[buffer(1)]],
    constant PoolParams& params [[buffer(2)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
  const ulong index = linear_index(group, groups) * simdgroups + simdgroup;
  if (index >= params.units) {
    return;
  }
  const PoolUnit unit(uint(index), params);
  const PoolLane self(lane, params);
  const PoolSite<uint> site(unit.site, params);
  const PoolWindow<uint> depths = site.window(0, params);
  const PoolWindow<uint> heights = site.window(1, params);
  const PoolWindow<uint> widths = site.window(2, params);
  const uint width_stride = uint(params.source_strides[4]);
  const device T* plane = input + unit.offset(params.source_strides);
  float sum = 0.0f;
  for (uint depth = depths.start; depth < depths.end; ++depth) {
    for (uint height = heights.start + self.row; height < heights.end; height += self.row_step) {
      const uint row =
          depth * uint(params.source_strides[2]) + height * uint(params.source_strides[3]);
      for (uint width = widths.start + self.column; width < widths.end; width += self.column_step) {
        sum += float(plane[row + width * width_stride]);
      }
    }
  }
  sum = simd_sum(sum);
  if (lane == 0) {
    const float volume = float(depths.size() * heights.size() * widths.size());
    output[unit.offset(params.result_strides) + site.offset(params.result_strides)] =
        T(sum / volume);
  }
}

template <typename T, typename Index>
[[kernel]] void adaptive_avg_pool_backward(device T* grad_input [[buffer(0)]],
                                           const device T* grad_output [[buffer(1)]],
                                           constant PoolParams& params [[buffer(2)]],
                                           uint3 position [[thread_position_in_grid]],
                                           uint3 grid [[threads_per_grid]]) {
  const PoolThread<Index> self(position, grid, params);
  const Index sites = pool_sites<Index>(params);
  const Index channels = Index(params.channels);
  const Index depth_stride = Index(params.source_strides[2]);
  const Index height_stride = Index(params.source_strides[3]);
  const Index width_stride = Index(params.source_strides[4]);
  Index input_size[3];
  Index output_size[3];
  for (int axis = 0; axis < 3; ++axis) {
    input_size[axis] = Index(params.result_size[axis]);
    output_size[axis] = Index(params.source_size[axis]);
  }
  for (Index batch = self.batch; batch < Index(params.batch); batch += self.batch_step) {
    const device T* batch_output = grad_output + batch * Index(params.source_strides[0]);
    device T* batch_input = grad_input + batch * Index(params.result_strides[0]);
    for (Index index = self.site; index < sites; index += self.site_step) {
      const PoolSite<Index> site(index, params);
      const PoolWindow<Index> depths = site.window(0, params);
      const PoolWindow<Index> heights = site.window(1, params);
      const PoolWindow<Index> widths = site.window(2, params);
      for (Index first = self.channel; first < channels;
           first += kPoolChannels * self.channel_step) {
        const PoolChannels<Index> lanes(first, self.channel_step, channels);
        Index base[kPoolChannels];
        float sum[kPoolChannels];
        for (uint k = 0; k < kPoolChannels; ++k) {
          base[k] = lanes.channel[k] * Index(params.source_strides[1]);
          sum[k] = 0.0f;
        }
        for (Index depth = depths.start; depth < depths.end; ++depth) {
          const Index layers = pool_window(depth, output_size[0], input_size[0]).size();
          for (Index height = heights.start; height < heights.end; ++height) {
            const Index rows = layers * pool_window(height, output_size[1], input_size[1]).size();
            const Index row = depth * depth_stride + height * height_stride;
            for (Index width = widths.start; width < widths.end; ++width) {
              const float share =
                  1.0f / float(rows * pool_window(width, output_size[2], input_size[2]).size());
              for (uint k = 0; k < kPoolChannels; ++k) {
                sum[k] += float(batch_output[base[k] + row + width * width_stride]) * share;
              }
            }
          }
        }
        const Index at = site.offset(params.result_strides);
        for (uint k = 0; k < lanes.count; ++k) {
          batch_input[lanes.channel[k] * Index(params.result_strides[1]) + at] = T(sum[k]);
        }
      }
    }
  }
}

#define ADAPTIVE_AVG_POOL_ROWS(dtype, T, ROW)                                   \
  ROW("adaptive_avg_pool_" dtype, adaptive_avg_pool, T, uint)                   \
  ROW("adaptive_avg_pool_wide_" dtype, adaptive_avg_pool, T, ulong)             \
  ROW("adaptive_avg_pool_simd_" dtype, adaptive_avg_pool_simd, T)               \
  ROW("adaptive_avg_pool_backward_" dtype, adaptive_avg_pool_backward, T, uint) \
  ROW("adaptive_avg_pool_backward_wide_" dtype, adaptive_avg_pool_backward, T, ulong)

ADAPTIVE_AVG_POOL_ROWS("float32", float, INSTANTIATE)
ADAPTIVE_AVG_POOL_ROWS("float16", half, INSTANTIATE)
ADAPTIVE_AVG_POOL_ROWS("bfloat16", bfloat, INSTANTIATE_BFLOAT)
