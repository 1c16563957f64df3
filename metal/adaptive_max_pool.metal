// Adaptive max pooling in 1 to 3 dimensions with the position of each maximum, forward and
// backward (metal/common/max_pool.h). Forward: a thread scans one window in four channels; where
// windows are large, a simdgroup has one window. Backward: a thread gathers one input position in
// four channels. One dispatch per call, no scratch. Bytes moved: every element of the operands once
// (again, from cache, where windows overlap).
#include <metal_stdlib>

#include "metal/common/instantiate.h"
#include "metal/common/max_pool.h"

using namespace metal;

template <typename Index>
struct AdaptiveWindows {
  PoolWindow<Index> axes[3];

  Index size(int axis) const { return axes[axis].size(); }
  Index start(int axis, Index, Index) const { return axes[axis].start; }
};

template <typename Index>
struct AdaptiveSource {
  constant PoolParams* params;

  AdaptiveWindows<Index> windows(PoolSite<Index> site) const {
    AdaptiveWindows<Index> windows;
    for (int axis = 0; axis < 3; ++axis) {
      windows.axes[axis] = site.window(axis, *params);
    }
    return windows;
  }

  PoolWindow<Index> outputs(int axis, PoolSite<Index> site) const {
    return site.window(axis, *params);
  }
};

template <typename T, typename Index>
[[kernel]] void adaptive_max_pool(device T* output [[buffer(0)]],
                                  device long* indices [[buffer(1)]],
                                  const device T* input [[buffer(2)]],
                                  constant PoolParams& params [[buffer(3)]],
                                  uint3 position [[thread_position_in_grid]],
                                  uint3 grid [[threads_per_grid]]) {
  const AdaptiveSource<Index> source{&params};
  max_pool_threads<T, Index>(output, indices, input, params, source, position, grid);
}

template <typename T>
[[kernel]] void adaptive_max_pool_simd(
    device T* output [[buffer(0)]], device long* indices [[buffer(1)]],
    const device T* input [[buffer(2)]], constant PoolParams& params [[buffer(3)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
  const ulong index = linear_index(group, groups) * simdgroups + simdgroup;
  if (index < params.units) {
    const AdaptiveSource<uint> source{&params};
    max_pool_simdgroup<T>(output, indices, input, params, source, uint(index), lane);
  }
}

template <typename T, typename Index>
[[kernel]] void adaptive_max_pool_backward(device T* grad_input [[buffer(0)]],
                                           const device T* grad_output [[buffer(1)]],
                                           const device long* indices [[buffer(2)]],
                                           constant PoolParams& params [[buffer(3)]],
                                           uint3 position [[thread_position_in_grid]],
                                           uint3 grid [[threads_per_grid]]) {
  const AdaptiveSource<Index> source{&params};
  max_pool_gather<T, Index>(grad_input, grad_output, indices, params, source, position, grid);
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
