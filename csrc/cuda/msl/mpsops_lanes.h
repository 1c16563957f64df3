// Lanes of a simdgroup are those of a warp: shuffles. Active are the lanes that arrive together.
#pragma once
#pragma GCC system_header
#include <mpsops_support.h>

namespace mpsops_msl {

static inline void threadgroup_barrier(Site, unsigned) {
  __syncthreads();
}
static inline void simdgroup_barrier(Site, unsigned) {
  __nvvm_bar_warp_sync(__nvvm_activemask());
}

static inline unsigned lane_index() {
  return __nvvm_read_ptx_sreg_laneid();
}

// The first lane of this lane's group of Width.
template <int Width>
static inline unsigned first_of_group() {
  return lane_index() / Width * Width;
}
// Of the lanes in `mask`, those of that group, counted from its first.
template <int Width>
static inline unsigned mask_of_group(unsigned mask) {
  return mask >> first_of_group<Width>() & (Width == 32 ? ~0u : (1u << (Width & 31)) - 1);
}

template <class T>
static inline T from_lane(T value, unsigned lane, unsigned mask) {
  unsigned words[(sizeof(T) + 3) / 4] = {};
  __builtin_memcpy(words, &value, sizeof(T));
  for (unsigned i = 0; i < sizeof(words) / 4; ++i) {
    words[i] = unsigned(__nvvm_shfl_sync_idx_i32(mask, int(words[i]), int(lane), 31));
  }
  __builtin_memcpy(&value, words, sizeof(T));
  return value;
}

// One after another: of a simdgroup those in `mask`, of a smaller group all, because groups beside
// it take part in the same shuffles. A loop over bits, not an unrolled one: ptxas fails for sm_90
// on the predicates of that.
template <int Width>
static inline unsigned lanes_to_visit(unsigned mask) {
  return Width == 32 ? mask : (1u << (Width & 31)) - 1;
}

// All lanes of the group at once as a tree, in the order of the simulator's; some alone one by one.
template <class Op, int Width, class T>
static inline T reduce(T value, const char*, Site) {
  const unsigned mask = __nvvm_activemask();
  if (mask == ~0u) {
    for (unsigned offset = Width / 2; offset > 0; offset /= 2) {
      value = Op::apply(value, from_lane(value, lane_index() ^ offset, mask));
    }
    return value;
  }
  T result = Op::template identity<T>();
  for (unsigned rest = lanes_to_visit<Width>(mask); rest != 0; rest &= rest - 1) {
    const unsigned lane = first_of_group<Width>() + unsigned(__builtin_ctz(rest));
    const T other = from_lane(value, lane, mask);
    if (mask >> lane & 1) result = Op::apply(result, other);
  }
  return result;
}

template <class Op, bool Inclusive, int Width, class T>
static inline T scan(T value, const char*, Site) {
  const unsigned mask = __nvvm_activemask();
  T running = Op::template identity<T>();
  for (unsigned rest = lanes_to_visit<Width>(mask); rest != 0; rest &= rest - 1) {
    const unsigned lane = first_of_group<Width>() + unsigned(__builtin_ctz(rest));
    const T other = from_lane(value, lane, mask);
    if ((mask >> lane & 1) && lane + (Inclusive ? 0 : 1) <= lane_index()) {
      running = Op::apply(running, other);
    }
  }
  return running;
}

template <class Source, class T>
static inline T shuffle(T value, T other, int operand, int width, const char*, Site) {
  const unsigned mask = __nvvm_activemask();
  const unsigned first = lane_index() & ~unsigned(width - 1);
  int from = Source::from(int(lane_index() - first), operand, width);
  const bool fill = from >= 2 * width;
  if (fill) from -= 2 * width;
  const unsigned lane = first + (unsigned(from) & unsigned(width - 1));
  // Sources that read the filling are few and known when this is compiled.
  const T mine = from_lane(value, lane, mask);
  const T filled = from_lane(other, lane, mask);
  return fill ? filled : mine;
}

template <int Width, class T>
static inline T first(T value, const char*, Site) {
  const unsigned mask = __nvvm_activemask();
  const int lane = __builtin_ctz(mask_of_group<Width>(mask));
  return from_lane(value, first_of_group<Width>() + unsigned(lane), mask);
}

template <int Width>
static inline Ballot ballot(bool vote, const char*, Site) {
  const unsigned mask = __nvvm_activemask();
  const unsigned votes = unsigned(__nvvm_vote_ballot_sync(mask, vote));
  return Ballot{mask_of_group<Width>(votes), mask_of_group<Width>(mask)};
}

template <int Width>
static inline bool elect(const char*, Site) {
  const int lane = __builtin_ctz(mask_of_group<Width>(__nvvm_activemask()));
  return first_of_group<Width>() + unsigned(lane) == lane_index();
}

}  // namespace mpsops_msl
