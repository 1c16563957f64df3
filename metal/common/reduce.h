// Sums, minima and maxima over a threadgroup, and over teams: runs of `lanes` neighbouring threads,
// a power of two up to 32, or else the whole group. Every thread of a group must call; every thread
// gets the result. `shared` holds one value per simdgroup and is free again on return.
#pragma once
#include <metal_stdlib>

struct GroupPosition {
  uint thread_index;  // in the threadgroup
  uint threads;       // of the threadgroup, a multiple of 32
  uint lane;          // in the simdgroup
  uint simdgroup;     // in the threadgroup
  uint simdgroups;    // of the threadgroup
};

inline GroupPosition group_position(uint thread_index, uint threads, uint lane, uint simdgroup) {
  GroupPosition at;
  at.thread_index = thread_index;
  at.threads = threads;
  at.lane = lane;
  at.simdgroup = simdgroup;
  at.simdgroups = threads / 32;
  return at;
}

struct SumOfLanes {
  static float of(float value) { return metal::simd_sum(value); }
  static float identity() { return 0.0f; }
};
struct MinOfLanes {
  static uint of(uint value) { return metal::simd_min(value); }
  static uint identity() { return ~0u; }
};
struct MaxOfLanes {
  static float of(float value) { return metal::simd_max(value); }
  static float identity() { return -INFINITY; }
};

template <class Lanes, class T>
inline T group_reduce(T value, threadgroup T* shared, GroupPosition at) {
  value = Lanes::of(value);
  if (at.simdgroups == 1) {
    return value;
  }
  if (at.lane == 0) {
    shared[at.simdgroup] = value;
  }
  metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
  value = Lanes::of(at.lane < at.simdgroups ? shared[at.lane] : Lanes::identity());
  metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
  return value;
}

inline float group_sum(float value, threadgroup float* shared, GroupPosition at) {
  return group_reduce<SumOfLanes>(value, shared, at);
}

inline uint group_min(uint value, threadgroup uint* shared, GroupPosition at) {
  return group_reduce<MinOfLanes>(value, shared, at);
}

// Of numbers; a NaN may get lost.
inline float group_max(float value, threadgroup float* shared, GroupPosition at) {
  return group_reduce<MaxOfLanes>(value, shared, at);
}

inline float team_sum(float value, uint lanes, threadgroup float* shared, GroupPosition at) {
  if (lanes > 32) {
    return group_sum(value, shared, at);
  }
  for (uint offset = lanes / 2; offset > 0; offset /= 2) {
    value += metal::simd_shuffle_xor(value, ushort(offset));
  }
  return value;
}

inline float team_max(float value, uint lanes, threadgroup float* shared, GroupPosition at) {
  if (lanes > 32) {
    return group_max(value, shared, at);
  }
  for (uint offset = lanes / 2; offset > 0; offset /= 2) {
    value = metal::fmax(value, metal::simd_shuffle_xor(value, ushort(offset)));
  }
  return value;
}
