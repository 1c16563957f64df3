// loss(row) = sum over d != target of w[target] * max(0, margin - x[target] + x[d])^p / columns.
// A team of `lanes` threads takes a row (metal/common/row_teams.h), a threadgroup takes as many
// rows as it has teams. One dispatch; mean and sum over more than kElementsPerGroup elements add a
// second, in which one threadgroup adds at most 1024 partial sums, always in the same order. Reads
// the input once; backward writes every gradient once, without atomics. A target outside [0,
// columns) is never used as an index: the row is skipped and the flag raised.
#include <metal_stdlib>

#include "metal/common/device_flag.h"
#include "metal/common/instantiate.h"
#include "metal/common/partial_sums.h"
#include "metal/common/reduce.h"
#include "metal/common/row_teams.h"
#include "metal/params/multi_margin_loss.h"

using namespace metal;

// One lane's share of the sum over a row.
template <typename T>
inline float row_share(device const T* x, long target, float weight, uint lane,
                       constant MultiMarginLossParams& params) {
  const long stride = params.input_stride[1];
  const float base = params.margin - float(x[target * stride]);
  float sum = 0.0f;
  for (long d = lane; d < params.columns; d += params.lanes) {
    const float z = base + float(x[d * stride]);
    if (z > 0.0f && d != target) {
      sum += weight * (params.squared ? z * z : z);
    }
  }
  return sum;
}

template <typename T>
kernel void multi_margin_loss(
    device T* output [[buffer(0)]], device float* partials [[buffer(1)]],
    device const T* input [[buffer(2)]], device const long* targets [[buffer(3)]],
    device const T* weights [[buffer(4)]], device atomic_uint* flag [[buffer(5)]],
    constant MultiMarginLossParams& params [[buffer(6)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const RowTeams teams = row_teams(params.lanes, group, groups, at);
  float total = 0.0f;
  for (long first = teams.first; first < params.rows; first += teams.step) {
    const long row = first + teams.team;
    float sum = 0.0f;
    if (row < params.rows) {
      const long target = targets[row * params.target_stride];
      if (target < 0 || target >= params.columns) {
        raise_flag(flag, 1);
      } else {
        const float weight = params.weighted ? float(weights[target * params.weight_stride]) : 1.0f;
        sum = row_share(input + row * params.input_stride[0], target, weight, teams.lane, params);
      }
    }
    if (params.reduced) {
      total += sum;
      continue;
    }
    sum = team_sum(sum, params.lanes, shared, at);
    if (row < params.rows && teams.lane == 0) {
      output[row * params.loss_stride] = T(sum / params.divisor);
    }
  }
  if (params.reduced) {
    total = group_sum(total, shared, at);
    write_partial_sum(total, params.divisor, output, partials, group.x, groups.x, thread_index);
  }
}

template <typename T>
kernel void multi_margin_loss_backward(
    device T* grad_input [[buffer(0)]], device const T* grad_output [[buffer(1)]],
    device const T* input [[buffer(2)]], device const long* targets [[buffer(3)]],
    device const T* weights [[buffer(4)]], device atomic_uint* flag [[buffer(5)]],
    constant MultiMarginLossParams& params [[buffer(6)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const RowTeams teams = row_teams(params.lanes, group, groups, at);
  const long row = teams.first + teams.team;
  long target = -1;
  if (row < params.rows) {
    target = targets[row * params.target_stride];
    if (target < 0 || target >= params.columns) {
      raise_flag(flag, 1);
      target = -1;
    }
  }
  float target_gradient = 0.0f;
  float scale = 0.0f;
  if (target >= 0) {
    scale = float(grad_output[row * params.loss_stride]);
    device const T* x = input + row * params.input_stride[0];
    const long stride = params.input_stride[1];
    const float base = params.margin - float(x[target * stride]);
    const float weight = params.weighted ? float(weights[target * params.weight_stride]) : 1.0f;
    for (long d = teams.lane; d < params.columns; d += params.lanes) {
      if (d == target) {
        continue;
      }
      const float z = base + float(x[d * stride]);
      float gradient = 0.0f;
      if (z > 0.0f) {
        gradient = weight * (params.squared ? 2.0f * params.gradient * z : params.gradient);
        target_gradient -= gradient;
      }
      // Also where it is 0: 0 * inf is NaN, as on the CPU.
      grad_input[row * params.columns + d] = T(gradient * scale);
    }
  }
  target_gradient = team_sum(target_gradient, params.lanes, shared, at);
  if (target >= 0 && teams.lane == 0) {
    grad_input[row * params.columns + target] = T(target_gradient * scale);
  }
}

INSTANTIATE("multi_margin_loss_float32", multi_margin_loss, float)
INSTANTIATE("multi_margin_loss_backward_float32", multi_margin_loss_backward, float)
INSTANTIATE("multi_margin_loss_total_float32", total_of_partial_sums, float)
