// The selections of two to four components of a vector, v.xy or v.bgra, as properties: reading
// calls a getter, assigning a setter. Single components are members of the storage. Whoever
// includes this has defined MPSOPS_VECTOR(T, N).
#pragma once
#pragma GCC system_header
#include <mpsops_scalars.h>

namespace mpsops_vector {

template <int First, int... Rest>
struct Distinct {
  static constexpr bool differs(int) { return true; }
  template <class... I>
  static constexpr bool differs(int a, int b, I... i) {
    return a != b && differs(a, i...);
  }
  enum { value = differs(First, Rest...) && Distinct<Rest...>::value };
};
template <int Last>
struct Distinct<Last> {
  enum { value = true };
};

template <int... I, class S>
constexpr MPSOPS_VECTOR(typename S::element, sizeof...(I)) components(const S& source) {
  typedef MPSOPS_VECTOR(typename S::element, sizeof...(I)) V;
  return V{source.array[I]...};
}
template <int... I, class S>
constexpr void assign(S& target, MPSOPS_VECTOR(typename S::element, sizeof...(I)) value) {
  static_assert(Distinct<I...>::value, "a selection that is assigned must not repeat a component");
  int from = 0;
  ((target.array[I] = value[from++]), ...);
}

#define MPSOPS_SELECTION(N, name, other, ...) \
  MPSOPS_VECTOR(E, N) get_##name() const {    \
    return components<__VA_ARGS__>(*this);    \
  }                                           \
  void put_##name(MPSOPS_VECTOR(E, N) v) {    \
    assign<__VA_ARGS__>(*this, v);            \
  }                                           \
  __declspec(property(get = get_##name, put = put_##name)) MPSOPS_VECTOR(E, N) name, other;
#define MPSOPS_TWO(a, p, i, b, q, j) MPSOPS_SELECTION(2, a##b, p##q, i, j)
#define MPSOPS_THREE(a, p, i, b, q, j, c, r, k) MPSOPS_SELECTION(3, a##b##c, p##q##r, i, j, k)
#define MPSOPS_FOUR(a, p, i, b, q, j, c, r, k, d, s, l) \
  MPSOPS_SELECTION(4, a##b##c##d, p##q##r##s, i, j, k, l)

#define MPSOPS_SECOND2(_, ...) _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1)
#define MPSOPS_THIRD2(_, ...) _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1)
#define MPSOPS_FOURTH2(_, ...) _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1)
#define MPSOPS_SECOND3(_, ...) \
  _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1) _(__VA_ARGS__, z, b, 2)
#define MPSOPS_THIRD3(_, ...) \
  _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1) _(__VA_ARGS__, z, b, 2)
#define MPSOPS_FOURTH3(_, ...) \
  _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1) _(__VA_ARGS__, z, b, 2)
#define MPSOPS_SECOND4(_, ...) \
  _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1) _(__VA_ARGS__, z, b, 2) _(__VA_ARGS__, w, a, 3)
#define MPSOPS_THIRD4(_, ...) \
  _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1) _(__VA_ARGS__, z, b, 2) _(__VA_ARGS__, w, a, 3)
#define MPSOPS_FOURTH4(_, ...) \
  _(__VA_ARGS__, x, r, 0) _(__VA_ARGS__, y, g, 1) _(__VA_ARGS__, z, b, 2) _(__VA_ARGS__, w, a, 3)

#define MPSOPS_AFTER_THREE2(...) MPSOPS_THREE(__VA_ARGS__) MPSOPS_FOURTH2(MPSOPS_FOUR, __VA_ARGS__)
#define MPSOPS_AFTER_TWO2(...) \
  MPSOPS_TWO(__VA_ARGS__) MPSOPS_THIRD2(MPSOPS_AFTER_THREE2, __VA_ARGS__)
#define MPSOPS_AFTER_THREE3(...) MPSOPS_THREE(__VA_ARGS__) MPSOPS_FOURTH3(MPSOPS_FOUR, __VA_ARGS__)
#define MPSOPS_AFTER_TWO3(...) \
  MPSOPS_TWO(__VA_ARGS__) MPSOPS_THIRD3(MPSOPS_AFTER_THREE3, __VA_ARGS__)
#define MPSOPS_AFTER_THREE4(...) MPSOPS_THREE(__VA_ARGS__) MPSOPS_FOURTH4(MPSOPS_FOUR, __VA_ARGS__)
#define MPSOPS_AFTER_TWO4(...) \
  MPSOPS_TWO(__VA_ARGS__) MPSOPS_THIRD4(MPSOPS_AFTER_THREE4, __VA_ARGS__)

// S has `element` and `array`.
template <class S, int N>
struct Swizzles;
template <class S>
struct Swizzles<S, 2> : S {
  typedef typename S::element E;
  using S::S;
  Swizzles() = default;
  MPSOPS_SECOND2(MPSOPS_AFTER_TWO2, x, r, 0)
  MPSOPS_SECOND2(MPSOPS_AFTER_TWO2, y, g, 1)
};
template <class S>
struct Swizzles<S, 3> : S {
  typedef typename S::element E;
  using S::S;
  Swizzles() = default;
  MPSOPS_SECOND3(MPSOPS_AFTER_TWO3, x, r, 0)
  MPSOPS_SECOND3(MPSOPS_AFTER_TWO3, y, g, 1)
  MPSOPS_SECOND3(MPSOPS_AFTER_TWO3, z, b, 2)
};
template <class S>
struct Swizzles<S, 4> : S {
  typedef typename S::element E;
  using S::S;
  Swizzles() = default;
  MPSOPS_SECOND4(MPSOPS_AFTER_TWO4, x, r, 0)
  MPSOPS_SECOND4(MPSOPS_AFTER_TWO4, y, g, 1)
  MPSOPS_SECOND4(MPSOPS_AFTER_TWO4, z, b, 2)
  MPSOPS_SECOND4(MPSOPS_AFTER_TWO4, w, a, 3)
};

#undef MPSOPS_SELECTION
#undef MPSOPS_TWO
#undef MPSOPS_THREE
#undef MPSOPS_FOUR
#undef MPSOPS_SECOND2
#undef MPSOPS_THIRD2
#undef MPSOPS_FOURTH2
#undef MPSOPS_AFTER_TWO2
#undef MPSOPS_AFTER_THREE2
#undef MPSOPS_SECOND3
#undef MPSOPS_THIRD3
#undef MPSOPS_FOURTH3
#undef MPSOPS_AFTER_TWO3
#undef MPSOPS_AFTER_THREE3
#undef MPSOPS_SECOND4
#undef MPSOPS_THIRD4
#undef MPSOPS_FOURTH4
#undef MPSOPS_AFTER_TWO4
#undef MPSOPS_AFTER_THREE4

}  // namespace mpsops_vector
