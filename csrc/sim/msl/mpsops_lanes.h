// Lanes of a simdgroup on the CPU. A lane gives its value and waits; when all active lanes of its
// simdgroup have, one function computes all results.
#pragma once
#pragma GCC system_header
#include <mpsops_support.h>

namespace mpsops_msl {

// Waits without a call where it can. In checked libraries the simulator wants to know.
MPSOPS_INLINE bool wait(State state, Site site, const char* operation, Combine combine) {
#ifdef MPSOPS_SWITCHES
  const unsigned long pointer = stack_pointer();
  Lane* lanes = group_of(pointer).lanes;
  const unsigned index = lane_of(pointer);
  Lane* lane = &lanes[index];
  Lane* next = next_lane(lanes, index);
  if (next == nullptr) return false;
  lane->file = site.file;
  lane->line = site.line;
  lane->column = (unsigned short)site.column;
  lane->state = state;
  lane->operation = operation;
  lane->combine = combine;
  switch_lanes(lane, next);
  return true;
#else
  return false;
#endif
}

MPSOPS_INLINE void threadgroup_barrier(Site site, unsigned memory_flags) {
  if (!wait(State::kBarrier, site, nullptr, nullptr)) {
    runtime.threadgroup_barrier(site, memory_flags);
  }
}
MPSOPS_INLINE void simdgroup_barrier(Site site, unsigned memory_flags) {
  if (!wait(State::kSimdgroup, site, "simdgroup_barrier", nullptr)) {
    runtime.simdgroup_barrier(site, memory_flags);
  }
}

// In checked libraries these are hooks: their accesses are not the kernel's, their code has no
// line.
#ifdef MPSOPS_SIM_CHECKED
#define MPSOPS_EXCHANGE \
  __attribute__((noinline, section("mpsops_hooks"), no_sanitize("kernel-address"))) static
#else
#define MPSOPS_EXCHANGE MPSOPS_INLINE
#endif
MPSOPS_INLINE unsigned own_lane() {
  return lane_of(stack_pointer()) % kSimdgroupSize;
}
MPSOPS_INLINE Exchange& own_exchange() {
  const unsigned long pointer = stack_pointer();
  return group_of(pointer).exchanges[lane_of(pointer) / kSimdgroupSize];
}
MPSOPS_EXCHANGE void give(const void* value, unsigned long size) {
  __builtin_memcpy(own_exchange().values + own_lane() * size, value, size);
}
MPSOPS_EXCHANGE void fetch(void* result, unsigned long size) {
  __builtin_memcpy(result, own_exchange().results + own_lane() * size, size);
}
#undef MPSOPS_EXCHANGE
// `combine` takes Values to Results.
template <class Result, class Value>
MPSOPS_INLINE Result simdgroup(const Value& value, const char* operation, Combine combine,
                               Site site) {
  static_assert(sizeof(Value) <= Exchange::kLargest && sizeof(Result) <= Exchange::kLargest,
                "what lanes exchange fits its place");
  give(&value, sizeof(Value));
  if (!wait(State::kSimdgroup, site, operation, combine)) {
    runtime.simdgroup(site, operation, combine);
  }
  Result result;
  fetch(&result, sizeof(Result));
  return result;
}

template <class T, class Op>
MPSOPS_UNCHECKED void reduce_lanes(const void* values, void* results, unsigned mask) {
  const T* value = static_cast<const T*>(values);
  T* result = static_cast<T*>(results);
  // A tree over the 32 lanes, in which inactive ones hold the identity, as in hardware.
  T lane[32];
  for (int i = 0; i < 32; ++i) {
    lane[i] = mask >> i & 1 ? value[i] : Op::template identity<T>();
  }
  for (int half_width = 16; half_width > 0; half_width /= 2) {
    for (int i = 0; i < half_width; ++i) {
      lane[i] = Op::apply(lane[i], lane[i + half_width]);
    }
  }
  for (int i = 0; i < 32; ++i) result[i] = lane[0];
}
template <class T, class Op>
MPSOPS_UNCHECKED void reduce_quads(const void* values, void* results, unsigned mask) {
  const T* value = static_cast<const T*>(values);
  for (int quad = 0; quad < 32; quad += 4) {
    T total = Op::template identity<T>();
    for (int i = quad; i < quad + 4; ++i) {
      if (mask >> i & 1) total = Op::apply(total, value[i]);
    }
    for (int i = quad; i < quad + 4; ++i) static_cast<T*>(results)[i] = total;
  }
}
template <class T, class Op, bool Inclusive, int Width>
MPSOPS_UNCHECKED void scan_lanes(const void* values, void* results, unsigned mask) {
  const T* value = static_cast<const T*>(values);
  for (int group = 0; group < 32; group += Width) {
    T running = Op::template identity<T>();
    for (int i = group; i < group + Width; ++i) {
      if (mask >> i & 1) {
        const T next = Op::apply(running, value[i]);
        static_cast<T*>(results)[i] = Inclusive ? next : running;
        running = next;
      }
    }
  }
}

template <class T>
struct Shuffle {
  T value;
  T other;
  int operand;
  int width;
};
template <class T, class Source>
MPSOPS_UNCHECKED void shuffle_lanes(const void* values, void* results, unsigned mask) {
  const Shuffle<T>* given = static_cast<const Shuffle<T>*>(values);
  T* result = static_cast<T*>(results);
  for (int i = 0; i < 32; ++i) {
    if (mask >> i & 1) {
      const int width = given[i].width;
      const int base = i / width * width;
      int from = Source::from(i - base, given[i].operand, width);
      const bool fill = from >= width * 2;
      if (fill) from -= width * 2;
      // Reading from an inactive lane is undefined on the GPU: poison, so that tests notice.
      if (from < 0 || from >= width || !(mask >> (base + from) & 1)) {
        __builtin_memset(&result[i], 0xff, sizeof(T));
      } else {
        result[i] = fill ? given[base + from].other : given[base + from].value;
      }
    }
  }
}
template <class T, int Width>
MPSOPS_UNCHECKED void first_lane(const void* values, void* results, unsigned mask) {
  const T* value = static_cast<const T*>(values);
  for (int group = 0; group < 32; group += Width) {
    const unsigned mine = mask >> group & (Width == 32 ? ~0u : (1u << (Width & 31)) - 1);
    if (mine == 0) continue;
    const T first = value[group + __builtin_ctz(mine)];
    for (int i = group; i < group + Width; ++i) static_cast<T*>(results)[i] = first;
  }
}
// Each gives a vote, and gets the votes of the group.
template <int Width>
MPSOPS_UNCHECKED void ballot_lanes(const void* values, void* results, unsigned mask) {
  const bool* vote = static_cast<const bool*>(values);
  for (int group = 0; group < 32; group += Width) {
    Ballot ballot = {};
    for (int i = 0; i < Width; ++i) {
      if (mask >> (group + i) & 1) {
        ballot.active |= 1u << i;
        ballot.votes |= unsigned(vote[group + i]) << i;
      }
    }
    for (int i = group; i < group + Width; ++i) static_cast<Ballot*>(results)[i] = ballot;
  }
}
// True for the first active lane of each group of Width.
template <int Width>
MPSOPS_UNCHECKED void elect_lane(const void*, void* results, unsigned mask) {
  for (int group = 0; group < 32; group += Width) {
    bool first = true;
    for (int i = group; i < group + Width; ++i) {
      if (mask >> i & 1) {
        static_cast<bool*>(results)[i] = first;
        first = false;
      }
    }
  }
}

template <int Width>
MPSOPS_INLINE Ballot ballot(bool vote, const char* name, Site site) {
  return simdgroup<Ballot>(vote, name, &ballot_lanes<Width>, site);
}
template <class Op, int Width, class T>
MPSOPS_INLINE T reduce(T value, const char* name, Site site) {
  return simdgroup<T>(value, name, Width == 32 ? &reduce_lanes<T, Op> : &reduce_quads<T, Op>, site);
}
template <class Op, bool Inclusive, int Width, class T>
MPSOPS_INLINE T scan(T value, const char* name, Site site) {
  return simdgroup<T>(value, name, &scan_lanes<T, Op, Inclusive, Width>, site);
}
template <class Source, class T>
MPSOPS_INLINE T shuffle(T value, T other, int operand, int width, const char* name, Site site) {
  const Shuffle<T> given = {value, other, operand, width};
  return simdgroup<T>(given, name, &shuffle_lanes<T, Source>, site);
}
template <int Width, class T>
MPSOPS_INLINE T first(T value, const char* name, Site site) {
  return simdgroup<T>(value, name, &first_lane<T, Width>, site);
}
template <int Width>
MPSOPS_INLINE bool elect(const char* name, Site site) {
  return simdgroup<bool>(true, name, &elect_lane<Width>, site);
}

}  // namespace mpsops_msl
