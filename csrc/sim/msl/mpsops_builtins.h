// Builtins of Apple's compiler that published kernels call by name, to have simdgroup functions for
// types that the library leaves out.
#pragma once
#pragma GCC system_header
#include <metal_simdgroup_matrix>

template <class T>
using __is_valid_simdgroup_type = mpsops_msl::IsSimdType<T>;

static inline ushort __metal_get_simdgroup_size(ushort) {
  return 32;
}
static inline ushort __metal_get_quadgroup_size(ushort) {
  return 4;
}

#define MPSOPS_BUILTIN(name)                                                    \
  template <class T>                                                            \
  static inline T __metal_##name(T data, mpsops_msl::Site site = MPSOPS_HERE) { \
    return ::metal::name(data, site);                                           \
  }
#define MPSOPS_BOTH(name)     \
  MPSOPS_BUILTIN(simd_##name) \
  MPSOPS_BUILTIN(quad_##name)
MPSOPS_BOTH(sum)
MPSOPS_BOTH(product)
MPSOPS_BOTH(min)
MPSOPS_BOTH(max)
MPSOPS_BOTH(and)
MPSOPS_BOTH(or)
MPSOPS_BOTH(xor)
MPSOPS_BOTH(prefix_inclusive_sum)
MPSOPS_BOTH(prefix_exclusive_sum)
MPSOPS_BOTH(prefix_inclusive_product)
MPSOPS_BOTH(prefix_exclusive_product)
MPSOPS_BOTH(broadcast_first)
#undef MPSOPS_BUILTIN
#define MPSOPS_BUILTIN(name)                                                                    \
  template <class T>                                                                            \
  static inline T __metal_##name(T data, ushort operand, mpsops_msl::Site site = MPSOPS_HERE) { \
    return ::metal::name(data, operand, site);                                                  \
  }
MPSOPS_BOTH(broadcast)
MPSOPS_BOTH(shuffle)
MPSOPS_BOTH(shuffle_xor)
MPSOPS_BOTH(shuffle_up)
MPSOPS_BOTH(shuffle_down)
MPSOPS_BOTH(shuffle_rotate_up)
MPSOPS_BOTH(shuffle_rotate_down)
#undef MPSOPS_BUILTIN
#define MPSOPS_BUILTIN(name)                                                     \
  template <class T>                                                             \
  static inline T __metal_##name(T data, T filling, ushort delta, ushort modulo, \
                                 mpsops_msl::Site site = MPSOPS_HERE) {          \
    return ::metal::name(data, filling, delta, modulo, site);                    \
  }
MPSOPS_BOTH(shuffle_and_fill_up)
MPSOPS_BOTH(shuffle_and_fill_down)
#undef MPSOPS_BUILTIN
#undef MPSOPS_BOTH

// Kernels that wrap all of these for another type name it for float too.
static inline float __metal_simd_xor(float data, mpsops_msl::Site site = MPSOPS_HERE) {
  return as_type<float>(::metal::simd_xor(as_type<uint>(data), site));
}

// Of the 64 elements of its vectors a lane holds the first two.
template <class A, class B, class C, class D>
static inline ::metal::vec<D, 64> __metal_simdgroup_matrix_8x8_multiply_accumulate(
    ::metal::vec<A, 64> a, ::metal::vec<B, 64> b, ::metal::vec<C, 64> c, ::metal::vec<D, 64>,
    mpsops_msl::Site site = MPSOPS_HERE) {
  const ::metal::vec<D, 2> d = mpsops_msl::multiply_accumulate<D>(
      ::metal::vec<A, 2>{a[0], a[1]}, ::metal::vec<B, 2>{b[0], b[1]},
      ::metal::vec<C, 2>{c[0], c[1]}, "simdgroup_multiply_accumulate", site);
  ::metal::vec<D, 64> result = {};
  result[0] = d[0];
  result[1] = d[1];
  return result;
}
