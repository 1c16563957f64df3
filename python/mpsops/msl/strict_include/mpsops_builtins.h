// Takes the place of csrc/sim/msl/mpsops_builtins.h: builtins of Apple's compiler that published
// kernels call by name.
#pragma once
#pragma GCC system_header
#include <metal_simdgroup_matrix>

template <class T, class = void>
struct __is_valid_simdgroup_type {
  static constexpr bool value =
      (__is_integral(typename mpsops_msl::VectorOf<T>::element) && !__is_same(T, bool) &&
       sizeof(typename mpsops_msl::VectorOf<T>::element) <= 4) ||
      __is_same(typename mpsops_msl::VectorOf<T>::element, half) ||
      __is_same(typename mpsops_msl::VectorOf<T>::element, float);
};

ushort __metal_get_simdgroup_size(ushort);
ushort __metal_get_quadgroup_size(ushort);

#define MPSOPS_BOTH(name, ...)        \
  template <class T>                  \
  T __metal_simd_##name(__VA_ARGS__); \
  template <class T>                  \
  T __metal_quad_##name(__VA_ARGS__);
MPSOPS_BOTH(sum, T)
MPSOPS_BOTH(product, T)
MPSOPS_BOTH(min, T)
MPSOPS_BOTH(max, T)
MPSOPS_BOTH(and, T)
MPSOPS_BOTH(or, T)
MPSOPS_BOTH(xor, T)
MPSOPS_BOTH(prefix_inclusive_sum, T)
MPSOPS_BOTH(prefix_exclusive_sum, T)
MPSOPS_BOTH(prefix_inclusive_product, T)
MPSOPS_BOTH(prefix_exclusive_product, T)
MPSOPS_BOTH(broadcast_first, T)
MPSOPS_BOTH(broadcast, T, ushort)
MPSOPS_BOTH(shuffle, T, ushort)
MPSOPS_BOTH(shuffle_xor, T, ushort)
MPSOPS_BOTH(shuffle_up, T, ushort)
MPSOPS_BOTH(shuffle_down, T, ushort)
MPSOPS_BOTH(shuffle_rotate_up, T, ushort)
MPSOPS_BOTH(shuffle_rotate_down, T, ushort)
MPSOPS_BOTH(shuffle_and_fill_up, T, T, ushort, ushort)
MPSOPS_BOTH(shuffle_and_fill_down, T, T, ushort, ushort)
#undef MPSOPS_BOTH

template <class A, class B, class C, class D>
::metal::vec<D, 64> __metal_simdgroup_matrix_8x8_multiply_accumulate(
    ::metal::vec<A, 64>, ::metal::vec<B, 64>, ::metal::vec<C, 64>, ::metal::vec<D, 64>);
