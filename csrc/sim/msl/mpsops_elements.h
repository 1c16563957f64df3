// What vectors of both kinds, aligned and packed, are made of. VectorOf is known by now.
#pragma once
#pragma GCC system_header
#include <mpsops_scalars.h>

namespace mpsops_msl {

// The elements of scalars and vectors, one after the other.
template <class T, int N>
struct Elements {
  T array[N];
  template <class... A>
  constexpr Elements(MPSOPS_IN(A)... a) : array() {
    static_assert(total<VectorOf<A>::size...>() <= N, "more values than elements");
    int at = 0;
    (append(at, a, Is<VectorOf<A>::is_vector>()), ...);
  }
  template <int... Size>
  static constexpr int total() {
    return (Size + ...);
  }
  template <class A>
  constexpr void append(int& at, MPSOPS_IN(A) a, Is<false>) {
    array[at++] = static_cast<T>(static_cast<typename Through<T, A>::type>(a));
  }
  template <class A>
  constexpr void append(int& at, MPSOPS_IN(A) a, Is<true>) {
    for (int i = 0; i < VectorOf<A>::size; ++i) append(at, a[i], Is<false>());
  }
};

}  // namespace mpsops_msl

namespace mpsops_vector {

template <class T, T... I>
struct Order {};
template <int N>
using Indices = __make_integer_seq<Order, int, N>;

using mpsops_msl::Elements;
using mpsops_msl::If;
using mpsops_msl::Is;
using mpsops_msl::VectorOf;

// Members that vectors of both kinds have.
#define MPSOPS_ASSIGN(Self, op)                  \
  template <class B>                             \
  constexpr Self& operator op## = (const B& b) { \
    return *this = *this op b;                   \
  }
#define MPSOPS_MEMBERS(Self)       \
  MPSOPS_ASSIGN(Self, +)           \
  MPSOPS_ASSIGN(Self, -)           \
  MPSOPS_ASSIGN(Self, *)           \
  MPSOPS_ASSIGN(Self, /)           \
  MPSOPS_ASSIGN(Self, %)           \
  MPSOPS_ASSIGN(Self, &)           \
  MPSOPS_ASSIGN(Self, |)           \
  MPSOPS_ASSIGN(Self, ^)           \
  MPSOPS_ASSIGN(Self, <<)          \
  MPSOPS_ASSIGN(Self, >>)          \
  constexpr Self& operator++() {   \
    return *this += T(1);          \
  }                                \
  constexpr Self& operator--() {   \
    return *this -= T(1);          \
  }                                \
  constexpr Self operator++(int) { \
    const Self old = *this;        \
    ++*this;                       \
    return old;                    \
  }                                \
  constexpr Self operator--(int) { \
    const Self old = *this;        \
    --*this;                       \
    return old;                    \
  }
// A scalar is for every element; vectors of different elements convert only when asked to.
#define MPSOPS_IF_SCALAR \
  typename If<!VectorOf<S>::is_vector && __is_convertible(S, T), int>::type = 0

}  // namespace mpsops_vector
