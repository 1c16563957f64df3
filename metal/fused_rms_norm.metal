// Backward of y = x rstd w, with rstd = 1 / sqrt(mean(x^2) + eps) for each row:
//   grad_x = rstd (g w - x rstd mean(g w x rstd)),   grad_w = sum over rows of g x rstd.
// A team of threads takes a row (metal/common/row_teams.h) and then further ones; a thread keeps
// its columns in registers, so that rows of up to 8192 elements are read once, and adds up grad_w
// of its columns. A team writes those sums to a row of `partials`, and a second dispatch adds the
// rows: 32 columns a group, always in the same order. There is no second dispatch where grad_w is
// not wanted. Rows that are longer are read twice, and their sums stay in `partials`.
#include <metal_stdlib>

#include "metal/common/instantiate.h"
#include "metal/common/row_teams.h"
#include "metal/params/fused_rms_norm.h"

using namespace metal;

constant constexpr uint kHeld = 8;  // columns of a thread that it keeps: kHeld of the host code
constant constexpr uint kColumns = 32;
constant constexpr uint kMaxSlices = 32;

template <typename T>
kernel void rms_norm_backward(
    device T* grad_input [[buffer(0)]], device float* partials [[buffer(1)]],
    device const T* grad_output [[buffer(2)]], device const T* input [[buffer(3)]],
    device const T* weight [[buffer(4)]], device const float* rstds [[buffer(5)]],
    constant RmsNormParams& params [[buffer(6)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint2 threads [[threads_per_threadgroup]],
    uint thread_index [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const RowTeams teams = row_teams(params.lanes, group, groups, at);
  float weights[kHeld];
  float sums[kHeld];
  for (uint k = 0; k < kHeld; ++k) {
    const long column = teams.lane + k * params.lanes;
    const bool weighted = params.weighted != 0 && column < params.columns;
    weights[k] = weighted ? float(weight[column]) : 1.0f;
    sums[k] = 0.0f;
  }
  for (long first = teams.first; first < params.rows; first += teams.step) {
    const long row = first + teams.team;
    const bool valid = row < params.rows;
    const float rstd = valid ? rstds[row] : 0.0f;
    float gradients[kHeld];
    float normalized[kHeld];
    float dot = 0.0f;
    for (uint k = 0; k < kHeld; ++k) {
      const long column = teams.lane + k * params.lanes;
      gradients[k] = 0.0f;
      normalized[k] = 0.0f;
      if (valid && column < params.columns) {
        const long offset = row * params.columns + column;
        const float gradient = float(grad_output[offset]);
        normalized[k] = float(input[offset]) * rstd;
        sums[k] += gradient * normalized[k];
        gradients[k] = gradient * weights[k];
        dot += gradients[k] * normalized[k];
      }
    }
    if (params.want_input == 0) {
      continue;
    }
    const float mean = team_sum(dot, params.lanes, shared, at) / float(params.columns);
    for (uint k = 0; k < kHeld; ++k) {
      const long column = teams.lane + k * params.lanes;
      if (valid && column < params.columns) {
        grad_input[row * params.columns + column] = T(rstd * (gradients[k] - normalized[k] * mean));
      }
    }
  }
  for (uint k = 0; k < kHeld && params.want_weight != 0; ++k) {
    const long column = teams.lane + k * params.lanes;
    if (column < params.columns) {
      partials[long(teams.index) * params.columns + column] = sums[k];
    }
  }
}

// A row for each group in turn, of any length. A thread alone reads and writes the sums of its
// columns.
template <typename T>
kernel void rms_norm_backward_long(
    device T* grad_input [[buffer(0)]], device float* partials [[buffer(1)]],
    device const T* grad_output [[buffer(2)]], device const T* input [[buffer(3)]],
    device const T* weight [[buffer(4)]], device const float* rstds [[buffer(5)]],
    constant RmsNormParams& params [[buffer(6)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint2 threads [[threads_per_threadgroup]],
    uint thread_index [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const RowTeams teams = row_teams(threads.x, group, groups, at);
  device float* sums = partials + long(teams.index) * params.columns;
  for (long row = teams.first; row < params.rows; row += teams.step) {
    const float rstd = rstds[row];
    const long start = row * params.columns;
    float dot = 0.0f;
    for (long column = thread_index; column < params.columns; column += threads.x) {
      const float normalized = float(input[start + column]) * rstd;
      const float gradient = float(grad_output[start + column]);
      if (params.want_weight != 0) {
        const float before = row == teams.first ? 0.0f : sums[column];
        sums[column] = before + gradient * normalized;
      }
      const float scaled = params.weighted != 0 ? gradient * float(weight[column]) : gradient;
      dot += scaled * normalized;
    }
    if (params.want_input == 0) {
      continue;
    }
    const float mean = group_sum(dot, shared, at) / float(params.columns);
    for (long column = thread_index; column < params.columns; column += threads.x) {
      const float normalized = float(input[start + column]) * rstd;
      const float gradient = float(grad_output[start + column]);
      const float scaled = params.weighted != 0 ? gradient * float(weight[column]) : gradient;
      grad_input[start + column] = T(rstd * (scaled - normalized * mean));
    }
  }
}

// Thread (slice, column) adds every n-th part, then the first slice adds the slices.
template <typename T>
kernel void rms_norm_weight_total(device T* grad_weight [[buffer(0)]],
                                  device const float* partials [[buffer(1)]],
                                  constant RmsNormParams& params [[buffer(2)]],
                                  uint2 group [[threadgroup_position_in_grid]],
                                  uint2 groups [[threadgroups_per_grid]],
                                  uint2 threads [[threads_per_threadgroup]],
                                  uint thread_index [[thread_index_in_threadgroup]]) {
  threadgroup float shared[kMaxSlices][kColumns];
  const uint slices = threads.x / kColumns;
  const uint slice = thread_index / kColumns;
  const uint offset = thread_index % kColumns;
  const long column = long(linear_index(group, groups)) * kColumns + offset;
  float sum = 0.0f;
  if (column < params.columns) {
    for (uint part = slice; part < params.parts; part += slices) {
      sum += partials[part * params.columns + column];
    }
  }
  shared[slice][offset] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (slice == 0 && column < params.columns) {
    for (uint other = 1; other < slices; ++other) {
      sum += shared[other][offset];
    }
    grad_weight[column] = T(sum);
  }
}

INSTANTIATE_FLOATING("rms_norm_backward", rms_norm_backward)
INSTANTIATE_FLOATING("rms_norm_backward_long", rms_norm_backward_long)
INSTANTIATE_FLOATING("rms_norm_weight_total", rms_norm_weight_total)
