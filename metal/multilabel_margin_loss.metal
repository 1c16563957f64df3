// The targets of a row are those before its first negative one.
// loss(row) = sum over targets t, over d that is no target, of max(0, 1 - x[t] + x[d]) / columns.
// A threadgroup takes a row. Forward: a thread takes every n-th d and walks the targets; one
// dispatch, mean and sum over several rows add a second (metal/common/partial_sums.h).
// Backward: a thread takes every n-th d, then a simdgroup takes every n-th target; one dispatch, no
// atomics. Targets out of [-1, columns) are never used as an index: the flag is raised (bit 1), and
// bit 2 where is_target is out of [0, 1].
#include <metal_stdlib>

#include "metal/common/device_flag.h"
#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/common/partial_sums.h"
#include "metal/common/reduce.h"
#include "metal/params/multilabel_margin_loss.h"

using namespace metal;

// The length of a row's list of targets. Checks all of the row, as the CPU does.
inline uint count_targets(device const long* targets, device atomic_uint* flag,
                          threadgroup uint* shared, GroupPosition at,
                          constant MultilabelMarginLossParams& params) {
  uint count = params.columns;
  bool valid = true;
  for (uint i = at.thread_index; i < params.columns; i += at.threads) {
    const long target = targets[i * params.target_stride[1]];
    valid = valid && target >= -1 && target < long(params.columns);
    if (target < 0) {
      count = min(count, i);
    }
  }
  if (!valid) {
    raise_flag(flag, 1);
  }
  return group_min(count, shared, at);
}

template <typename T>
kernel void multilabel_margin_loss(
    device T* output [[buffer(0)]], device float* partials [[buffer(1)]],
    device T* is_target [[buffer(2)]], device const T* input [[buffer(3)]],
    device const long* target [[buffer(4)]], device atomic_uint* flag [[buffer(5)]],
    constant MultilabelMarginLossParams& params [[buffer(6)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  threadgroup uint shared_count[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const long step = long(groups.x) * groups.y;
  float total = 0.0f;
  for (long row = linear_index(group, groups); row < params.rows; row += step) {
    device const T* x = input + row * params.input_stride[0];
    device const long* targets = target + row * params.target_stride[0];
    device T* marks = is_target + row * params.columns;

    for (uint d = thread_index; d < params.columns; d += threads.x) {
      marks[d] = T(0.0f);
    }
    const uint count = count_targets(targets, flag, shared_count, at, params);
    threadgroup_barrier(mem_flags::mem_device);
    for (uint i = thread_index; i < count; i += threads.x) {
      const long t = targets[i * params.target_stride[1]];
      if (t < long(params.columns)) {
        marks[t] = T(1.0f);
      }
    }
    threadgroup_barrier(mem_flags::mem_device);

    float sum = 0.0f;
    for (uint d = thread_index; d < params.columns; d += threads.x) {
      if (float(marks[d]) != 0.0f) {
        continue;
      }
      const float value = float(x[d * params.input_stride[1]]);
      for (uint i = 0; i < count; ++i) {
        const long t = targets[i * params.target_stride[1]];
        if (t < long(params.columns)) {
          const float z = 1.0f - float(x[t * params.input_stride[1]]) + value;
          sum += z > 0.0f ? z : 0.0f;
        }
      }
    }
    if (params.reduced) {
      total += sum;
      continue;
    }
    sum = group_sum(sum, shared, at);
    if (thread_index == 0) {
      output[row * params.loss_stride] = T(sum / params.divisor);
    }
  }
  if (params.reduced) {
    total = group_sum(total, shared, at);
    write_partial_sum(total, params.divisor, output, partials, group.x, groups.x, thread_index);
  }
}

// grad[d] = share * (#{targets t: 1 - x[t] + x[d] > 0} if d is no target
//                    - #{(t, e): t == d, e no target, 1 - x[d] + x[e] > 0})
template <typename T>
kernel void multilabel_margin_loss_backward(
    device T* grad_input [[buffer(0)]], device const T* grad_output [[buffer(1)]],
    device const T* input [[buffer(2)]], device const long* target [[buffer(3)]],
    device const T* is_target [[buffer(4)]], device atomic_uint* flag [[buffer(5)]],
    constant MultilabelMarginLossParams& params [[buffer(6)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup uint shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const long row = linear_index(group, groups);
  if (row >= params.rows) {
    return;
  }
  const long input_stride = params.input_stride[1];
  const long target_stride = params.target_stride[1];
  const long mark_stride = params.is_target_stride[1];
  device const T* x = input + row * params.input_stride[0];
  device const long* targets = target + row * params.target_stride[0];
  device const T* marks = is_target + row * params.is_target_stride[0];
  device T* gradients = grad_input + row * params.columns;
  const float scale = float(grad_output[row * params.loss_stride]);
  const uint count = count_targets(targets, flag, shared, at, params);

  for (uint d = thread_index; d < params.columns; d += threads.x) {
    const float mark = float(marks[d * mark_stride]);
    if (!(mark >= 0.0f && mark <= 1.0f)) {
      raise_flag(flag, 2);
    }
    uint hits = 0;
    if (mark == 0.0f) {
      const float value = float(x[d * input_stride]);
      for (uint i = 0; i < count; ++i) {
        const long t = targets[i * target_stride];
        if (t < long(params.columns)) {
          hits += 1.0f - float(x[t * input_stride]) + value > 0.0f ? 1 : 0;
        }
      }
    }
    gradients[d] = T(params.gradient * float(hits) * scale);
  }
  // What follows writes the gradients of the targets, which other threads have just written.
  threadgroup_barrier(mem_flags::mem_device);

  for (uint i = at.simdgroup; i < count; i += at.simdgroups) {
    const long t = targets[i * target_stride];
    if (t >= long(params.columns)) {
      continue;
    }
    const float base = 1.0f - float(x[t * input_stride]);
    uint first = i;
    uint times = 0;
    uint hits = 0;
    for (uint j = lane; j < count; j += 32) {
      const long other = targets[j * target_stride];
      if (other == t) {
        first = min(first, j);
        times += 1;
      }
      if (other < long(params.columns) && float(marks[t * mark_stride]) == 0.0f) {
        hits += 1.0f - float(x[other * input_stride]) + float(x[t * input_stride]) > 0.0f ? 1 : 0;
      }
    }
    uint misses = 0;
    for (uint d = lane; d < params.columns; d += 32) {
      if (float(marks[d * mark_stride]) == 0.0f) {
        misses += base + float(x[d * input_stride]) > 0.0f ? 1 : 0;
      }
    }
    first = simd_min(first);
    times = simd_sum(times);
    hits = simd_sum(hits);
    misses = simd_sum(misses);
    // A target listed twice counts twice; its first place in the list writes.
    if (first == i && lane == 0) {
      gradients[t] = T(params.gradient * (float(hits) - float(times) * float(misses)) * scale);
    }
  }
}

INSTANTIATE("multilabel_margin_loss_float32", multilabel_margin_loss, float)
INSTANTIATE("multilabel_margin_loss_backward_float32", multilabel_margin_loss_backward, float)
INSTANTIATE("multilabel_margin_loss_total_float32", total_of_partial_sums, float)
