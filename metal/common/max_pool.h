// Max pooling with the position of each maximum, forward and backward, for any windows. `Windows`
// is made once per site, and tells for each axis (depth, height, width)
//   size(axis)                   which all channels share
//   start(axis, batch, channel)  which may differ between channels
#pragma once
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/pool.h"

// Of equal values the first counts, but of NaNs the last: the order of the CPU kernels' scans.
inline bool exceeds(float value, float best) {
  return value > best || metal::isnan(value);
}

// A thread scans the windows of one site in four channels. `source` makes the windows.
template <typename T, typename Index, typename Source>
inline void max_pool_threads(device T* output, device long* indices, const device T* input,
                             constant PoolParams& params, Source source, uint3 position,
                             uint3 grid) {
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
      const auto windows = source.windows(site);
      for (Index first = self.channel; first < channels;
           first += kPoolChannels * self.channel_step) {
        const PoolChannels<Index> lanes(first, self.channel_step, channels);
        Index base[kPoolChannels];
        Index corner[kPoolChannels];
        Index found[kPoolChannels];
        float best[kPoolChannels];
        for (uint k = 0; k < kPoolChannels; ++k) {
          const Index depth = windows.start(0, batch, lanes.channel[k]);
          const Index height = windows.start(1, batch, lanes.channel[k]);
          const Index width = windows.start(2, batch, lanes.channel[k]);
          base[k] = lanes.channel[k] * Index(params.source_strides[1]) + depth * depth_stride +
                    height * height_stride + width * width_stride;
          corner[k] = (depth * input_height + height) * input_width + width;
          found[k] = 0;
          best[k] = -INFINITY;
        }
        for (Index depth = 0; depth < windows.size(0); ++depth) {
          for (Index height = 0; height < windows.size(1); ++height) {
            const Index row = depth * depth_stride + height * height_stride;
            const Index flat_row = (depth * input_height + height) * input_width;
            for (Index width = 0; width < windows.size(2); ++width) {
              for (uint k = 0; k < kPoolChannels; ++k) {
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
          batch_indices[channel * Index(params.indices_strides[1]) + indices_at] =
              long(corner[k] + found[k]);
        }
      }
    }
  }
}

// A simdgroup scans one window. Its lanes agree on the maximum in the order of exceeds().
template <typename T, typename Source>
inline void max_pool_simdgroup(device T* output, device long* indices, const device T* input,
                               constant PoolParams& params, Source source, uint index, uint lane) {
  const PoolUnit unit(index, params);
  const PoolLane self(lane, params);
  const PoolSite<uint> site(unit.site, params);
  const auto windows = source.windows(site);
  const uint start[3] = {windows.start(0, uint(unit.batch), uint(unit.channel)),
                         windows.start(1, uint(unit.batch), uint(unit.channel)),
                         windows.start(2, uint(unit.batch), uint(unit.channel))};
  const uint input_height = uint(params.source_size[1]);
  const uint input_width = uint(params.source_size[2]);
  const uint width_stride = uint(params.source_strides[4]);
  const device T* plane = input + unit.offset(params.source_strides);
  float best = -INFINITY;
  uint found = (start[0] * input_height + start[1]) * input_width + start[2];
  for (uint depth = start[0]; depth < start[0] + windows.size(0); ++depth) {
    for (uint height = start[1] + self.row; height < start[1] + windows.size(1);
         height += self.row_step) {
      const uint row =
          depth * uint(params.source_strides[2]) + height * uint(params.source_strides[3]);
      const uint flat_row = (depth * input_height + height) * input_width;
      for (uint width = start[2] + self.column; width < start[2] + windows.size(2);
           width += self.column_step) {
        const float value = float(plane[row + width * width_stride]);
        if (exceeds(value, best)) {
          best = value;
          found = flat_row + width;
        }
      }
    }
  }
  for (ushort distance = 16; distance > 0; distance /= 2) {
    const float value = metal::simd_shuffle_xor(best, distance);
    const uint position = metal::simd_shuffle_xor(found, distance);
    const bool later = position > found;
    const bool take = metal::isnan(value)  ? !metal::isnan(best) || later
                      : metal::isnan(best) ? false
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

// A thread gathers one input position in four channels from the outputs whose windows may hold it
// and whose index names it: no atomics, and no index can lead out of bounds. `source` makes the
// range of those outputs, one for all channels.
template <typename T, typename Index, typename Source>
inline void max_pool_gather(device T* grad_input, const device T* grad_output,
                            const device long* indices, constant PoolParams& params, Source source,
                            uint3 position, uint3 grid) {
  const PoolThread<Index> self(position, grid, params);
  const Index sites = pool_sites<Index>(params);
  const Index channels = Index(params.channels);
  for (Index batch = self.batch; batch < Index(params.batch); batch += self.batch_step) {
    const device T* batch_output = grad_output + batch * Index(params.source_strides[0]);
    const device long* batch_indices = indices + batch * Index(params.indices_strides[0]);
    device T* batch_input = grad_input + batch * Index(params.result_strides[0]);
    for (Index index = self.site; index < sites; index += self.site_step) {
      const PoolSite<Index> site(index, params);
      const PoolWindow<Index> depths = source.outputs(0, site);
      const PoolWindow<Index> heights = source.outputs(1, site);
      const PoolWindow<Index> widths = source.outputs(2, site);
      const long wanted = long(site.flat(params));
      for (Index first = self.channel; first < channels;
           first += kPoolChannels * self.channel_step) {
        const PoolChannels<Index> lanes(first, self.channel_step, channels);
        Index base[kPoolChannels];
        Index indices_base[kPoolChannels];
        float sum[kPoolChannels];
        for (uint k = 0; k < kPoolChannels; ++k) {
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
              for (uint k = 0; k < kPoolChannels; ++k) {
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
