// Packed vectors: stored without padding and aligned like their elements.
#pragma once
#pragma GCC system_header
#include <mpsops_elements.h>
#include <mpsops_swizzles.h>

namespace mpsops_vector {

template <class T, int N>
struct Tight;
#define MPSOPS_STORAGE(N, xyzw, rgba)        \
  template <class T>                         \
  struct Tight<T, N> {                       \
    typedef T element;                       \
    Tight() = default;                       \
    template <class... A>                    \
    constexpr Tight(A... a) : array{a...} {} \
    union {                                  \
      T array[N];                            \
      struct {                               \
        T xyzw;                              \
      };                                     \
      struct {                               \
        T rgba;                              \
      };                                     \
    };                                       \
  };
#define MPSOPS_NAMES(...) __VA_ARGS__
MPSOPS_STORAGE(2, MPSOPS_NAMES(x, y), MPSOPS_NAMES(r, g))
MPSOPS_STORAGE(3, MPSOPS_NAMES(x, y, z), MPSOPS_NAMES(r, g, b))
MPSOPS_STORAGE(4, MPSOPS_NAMES(x, y, z, w), MPSOPS_NAMES(r, g, b, a))
#undef MPSOPS_STORAGE
#undef MPSOPS_NAMES

template <class T, int N>
struct packed_vec : Swizzles<Tight<T, N>, N> {
  typedef Swizzles<Tight<T, N>, N> Base;
  typedef MPSOPS_VECTOR(T, N) Aligned;
  packed_vec() = default;
  template <class S, MPSOPS_IF_SCALAR>
  constexpr packed_vec(MPSOPS_IN(S) s) : packed_vec(Aligned(static_cast<T>(s))) {}
  constexpr packed_vec(Aligned v) : packed_vec(Elements<T, N>(v)) {}
  template <class A, typename If<VectorOf<A>::is_vector && VectorOf<A>::size == N, int>::type = 0>
  explicit constexpr packed_vec(MPSOPS_IN(A) a) : packed_vec(Elements<T, N>(a)) {}
  template <class A, class B, class... Rest>
  constexpr packed_vec(MPSOPS_IN(A) a, MPSOPS_IN(B) b, MPSOPS_IN(Rest)... rest)
      : packed_vec(Elements<T, N>(a, b, rest...)) {}
  explicit constexpr packed_vec(const Elements<T, N>& e) : packed_vec(e, Indices<N>()) {}

  constexpr operator Aligned() const { return aligned(Indices<N>()); }
  constexpr T& operator[](int i) { return this->array[i]; }
  constexpr const T& operator[](int i) const { return this->array[i]; }
  MPSOPS_MEMBERS(packed_vec)

 private:
  template <int... I>
  constexpr packed_vec(const Elements<T, N>& e, Order<int, I...>) : Base(e.array[I]...) {}
  template <int... I>
  constexpr Aligned aligned(Order<int, I...>) const {
    return Aligned{this->array[I]...};
  }
};
#undef MPSOPS_ASSIGN
#undef MPSOPS_MEMBERS
#undef MPSOPS_IF_SCALAR

}  // namespace mpsops_vector
