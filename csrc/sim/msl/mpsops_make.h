// T(a, ...) and static_cast<T>(a) of the kernel language, where T may be a vector: the translator
// writes these instead, because half and bfloat, and in the strict check vectors, need help.
#pragma once
#pragma GCC system_header
#include <mpsops_vectors.h>

namespace mpsops_msl {

// Conversion operators need not be const: then a copy is converted, which is not either.
template <class T, class A>
constexpr auto convert(MPSOPS_IN(A) a, int)
    -> decltype(T(static_cast<typename Through<__remove_cv(T), A>::type>(a))) {
  return T(static_cast<typename Through<__remove_cv(T), A>::type>(a));
}
template <class T, class A>
constexpr T convert(A a, long) {
  return T(a);
}

template <class T, bool Vector = VectorOf<T>::is_vector>
struct Maker {
  template <class A>
  static constexpr T make(MPSOPS_IN(A) a) {
    return convert<T>(a, 0);
  }
  template <class A, class B, class... Rest>
  static constexpr T make(MPSOPS_IN(A) a, MPSOPS_IN(B) b, MPSOPS_IN(Rest)... rest) {
    return T(a, b, rest...);
  }
  template <class A>
  static constexpr T cast(MPSOPS_IN(A) a) {
    return convert<T>(a, 0);
  }
};
template <class T>
struct Maker<T, true> {
  typedef typename VectorOf<T>::element E;
  template <int... Size>
  static constexpr int total() {
    return (Size + ...);
  }
  template <class A>
  static constexpr T cast(MPSOPS_IN(A) a) {
    static_assert(!VectorOf<A>::is_vector || int(VectorOf<A>::size) == int(VectorOf<T>::size),
                  "vectors of different sizes");
    return VectorCast<T>::cast(a, Is<VectorOf<A>::is_vector>());
  }
  template <class A>
  static constexpr T make(MPSOPS_IN(A) a) {
    return cast(a);
  }
  template <class A, class B, class... Rest>
  static constexpr T make(MPSOPS_IN(A) a, MPSOPS_IN(B) b, MPSOPS_IN(Rest)... rest) {
    static_assert(
        total<VectorOf<A>::size, VectorOf<B>::size, VectorOf<Rest>::size...>() == VectorOf<T>::size,
        "one value for each element");
    return VectorCast<T>::gather(a, b, rest...);
  }
};

template <class T, class... A>
constexpr T make(MPSOPS_IN(A)... a) {
  return Maker<T>::make(a...);
}
template <class T, class A>
constexpr T cast(MPSOPS_IN(A) a) {
  return Maker<T>::cast(a);
}

}  // namespace mpsops_msl
