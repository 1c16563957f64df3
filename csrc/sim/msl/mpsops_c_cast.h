// (T)a: of a vector or a number as T(a) has it, of anything else as C++ has it.
#pragma once
#pragma GCC system_header
#include <mpsops_make.h>

namespace mpsops_msl {

template <class T, class A>
constexpr auto c_convert(MPSOPS_IN(A) a, int) -> decltype((T)a) {
  return (T)a;
}
// A copy is not const: its conversion operator may not be either.
template <class T, class A>
constexpr T c_convert(A a, long) {
  return (T)a;
}
template <class T, class A>
constexpr T c_cast_as(MPSOPS_IN(A) a, Is<true>) {
  return Maker<T>::cast(a);
}
template <class T, class A>
constexpr T c_cast_as(MPSOPS_IN(A) a, Is<false>) {
  return c_convert<T>(a, 0);
}
template <class T, class A>
constexpr T c_cast(MPSOPS_IN(A) a) {
  constexpr bool to = VectorOf<T>::is_vector || __is_arithmetic(T);
  constexpr bool from = VectorOf<A>::is_vector || __is_arithmetic(A);
  return c_cast_as<T>(a, Is<to && from>());
}

}  // namespace mpsops_msl
