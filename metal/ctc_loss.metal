// Connectionist temporal classification (Graves et al., ICML 2006). A target of L labels has
// 2 L + 1 states: its labels, with blanks before, between and after them. What belongs to the
// states at each time step is a table, [batch, time, 2 max(L) + 1].
//
// ctc_alpha: logs of the probabilities of the paths that lead to a state, eq. (6) and (7), and the
// loss, eq. (8). A threadgroup takes an item of the batch, a thread takes a state through all time
// steps and meets its neighbours in threadgroup memory: one barrier for each step. More states than
// threads come in blocks, from left to right.
//
// ctc_posterior: the betas, eq. (10) and (11), are the alphas of the reversed sequence, and come in
// the same way. With the alphas they give the probability of each state. Equal labels of the target
// are linked.
//
// ctc_gradient: eq. (16). A threadgroup takes a time step of an item. A thread takes some labels
// and follows the states of each by their links: O(states + labels) for a step, always in the same
// order, without atomics.
//
// Forward is one dispatch, backward two. Each table is written once and read once; the gradient is
// written once, and again at the labels of the target. Backward's memory is a table of posteriors,
// as large as the alphas, and a link for each target label.
//
// Lengths are clamped to the tensors, and a label outside of [0, labels) has probability NaN: wrong
// values cannot reach other memory.
#include <metal_stdlib>

#include "metal/common/float_float.h"
#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/common/reduce.h"
#include "metal/params/ctc_loss.h"

using namespace metal;

constant constexpr uint kMaxThreads = 1024;  // as in csrc/ops/ctc_loss.cpp
constant constexpr uint kRow = kMaxThreads + 2;

// A link is the position of the next equal label or kLast, and kNotFirst if there was one before;
// or kNoLabel for the blank and what is no label.
constant constexpr uint kNotFirst = 0x80000000u;
constant constexpr uint kLast = 0x7ffffffeu;
constant constexpr uint kNoLabel = 0xffffffffu;

template <typename Target>
struct Item {
  long index;  // in the batch
  long inputs;
  long labels;  // of the target
  device const Target* target;
  long target_stride;

  Item(constant CtcItem& item, long position, constant CtcParams& params,
       device const Target* targets) {
    index = position;
    inputs = min(max(long(item.input_length), 0l), long(params.inputs));
    const long offset = min(max(long(item.target_offset), 0l), long(params.target_size));
    const long most = min((long(params.columns) - 1) / 2, long(params.target_size) - offset);
    labels = min(max(long(item.target_length), 0l), most);
    target_stride = params.target_stride[1];
    target = targets + position * params.target_stride[0] + offset * target_stride;
  }

  long states() const { return 2 * labels + 1; }
  long label(long position) const { return long(target[position * target_stride]); }
  long state_label(long state, long blank) const {
    return (state & 1) == 0 ? blank : label(state / 2);
  }
};

// Links of an item, at least one for each of its labels.
inline long link_columns(constant CtcParams& params) {
  return params.columns / 2;
}

inline bool is_label(long label, constant CtcParams& params) {
  return label >= 0 && label < params.labels;
}

// Logs of probabilities carry their rounding error in a second float: they add up over all steps.
inline FloatFloat add_log(FloatFloat a, float b) {
  FloatFloat sum = two_sum(a.hi, b);
  sum.lo = isfinite(sum.hi) ? sum.lo + a.lo : 0.0f;
  return sum;
}

// log(exp(a) + exp(b) + exp(c)). A NaN is passed on; where all are -inf, so is the result.
inline FloatFloat log_sum_exp(FloatFloat a, FloatFloat b, FloatFloat c) {
  float most = a.hi;
  most = b.hi > most ? b.hi : most;
  most = c.hi > most ? c.hi : most;
  if (most == -INFINITY) {
    most = 0.0f;
  }
  const float sum = precise::exp((a.hi - most) + a.lo) + precise::exp((b.hi - most) + b.lo) +
                    precise::exp((c.hi - most) + c.lo);
  return add_log(FloatFloat{most, 0.0f}, precise::log(sum));
}

inline FloatFloat unpack(float2 value) {
  return FloatFloat{value.x, value.y};
}

// The probability to be in a state at a time, given the target: its alpha times its beta without
// what is `emitted`, over the likelihood. NaN where an infinity is emitted, as on the CPU.
inline float posterior(float log_alpha, FloatFloat log_beta, float emitted, float loss) {
  if (isinf(emitted)) {
    return NAN;
  }
  const FloatFloat sum = add_log(log_beta, log_alpha);
  return precise::exp((sum.hi + loss) + sum.lo);
}

// The same of a label without states, the log of an empty sum being -inf: 0, or NaN where the loss
// or what is emitted is infinite, as on the CPU.
inline float no_state(float emitted, float loss) {
  return precise::exp(-INFINITY + loss - emitted);
}

// Fills an item's part of `table`: with its alphas or, `reversed` in time and states, with
// posteriors made of `log_alpha` and the betas. Returns the log of the sum of the last two states
// at the last step, to every thread.
//
// `rows` has room for two time steps of a block of states, each with the two states left of the
// block before it: a state looks no further, and left of the first one is -inf. From one block to
// the next, these two are kept in `edges`, [item, parity of block, time, 2] pairs.
template <bool reversed, typename Target>
inline float fill_table(device float* table, device const float* log_alpha, float loss,
                        device const float* log_probs, device float* edges, Item<Target> item,
                        threadgroup float2* rows, constant CtcParams& params, uint threads,
                        uint thread_index) {
  const FloatFloat impossible = {-INFINITY, 0.0f};
  const long columns = params.columns;
  const long states = item.states();
  const long start = reversed ? item.inputs - 1 : 0;
  const long step = reversed ? -1 : 1;
  float result = 0.0f;
  // What is left of alpha's columns and rows is -inf; of posteriors, nobody reads it.
  const long end = reversed ? states : columns;
  for (long first = 0; first < end; first += threads) {
    const long state = first + thread_index;
    const bool active = state < states;
    const long column = reversed ? states - 1 - state : state;
    long label = params.blank;
    bool skips = false;  // the blank between different labels may be left out
    if (active) {
      label = item.state_label(column, params.blank);
      skips =
          state > 1 && item.state_label(reversed ? column + 2 : column - 2, params.blank) != label;
    }
    const bool known = is_label(label, params);
    device const float* log_prob = log_probs + start * params.log_prob_stride[0] +
                                   item.index * params.log_prob_stride[1] +
                                   (known ? label : 0) * params.log_prob_stride[2];
    long place = (item.index * params.inputs + start) * columns + column;
    const bool odd = (first / threads & 1) != 0;
    device float* left = edges + (2 * item.index + (odd ? 0 : 1)) * params.inputs * 4;
    device float* right = edges + (2 * item.index + (odd ? 1 : 0)) * params.inputs * 4;

    // What the next step needs is loaded before the barrier, and in flight behind it.
    const bool emits = active && item.inputs > 0;
    float next_emitted = emits && known ? *log_prob : NAN;
    float next_alpha = reversed && emits ? log_alpha[place] : 0.0f;
    FloatFloat value = impossible;
    for (long time = 0; time < item.inputs; ++time) {
      threadgroup float2* now = rows + (time & 1) * kRow;
      threadgroup const float2* before = rows + ((time + 1) & 1) * kRow;
      const float emitted = next_emitted;
      const float alpha = next_alpha;
      if (active && time + 1 < item.inputs) {
        log_prob += step * params.log_prob_stride[0];
        next_emitted = known ? *log_prob : NAN;
        next_alpha = reversed ? log_alpha[place + step * columns] : 0.0f;
      }
      if (time > 0) {
        const FloatFloat entered = unpack(before[thread_index + 1]);
        FloatFloat skipped = impossible;
        if (skips) {
          skipped = unpack(before[thread_index]);
        }
        value = log_sum_exp(value, entered, skipped);
      } else if (state < 2) {
        value = FloatFloat{0.0f, 0.0f};
      }
      // No path begins elsewhere, whatever is emitted there.
      const bool possible = active && (time > 0 || state < 2);
      if (active && reversed) {
        table[place] = possible ? posterior(alpha, value, emitted, loss) : no_state(emitted, loss);
      }
      value = add_log(value, possible ? emitted : -INFINITY);
      if (!reversed && state < columns) {
        table[place] = value.hi;
      }
      place += step * columns;
      now[thread_index + 2] = float2(value.hi, value.lo);
      if (thread_index < 2) {
        const long edge = 4 * time + 2 * thread_index;
        now[thread_index] =
            first > 0 ? float2(left[edge], left[edge + 1]) : float2(impossible.hi, impossible.lo);
      }
      if (first + threads < states && thread_index + 2 >= threads) {
        const long edge = 4 * time + 2 * (thread_index + 2 - threads);
        right[edge] = value.hi;
        right[edge + 1] = value.lo;
      }
      threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    if (!reversed && state < columns) {
      for (long time = item.inputs; time < params.inputs; ++time) {
        table[place] = -INFINITY;
        place += columns;
      }
    }
    if (item.inputs > 0 && first < states && states <= first + threads) {
      threadgroup const float2* last = rows + ((item.inputs - 1) & 1) * kRow;
      const long final_state = states - 1 - first + 2;
      result = last[final_state].x;
      if (states > 1) {
        const FloatFloat label_before = unpack(last[final_state - 1]);
        result = log_sum_exp(unpack(last[final_state]), label_before, impossible).hi;
      }
    }
    // The next block looks at the last states of this one.
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
  }
  return result;
}

template <typename Target>
kernel void ctc_alpha(
    device float* log_alpha [[buffer(0)]], device float* losses [[buffer(1)]],
    device float* edges [[buffer(2)]], device const float* log_probs [[buffer(3)]],
    device const Target* targets [[buffer(4)]], constant CtcParams& params [[buffer(5)]],
    constant CtcItem* items [[buffer(6)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint2 threads [[threads_per_threadgroup]],
    uint thread_index [[thread_index_in_threadgroup]]) {
  threadgroup float2 rows[2 * kRow];
  const ulong place = linear_index(group, groups);
  if (place >= ulong(params.items)) {
    return;  // whole groups only
  }
  const Item<Target> item(items[place], params.first_item + long(place), params, targets);
  const float log_likelihood = fill_table<false>(log_alpha, log_alpha, 0.0f, log_probs, edges, item,
                                                 rows, params, threads.x, thread_index);
  if (thread_index == 0) {
    const bool impossible = item.inputs == 0 && item.labels > 0;
    losses[item.index] = impossible ? INFINITY : -log_likelihood;
  }
}

// Whether the gradient of an item is zero whatever the tables say.
inline bool is_ignored(float loss, constant CtcParams& params) {
  return params.zero_infinity != 0 && loss == INFINITY;
}

template <typename Target>
inline uint find_link(Item<Target> item, long position, constant CtcParams& params) {
  const long label = item.label(position);
  if (label == params.blank || !is_label(label, params)) {
    return kNoLabel;
  }
  long next = position + 1;
  while (next < item.labels && item.label(next) != label) {
    ++next;
  }
  long previous = position - 1;
  while (previous >= 0 && item.label(previous) != label) {
    --previous;
  }
  return (next < item.labels ? uint(next) : kLast) | (previous < 0 ? 0u : kNotFirst);
}

template <typename Target>
kernel void ctc_posterior(
    device float* posteriors [[buffer(0)]], device uint* links [[buffer(1)]],
    device float* edges [[buffer(2)]], device const float* log_alpha [[buffer(3)]],
    device const float* losses [[buffer(4)]], device const float* log_probs [[buffer(5)]],
    device const Target* targets [[buffer(6)]], constant CtcParams& params [[buffer(7)]],
    constant CtcItem* items [[buffer(8)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint2 threads [[threads_per_threadgroup]],
    uint thread_index [[thread_index_in_threadgroup]]) {
  threadgroup float2 rows[2 * kRow];
  const ulong place = linear_index(group, groups);
  if (place >= ulong(params.items)) {
    return;  // whole groups only
  }
  const Item<Target> item(items[place], params.first_item + long(place), params, targets);
  const float loss = losses[item.index];
  if (is_ignored(loss, params)) {
    return;  // whole groups only
  }
  for (long position = thread_index; position < item.labels; position += threads.x) {
    links[item.index * link_columns(params) + position] = find_link(item, position, params);
  }
  fill_table<true>(posteriors, log_alpha, loss, log_probs, edges, item, rows, params, threads.x,
                   thread_index);
}

template <typename Target>
kernel void ctc_gradient(
    device float* grad_input [[buffer(0)]], device const float* grad_output [[buffer(1)]],
    device const float* posteriors [[buffer(2)]], device const uint* links [[buffer(3)]],
    device const float* losses [[buffer(4)]], device const float* log_probs [[buffer(5)]],
    device const Target* targets [[buffer(6)]], constant CtcParams& params [[buffer(7)]],
    constant CtcItem* items [[buffer(8)]], uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]], uint2 threads [[threads_per_threadgroup]],
    uint thread_index [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float shared[32];
  const GroupPosition at = group_position(thread_index, threads.x, lane, simdgroup);
  const long unit = long(linear_index(group, groups));
  const long time = unit / params.items;
  if (time >= params.inputs) {
    return;  // whole groups only
  }
  const long place = unit - time * params.items;
  const Item<Target> item(items[place], params.first_item + place, params, targets);
  device float* gradient = grad_input + (time * params.batch + item.index) * params.labels;
  const float loss = losses[item.index];
  if (time >= item.inputs || is_ignored(loss, params)) {
    for (long label = thread_index; label < params.labels; label += threads.x) {
      gradient[label] = 0.0f;
    }
    return;  // whole groups only
  }

  const float scale = grad_output[item.index * params.grad_stride];
  device const float* log_prob =
      log_probs + time * params.log_prob_stride[0] + item.index * params.log_prob_stride[1];
  const long label_stride = params.log_prob_stride[2];
  for (long label = thread_index; label < params.labels; label += threads.x) {
    // Labels that have states are written again below.
    const float own = log_prob[label * label_stride];
    gradient[label] = (precise::exp(own) - no_state(own, loss)) * scale;
  }
  threadgroup_barrier(mem_flags::mem_device);

  device const float* state = posteriors + (item.index * params.inputs + time) * params.columns;
  device const uint* link = links + item.index * link_columns(params);
  float blank_sum = 0.0f;
  for (long position = thread_index; position <= item.labels; position += threads.x) {
    blank_sum += state[2 * position];
    if (position == item.labels) {
      break;
    }
    uint next = link[position];
    if (next == kNoLabel) {
      blank_sum += state[2 * position + 1];
    } else if ((next & kNotFirst) == 0) {
      float sum = state[2 * position + 1];
      while (next != kLast) {
        sum += state[2 * long(next) + 1];
        next = link[next] & ~kNotFirst;
      }
      const long label = item.label(position);
      gradient[label] = (precise::exp(log_prob[label * label_stride]) - sum) * scale;
    }
  }
  blank_sum = group_sum(blank_sum, shared, at);
  if (thread_index == 0) {
    const float own = precise::exp(log_prob[params.blank * label_stride]);
    gradient[params.blank] = (own - blank_sum) * scale;
  }
}

#define INSTANTIATE_CTC(name, function)              \
  INSTANTIATE(name "_float32_int64", function, long) \
  INSTANTIATE(name "_float32_int32", function, int)

INSTANTIATE_CTC("ctc_alpha", ctc_alpha)
INSTANTIATE_CTC("ctc_posterior", ctc_posterior)
INSTANTIATE_CTC("ctc_gradient", ctc_gradient)
