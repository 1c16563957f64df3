// Products of the matrices that a simdgroup holds, on an NVIDIA GPU: a lane fetches the row and the
// two columns that its elements need.
#pragma once
#pragma GCC system_header
#include <mpsops_lanes.h>

namespace mpsops_msl {

static inline unsigned own_lane() {
  return lane_index();
}

// Both elements travel at once, and which of them is wanted is up to the lane that asks.
template <class T>
static inline float matrix_element(::metal::vec<T, 2> own, unsigned row, unsigned column) {
  const ::metal::vec<T, 2> pair = from_lane(own, matrix_lane(row, column), ~0u);
  return float(column & 1 ? pair[1] : pair[0]);
}

// All 32 lanes must take part, as in Metal.
template <class D, class A, class B, class C>
static inline ::metal::vec<D, 2> multiply_accumulate(::metal::vec<A, 2> a, ::metal::vec<B, 2> b,
                                                     ::metal::vec<C, 2> c, const char*, Site) {
  const MatrixPlace place = matrix_place(lane_index());
  float first = float(c[0]);
  float second = float(c[1]);
  for (unsigned k = 0; k < 8; ++k) {
    const float left = matrix_element(a, place.row, k);
    first = __builtin_fmaf(left, matrix_element(b, k, place.column), first);
    second = __builtin_fmaf(left, matrix_element(b, k, place.column + 1), second);
  }
  return ::metal::vec<D, 2>{D(first), D(second)};
}

}  // namespace mpsops_msl
