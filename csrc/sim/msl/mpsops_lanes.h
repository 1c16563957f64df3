// Lanes of a simdgroup on the CPU. A lane hands the simulator a pointer to its value; when all
// active lanes of its simdgroup have, one function computes all results.
#pragma once
#pragma GCC system_header
#include <mpsops_support.h>

namespace mpsops_msl {

// Waits without a call where it can. In checked libraries the simulator wants to know.
MPSOPS_INLINE bool wait(State state, Site site, const char* operation, void* value,
                        Combine combine) {
#ifdef MPSOPS_SWITCHES
  const unsigned long pointer = stack_pointer();
  Lane* lanes = group_of(pointer).lanes;
  Lane* lane = &lanes[lane_of(pointer)];
  const unsigned next = lane->next;
  if (__builtin_expect(next == kNoLane, false)) return false;
  lane->file = site.file;
  lane->line = site.line;
  lane->column = (unsigned short)site.column;
  lane->state = state;
  lane->operation = operation;
  lane->value = value;
  lane->combine = combine;
  switch_lanes(lane, &lanes[next]);
  return true;
#else
  return false;
#endif
}

MPSOPS_INLINE void threadgroup_barrier(Site site, unsigned memory_flags) {
  if (!wait(State::kBarrier, site, nullptr, nullptr, nullptr)) {
    runtime.threadgroup_barrier(site, memory_flags);
  }
}
MPSOPS_INLINE void simdgroup(Site site, const char* operation, void* value, Combine combine) {
  if (!wait(State::kSimdgroup, site, operation, value, combine)) {
    runtime.simdgroup(site, operation, value, combine);
  }
}
MPSOPS_INLINE void simdgroup_barrier(Site site, unsigned memory_flags) {
  if (!wait(State::kSimdgroup, site, "simdgroup_barrier", nullptr, nullptr)) {
    runtime.simdgroup_barrier(site, memory_flags);
  }
}

template <class T, class Op>
MPSOPS_UNCHECKED void reduce_lanes(void* const* values, unsigned mask) {
  // A tree over the 32 lanes, in which inactive ones hold the identity, as in hardware.
  T lane[32];
  for (int i = 0; i < 32; ++i) {
    lane[i] = mask >> i & 1 ? *static_cast<T*>(values[i]) : Op::template identity<T>();
  }
  for (int half_width = 16; half_width > 0; half_width /= 2) {
    for (int i = 0; i < half_width; ++i) {
      lane[i] = Op::apply(lane[i], lane[i + half_width]);
    }
  }
  for (int i = 0; i < 32; ++i) {
    if (mask >> i & 1) *static_cast<T*>(values[i]) = lane[0];
  }
}
template <class T, class Op>
MPSOPS_UNCHECKED void reduce_quads(void* const* values, unsigned mask) {
  for (int quad = 0; quad < 32; quad += 4) {
    T result = Op::template identity<T>();
    for (int i = quad; i < quad + 4; ++i) {
      if (mask >> i & 1) result = Op::apply(result, *static_cast<T*>(values[i]));
    }
    for (int i = quad; i < quad + 4; ++i) {
      if (mask >> i & 1) *static_cast<T*>(values[i]) = result;
    }
  }
}
template <class T, class Op, bool Inclusive, int Width>
MPSOPS_UNCHECKED void scan_lanes(void* const* values, unsigned mask) {
  for (int group = 0; group < 32; group += Width) {
    T running = Op::template identity<T>();
    for (int i = group; i < group + Width; ++i) {
      if (mask >> i & 1) {
        T& value = *static_cast<T*>(values[i]);
        const T next = Op::apply(running, value);
        value = Inclusive ? next : running;
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
MPSOPS_UNCHECKED void shuffle_lanes(void* const* values, unsigned mask) {
  T result[32];
  for (int i = 0; i < 32; ++i) {
    if (mask >> i & 1) {
      const Shuffle<T>* mine = static_cast<Shuffle<T>*>(values[i]);
      const int width = mine->width;
      const int base = i / width * width;
      int from = Source::from(i - base, mine->operand, width);
      const bool fill = from >= width * 2;
      if (fill) from -= width * 2;
      // Reading from an inactive lane is undefined on the GPU: poison, so that tests notice.
      if (from < 0 || from >= width || !(mask >> (base + from) & 1)) {
        __builtin_memset(&result[i], 0xff, sizeof(T));
      } else {
        const Shuffle<T>* theirs = static_cast<Shuffle<T>*>(values[base + from]);
        result[i] = fill ? theirs->other : theirs->value;
      }
    }
  }
  for (int i = 0; i < 32; ++i) {
    if (mask >> i & 1) static_cast<Shuffle<T>*>(values[i])->value = result[i];
  }
}
template <class T, int Width>
MPSOPS_UNCHECKED void first_lane(void* const* values, unsigned mask) {
  for (int group = 0; group < 32; group += Width) {
    const unsigned mine = mask >> group & (Width == 32 ? ~0u : (1u << (Width & 31)) - 1);
    if (mine == 0) continue;
    const T value = *static_cast<T*>(values[group + __builtin_ctz(mine)]);
    for (int i = 0; i < Width; ++i) {
      if (mine >> i & 1) *static_cast<T*>(values[group + i]) = value;
    }
  }
}
// In: a vote. Out: the votes of the group.
template <int Width>
MPSOPS_UNCHECKED void ballot_lanes(void* const* values, unsigned mask) {
  for (int group = 0; group < 32; group += Width) {
    Ballot ballot = {};
    for (int i = 0; i < Width; ++i) {
      if (mask >> (group + i) & 1) {
        ballot.active |= 1u << i;
        ballot.votes |= static_cast<Ballot*>(values[group + i])->votes << i;
      }
    }
    for (int i = 0; i < Width; ++i) {
      if (mask >> (group + i) & 1) *static_cast<Ballot*>(values[group + i]) = ballot;
    }
  }
}
// In: anything. Out: 1 for the first active lane of each group of Width.
template <int Width>
MPSOPS_UNCHECKED void elect_lane(void* const* values, unsigned mask) {
  for (int group = 0; group < 32; group += Width) {
    bool first = true;
    for (int i = group; i < group + Width; ++i) {
      if (mask >> i & 1) {
        *static_cast<uint*>(values[i]) = first;
        first = false;
      }
    }
  }
}

template <int Width>
MPSOPS_INLINE Ballot ballot(bool vote, const char* name, Site site) {
  Ballot value = {vote, 0};
  simdgroup(site, name, &value, &ballot_lanes<Width>);
  return value;
}
template <class T>
MPSOPS_INLINE T collective(T value, const char* name, Combine combine, Site site) {
  simdgroup(site, name, &value, combine);
  return value;
}

template <class Op, int Width, class T>
MPSOPS_INLINE T reduce(T value, const char* name, Site site) {
  return collective(value, name, Width == 32 ? &reduce_lanes<T, Op> : &reduce_quads<T, Op>, site);
}
template <class Op, bool Inclusive, int Width, class T>
MPSOPS_INLINE T scan(T value, const char* name, Site site) {
  return collective(value, name, &scan_lanes<T, Op, Inclusive, Width>, site);
}
template <class Source, class T>
MPSOPS_INLINE T shuffle(T value, T other, int operand, int width, const char* name, Site site) {
  Shuffle<T> exchange = {value, other, operand, width};
  simdgroup(site, name, &exchange, &shuffle_lanes<T, Source>);
  return exchange.value;
}
template <int Width, class T>
MPSOPS_INLINE T first(T value, const char* name, Site site) {
  return collective(value, name, &first_lane<T, Width>, site);
}
template <int Width>
MPSOPS_INLINE bool elect(const char* name, Site site) {
  return collective(0u, name, &elect_lane<Width>, site) != 0;
}

}  // namespace mpsops_msl
