// Takes the place of csrc/sim/msl/mpsops_vectors.h: clang's own vectors, which nothing runs. The
// check knows them in every address space; those of bool have elements that rewriting names.
#pragma once
#pragma GCC system_header
#include <mpsops_scalars.h>

#define MPSOPS_VECTOR(T, N) T __attribute__((ext_vector_type(N)))

namespace mpsops_vector {
template <class T, int N>
struct packed_vec;
}  // namespace mpsops_vector

namespace mpsops_msl {

template <class T, int N>
struct VectorOf<T __attribute__((ext_vector_type(N)))> {
  typedef T element;
  typedef T plain __attribute__((ext_vector_type(N)));
  enum { size = N, is_vector = 1 };
};
template <class T, int N>
struct VectorOf<mpsops_vector::packed_vec<T, N>> : VectorOf<T __attribute__((ext_vector_type(N)))> {
};

template <class V, class E>
struct Rebound<V, E, true> {
  typedef E type __attribute__((ext_vector_type(VectorOf<V>::size)));
};
template <class V>
struct Rebound<V, bool, true> {
  typedef bool __attribute__((ext_vector_type(VectorOf<V>::size))) type;
};

// clang's comparisons of vectors yield integers as wide as the elements.
template <class E>
struct Boolean {
  enum { value = !__is_floating_point(E) };
};

}  // namespace mpsops_msl

#include <mpsops_elements.h>

namespace mpsops_msl {

template <class T>
struct VectorCast {
  typedef typename VectorOf<T>::element E;
  template <class A>
  static constexpr T cast(MPSOPS_IN(A) a, Is<true>) {
    return __builtin_convertvector(typename VectorOf<A>::plain(a), T);
  }
  template <class A>
  static constexpr T cast(MPSOPS_IN(A) a, Is<false>) {
    return T(static_cast<E>(static_cast<typename Through<E, A>::type>(a)));
  }
  template <class... A>
  static constexpr T gather(MPSOPS_IN(A)... a) {
    const Elements<E, VectorOf<T>::size> elements(a...);
    T out = {};
    for (int i = 0; i < VectorOf<T>::size; ++i) out[i] = elements.array[i];
    return out;
  }
};

}  // namespace mpsops_msl

#include <mpsops_packed.h>

namespace mpsops_vector {

// Operators with a packed operand; those of other vectors are clang's.
template <class A, class B>
struct Either;
template <class T, int N, class B>
struct Either<packed_vec<T, N>, B> {
  typedef MPSOPS_VECTOR(T, N) type;
};
template <class A, class T, int N>
struct Either<A, packed_vec<T, N>> {
  typedef MPSOPS_VECTOR(T, N) type;
};
template <class T, int N>
struct Either<packed_vec<T, N>, packed_vec<T, N>> {
  typedef MPSOPS_VECTOR(T, N) type;
};
#define MPSOPS_BINARY(op)                                            \
  template <class A, class B, class V = typename Either<A, B>::type> \
  constexpr auto operator op(A a, B b)->decltype(V() op V()) {       \
    return V(a) op V(b);                                             \
  }
MPSOPS_BINARY(+)
MPSOPS_BINARY(-)
MPSOPS_BINARY(*)
MPSOPS_BINARY(/)
MPSOPS_BINARY(%)
MPSOPS_BINARY(&)
MPSOPS_BINARY(|)
MPSOPS_BINARY(^)
MPSOPS_BINARY(<<)
MPSOPS_BINARY(>>)
MPSOPS_BINARY(==)
MPSOPS_BINARY(!=)
MPSOPS_BINARY(<)
MPSOPS_BINARY(<=)
MPSOPS_BINARY(>)
MPSOPS_BINARY(>=)
#undef MPSOPS_BINARY
template <class T, int N>
constexpr MPSOPS_VECTOR(T, N) operator-(packed_vec<T, N> a) {
  typedef MPSOPS_VECTOR(T, N) V;
  return -V(a);
}

}  // namespace mpsops_vector

namespace metal {
template <class T, int N>
using vec = T __attribute__((ext_vector_type(N)));
using mpsops_vector::packed_vec;
}  // namespace metal
