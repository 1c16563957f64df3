// Products of the matrices that a simdgroup holds, on the CPU: one function does all lanes' work.
#pragma once
#pragma GCC system_header
#include <mpsops_lanes.h>

namespace mpsops_msl {

static inline unsigned own_lane() {
  return lane_of(stack_pointer()) % kSimdgroupSize;
}

template <class D, class A, class B, class C>
struct MatrixFrame {
  A a[2];
  B b[2];
  C c[2];
  D d[2];
};

template <class D, class A, class B, class C>
MPSOPS_UNCHECKED void multiply_lanes(void* const* values, unsigned mask) {
  typedef MatrixFrame<D, A, B, C> Frame;
  if (mask != ~0u) {
    // Undefined on the GPU unless all lanes take part: poison, so that tests notice.
    for (int lane = 0; lane < 32; ++lane) {
      if (mask >> lane & 1) {
        __builtin_memset(static_cast<Frame*>(values[lane])->d, 0xff, 2 * sizeof(D));
      }
    }
    return;
  }
  float a[8][8];
  float b[8][8];
  float d[8][8];
  for (unsigned lane = 0; lane < 32; ++lane) {
    const Frame* frame = static_cast<Frame*>(values[lane]);
    const MatrixPlace place = matrix_place(lane);
    for (unsigned i = 0; i < 2; ++i) {
      a[place.row][place.column + i] = float(frame->a[i]);
      b[place.row][place.column + i] = float(frame->b[i]);
      d[place.row][place.column + i] = float(frame->c[i]);
    }
  }
  for (int row = 0; row < 8; ++row) {
    for (int k = 0; k < 8; ++k) {
      for (int column = 0; column < 8; ++column) {
        d[row][column] = __builtin_fmaf(a[row][k], b[k][column], d[row][column]);
      }
    }
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    Frame* frame = static_cast<Frame*>(values[lane]);
    const MatrixPlace place = matrix_place(lane);
    frame->d[0] = D(d[place.row][place.column]);
    frame->d[1] = D(d[place.row][place.column + 1]);
  }
}

template <class D, class A, class B, class C>
MPSOPS_INLINE ::metal::vec<D, 2> multiply_accumulate(::metal::vec<A, 2> a, ::metal::vec<B, 2> b,
                                                     ::metal::vec<C, 2> c, const char* name,
                                                     Site site) {
  MatrixFrame<D, A, B, C> frame = {{a[0], a[1]}, {b[0], b[1]}, {c[0], c[1]}, {D(0), D(0)}};
  simdgroup(site, name, &frame, &multiply_lanes<D, A, B, C>);
  return ::metal::vec<D, 2>{frame.d[0], frame.d[1]};
}

}  // namespace mpsops_msl
