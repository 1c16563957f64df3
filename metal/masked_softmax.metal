// softmax over the elements of a row that the mask leaves (mask is true where there is nothing);
// masked elements become 0, and all of a row is NaN that has no others, or a NaN. Backward:
// grad y - y sum(grad y), 0 where masked, for y the output.
// A team of threads takes a row (metal/common/row_teams.h). One dispatch. A thread keeps up to 8
// elements in registers, so that rows of up to 8192 elements are read once; the kernels for longer
// ones, and for rows across memory, where neighbouring threads take neighbouring rows, read a row
// three times (forward) or twice.
#include <metal_stdlib>

#include "metal/common/instantiate.h"
#include "metal/common/row_teams.h"
#include "metal/common/strided.h"
#include "metal/params/masked_softmax.h"

using namespace metal;

constant constexpr uint kHeld = 8;  // elements of a thread that it keeps: kHeld of the host code

// Offset of element 0 of a row.
inline long row_start(long row, constant MaskedSoftmaxOperand& operand) {
  return strided_offset(ulong(row), operand.rows);
}

// -inf, which adds nothing to the sum, stands for an element that is masked or not there: one that
// is there may be -inf too, but then the maximum is more, or the row is NaN.
struct MaskedElement {
  float value;
  bool masked;
};

template <typename T>
inline MaskedElement load_masked(device const T* input, device const bool* mask, long d,
                                 constant MaskedSoftmaxParams& params) {
  MaskedElement element;
  element.masked = mask[d * params.mask.stride];
  element.value = element.masked ? -INFINITY : float(input[d * params.input.stride]);
  return element;
}

inline float exponential(MaskedElement element, float maximum) {
  return element.masked ? 0.0f : precise::exp(element.value - maximum);
}

inline float reciprocal_of_sum(float sum) {
  return sum == 0.0f ? NAN : 1.0f / sum;
}

// Held: rows of at most kHeld elements a thread.
template <typename T, bool Held>
kernel void masked_softmax(
    device T* output [[buffer(0)]], device const T* input [[buffer(1)]],
    device const bool* mask [[buffer(2)]], constant MaskedSoftmaxParams& params [[buffer(3)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const RowTeams teams = row_teams(params.lanes, group, groups, at);
  for (long first = teams.first; first < params.rows; first += teams.step) {
    const bool valid = first + teams.team < params.rows;
    const long row = valid ? first + teams.team : 0;
    const long length = valid ? params.length : 0;
    const long turns = Held ? kHeld : (length + params.lanes - 1) / params.lanes;
    device T* results = output + row_start(row, params.result);
    device const T* values = input + row_start(row, params.input);
    device const bool* masks = mask + row_start(row, params.mask);
    MaskedElement held[kHeld];
    float maximum = -INFINITY;
    for (long k = 0; k < turns; ++k) {
      const long d = teams.lane + k * params.lanes;
      if (d < length) {
        const MaskedElement element = load_masked(values, masks, d, params);
        maximum = fmax(maximum, element.value);
        if (Held) {
          held[k] = element;
        }
      }
    }
    maximum = team_max(maximum, params.lanes, shared, at);
    float sum = 0.0f;
    for (long k = 0; k < turns; ++k) {
      const long d = teams.lane + k * params.lanes;
      if (d < length) {
        MaskedElement element;
        if (Held) {
          element = held[k];
        } else {
          element = load_masked(values, masks, d, params);
        }
        element.value = exponential(element, maximum);
        sum += element.value;
        if (Held) {
          held[k] = element;
        }
      }
    }
    const float scale = reciprocal_of_sum(team_sum(sum, params.lanes, shared, at));
    for (long k = 0; k < turns; ++k) {
      const long d = teams.lane + k * params.lanes;
      if (d < length) {
        const float value =
            Held ? held[k].value : exponential(load_masked(values, masks, d, params), maximum);
        results[d * params.result.stride] = T(value * scale);
      }
    }
  }
}

template <typename T, bool Held>
kernel void masked_softmax_backward(
    device T* grad_input [[buffer(0)]], device const T* grad_output [[buffer(1)]],
    device const T* output [[buffer(2)]], device const bool* mask [[buffer(3)]],
    constant MaskedSoftmaxParams& params [[buffer(4)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const RowTeams teams = row_teams(params.lanes, group, groups, at);
  for (long first = teams.first; first < params.rows; first += teams.step) {
    const bool valid = first + teams.team < params.rows;
    const long row = valid ? first + teams.team : 0;
    const long length = valid ? params.length : 0;
    const long turns = Held ? kHeld : (length + params.lanes - 1) / params.lanes;
    device T* results = grad_input + row_start(row, params.result);
    device const T* gradients = grad_output + row_start(row, params.gradient);
    device const T* values = output + row_start(row, params.input);
    device const bool* masks = mask + row_start(row, params.mask);
    MaskedElement held[kHeld];
    float held_gradients[kHeld];
    float sum = 0.0f;
    for (long k = 0; k < turns; ++k) {
      const long d = teams.lane + k * params.lanes;
      if (d < length) {
        const MaskedElement element = load_masked(values, masks, d, params);
        const float gradient = float(gradients[d * params.gradient.stride]);
        sum += element.masked ? 0.0f : gradient * element.value;
        if (Held) {
          held[k] = element;
          held_gradients[k] = gradient;
        }
      }
    }
    sum = team_sum(sum, params.lanes, shared, at);
    for (long k = 0; k < turns; ++k) {
      const long d = teams.lane + k * params.lanes;
      if (d < length) {
        MaskedElement element;
        if (Held) {
          element = held[k];
        } else {
          element = load_masked(values, masks, d, params);
        }
        const float gradient =
            Held ? held_gradients[k] : float(gradients[d * params.gradient.stride]);
        results[d * params.result.stride] =
            T(element.masked ? 0.0f : element.value * (gradient - sum));
      }
    }
  }
}

INSTANTIATE_FLOATING_WITH("masked_softmax", masked_softmax, true)
INSTANTIATE_FLOATING_WITH("masked_softmax_long", masked_softmax, false)
INSTANTIATE_FLOATING_WITH("masked_softmax_backward", masked_softmax_backward, true)
INSTANTIATE_FLOATING_WITH("masked_softmax_backward_long", masked_softmax_backward, false)
