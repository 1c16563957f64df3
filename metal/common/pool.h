// Geometry of kernels that gather each position of their result from a window of their source, such
// as poolings. A site is a (depth, height, width) position of the result; a thread takes a site and
// four channels, for four independent sums.
// `Index` is uint where sizes, offsets and size products fit 32 bits, else ulong.
#pragma once
#include <metal_stdlib>

#include "metal/params/pool.h"

constant constexpr uint kPoolChannels = 4;

template <typename Index>
struct PoolWindow {
  Index start;
  Index end;

  Index size() const { return end - start; }
};

// Adaptive pooling: result position i of R reads source positions floor(i S / R) to ceil((i + 1) S
// / R). The outputs whose windows hold input position i are the same formula with the two sizes
// exchanged.
template <typename Index>
inline PoolWindow<Index> pool_window(Index position, Index result_size, Index source_size) {
  PoolWindow<Index> window;
  window.start = position * source_size / result_size;
  window.end = ((position + 1) * source_size + result_size - 1) / result_size;
  return window;
}

template <typename Index>
struct PoolSite {
  Index position[3];

  PoolSite(Index site, constant PoolParams& params) {
    const Index height = Index(params.result_size[1]);
    const Index width = Index(params.result_size[2]);
    const Index row = site / width;
    position[0] = row / height;
    position[1] = row - position[0] * height;
    position[2] = site - row * width;
  }

  PoolWindow<Index> window(int axis, constant PoolParams& params) const {
    return pool_window(position[axis], Index(params.result_size[axis]),
                       Index(params.source_size[axis]));
  }

  Index offset(constant int64_t* strides) const {
    return position[0] * Index(strides[2]) + position[1] * Index(strides[3]) +
           position[2] * Index(strides[4]);
  }

  // Position in one channel of the result, counted as the CPU kernel counts indices.
  Index flat(constant PoolParams& params) const {
    return (position[0] * Index(params.result_size[1]) + position[1]) *
               Index(params.result_size[2]) +
           position[2];
  }
};

// The part of the grid that is one thread's. Axes may be shorter than the sizes: threads stride.
template <typename Index>
struct PoolThread {
  Index batch;
  Index batch_step;
  Index site;
  Index site_step;
  Index channel;
  Index channel_step;

  PoolThread(uint3 position, uint3 grid, constant PoolParams& params) {
    const bool channels_last = params.channels_last != 0;
    batch = position.z;
    batch_step = grid.z;
    site = channels_last ? position.y : position.x;
    site_step = channels_last ? grid.y : grid.x;
    channel = channels_last ? position.x : position.y;
    channel_step = channels_last ? grid.x : grid.y;
  }
};

template <typename Index>
inline Index pool_sites(constant PoolParams& params) {
  return Index(params.result_size[0]) * Index(params.result_size[1]) * Index(params.result_size[2]);
}

// Four channels from `first` on, `step` apart. Those past the end repeat the first, and are not
// stored: loads stay in bounds and need no branch.
template <typename Index>
struct PoolChannels {
  Index channel[kPoolChannels];
  uint count;

  PoolChannels(Index first, Index step, Index channels) {
    count = 0;
    for (uint k = 0; k < kPoolChannels; ++k) {
      const Index candidate = first + k * step;
      const bool valid = candidate < channels;
      channel[k] = valid ? candidate : first;
      count += valid ? 1 : 0;
    }
  }
};

// A simdgroup lies over a window as rows of `lane_columns` lanes.
struct PoolLane {
  uint row;
  uint row_step;
  uint column;
  uint column_step;

  PoolLane(uint lane, constant PoolParams& params) {
    column_step = params.lane_columns;
    row_step = 32 / column_step;
    row = lane / column_step;
    column = lane - row * column_step;
  }
};

// One element of the result, for kernels that give it a simdgroup. In-channel offsets fit 32 bits.
struct PoolUnit {
  uint site;
  ulong batch;
  ulong channel;

  PoolUnit(uint unit, constant PoolParams& params) {
    const uint sites = pool_sites<uint>(params);
    const uint plane = unit / sites;
    site = unit - plane * sites;
    batch = plane / uint(params.channels);
    channel = plane - uint(batch) * uint(params.channels);
  }

  ulong offset(constant int64_t* strides) const {
    return batch * ulong(strides[0]) + channel * ulong(strides[1]);
  }
};
