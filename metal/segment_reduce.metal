// segment_reduce: max, mean, min, sum or product over runs of one axis that `offsets` delimits, and
// its gradient. One dispatch; lengths take one more before it, which adds them up to offsets
// (64-bit, one per segment and row) with a threadgroup per row.
//
// Short segments, or many columns: a thread per output walks its segment, neighbours reading
// neighbouring columns. Else a threadgroup of 32 to 1024 threads per output: simdgroups reduce
// first, then threadgroup memory, in a fixed order (of +0 and -0, max and min may keep either
// there).
//
// Forward reads data once. In backward the threads of an output write the elements of its segment,
// so nothing is written twice; they read data twice, but for mean and sum not at all.
//
// Offsets are clamped to the axis before use: wrong ones cannot reach other memory.
#include <metal_stdlib>

#include "metal/common/device_flag.h"
#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/common/strided.h"
#include "metal/params/segment_reduce.h"

using namespace metal;

inline bool is_nan(float value) {
  return value != value;
}

// As in the CPU kernel, the left operand is what was reduced so far: of equals it stays, and a NaN
// on either side wins.
struct MaxOp {
  static float identity() { return -INFINITY; }
  static float combine(float so_far, float value) {
    return is_nan(value) || so_far < value ? value : so_far;
  }
};

struct MinOp {
  static float identity() { return INFINITY; }
  static float combine(float so_far, float value) {
    return is_nan(value) || value < so_far ? value : so_far;
  }
};

struct SumOp {
  static float identity() { return -0.0f; }  // +0 would turn a sum of -0 into +0
  static float combine(float so_far, float value) { return so_far + value; }
};

struct ProdOp {
  static float identity() { return 1.0f; }
  static float combine(float so_far, float value) { return so_far * value; }
};

inline float initial_value(constant SegmentReduceParams& params) {
  if (params.has_initial != 0) {
    return params.initial;
  }
  switch (params.reduction) {
    case kSegmentMax:
      return MaxOp::identity();
    case kSegmentMin:
      return MinOp::identity();
    case kSegmentProd:
      return 1.0f;
    default:
      return 0.0f;
  }
}

// The elements that one output reduces.
struct Segment {
  long first;   // in data
  long stride;  // in data
  long length;
  long dense;  // position of the first in contiguous data
};

template <typename I>
inline device const I* segment_bounds(ulong output, device const I* offsets,
                                      constant SegmentReduceParams& params) {
  const ulong line = quotient(output, ulong(params.columns));
  const ulong row = quotient(line, ulong(params.segments));
  // A row has one offset more than segments.
  return offsets + line + row;
}

template <typename I>
inline Segment find_segment(ulong output, device const I* offsets,
                            constant SegmentReduceParams& params) {
  const ulong columns = ulong(params.columns);
  const ulong line = quotient(output, columns);
  const ulong column = output - line * columns;
  const ulong row = quotient(line, ulong(params.segments));
  device const I* bounds = segment_bounds(output, offsets, params);
  const long size = params.axis_size;
  const long start = min(max(long(bounds[0]), 0L), size);
  const long end = min(max(long(bounds[1]), start), size);
  const long base = strided_offset(row * columns + column, params.lines);
  Segment segment;
  segment.first = base + start * params.axis_stride;
  segment.stride = params.axis_stride;
  segment.length = end - start;
  segment.dense = (long(row) * size + start) * params.columns + long(column);
  return segment;
}

template <typename I>
inline void check_segment(ulong output, device const I* offsets, device atomic_uint* flag,
                          constant SegmentReduceParams& params) {
  if (params.checked == 0) {
    return;
  }
  device const I* bounds = segment_bounds(output, offsets, params);
  const long start = long(bounds[0]);
  const long end = long(bounds[1]);
  const bool outside = min(start, end) < 0 || max(start, end) > params.axis_size;
  const uint errors = (end < start ? kSegmentDecreasing : 0) | (outside ? kSegmentOutOfRange : 0);
  if (errors != 0) {
    raise_flag(flag, errors);
  }
}

// The threads that work on one output; `shared` has room for a value of each simdgroup.
struct Team {
  uint index;
  uint size;
  uint lane;
  uint simdgroup;
};

// For every thread of a group. All of them must call.
template <typename Op>
inline float team_reduce(float value, Team team, threadgroup float* shared) {
  for (ushort offset = 16; offset > 0; offset /= 2) {
    value = Op::combine(value, simd_shuffle_xor(value, offset));
  }
  if (team.size > 32) {
    if (team.lane == 0) {
      shared[team.simdgroup] = value;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    value = team.lane < team.size / 32 ? shared[team.lane] : Op::identity();
    for (ushort offset = 16; offset > 0; offset /= 2) {
      value = Op::combine(value, simd_shuffle_xor(value, offset));
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  return value;
}

template <typename Op, typename T>
inline float reduce_elements(device const T* data, Segment segment, uint first, uint step,
                             float so_far) {
  for (long j = first; j < segment.length; j += step) {
    so_far = Op::combine(so_far, float(data[segment.first + j * segment.stride]));
  }
  return so_far;
}

template <typename Op, typename T>
inline float reduce_alone(device const T* data, Segment segment, float initial) {
  return reduce_elements<Op>(data, segment, 0, 1, initial);
}

template <typename Op, typename T>
inline float reduce_together(device const T* data, Segment segment, float initial, Team team,
                             threadgroup float* shared) {
  const float share = reduce_elements<Op>(data, segment, team.index, team.size, Op::identity());
  return Op::combine(initial, team_reduce<Op>(share, team, shared));
}

inline float finish(float value, long length, constant SegmentReduceParams& params) {
  if (params.reduction != kSegmentMean) {
    return value;
  }
  if (length == 0) {
    return params.has_initial != 0 ? value : NAN;
  }
  return value / float(length);
}

template <typename T, typename I>
kernel void segment_reduce(device const T* data [[buffer(0)]],
                           device const I* offsets [[buffer(1)]], device T* output [[buffer(2)]],
                           device atomic_uint* flag [[buffer(3)]],
                           constant SegmentReduceParams& params [[buffer(4)]],
                           uint2 position [[thread_position_in_grid]],
                           uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= ulong(params.outputs)) {
    return;
  }
  const Segment segment = find_segment(index, offsets, params);
  check_segment(index, offsets, flag, params);
  float value = initial_value(params);
  switch (params.reduction) {
    case kSegmentMax:
      value = reduce_alone<MaxOp>(data, segment, value);
      break;
    case kSegmentMin:
      value = reduce_alone<MinOp>(data, segment, value);
      break;
    case kSegmentProd:
      value = reduce_alone<ProdOp>(data, segment, value);
      break;
    default:
      value = reduce_alone<SumOp>(data, segment, value);
      break;
  }
  output[index] = T(finish(value, segment.length, params));
}

template <typename T, typename I>
kernel void segment_reduce_team(
    device const T* data [[buffer(0)]], device const I* offsets [[buffer(1)]],
    device T* output [[buffer(2)]], device atomic_uint* flag [[buffer(3)]],
    constant SegmentReduceParams& params [[buffer(4)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const ulong index = linear_index(group, groups);
  if (index >= ulong(params.outputs)) {
    return;  // whole groups only
  }
  const Team team = {thread_index, threads.x, lane, simdgroup};
  const Segment segment = find_segment(index, offsets, params);
  check_segment(index, offsets, flag, params);
  float value = initial_value(params);
  switch (params.reduction) {
    case kSegmentMax:
      value = reduce_together<MaxOp>(data, segment, value, team, shared);
      break;
    case kSegmentMin:
      value = reduce_together<MinOp>(data, segment, value, team, shared);
      break;
    case kSegmentProd:
      value = reduce_together<ProdOp>(data, segment, value, team, shared);
      break;
    default:
      value = reduce_together<SumOp>(data, segment, value, team, shared);
      break;
  }
  if (thread_index == 0) {
    output[index] = T(finish(value, segment.length, params));
  }
}

inline bool is_linear(constant SegmentReduceParams& params) {
  return params.reduction == kSegmentMean || params.reduction == kSegmentSum;
}

// What the gradient of an element depends on besides the element.
struct SegmentStatistics {
  float selected;    // max, min: elements that equal the output, and NaNs
  float product;     // prod: of the initial value and the elements that are neither 0 nor NaN
  float zeros;       // prod: of the initial value and the elements
  float nans;        // prod: of the initial value and the elements
  float infinities;  // prod: of the initial value and the elements
};

inline bool is_selected(float value, float output) {
  return is_nan(value) || value == output;
}

inline void add_factor(float value, thread SegmentStatistics& statistics) {
  if (is_nan(value)) {
    statistics.nans += 1.0f;
  } else if (value == 0.0f) {
    statistics.zeros += 1.0f;
  } else {
    statistics.infinities += fabs(value) == INFINITY ? 1.0f : 0.0f;
    statistics.product *= value;
  }
}

template <typename T>
inline SegmentStatistics statistics_of(device const T* data, Segment segment, float output,
                                       uint first, uint step,
                                       constant SegmentReduceParams& params) {
  SegmentStatistics statistics = {0.0f, 1.0f, 0.0f, 0.0f, 0.0f};
  if (is_linear(params)) {
    return statistics;
  }
  const bool product = params.reduction == kSegmentProd;
  if (product && first == 0) {
    add_factor(initial_value(params), statistics);
  }
  uint selected = 0;
  for (long j = first; j < segment.length; j += step) {
    const float value = float(data[segment.first + j * segment.stride]);
    if (product) {
      add_factor(value, statistics);
    } else {
      selected += is_selected(value, output) ? 1 : 0;
    }
  }
  statistics.selected = float(selected);
  return statistics;
}

// Of all factors but `value`, which is 0 or NaN.
inline float product_without(float value, SegmentStatistics statistics) {
  const float zeros = statistics.zeros - (value == 0.0f ? 1.0f : 0.0f);
  const float nans = statistics.nans - (is_nan(value) ? 1.0f : 0.0f);
  if (nans > 0.0f || (zeros > 0.0f && statistics.infinities > 0.0f)) {
    return NAN;
  }
  return zeros > 0.0f ? 0.0f : statistics.product;
}

inline float element_gradient(float value, float grad, float output, long length,
                              SegmentStatistics statistics, constant SegmentReduceParams& params) {
  switch (params.reduction) {
    case kSegmentSum:
      return grad;
    case kSegmentMean:
      return grad / float(length);
    case kSegmentProd:
      return is_nan(value) || value == 0.0f ? grad * product_without(value, statistics)
                                            : grad * output / value;
    default:
      if (!is_selected(value, output)) {
        return 0.0f;
      }
      // The CPU kernel shares positive gradients among the selected, and no others.
      return grad > 0.0f && statistics.selected > 1.0f ? grad / statistics.selected : grad;
  }
}

// grad_input is all 0 before: elements of no segment stay so.
template <typename T>
inline void write_gradients(device const T* data, device T* grad_input, Segment segment, float grad,
                            float output, uint first, uint step, SegmentStatistics statistics,
                            constant SegmentReduceParams& params) {
  const bool needs_value = !is_linear(params);
  for (long j = first; j < segment.length; j += step) {
    const float value = needs_value ? float(data[segment.first + j * segment.stride]) : 0.0f;
    grad_input[segment.dense + j * params.columns] =
        T(element_gradient(value, grad, output, segment.length, statistics, params));
  }
}

template <typename T, typename I>
kernel void segment_reduce_backward(
    device const T* grad [[buffer(0)]], device const T* output [[buffer(1)]],
    device const T* data [[buffer(2)]], device const I* offsets [[buffer(3)]],
    device T* grad_input [[buffer(4)]], constant SegmentReduceParams& params [[buffer(5)]],
    uint2 position [[thread_position_in_grid]], uint2 grid [[threads_per_grid]]) {
  const ulong index = linear_index(position, grid);
  if (index >= ulong(params.outputs)) {
    return;
  }
  const Segment segment = find_segment(index, offsets, params);
  const float result = float(output[index]);
  const SegmentStatistics statistics = statistics_of(data, segment, result, 0, 1, params);
  write_gradients(data, grad_input, segment, float(grad[index]), result, 0, 1, statistics, params);
}

template <typename T, typename I>
kernel void segment_reduce_backward_team(
    device const T* grad [[buffer(0)]], device const T* output [[buffer(1)]],
    device const T* data [[buffer(2)]], device const I* offsets [[buffer(3)]],
    device T* grad_input [[buffer(4)]], constant SegmentReduceParams& params [[buffer(5)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const ulong index = linear_index(group, groups);
  if (index >= ulong(params.outputs)) {
    return;  // whole groups only
  }
  const Team team = {thread_index, threads.x, lane, simdgroup};
  const Segment segment = find_segment(index, offsets, params);
  const float result = float(output[index]);
  SegmentStatistics statistics =
      statistics_of(data, segment, result, team.index, team.size, params);
  if (params.reduction == kSegmentProd) {
    statistics.product = team_reduce<ProdOp>(statistics.product, team, shared);
    statistics.zeros = team_reduce<SumOp>(statistics.zeros, team, shared);
    statistics.nans = team_reduce<SumOp>(statistics.nans, team, shared);
    statistics.infinities = team_reduce<SumOp>(statistics.infinities, team, shared);
  } else if (!is_linear(params)) {
    statistics.selected = team_reduce<SumOp>(statistics.selected, team, shared);
  }
  write_gradients(data, grad_input, segment, float(grad[index]), result, team.index, team.size,
                  statistics, params);
}

// offsets[row] = 0 and the running sums of lengths[row]; each thread adds up a stretch of the row.
template <typename I>
kernel void segment_offsets(
    device const I* lengths [[buffer(0)]], device long* offsets [[buffer(1)]],
    device atomic_uint* flag [[buffer(2)]], constant SegmentOffsetsParams& params [[buffer(3)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint2 threads [[threads_per_threadgroup]], uint thread_index [[thread_index_in_threadgroup]]) {
  threadgroup long sums[256];
  const ulong row = linear_index(group, groups);
  if (row >= ulong(params.rows)) {
    return;  // whole groups only
  }
  const long stretch = (params.segments + threads.x - 1) / threads.x;
  const long first = min(long(thread_index) * stretch, long(params.segments));
  const long last = min(first + stretch, long(params.segments));
  device const I* row_lengths = lengths + row * ulong(params.segments);
  device long* row_offsets = offsets + row * ulong(params.segments + 1);

  long sum = 0;
  bool negative = false;
  for (long i = first; i < last; ++i) {
    const long length = long(row_lengths[i]);
    negative = negative || length < 0;
    sum += length;
  }
  sums[thread_index] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint reach = 1; reach < threads.x; reach *= 2) {
    const long before = thread_index >= reach ? sums[thread_index - reach] : 0;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    sums[thread_index] += before;
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }

  long running = sums[thread_index] - sum;
  for (long i = first; i < last; ++i) {
    running += long(row_lengths[i]);
    row_offsets[i + 1] = running;
  }
  if (thread_index == 0) {
    row_offsets[0] = 0;
  }
  if (params.checked != 0) {
    const bool wrong = thread_index == 0 && sums[threads.x - 1] != params.axis_size;
    const uint errors = (negative ? kSegmentNegativeLength : 0) | (wrong ? kSegmentWrongSum : 0);
    if (errors != 0) {
      raise_flag(flag, errors);
    }
  }
}

#define INSTANTIATE_BY_INDEX(stem, function)                         \
  INSTANTIATE(stem "_float32_int64", function, float, long)          \
  INSTANTIATE(stem "_float32_int32", function, float, int)           \
  INSTANTIATE(stem "_float16_int64", function, half, long)           \
  INSTANTIATE(stem "_float16_int32", function, half, int)            \
  INSTANTIATE_BFLOAT(stem "_bfloat16_int64", function, bfloat, long) \
  INSTANTIATE_BFLOAT(stem "_bfloat16_int32", function, bfloat, int)

INSTANTIATE_BY_INDEX("segment_reduce", segment_reduce)
INSTANTIATE_BY_INDEX("segment_reduce_team", segment_reduce_team)
INSTANTIATE_BY_INDEX("segment_reduce_backward", segment_reduce_backward)
INSTANTIATE_BY_INDEX("segment_reduce_backward_team", segment_reduce_backward_team)
INSTANTIATE("segment_offsets_int64", segment_offsets, long)
INSTANTIATE("segment_offsets_int32", segment_offsets, int)
