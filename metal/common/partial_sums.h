// Reduction to one value in a fixed order: each threadgroup writes its sum, then one threadgroup
// adds them. With a single threadgroup the first dispatch is the last. Host side: Partials.
#pragma once
#include <metal_stdlib>

#include "metal/common/reduce.h"

template <typename T>
inline void write_partial_sum(float sum, float divisor, device T* output, device float* partials,
                              uint group, uint groups, uint thread_index) {
  if (thread_index != 0) {
    return;
  }
  if (groups == 1) {
    output[0] = T(sum / divisor);
  } else {
    partials[group] = sum;
  }
}

// One threadgroup.
template <typename T>
[[kernel]] void total_of_partial_sums(
    device T* output [[buffer(0)]], device const float* partials [[buffer(1)]],
    constant uint& count [[buffer(2)]], constant float& divisor [[buffer(3)]],
    uint threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads, lane, simdgroup);
  float sum = 0.0f;
  for (uint part = thread_index; part < count; part += threads) {
    sum += partials[part];
  }
  sum = group_sum(sum, shared, at);
  if (thread_index == 0) {
    output[0] = T(sum / divisor);
  }
}
