// Functions of scalars, applied to the elements of vectors. One template is for vectors of all
// sizes: among its arguments is one at least, and scalars are for every element.
#pragma once
#pragma GCC system_header
#include <metal_types>

namespace mpsops_msl {

// Which elements a function takes.
template <class E>
struct Single {
  enum { value = __is_same(E, float) };
};
template <class E>
struct Floating {
  enum { value = __is_same(E, float) || __is_same(E, half) };
};
template <class E>
struct Real {
  enum { value = Floating<E>::value || __is_same(E, bfloat) };
};
template <class E>
struct Integral {
  enum { value = __is_integral(E) && !__is_same(E, bool) };
};
template <class E>
struct Anything {
  enum { value = true };
};
template <class E>
struct Number {
  enum { value = Floating<E>::value || Integral<E>::value };
};

// The one vector type among the types of arguments, or none.
template <class V, class... A>
struct Joined {
  typedef V type;
};
template <class V, class A, class... Rest>
struct Joined<V, A, Rest...> {
  typedef typename VectorOf<A>::plain Plain;
  enum { scalar = !VectorOf<A>::is_vector, first = __is_same(V, void) };
  template <bool, class X, class>
  struct Choose {
    typedef X type;
  };
  template <class X, class Y>
  struct Choose<false, X, Y> {
    typedef Y type;
  };
  struct Different {};
  typedef typename Choose<
      scalar, V, typename Choose<first || __is_same(V, Plain), Plain, Different>::type>::type Next;
  typedef typename Joined<Next, Rest...>::type type;
};
template <template <class> class Kind, class... A>
using Lifted =
    typename If<VectorOf<typename Joined<void, A...>::type>::is_vector &&
                    Kind<typename VectorOf<typename Joined<void, A...>::type>::element>::value,
                typename Joined<void, A...>::type>::type;

template <class V>
struct Unsigned {
  typedef __make_unsigned(typename VectorOf<V>::element) type;
};

}  // namespace mpsops_msl

// V with other elements.
#define MPSOPS_OF(E) typename ::mpsops_msl::Rebound<V, E>::type
#define MPSOPS_EACH_ELEMENT(expression)                                        \
  for (int i = 0; i < ::mpsops_msl::VectorOf<V>::size; ++i) r[i] = expression; \
  return r;
#define MPSOPS_LIFT_1(name, Kind, Result)                                   \
  template <class A, class V = ::mpsops_msl::Lifted<::mpsops_msl::Kind, A>> \
  static inline Result name(MPSOPS_IN(A) a_) {                              \
    const V a = V(a_);                                                      \
    Result r;                                                               \
    MPSOPS_EACH_ELEMENT(name(a[i]))                                         \
  }
#define MPSOPS_LIFT_2(name, Kind, Result)                                               \
  template <class A, class B, class V = ::mpsops_msl::Lifted<::mpsops_msl::Kind, A, B>> \
  static inline Result name(MPSOPS_IN(A) a_, MPSOPS_IN(B) b_) {                         \
    const V a = V(a_), b = V(b_);                                                       \
    Result r;                                                                           \
    MPSOPS_EACH_ELEMENT(name(a[i], b[i]))                                               \
  }
#define MPSOPS_LIFT_3(name, Kind, Result)                                        \
  template <class A, class B, class C,                                           \
            class V = ::mpsops_msl::Lifted<::mpsops_msl::Kind, A, B, C>>         \
  static inline Result name(MPSOPS_IN(A) a_, MPSOPS_IN(B) b_, MPSOPS_IN(C) c_) { \
    const V a = V(a_), b = V(b_), c = V(c_);                                     \
    Result r;                                                                    \
    MPSOPS_EACH_ELEMENT(name(a[i], b[i], c[i]))                                  \
  }
// The scalars that a macro `_` is for.
#define MPSOPS_INTEGERS(_) _(char) _(uchar) _(short) _(ushort) _(int) _(uint) _(long) _(ulong)
