// Vectors as classes around clang's. Those alone would compare to integers, cast bit by bit and
// store bools as bits, none of which Metal does. The strict check has clang's own instead.
#pragma once
#pragma GCC system_header
#include <mpsops_scalars.h>

#define MPSOPS_VECTOR(T, N) ::mpsops_vector::vec<T, N>
namespace mpsops_vector {
template <class T, int N>
struct vec;
template <class T, int N>
struct packed_vec;
}  // namespace mpsops_vector
#include <mpsops_swizzles.h>

// Nothing but the types and their operators: what is in a namespace of functions would be found by
// the types of its arguments, which Metal's vectors, built in, do not do.
namespace mpsops_vector {

template <class T>
struct Lane {
  typedef T type;
  static constexpr T of(T value) { return value; }
};
template <>
struct Lane<bool> {
  typedef uchar type;  // 0 or 1
  static constexpr uchar of(bool value) { return value; }
};
template <class T, int N>
struct Native {
  typedef typename Lane<T>::type type __attribute__((ext_vector_type(N)));
};

template <class T, int N>
struct Aligned;
#define MPSOPS_STORAGE(N, xyzw, rgba)                \
  template <class T>                                 \
  struct Aligned<T, N> {                             \
    typedef T element;                               \
    typedef typename Native<T, N>::type native_type; \
    Aligned() = default;                             \
    constexpr Aligned(native_type n) : native(n) {}  \
    union {                                          \
      native_type native;                            \
      T array[N];                                    \
      struct {                                       \
        T xyzw;                                      \
      };                                             \
      struct {                                       \
        T rgba;                                      \
      };                                             \
    };                                               \
  };
#define MPSOPS_NAMES(...) __VA_ARGS__
MPSOPS_STORAGE(2, MPSOPS_NAMES(x, y), MPSOPS_NAMES(r, g))
MPSOPS_STORAGE(3, MPSOPS_NAMES(x, y, z), MPSOPS_NAMES(r, g, b))
MPSOPS_STORAGE(4, MPSOPS_NAMES(x, y, z, w), MPSOPS_NAMES(r, g, b, a))
#undef MPSOPS_STORAGE
#undef MPSOPS_NAMES

}  // namespace mpsops_vector

namespace mpsops_msl {

template <class T, int N>
struct VectorOf<mpsops_vector::vec<T, N>> {
  typedef T element;
  typedef mpsops_vector::vec<T, N> plain;
  enum { size = N, is_vector = 1 };
};
template <class T, int N>
struct VectorOf<mpsops_vector::packed_vec<T, N>> : VectorOf<mpsops_vector::vec<T, N>> {};

template <class V, class E>
struct Rebound<V, E, true> {
  typedef mpsops_vector::vec<E, VectorOf<V>::size> type;
};

// What stands for true and false in a vector.
template <class E>
struct Boolean {
  enum { value = __is_same(E, bool) };
};

}  // namespace mpsops_msl

#include <mpsops_elements.h>

namespace mpsops_vector {

// Whether clang converts vectors of U to vectors of T in one go, as their elements.
template <class T, class U>
struct Converts {
  enum { value = true };
};
template <class U>
struct Converts<bool, U> {
  enum { value = false };
};
template <>
struct Converts<half, bfloat> {
  enum { value = false };
};
template <>
struct Converts<bfloat, half> {
  enum { value = false };
};

template <class T, int N>
struct vec : Swizzles<Aligned<T, N>, N> {
  typedef Swizzles<Aligned<T, N>, N> Base;
  typedef typename Native<T, N>::type native_type;
  vec() = default;
  template <class S, MPSOPS_IF_SCALAR>
  constexpr vec(const S& s) : Base(native_type(Lane<T>::of(static_cast<T>(s)))) {}
  template <class U>
  explicit constexpr vec(const vec<U, N>& v) : Base(converted(v, Is<Converts<T, U>::value>())) {}
  template <class U>
  explicit constexpr vec(const packed_vec<U, N>& p) : vec(Elements<T, N>(p)) {}
  template <class A, class B, class... Rest>
  constexpr vec(const A& a, const B& b, const Rest&... rest) : vec(Elements<T, N>(a, b, rest...)) {}
  explicit constexpr vec(const Elements<T, N>& e) : Base(gather(e, Indices<N>())) {}

  // Templates, so that vectors stay trivial to copy.
  template <class V, class = typename If<__is_same(V, vec)>::type>
  constexpr vec(const volatile V& v) : Base() {
    for (int i = 0; i < N; ++i) this->array[i] = v.array[i];
  }
  template <class V, class = typename If<__is_same(V, vec)>::type>
  void operator=(const V& v) volatile {
    for (int i = 0; i < N; ++i) this->array[i] = v.array[i];
  }

  static constexpr vec of(native_type native) { return vec(FromNative(), native); }
  T& operator[](int i) { return this->array[i]; }
  constexpr T operator[](int i) const { return static_cast<T>(this->native[i]); }
  MPSOPS_MEMBERS(vec)

 private:
  struct FromNative {};
  constexpr vec(FromNative, native_type native) : Base(native) {}
  template <int... I>
  static constexpr native_type gather(const Elements<T, N>& e, Order<int, I...>) {
    return native_type{Lane<T>::of(e.array[I])...};
  }
  template <class U>
  static constexpr native_type converted(const vec<U, N>& v, Is<true>) {
    return __builtin_convertvector(v.native, native_type);
  }
  template <class U>
  static constexpr native_type converted(const vec<U, N>& v, Is<false>) {
    return gather(Elements<T, N>(v), Indices<N>());
  }
};

}  // namespace mpsops_vector

#include <mpsops_packed.h>

namespace mpsops_vector {

// The vector that an operator with operands A and B works on, if there is one.
template <class A, class B, bool VectorA = VectorOf<A>::is_vector,
          bool VectorB = VectorOf<B>::is_vector>
struct Operands {};
template <class A, class B>
struct Operands<A, B, true, true>
    : If<__is_same(typename VectorOf<A>::plain, typename VectorOf<B>::plain),
         typename VectorOf<A>::plain> {};
template <class A, class B>
struct Operands<A, B, true, false>
    : If<__is_convertible(B, typename VectorOf<A>::element), typename VectorOf<A>::plain> {};
template <class A, class B>
struct Operands<A, B, false, true> : Operands<B, A, true, false> {};
template <class V>
using Truth = vec<bool, VectorOf<V>::size>;
template <class V>
using NativeTruth = typename Truth<V>::native_type;

#define MPSOPS_BINARY(op, Result, expression)                          \
  template <class A, class B, class V = typename Operands<A, B>::type> \
  constexpr Result operator op(const A& a_, const B& b_) {             \
    const typename V::native_type a = V(a_).native, b = V(b_).native;  \
    return Result::of(expression);                                     \
  }
#define MPSOPS_ARITHMETIC(op)                                                  \
  template <class A, class B, class V = typename Operands<A, B>::type,         \
            typename If<!__is_same(typename V::element, bool), int>::type = 0> \
  constexpr V operator op(const A& a, const B& b) {                            \
    return V::of(V(a).native op V(b).native);                                  \
  }
MPSOPS_ARITHMETIC(+)
MPSOPS_ARITHMETIC(-)
MPSOPS_ARITHMETIC(*)
MPSOPS_ARITHMETIC(/)
MPSOPS_ARITHMETIC(%)
MPSOPS_BINARY(&, V, a& b)
MPSOPS_BINARY(|, V, a | b)
MPSOPS_BINARY(^, V, a ^ b)
// clang's comparisons are -1 where they hold, in integers as wide as the elements.
#define MPSOPS_COMPARE(op) \
  MPSOPS_BINARY(op, Truth<V>, __builtin_convertvector(a op b, NativeTruth<V>) & uchar(1))
MPSOPS_COMPARE(==)
MPSOPS_COMPARE(!=)
MPSOPS_COMPARE(<)
MPSOPS_COMPARE(<=)
MPSOPS_COMPARE(>)
MPSOPS_COMPARE(>=)
#undef MPSOPS_BINARY
#undef MPSOPS_ARITHMETIC
#undef MPSOPS_COMPARE

// A shift has the type of what is shifted, whatever integers the distances are.
template <class A, class B>
struct Shifted : Operands<A, B> {};
template <class T, class U, int N>
struct Shifted<vec<T, N>, vec<U, N>> : If<__is_integral(T) && __is_integral(U), vec<T, N>> {};
// As on the GPU, a shift by more than the width counts from zero again.
#define MPSOPS_SHIFT(op)                                              \
  template <class A, class B, class V = typename Shifted<A, B>::type> \
  constexpr V operator op(const A& a, const B& b) {                   \
    typedef typename V::element E;                                    \
    return V::of(V(a).native op(V(b).native & E(sizeof(E) * 8 - 1))); \
  }
MPSOPS_SHIFT(<<)
MPSOPS_SHIFT(>>)
#undef MPSOPS_SHIFT

#define MPSOPS_LOGICAL(op, bitwise)                                    \
  template <class A, class B, class V = typename Operands<A, B>::type> \
  constexpr Truth<V> operator op(const A& a, const B& b) {             \
    return Truth<V>(V(a)) bitwise Truth<V>(V(b));                      \
  }
MPSOPS_LOGICAL(&&, &)
MPSOPS_LOGICAL(||, |)
#undef MPSOPS_LOGICAL

template <class A,
          class V = typename Operands<A, A, VectorOf<A>::is_vector, VectorOf<A>::is_vector>::type>
constexpr V operator+(const A& a) {
  return V(a);
}
template <class A, class V = typename Operands<A, A>::type>
constexpr V operator-(const A& a) {
  return V::of(-V(a).native);
}
template <class A, class V = typename Operands<A, A>::type>
constexpr V operator~(const A& a) {
  return V::of(~V(a).native);
}
template <class A, class V = typename Operands<A, A>::type>
constexpr Truth<V> operator!(const A& a) {
  return Truth<V>(V(a)) ^ Truth<V>(true);
}

}  // namespace mpsops_vector

namespace mpsops_msl {

// How the translator's make() and cast() get to a vector T.
template <class T>
struct VectorCast {
  typedef typename VectorOf<T>::element E;
  template <class A>
  static constexpr T cast(const A& a, Is<true>) {
    return T(a);
  }
  template <class A>
  static constexpr T cast(const A& a, Is<false>) {
    return T(static_cast<E>(static_cast<typename Through<E, A>::type>(a)));
  }
  template <class... A>
  static constexpr T gather(const A&... a) {
    return T(a...);
  }
};

}  // namespace mpsops_msl

namespace metal {
using mpsops_vector::packed_vec;
using mpsops_vector::vec;
}  // namespace metal
