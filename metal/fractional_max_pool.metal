// Fractional max pooling in 2 and 3 dimensions with the position of each maximum, forward and
// backward (metal/common/max_pool.h). Forward: a thread scans a window in four channels, each with
// windows of its own; where windows are large, a simdgroup has one. Backward: a thread gathers one
// input position in four channels from the outputs that may have it in their window. One dispatch
// per call, no scratch. Bytes moved: every element of the operands once (again, from cache, where
// windows overlap; backward reads about (k + 3) / alpha indices along each axis per element).
#include <metal_stdlib>

#include "metal/common/instantiate.h"
#include "metal/common/max_pool.h"
#include "metal/params/fractional_max_pool.h"

using namespace metal;

template <typename T, typename Index>
struct FractionalWindows {
  Index position[3];
  const device T* samples;
  constant PoolParams* params;
  constant FractionalWindowParams* windows;

  Index size(int axis) const { return Index(max(windows->kernel_size[axis], 0L)); }

  // int((i + sample) * alpha) - int(sample * alpha), each step rounded to T as by the CPU kernel;
  // the last window ends with the input. Samples of any size stay within it.
  Index start(int axis, Index batch, Index channel) const {
    const long last = params->source_size[axis] - windows->kernel_size[axis];
    if (position[axis] + 1 == Index(params->result_size[axis])) {
      return Index(last);
    }
    const float sample =
        float(samples[long(batch) * windows->sample_strides[0] +
                      long(channel) * windows->sample_strides[1] + windows->sample_offset[axis]]);
    const float shifted = float(T(float(T(float(position[axis]))) + sample));
    const int end = int(float(T(shifted * windows->alpha[axis])));
    const int begin = int(float(T(sample * windows->alpha[axis])));
    return Index(clamp(long(end) - long(begin), 0L, last));
  }
};

template <typename T, typename Index>
struct FractionalSource {
  const device T* samples;
  constant PoolParams* params;
  constant FractionalWindowParams* fractional;

  FractionalWindows<T, Index> windows(PoolSite<Index> site) const {
    FractionalWindows<T, Index> windows;
    for (int axis = 0; axis < 3; ++axis) {
      windows.position[axis] = site.position[axis];
    }
    windows.samples = samples;
    windows.params = params;
    windows.windows = fractional;
    return windows;
  }
};

// Starts lie between i * alpha - 2, for negative samples, and i * alpha + 1.
template <typename Index>
struct FractionalReach {
  constant PoolParams* params;
  constant FractionalReachParams* reach;

  PoolWindow<Index> outputs(int axis, PoolSite<Index> site) const {
    const float position = float(site.position[axis]);
    const float before = position - reach->kernel_size[axis] - reach->slack[axis];
    const float after = position + 2.0f + reach->slack[axis];
    const float first =
        floor(before * reach->outputs_per_input[axis] - reach->rounding[axis]) + 1.0f;
    const float end = ceil(after * reach->outputs_per_input[axis] + reach->rounding[axis]);
    const Index outputs = Index(params->source_size[axis]);
    PoolWindow<Index> window;
    window.start = first > 0.0f ? Index(first) : 0;
    window.end = end < float(outputs) ? Index(end) : outputs;
    return window;
  }
};

template <typename T, typename Index>
[[kernel]] void fractional_max_pool(device T* output [[buffer(0)]],
                                    device long* indices [[buffer(1)]],
                                    const device T* input [[buffer(2)]],
                                    const device T* samples [[buffer(3)]],
                                    constant PoolParams& params [[buffer(4)]],
                                    constant FractionalWindowParams& fractional [[buffer(5)]],
                                    uint3 position [[thread_position_in_grid]],
                                    uint3 grid [[threads_per_grid]]) {
  const FractionalSource<T, Index> source{samples, &params, &fractional};
  max_pool_threads<T, Index>(output, indices, input, params, source, position, grid);
}

template <typename T>
[[kernel]] void fractional_max_pool_simd(
    device T* output [[buffer(0)]], device long* indices [[buffer(1)]],
    const device T* input [[buffer(2)]], const device T* samples [[buffer(3)]],
    constant PoolParams& params [[buffer(4)]],
    constant FractionalWindowParams& fractional [[buffer(5)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
  const ulong index = linear_index(group, groups) * simdgroups + simdgroup;
  if (index < params.units) {
    const FractionalSource<T, uint> source{samples, &params, &fractional};
    max_pool_simdgroup<T>(output, indices, input, params, source, uint(index), lane);
  }
}

template <typename T, typename Index>
[[kernel]] void fractional_max_pool_backward(device T* grad_input [[buffer(0)]],
                                             const device T* grad_output [[buffer(1)]],
                                             const device long* indices [[buffer(2)]],
                                             constant PoolParams& params [[buffer(3)]],
                                             constant FractionalReachParams& reach [[buffer(4)]],
                                             uint3 position [[thread_position_in_grid]],
                                             uint3 grid [[threads_per_grid]]) {
  const FractionalReach<Index> source{&params, &reach};
  max_pool_gather<T, Index>(grad_input, grad_output, indices, params, source, position, grid);
}

#define FRACTIONAL_MAX_POOL_ROWS(dtype, T, ROW)                                     \
  ROW("fractional_max_pool_" dtype, fractional_max_pool, T, uint)                   \
  ROW("fractional_max_pool_wide_" dtype, fractional_max_pool, T, ulong)             \
  ROW("fractional_max_pool_simd_" dtype, fractional_max_pool_simd, T)               \
  ROW("fractional_max_pool_backward_" dtype, fractional_max_pool_backward, T, uint) \
  ROW("fractional_max_pool_backward_wide_" dtype, fractional_max_pool_backward, T, ulong)

FRACTIONAL_MAX_POOL_ROWS("float32", float, INSTANTIATE)
FRACTIONAL_MAX_POOL_ROWS("float16", half, INSTANTIATE)
FRACTIONAL_MAX_POOL_ROWS("bfloat16", bfloat, INSTANTIATE_BFLOAT)
