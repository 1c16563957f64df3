// Products of the matrices that a simdgroup holds, on the CPU: one function does all lanes' work.
#pragma once
#pragma GCC system_header
#include <mpsops_lanes.h>

namespace mpsops_msl {

template <class A, class B, class C>
struct MatrixOperands {
  A a[2];
  B b[2];
  C c[2];
};
template <class D>
struct MatrixResult {
  D d[2];
};

template <class D, class A, class B, class C>
MPSOPS_UNCHECKED void multiply_lanes(const void* values, void* results, unsigned mask) {
  const MatrixOperands<A, B, C>* given = static_cast<const MatrixOperands<A, B, C>*>(values);
  MatrixResult<D>* result = static_cast<MatrixResult<D>*>(results);
  if (mask != ~0u) {
    // Undefined on the GPU unless all lanes take part: poison, so that tests notice.
    __builtin_memset(result, 0xff, kSimdgroupSize * sizeof(MatrixResult<D>));
    return;
  }
  float a[8][8];
  float b[8][8];
  float d[8][8];
  for (unsigned lane = 0; lane < 32; ++lane) {
    const MatrixPlace place = matrix_place(lane);
    for (unsigned i = 0; i < 2; ++i) {
      a[place.row][place.column + i] = float(given[lane].a[i]);
      b[place.row][place.column + i] = float(given[lane].b[i]);
      d[place.row][place.column + i] = float(given[lane].c[i]);
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
    const MatrixPlace place = matrix_place(lane);
    result[lane].d[0] = D(d[place.row][place.column]);
    result[lane].d[1] = D(d[place.row][place.column + 1]);
  }
}

template <class D, class A, class B, class C>
MPSOPS_INLINE ::metal::vec<D, 2> multiply_accumulate(::metal::vec<A, 2> a, ::metal::vec<B, 2> b,
                                                     ::metal::vec<C, 2> c, const char* name,
                                                     Site site) {
  const MatrixOperands<A, B, C> given = {{a[0], a[1]}, {b[0], b[1]}, {c[0], c[1]}};
  const MatrixResult<D> product =
      simdgroup<MatrixResult<D>>(given, name, &multiply_lanes<D, A, B, C>, site);
  return ::metal::vec<D, 2>{product.d[0], product.d[1]};
}

}  // namespace mpsops_msl
