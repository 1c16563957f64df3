// mode(row) = the value that occurs most often, the smallest of those that tie, and the last index
// that holds it. A NaN equals nothing, itself included, and is sorted behind all numbers.
//
// Rows of up to 2048 elements: padded / 2 threads sort a row's keys in threadgroup memory (bitonic)
// and find the length of each run by binary search. One dispatch, no scratch memory; reads rows
// once.
//
// Longer rows: threadgroups of up to 1024 threads count values in a hash table of 3072 slots.
// Values are split by their hash into parts; a part with more than 2048 distinct values is split
// again. A pass over the row per part: one for up to 2048 distinct values, else 1 to 3 times
// distinct / 2048, which is quadratic for a row of distinct values. One dispatch if there are many
// rows; for few, 2^depth groups share a row's parts, leave one candidate of 8 bytes each (at most 2
// KiB in all), and a second dispatch compares them.
#include <metal_stdlib>

#include "metal/common/index.h"
#include "metal/common/instantiate.h"
#include "metal/common/strided.h"
#include "metal/params/mode.h"

using namespace metal;

constant constexpr uint kMaxRowsPerGroup = 128;
constant constexpr uint kSlots = 3072;
// At most one thread each of 1024 adds a value after the limit is passed: a free slot always
// remains.
constant constexpr uint kMaxDistinct = kSlots - 1024;

// Unsigned keys in the order of the values. -0 and +0 share one; NaN has the largest.
template <typename T>
struct SortKey {
  using type = uint;
  static type of(T value) { return as_type<uint>(int(value)) ^ 0x80000000u; }
  static bool is_nan(T) { return false; }
  static bool is_nan_key(type) { return false; }
};

template <>
struct SortKey<long> {
  using type = ulong;
  static type of(long value) { return as_type<ulong>(value) ^ 0x8000000000000000ul; }
  static bool is_nan(long) { return false; }
  static bool is_nan_key(type) { return false; }
};

template <>
struct SortKey<float> {
  using type = uint;
  static type of(float value) {
    const uint bits = value == 0.0f ? 0u : as_type<uint>(value);
    return is_nan(value) ? ~0u : (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  }
  static bool is_nan(float value) { return value != value; }
  static bool is_nan_key(type key) { return key == ~0u; }
};

template <>
struct SortKey<half> {
  using type = uint;
  static type of(half value) { return SortKey<float>::of(float(value)); }
  static bool is_nan(half value) { return SortKey<float>::is_nan(float(value)); }
  static bool is_nan_key(type key) { return SortKey<float>::is_nan_key(key); }
};

#ifndef MPSOPS_NO_BFLOAT
template <>
struct SortKey<bfloat> {
  using type = uint;
  static type of(bfloat value) { return SortKey<float>::of(float(value)); }
  static bool is_nan(bfloat value) { return SortKey<float>::is_nan(float(value)); }
  static bool is_nan_key(type key) { return SortKey<float>::is_nan_key(key); }
};
#endif

// First position of the run that ends at `end`, in sorted keys.
template <typename Key>
inline uint run_start(threadgroup const Key* keys, uint end) {
  const Key key = keys[end];
  uint low = 0;
  uint high = end;
  while (low < high) {
    const uint middle = (low + high) / 2;
    if (keys[middle] < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

template <typename T>
kernel void mode_sorted(device const T* self [[buffer(0)]], device T* values [[buffer(1)]],
                        device long* indices [[buffer(2)]],
                        constant ModeParams& params [[buffer(3)]],
                        threadgroup typename SortKey<T>::type* memory [[threadgroup(0)]],
                        uint2 group [[threadgroup_position_in_grid]],
                        uint2 groups [[threadgroups_per_grid]],
                        uint2 threads [[threads_per_threadgroup]],
                        uint thread_index [[thread_index_in_threadgroup]]) {
  using Key = typename SortKey<T>::type;
  // Of each row in the group: count and position of the best run, then 1 + the last index.
  threadgroup atomic_uint best_runs[kMaxRowsPerGroup];
  threadgroup atomic_uint last_tags[kMaxRowsPerGroup];

  const uint width = params.padded / 2;
  const uint slot = thread_index / width;
  const uint lane = thread_index % width;
  const ulong row = linear_index(group, groups) * (threads.x / width) + slot;
  const bool valid = row < ulong(params.rows);
  const uint length = valid ? uint(params.length) : 0;
  device const T* source = valid ? self + strided_offset(row, params.rows_shape) : self;
  threadgroup Key* keys = memory + slot * params.padded;

  Key own[2] = {~Key(0), ~Key(0)};
  bool number[2] = {false, false};
  for (uint part = 0; part < 2; ++part) {
    const uint position = lane + part * width;
    if (position < length) {
      const T value = source[position * params.stride];
      own[part] = SortKey<T>::of(value);
      number[part] = !SortKey<T>::is_nan(value);
    }
    keys[position] = own[part];
  }
  if (lane == 0) {
    atomic_store_explicit(&best_runs[slot], 0u, memory_order_relaxed);
    atomic_store_explicit(&last_tags[slot], 0u, memory_order_relaxed);
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);

  for (uint size = 2; size <= params.padded; size *= 2) {
    for (uint stride = size / 2; stride > 0; stride /= 2) {
      const uint low = 2 * lane - (lane & (stride - 1));
      const uint high = low + stride;
      const bool ascending = (low & size) == 0;
      const Key low_key = keys[low];
      const Key high_key = keys[high];
      if ((low_key > high_key) == ascending) {
        keys[low] = high_key;
        keys[high] = low_key;
      }
      // Up to stride 32 a simdgroup exchanges among its own 64 keys only.
      const uint next = stride > 1 ? stride / 2 : size;
      if (stride > 32 || next > 32) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
      } else {
        simdgroup_barrier(mem_flags::mem_threadgroup);
      }
    }
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);

  // Longest run in the high half, earliest position in the low half: the larger is the better.
  uint best = 0;
  for (uint part = 0; part < 2; ++part) {
    const uint end = lane + part * width;
    const bool is_end = end < length && (end + 1 == length || keys[end] != keys[end + 1]);
    // NaNs count one each and lose to any number.
    if (is_end && !SortKey<T>::is_nan_key(keys[end])) {
      const uint count = end - run_start(keys, end) + 1;
      best = max(best, (count << 16) | (0xFFFFu - end));
    }
  }
  if (width >= 32) {
    best = simd_max(best);
  }
  if (width < 32 || lane % 32 == 0) {
    atomic_fetch_max_explicit(&best_runs[slot], best, memory_order_relaxed);
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  best = atomic_load_explicit(&best_runs[slot], memory_order_relaxed);

  uint tag = 0;
  for (uint part = 0; part < 2; ++part) {
    const uint position = lane + part * width;
    if (position < length && number[part] && own[part] == keys[0xFFFFu - (best & 0xFFFFu)]) {
      tag = position + 1;
    }
  }
  if (width >= 32) {
    tag = simd_max(tag);
  }
  if (width < 32 || lane % 32 == 0) {
    atomic_fetch_max_explicit(&last_tags[slot], tag, memory_order_relaxed);
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (lane == 0 && valid) {
    // No tag: all are NaN, and the first is as good as any.
    tag = max(atomic_load_explicit(&last_tags[slot], memory_order_relaxed), 1u);
    indices[row] = long(tag - 1);
    values[row] = source[long(tag - 1) * params.stride];
  }
}

// Mixed so that low bits (the part) and high bits (the slot) depend on all of the key; a bijection,
// so distinct keys part in the end. The finalizers of MurmurHash3.
inline uint hash_key(uint key) {
  key = (key ^ (key >> 16)) * 0x85EBCA6Bu;
  key = (key ^ (key >> 13)) * 0xC2B2AE35u;
  return key ^ (key >> 16);
}

inline ulong hash_key(ulong key) {
  key = (key ^ (key >> 33)) * 0xFF51AFD7ED558CCDul;
  key = (key ^ (key >> 33)) * 0xC4CEB9FE1A85EC53ul;
  return key ^ (key >> 33);
}

inline uint first_slot(uint hash) {
  return uint((ulong(hash) * kSlots) >> 32);
}
inline uint first_slot(ulong hash) {
  return first_slot(uint(hash >> 32));
}

// A value by `tag`, 1 + an index at which it stands; 0 is no value. Slots hold tags, as threadgroup
// memory has no 64-bit atomics.
template <typename T>
struct Row {
  device const T* data;
  long stride;

  T value(uint tag) const { return data[long(tag - 1) * stride]; }
  typename SortKey<T>::type key(uint tag) const { return SortKey<T>::of(value(tag)); }

  // Whether the value of tag_a, found count_a times, is a better mode than that of tag_b.
  bool beats(uint count_a, uint tag_a, uint count_b, uint tag_b) const {
    if (count_a != count_b || tag_a == tag_b) {
      return count_a > count_b;
    }
    return key(tag_a) < key(tag_b);
  }
};

// The slot of `key`, which stands at `tag`; a free slot becomes its own.
template <typename T, typename Key, typename Hash>
inline uint find_slot(Row<T> row, Key key, Hash hash, uint tag, threadgroup atomic_uint* tags,
                      threadgroup atomic_uint* distinct) {
  uint slot = first_slot(hash);
  while (true) {
    uint found = atomic_load_explicit(&tags[slot], memory_order_relaxed);
    if (found == 0) {
      if (atomic_compare_exchange_weak_explicit(&tags[slot], &found, tag, memory_order_relaxed,
                                                memory_order_relaxed)) {
        atomic_fetch_add_explicit(distinct, 1u, memory_order_relaxed);
        return slot;
      }
      if (found == 0) {
        continue;  // failed spuriously
      }
    }
    // Another tag may replace this one meanwhile, but only one of the same value.
    if (row.key(found) == key) {
      return slot;
    }
    slot = slot + 1 < kSlots ? slot + 1 : 0;
  }
}

inline void add_to_slot(uint slot, uint count, uint tag, threadgroup atomic_uint* tags,
                        threadgroup atomic_uint* counts) {
  if (count > 0) {
    atomic_fetch_add_explicit(&counts[slot], count, memory_order_relaxed);
    atomic_fetch_max_explicit(&tags[slot], tag, memory_order_relaxed);
  }
}

// The best candidate of a simdgroup, for all of its lanes.
template <typename T>
inline void simd_best(Row<T> row, thread uint& count, thread uint& tag) {
  for (ushort offset = 16; offset > 0; offset /= 2) {
    const uint other_count = simd_shuffle_xor(count, offset);
    const uint other_tag = simd_shuffle_xor(tag, offset);
    if (row.beats(other_count, other_tag, count, tag)) {
      count = other_count;
      tag = other_tag;
    }
  }
}

template <typename T>
kernel void mode_counted(device const T* self [[buffer(0)]], device T* values [[buffer(1)]],
                         device long* indices [[buffer(2)]], device uint2* candidates [[buffer(3)]],
                         constant ModeParams& params [[buffer(4)]],
                         uint2 group [[threadgroup_position_in_grid]],
                         uint2 groups [[threadgroups_per_grid]],
                         uint2 threads [[threads_per_threadgroup]],
                         uint thread_index [[thread_index_in_threadgroup]],
                         uint lane [[thread_index_in_simdgroup]],
                         uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  using Key = typename SortKey<T>::type;
  threadgroup atomic_uint tags[kSlots];
  threadgroup atomic_uint counts[kSlots];
  threadgroup uint best_counts[32];
  threadgroup uint best_tags[32];
  threadgroup atomic_uint distinct;
  threadgroup atomic_uint finished;

  const ulong task = linear_index(group, groups);
  const ulong row_index = task >> params.depth;
  if (row_index >= ulong(params.rows)) {
    return;  // whole groups only
  }
  const Row<T> row = {self + strided_offset(row_index, params.rows_shape), params.stride};
  const ulong length = ulong(params.length);
  if (thread_index == 0) {
    atomic_store_explicit(&finished, 0u, memory_order_relaxed);
  }

  uint best_count = 0;
  uint best_tag = 0;
  // A part: the values whose hash ends in the low `depth` bits of `part`.
  uint depth = params.depth;
  ulong part = task & ((ulong(1) << depth) - 1);
  bool more = true;
  while (more) {
    for (uint slot = thread_index; slot < kSlots; slot += threads.x) {
      atomic_store_explicit(&tags[slot], 0u, memory_order_relaxed);
      atomic_store_explicit(&counts[slot], 0u, memory_order_relaxed);
    }
    if (thread_index == 0) {
      atomic_store_explicit(&distinct, 0u, memory_order_relaxed);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    // Repeats of a thread's latest value wait here, which keeps threads off each other's slots.
    Key key = 0;
    uint slot = 0;
    uint count = 0;
    uint tag = 0;
    const ulong mask = depth < 64 ? (ulong(1) << depth) - 1 : ~ulong(0);
    for (ulong position = thread_index; position < length; position += threads.x) {
      const T value = row.data[long(position) * row.stride];
      const Key next = SortKey<T>::of(value);
      const auto hash = hash_key(next);
      if (SortKey<T>::is_nan(value) || (ulong(hash) & mask) != part) {
        continue;
      }
      if (count == 0 || next != key) {
        if (atomic_load_explicit(&distinct, memory_order_relaxed) > kMaxDistinct) {
          break;
        }
        add_to_slot(slot, count, tag, tags, counts);
        key = next;
        count = 0;
        slot = find_slot(row, key, hash, uint(position) + 1, tags, &distinct);
      }
      ++count;
      tag = uint(position) + 1;
    }
    add_to_slot(slot, count, tag, tags, counts);
    threadgroup_barrier(mem_flags::mem_threadgroup);

    if (atomic_load_explicit(&distinct, memory_order_relaxed) > kMaxDistinct) {
      ++depth;  // too many: first the half with a 0 as next bit
      threadgroup_barrier(mem_flags::mem_threadgroup);
      continue;
    }

    uint total = 0;
    for (uint i = thread_index; i < kSlots; i += threads.x) {
      const uint found = atomic_load_explicit(&counts[i], memory_order_relaxed);
      const uint found_tag = atomic_load_explicit(&tags[i], memory_order_relaxed);
      total += found;
      if (row.beats(found, found_tag, best_count, best_tag)) {
        best_count = found;
        best_tag = found_tag;
      }
    }
    atomic_fetch_add_explicit(&finished, total, memory_order_relaxed);
    simd_best(row, best_count, best_tag);
    if (lane == 0) {
      best_counts[simdgroup] = best_count;
      best_tags[simdgroup] = best_tag;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const bool filled = lane < threads.x / 32;
    best_count = filled ? best_counts[lane] : 0;
    best_tag = filled ? best_tags[lane] : 0;
    simd_best(row, best_count, best_tag);
    const ulong rest = length - atomic_load_explicit(&finished, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);

    // Parts in the order of a depth-first walk: up while this was a second half, then its sibling.
    while (depth > params.depth && ((part >> (depth - 1)) & 1) != 0) {
      --depth;
      part &= (ulong(1) << depth) - 1;
    }
    more = depth > params.depth && rest >= best_count;
    if (more) {
      part |= ulong(1) << (depth - 1);
    }
  }

  if (thread_index != 0) {
    return;
  }
  if (params.depth > 0) {
    candidates[task] = uint2(best_count, best_tag);
  } else {
    // No tag: all are NaN, and the first is as good as any.
    best_tag = max(best_tag, 1u);
    indices[row_index] = long(best_tag - 1);
    values[row_index] = row.value(best_tag);
  }
}

// A simdgroup per row compares what the groups that shared it found.
template <typename T>
kernel void mode_merged(device const T* self [[buffer(0)]], device T* values [[buffer(1)]],
                        device long* indices [[buffer(2)]],
                        device const uint2* candidates [[buffer(3)]],
                        constant ModeParams& params [[buffer(4)]],
                        uint2 group [[threadgroup_position_in_grid]],
                        uint2 groups [[threadgroups_per_grid]],
                        uint lane [[thread_index_in_simdgroup]]) {
  const ulong row_index = linear_index(group, groups);
  if (row_index >= ulong(params.rows)) {
    return;
  }
  const Row<T> row = {self + strided_offset(row_index, params.rows_shape), params.stride};
  uint best_count = 0;
  uint best_tag = 0;
  for (uint i = lane; i < (1u << params.depth); i += 32) {
    const uint2 candidate = candidates[(row_index << params.depth) + i];
    if (row.beats(candidate.x, candidate.y, best_count, best_tag)) {
      best_count = candidate.x;
      best_tag = candidate.y;
    }
  }
  simd_best(row, best_count, best_tag);
  if (lane == 0) {
    best_tag = max(best_tag, 1u);
    indices[row_index] = long(best_tag - 1);
    values[row_index] = row.value(best_tag);
  }
}

INSTANTIATE_ALL("mode_sorted", mode_sorted)
INSTANTIATE_ALL("mode_counted", mode_counted)
INSTANTIATE_ALL("mode_merged", mode_merged)
