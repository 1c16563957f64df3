// Adaptive max pooling in 1 to 3 dimensions with the position of each maximum, forward and
// backward. Forward: a thread scans one window in four channels; where windows are large, a
// simdgroup has one window. Backward: a thread gathers one input position in four channels from the
// outputs whose windows hold it and whose index names it, so no atomics, and no index can lead out
// of bounds. One dispatch per call, no scratch. Bytes moved: every element of the operands once
// (again, from cache, where windows overlap).
#include <metal_stdlib>

#include "metal/common/adaptive_pool.h"
#include "metal/common/index.h"
#include "metal/common/instantiate.h"

using namespace metal;

// Of equal values the first counts, but of NaNs the last: the order of the CPU kernel's scan.
inline bool exceeds(float value, float best) {
  return value > best || isnan(value);
}

template <typename T, typename Index>
[[kernel]] void adaptive_max_pool(device T* output [[buffer(0)]],
                                  device long* indices [[buffer(1)]],
                                  const device T* input [[buffer(2)]],
                                  constant AdaptivePoolParams& params [[buffer(3)]],
                                  uint3 position [[thread_position_in_grid]],
                                  uint3 grid [[threads_per_grid]]) {
  const PoolThread<Index> self(position, grid, params);
  const Index sites = pool_sites<Index>(params);
  const Index channels = Index(params.channels);
  const Index input_height = Index(params.source_size[1]);
  const Index input_width = Index(params.source_size[2]);
  const Index depth_stride = Index(params.source_strides[2]);
  const Index height_stride = Index(params.source_strides[3]);
  const Index width_stride = Index(params.source_strides[4]);
  for (Index batch = self.batch; batch < Index(params.batch); batch += self.batch_step) {
    const device T* batch_input = input + batch * Index(params.source_strides[0]);
    device T* batch_output = output + batch * Index(params.result_strides[0]);
    device long* batch_indices = indices + batch * Index(params.indices_strides[0]);
    for (Index index = self.site; index < sites; index += self.site_step) {
      const PoolSite<Index> site(index, params);
      const PoolWindow<Index> depths = site.window(0, params);
      const PoolWindow<Index> heights = site.window(1, params);
      const PoolWindow<Index> widths = site.window(2, params);
      const Index corner =
          (depths.start * input_height + heights.start) * input_width + widths.start;
      for (Index first = self.channel; first < channels;
           first += kAdaptivePoolChannels * self.channel_step) {
        const PoolChannels<Index> lanes(first, self.channel_step, channels);
        Index base[kAdaptivePoolChannels];
        Index found[kAdaptivePoolChannels];
        float best[kAdaptivePoolChannels];
        for (uint k = 0; k < kAdaptivePoolChannels; ++k) {
          base[k] = lanes.channel[k] * Index(params.source_strides[1]);
          found[k] = corner;
          best[k] = -INFINITY;
        }
        for (Index depth = depths.start; depth < depths.end; ++depth) {
          for (Index height = heights.start; height < heights.end; ++height) {
            const Index row = depth * depth_stride + height * height_stride;
            const Index flat_row = (depth * input_height + height) * input_width;
            for (Index width = widths.start; width < widths.end; ++width) {
              for (uint k = 0; k < kAdaptivePoolChannels; ++k) {
                const float value = float(batch_input[base[k] + row + width * width_stride]);
                if (exceeds(value, best[k])) {
                  best[k] = value;
                  found[k] = flat_row + width;
                }
              }
            }
          }
        }
        const Index at = site.offset(params.result_strides);
        const Index indices_at = site.offset(params.indices_strides);
        for (uint k = 0; k < lanes.count; ++k) {
          const Index channel = lanes.channel[k];
          batch_output[channel * Index(params.result_strides[1]) + at] = T(best[k]);
          batch_indices[channel * Index(params.indices_strides[1]) + indices_at] = long(found[k]);
        }
      }
    }
  }
}

template <typename T>
[[kernel]] void adaptive_max_pool_simd(
    device T* output [[buffer(0)]], device long* indices [[buffer(1)]],
    const device T* input [[buffer(2)]], constant AdaptivePoolParams& params [[buffer(3)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
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
  const uint input_height = uint(params.source_size[1]);
  const uint input_width = uint(params.source_size[2]);
  const uint width_stride = uint(params.source_strides[4]);
  const device T* plane = input + unit.offset(params.source_strides);
  float best = -INFINITY;
  uint found = (depths.start * input_height + heights.start) * input_width + widths.start;
  for (uint depth = depths.start; depth < depths.end; ++depth) {
    for (uint height = heights.start + self.row; height < heights.end; height += self.row_step) {
      const uint row =
          depth * uint(params.source_strides[2]) + height * uint(params.source_strides[3]);
      const uint flat_row = (depth * input_height + height) * input_width;
      for (uint width = widths.start + self.column; width < widths.end; width += self.column_step) {
        const float value = float(plane[row + width * width_stride]);
        if (exceeds(value, best)) {
          best = value;
          found = flat_row + width;
        }
      }
    }
  }
  for (ushort distance = 16; distance > 0; distance /= 2) {
    const float value = simd_shuffle_xor(best, distance);
    const uint position = simd_shuffle_xor(found, distance);
    const bool later = position > found;
    const bool take = isnan(value)  ? !isnan(best) || later
                      : isnan(best) ? false
                                    : value > best || (value == best && !later);
    best = take ? value : best;
    found = take ? position : found;
  }
  if (lane == 0) {
    output[unit.offset(params.result_strides) + site.offset(params.result_strides)] = T(best);
    indices[unit.offset(params.indices_strides) + site.offset(params.indices_strides)] =
        long(found);
  }
}

template <typename T, typename Index>
[[kernel]] void adaptive_max_pool_backward(device T* grad_input [[buffer(0)]],
                                           const device T* grad_output [[buffer(1)]],
                                           const device long* indices [[buffer(2)]],
                                           constant AdaptivePoolParams& params [[buffer(3)]],
                                           uint3 position [[thread_position_in_grid]],
                                           uint3 grid [[threads_per_grid]]) {
  const PoolThread<Index> self(position, grid, params);
  const Index sites = pool_sites<Index>(params);
  const Index channels = Index(params.channels);
  for (Index batch = self.batch; batch < Index(params.batch); batch += self.batch_step) {
    const device T* batch_output = grad_output + batch * Index(params.source_strides[0]);
    const device long* batch_indices = indices + batch * Index(params.indices_strides[0]);
    device T* batch_input = grad_input + batch * Index(params.result_strides[0]);
    for (Index index = self.site; index < sites; index += self.site_step) {
      const PoolSite<Index> site(index, params);
      const PoolWindow<Index> depths = site.window(0, params);
      const PoolWindow<Index> heights = site.window(1, params);
      const PoolWindow<Index> widths = site.window(2, params);
      const long wanted = long(site.flat(params));
      for (Index first = self.channel; first < channels;
           first += kAdaptivePoolChannels * self.channel_step) {
        const PoolChannels<Index> lanes(first, self.channel_step, channels);
        Index base[kAdaptivePoolChannels];
        Index indices_base[kAdaptivePoolChannels];
        float sum[kAdaptivePoolChannels];
        for (uint k = 0; k < kAdaptivePoolChannels; ++k) {
          base[k] = lanes.channel[k] * Index(params.source_strides[1]);
          indices_base[k] = lanes.channel[k] * Index(params.indices_strides[1]);
          sum[k] = 0.0f;
        }
        for (Index depth = depths.start; depth < depths.end; ++depth) {
          for (Index height = heights.start; height < heights.end; ++height) {
            for (Index width = widths.start; width < widths.end; ++width) {
              const Index at = depth * Index(params.source_strides[2]) +
                               height * Index(params.source_strides[3]) +
                               width * Index(params.source_strides[4]);
              const Index indices_at = depth * Index(params.indices_strides[2]) +
                                       height * Index(params.indices_strides[3]) +
                                       width * Index(params.indices_strides[4]);
              for (uint k = 0; k < kAdaptivePoolChannels; ++k) {
                if (batch_indices[indices_base[k] + indices_at] == wanted) {
                  sum[k] += float(batch_output[base[k] + at]);
                }
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

#define ADAPTIVE_MAX_POOL_ROWS(dtype, T, ROW)                                   \
  ROW("adaptive_max_pool_" dtype, adaptive_max_pool, T, uint)                   \
  ROW("adaptive_max_pool_wide_" dtype, adaptive_max_pool, T, ulong)             \
  ROW("adaptive_max_pool_simd_" dtype, adaptive_max_pool_simd, T)               \
  ROW("adaptive_max_pool_backward_" dtype, adaptive_max_pool_backward, T, uint) \
  ROW("adaptive_max_pool_backward_wide_" dtype, adaptive_max_pool_backward, T, ulong)

ADAPTIVE_MAX_POOL_ROWS("float32", float, INSTANTIATE)
ADAPTIVE_MAX_POOL_ROWS("float16", half, INSTANTIATE)
ADAPTIVE_MAX_POOL_ROWS("bfloat16", bfloat, INSTANTIATE_BFLOAT)
