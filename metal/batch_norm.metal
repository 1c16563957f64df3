// The parts of SyncBatchNorm. With n elements in a channel, over batch and features:
//   stats            mean, 1 / sqrt(var + eps)          update_stats   mean, var, running averages
//   backward_reduce  sum(dy), sum(dy * (x - mean))      gather_stats   the statistics of all ranks
//   elemt            (x - mean) * invstd * w + b
//   backward_elemt   (dy - mean(dy) - (x - mean) * invstd^2 * mean(dy * (x - mean))) * invstd * w
//
// All but gather_stats split work alike. A threadgroup of 256 threads is `lanes` channels wide: 32
// where channels are neighbours in memory (channels_last, or few features), so that a simdgroup
// reads them side by side; else 1, and a simdgroup reads neighbouring features. The other threads
// of a channel take turns along its elements, four loads in flight. `blocks` groups share the
// elements of a channel.
//
// Sums take one dispatch where a block takes the whole channel, else a second, in which a simdgroup
// for each channel merges what the blocks found, 16 (moments) or 8 bytes each, in a fixed order.
// elemt, backward_elemt and gather_stats are one dispatch. Every operand is read or written once.
//
// Variance: Chan, Golub and LeVeque (1979), pairwise updates of (count, sum, sum of squared
// differences), on differences from the first element of the channel. Values that share a large
// mean keep all their bits that way; the sum, not a running mean, makes one infinity come out as
// infinity.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/params/batch_norm.h"

using namespace metal;

constant constexpr uint kThreads = 256;
constant constexpr uint kLoads = 4;

inline bool given(uint what, uint bits) {
  return (bits & what) != 0;
}

// A thread's way through its part of a channel: every rows-th element of the block's slice.
struct ChannelWalk {
  long channel;
  bool valid;  // the channel exists
  uint block;
  ulong index;  // of an element in its channel
  ulong end;
  ulong rows;
  ulong features;
  ulong batch;
  ulong feature;
  ulong batch_step;
  ulong feature_step;

  ChannelWalk(ulong group, uint thread_index, constant BatchNormParams& params) {
    const uint tile = uint(group) / params.blocks;
    block = uint(group) - tile * params.blocks;
    channel = long(tile) * params.lanes + (thread_index & (params.lanes - 1));
    valid = channel < params.channels;
    rows = kThreads / params.lanes;
    features = ulong(params.features);
    index = ulong(block) * ulong(params.slice) + thread_index / params.lanes;
    end = valid ? min(ulong(block + 1) * ulong(params.slice), ulong(params.elements)) : 0;
    split(index, params.narrow, batch, feature);
    split(rows, params.narrow, batch_step, feature_step);
  }

  void split(ulong position, uint narrow, thread ulong& quotient, thread ulong& rest) const {
    quotient = narrow != 0 ? ulong(uint(position) / uint(features)) : position / features;
    rest = position - quotient * features;
  }

  bool more() const { return index < end; }

  // Whether the step went around the end of a row of features.
  bool advance() {
    index += rows;
    batch += batch_step;
    feature += feature_step;
    const bool wrapped = feature >= features;
    if (wrapped) {
      feature -= features;
      ++batch;
    }
    return wrapped;
  }
};

// Where a walk stands in one tensor; steps are additions only.
struct WalkOffset {
  long offset;
  long step;
  long wrap;

  WalkOffset(ChannelWalk walk, constant int64_t* strides) {
    offset =
        long(walk.batch) * strides[0] + walk.channel * strides[1] + long(walk.feature) * strides[2];
    step = long(walk.batch_step) * strides[0] + long(walk.feature_step) * strides[2];
    wrap = strides[0] - long(walk.features) * strides[2];
  }

  void advance(bool wrapped) { offset += step + (wrapped ? wrap : 0); }
};

struct Moments {
  float count;
  float sum;
  float squares;  // of differences from the mean
};

inline Moments merge(Moments a, Moments b) {
  if (b.count == 0.0f) {
    return a;
  }
  if (a.count == 0.0f) {
    return b;
  }
  const float count = a.count + b.count;
  const float delta = b.sum / b.count - a.sum / a.count;
  return {count, a.sum + b.sum,
          a.squares + b.squares + delta * delta * (a.count * (b.count / count))};
}

inline Moments shuffled(Moments value, ushort offset) {
  return {simd_shuffle_xor(value.count, offset), simd_shuffle_xor(value.sum, offset),
          simd_shuffle_xor(value.squares, offset)};
}

struct GradientSums {
  float dy;
  float dy_xmu;
};

inline GradientSums merge(GradientSums a, GradientSums b) {
  return {a.dy + b.dy, a.dy_xmu + b.dy_xmu};
}

inline GradientSums shuffled(GradientSums value, ushort offset) {
  return {simd_shuffle_xor(value.dy, offset), simd_shuffle_xor(value.dy_xmu, offset)};
}

// Over the threads of a group that share a channel; right for threads below `lanes`. Every thread
// calls.
template <class State>
inline State merged(State value, uint lanes, threadgroup State* shared, uint thread_index,
                    uint lane, uint simdgroup) {
  for (uint offset = 16; offset >= lanes; offset /= 2) {
    value = merge(value, shuffled(value, ushort(offset)));
  }
  if (lane < lanes) {
    shared[simdgroup * lanes + lane] = value;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (thread_index < lanes) {
    for (uint other = 1; other < kThreads / 32; ++other) {
      value = merge(value, shared[other * lanes + thread_index]);
    }
  }
  return value;
}

// The first element of a channel, for which its values are taken relative to; 0 if that would turn
// the others into NaN.
template <class T>
inline float pivot_of(device const T* input, long channel, constant BatchNormParams& params) {
  const float first = float(input[channel * params.strides[kBatchNormInput][1]]);
  return isfinite(first) ? first : 0.0f;
}

// As CUDA: a constant channel without eps has the inverse 0.
inline float inverse_deviation(float variance, float eps) {
  return variance == 0.0f && eps == 0.0f ? 0.0f : 1.0f / precise::sqrt(variance + eps);
}

template <class S>
inline void write_running(device S* running, long offset, float value, float momentum) {
  running[offset] = S(momentum * value + (1.0f - momentum) * float(running[offset]));
}

template <class S>
inline void write_moments(Moments moments, float pivot, long channel, device S* mean,
                          device S* variance, device S* running_mean, device S* running_var,
                          constant BatchNormParams& params) {
  const float center = pivot + moments.sum / moments.count;
  const float spread = moments.squares / moments.count;
  mean[channel] = S(center);
  variance[channel] =
      S(given(kBatchNormInvert, params.given) ? inverse_deviation(spread, params.eps) : spread);
  if (given(kBatchNormRunningMean, params.given)) {
    write_running(running_mean, channel * params.running_strides[0], center, params.momentum);
  }
  if (given(kBatchNormRunningVar, params.given)) {
    write_running(running_var, channel * params.running_strides[1],
                  moments.squares / (moments.count - 1.0f), params.momentum);
  }
}

template <class T, class S>
kernel void batch_norm_moments(
    device S* mean [[buffer(0)]], device S* variance [[buffer(1)]],
    device S* running_mean [[buffer(2)]], device S* running_var [[buffer(3)]],
    device float4* partials [[buffer(4)]], device const T* input [[buffer(5)]],
    constant BatchNormParams& params [[buffer(6)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint thread_index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup Moments shared[kThreads];
  const ulong group_index = linear_index(group, groups);
  if (group_index >= params.groups) {
    return;  // whole groups only
  }
  ChannelWalk walk(group_index, thread_index, params);
  WalkOffset at(walk, params.strides[kBatchNormInput]);
  const float pivot = walk.valid ? pivot_of(input, walk.channel, params) : 0.0f;
  Moments moments = {0.0f, 0.0f, 0.0f};
  while (walk.more()) {
    float values[kLoads];
    uint count = 0;
    float sum = 0.0f;
    for (uint i = 0; i < kLoads; ++i) {
      values[i] = 0.0f;
      if (walk.more()) {
        values[i] = float(input[at.offset]) - pivot;
        sum += values[i];
        ++count;
        at.advance(walk.advance());
      }
    }
    const float center = sum / float(count);
    float squares = 0.0f;
    for (uint i = 0; i < kLoads; ++i) {
      const float difference = i < count ? values[i] - center : 0.0f;
      squares += difference * difference;
    }
    moments = merge(moments, Moments{float(count), sum, squares});
  }
  moments = merged(moments, params.lanes, shared, thread_index, lane, simdgroup);
  if (thread_index >= params.lanes || !walk.valid) {
    return;
  }
  if (params.blocks > 1) {
    partials[walk.channel * params.blocks + walk.block] =
        float4(moments.count, moments.sum, moments.squares, pivot);
    return;
  }
  write_moments(moments, pivot, walk.channel, mean, variance, running_mean, running_var, params);
}

// A simdgroup for each channel.
template <class S>
kernel void batch_norm_moments_merged(
    device S* mean [[buffer(0)]], device S* variance [[buffer(1)]],
    device S* running_mean [[buffer(2)]], device S* running_var [[buffer(3)]],
    device const float4* partials [[buffer(4)]], constant BatchNormParams& params [[buffer(5)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint lane [[thread_index_in_simdgroup]]) {
  const long channel = long(linear_index(group, groups));
  if (channel >= params.channels) {
    return;
  }
  device const float4* own = partials + channel * params.blocks;
  Moments moments = {0.0f, 0.0f, 0.0f};
  for (uint block = lane; block < params.blocks; block += 32) {
    const float4 partial = own[block];
    moments = merge(moments, Moments{partial.x, partial.y, partial.z});
  }
  for (ushort offset = 16; offset > 0; offset /= 2) {
    moments = merge(moments, shuffled(moments, offset));
  }
  if (lane == 0) {
    write_moments(moments, own[0].w, channel, mean, variance, running_mean, running_var, params);
  }
}

template <class S>
inline void write_gradients(GradientSums sums, float invstd, long channel, device float* sum_dy,
                            device float* sum_dy_xmu, device S* grad_weight, device S* grad_bias,
                            constant BatchNormParams& params) {
  if (given(kBatchNormSums, params.given)) {
    sum_dy[channel] = sums.dy;
    sum_dy_xmu[channel] = sums.dy_xmu;
  }
  if (given(kBatchNormGradWeight, params.given)) {
    grad_weight[channel] = S(sums.dy_xmu * invstd);
  }
  if (given(kBatchNormGradBias, params.given)) {
    grad_bias[channel] = S(sums.dy);
  }
}

template <class T, class S>
kernel void batch_norm_backward_reduce(
    device float* sum_dy [[buffer(0)]], device float* sum_dy_xmu [[buffer(1)]],
    device S* grad_weight [[buffer(2)]], device S* grad_bias [[buffer(3)]],
    device float2* partials [[buffer(4)]], device const T* grad_output [[buffer(5)]],
    device const T* input [[buffer(6)]], device const float* mean [[buffer(7)]],
    device const float* invstd [[buffer(8)]], constant BatchNormParams& params [[buffer(9)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup GradientSums shared[kThreads];
  const ulong group_index = linear_index(group, groups);
  if (group_index >= params.groups) {
    return;  // whole groups only
  }
  ChannelWalk walk(group_index, thread_index, params);
  WalkOffset input_at(walk, params.strides[kBatchNormInput]);
  WalkOffset grad_at(walk, params.strides[kBatchNormGradOutput]);
  const float center = walk.valid ? mean[walk.channel] : 0.0f;
  GradientSums sums = {0.0f, 0.0f};
  while (walk.more()) {
    GradientSums few = {0.0f, 0.0f};
    for (uint i = 0; i < kLoads; ++i) {
      if (walk.more()) {
        const float dy = float(grad_output[grad_at.offset]);
        few.dy += dy;
        few.dy_xmu += dy * (float(input[input_at.offset]) - center);
        const bool wrapped = walk.advance();
        input_at.advance(wrapped);
        grad_at.advance(wrapped);
      }
    }
    sums = merge(sums, few);
  }
  sums = merged(sums, params.lanes, shared, thread_index, lane, simdgroup);
  if (thread_index >= params.lanes || !walk.valid) {
    return;
  }
  if (params.blocks > 1) {
    partials[walk.channel * params.blocks + walk.block] = float2(sums.dy, sums.dy_xmu);
    return;
  }
  write_gradients(sums, invstd[walk.channel], walk.channel, sum_dy, sum_dy_xmu, grad_weight,
                  grad_bias, params);
}

// A simdgroup for each channel.
template <class S>
kernel void batch_norm_backward_reduce_merged(
    device float* sum_dy [[buffer(0)]], device float* sum_dy_xmu [[buffer(1)]],
    device S* grad_weight [[buffer(2)]], device S* grad_bias [[buffer(3)]],
    device const float2* partials [[buffer(4)]], device const float* invstd [[buffer(5)]],
    constant BatchNormParams& params [[buffer(6)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint lane [[thread_index_in_simdgroup]]) {
  const long channel = long(linear_index(group, groups));
  if (channel >= params.channels) {
    return;
  }
  device const float2* own = partials + channel * params.blocks;
  GradientSums sums = {0.0f, 0.0f};
  for (uint block = lane; block < params.blocks; block += 32) {
    sums = merge(sums, GradientSums{own[block].x, own[block].y});
  }
  for (ushort offset = 16; offset > 0; offset /= 2) {
    sums = merge(sums, shuffled(sums, offset));
  }
  if (lane == 0) {
    write_gradients(sums, invstd[channel], channel, sum_dy, sum_dy_xmu, grad_weight, grad_bias,
                    params);
  }
}

template <class T, class S>
kernel void batch_norm_elemt(
    device T* output [[buffer(0)]], device const T* input [[buffer(1)]],
    device const S* weights [[buffer(2)]], device const S* biases [[buffer(3)]],
    device const float* means [[buffer(4)]], device const float* invstds [[buffer(5)]],
    constant BatchNormParams& params [[buffer(6)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint thread_index [[thread_index_in_threadgroup]]) {
  const ulong group_index = linear_index(group, groups);
  if (group_index >= params.groups) {
    return;
  }
  ChannelWalk walk(group_index, thread_index, params);
  if (!walk.more()) {
    return;
  }
  WalkOffset input_at(walk, params.strides[kBatchNormInput]);
  WalkOffset output_at(walk, params.strides[kBatchNormOutput]);
  const float mean = means[walk.channel];
  const float invstd = invstds[walk.channel];
  const float weight = given(kBatchNormWeight, params.given) ? float(weights[walk.channel]) : 1.0f;
  const float bias = given(kBatchNormBias, params.given) ? float(biases[walk.channel]) : 0.0f;
  while (walk.more()) {
    const float centered = float(input[input_at.offset]) - mean;
    output[output_at.offset] = T(weight * centered * invstd + bias);
    const bool wrapped = walk.advance();
    input_at.advance(wrapped);
    output_at.advance(wrapped);
  }
}

template <class T, class S>
kernel void batch_norm_backward_elemt(
    device T* grad_input [[buffer(0)]], device const T* grad_output [[buffer(1)]],
    device const T* input [[buffer(2)]], device const float* means [[buffer(3)]],
    device const float* invstds [[buffer(4)]], device const S* weights [[buffer(5)]],
    device const float* sum_dy [[buffer(6)]], device const float* sum_dy_xmu [[buffer(7)]],
    device const int* counts [[buffer(8)]], constant BatchNormParams& params [[buffer(9)]],
    uint2 group [[threadgroup_position_in_grid]], uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]]) {
  const ulong group_index = linear_index(group, groups);
  if (group_index >= params.groups) {
    return;
  }
  ChannelWalk walk(group_index, thread_index, params);
  if (!walk.more()) {
    return;
  }
  WalkOffset input_at(walk, params.strides[kBatchNormInput]);
  WalkOffset grad_at(walk, params.strides[kBatchNormGradOutput]);
  WalkOffset output_at(walk, params.strides[kBatchNormOutput]);
  long total = 0;
  for (uint rank = 0; rank < params.ranks; ++rank) {
    total += counts[rank];
  }
  const float share = 1.0f / float(total);
  const float mean = means[walk.channel];
  const float invstd = invstds[walk.channel];
  const float weight = given(kBatchNormWeight, params.given) ? float(weights[walk.channel]) : 1.0f;
  const float mean_dy = sum_dy[walk.channel] * share;
  const float projection = invstd * invstd * sum_dy_xmu[walk.channel] * share;
  while (walk.more()) {
    const float dy = float(grad_output[grad_at.offset]);
    const float centered = float(input[input_at.offset]) - mean;
    grad_input[output_at.offset] = T((dy - mean_dy - centered * projection) * (weight * invstd));
    const bool wrapped = walk.advance();
    input_at.advance(wrapped);
    grad_at.advance(wrapped);
    output_at.advance(wrapped);
  }
}

// A thread for each channel; neighbours read neighbouring columns.
template <class S>
kernel void batch_norm_gather_stats(
    device float* mean [[buffer(0)]], device float* invstd [[buffer(1)]],
    device S* running_mean [[buffer(2)]], device S* running_var [[buffer(3)]],
    device const float* means [[buffer(4)]], device const float* invstds [[buffer(5)]],
    device const S* counts [[buffer(6)]], constant BatchNormGatherParams& params [[buffer(7)]],
    uint2 position [[thread_position_in_grid]], uint2 grid [[threads_per_grid]]) {
  const long channel = long(linear_index(position, grid));
  if (channel >= params.channels) {
    return;
  }
  float count = 0.0f;
  float center = 0.0f;
  float squares = 0.0f;
  for (long rank = 0; rank < params.ranks; ++rank) {
    const float ranks_count = params.counted != 0 ? float(counts[rank]) : params.count;
    if (ranks_count == 0.0f) {
      continue;
    }
    const float other = means[rank * params.mean_strides[0] + channel * params.mean_strides[1]];
    const float deviation =
        1.0f / invstds[rank * params.invstd_strides[0] + channel * params.invstd_strides[1]];
    const float total = count + ranks_count;
    const float delta = other - center;
    squares += (deviation * deviation - params.eps) * ranks_count +
               delta * delta * (count * (ranks_count / total));
    center += delta * (ranks_count / total);
    count = total;
  }
  mean[channel] = center;
  invstd[channel] = 1.0f / precise::sqrt(squares / count + params.eps);
  if (given(kBatchNormRunningMean, params.given)) {
    write_running(running_mean, channel * params.running_strides[0], center, params.momentum);
  }
  if (given(kBatchNormRunningVar, params.given)) {
    write_running(running_var, channel * params.running_strides[1], squares / (count - 1.0f),
                  params.momentum);
  }
}

// The dtypes of the input, and of weight and bias or the running averages.
#define INSTANTIATE_MIXED(stem, function)                                 \
  INSTANTIATE(stem "_float32_float32", function, float, float)            \
  INSTANTIATE(stem "_float16_float16", function, half, half)              \
  INSTANTIATE(stem "_float16_float32", function, half, float)             \
  INSTANTIATE_BFLOAT(stem "_bfloat16_bfloat16", function, bfloat, bfloat) \
  INSTANTIATE_BFLOAT(stem "_bfloat16_float32", function, bfloat, float)

INSTANTIATE_MIXED("batch_norm_moments", batch_norm_moments)
INSTANTIATE_FLOATING("batch_norm_moments_merged", batch_norm_moments_merged)
INSTANTIATE_MIXED("batch_norm_backward_reduce", batch_norm_backward_reduce)
INSTANTIATE_FLOATING("batch_norm_backward_reduce_merged", batch_norm_backward_reduce_merged)
INSTANTIATE_MIXED("batch_norm_elemt", batch_norm_elemt)
INSTANTIATE_MIXED("batch_norm_backward_elemt", batch_norm_backward_elemt)
INSTANTIATE_FLOATING("batch_norm_gather_stats", batch_norm_gather_stats)
