// heaviside: 0 below zero, 1 above, `values` at zero; NaN is above, as on the CPU. Elementwise: one
// thread per 1 or 4 elements, one dispatch, each element read and written once.
#include "metal/common/elementwise.h"

struct Heaviside {
  template <class T>
  T operator()(T x, T value) const {
    return x == T(0) ? value : T(x < T(0) ? 0 : 1);
  }
};

INSTANTIATE_BINARY_ALL("heaviside", Heaviside)
