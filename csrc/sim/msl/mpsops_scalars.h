// Scalar types, in the global namespace as in Metal.
#pragma once
#pragma GCC system_header

typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef _Float16 half;
typedef __bf16 bfloat;

typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long uint64_t;
typedef unsigned long size_t;
typedef long ptrdiff_t;
typedef unsigned long uintptr_t;
typedef long intptr_t;

// How values get here that are converted. The strict check (python/mpsops/msl/strict.py) has its
// own way: what a reference deduces keeps the address space.
#ifndef MPSOPS_IN
#define MPSOPS_IN(T) const T&
#endif

namespace mpsops_msl {

template <bool B>
struct Is {};
template <bool B, class T = void>
struct If {};
template <class T>
struct If<true, T> {
  typedef T type;
};

// clang refuses to convert half and bfloat into each other; through float it is the same.
template <class To, class From>
struct Through {
  typedef const From& type;
};
template <>
struct Through<half, bfloat> {
  typedef float type;
};
template <>
struct Through<bfloat, half> {
  typedef float type;
};

// The type of element and the number of elements; scalars have one. `plain` is not packed.
template <class T>
struct VectorOf {
  typedef T element;
  typedef T plain;
  enum { size = 1, is_vector = 0 };
};
template <class T>
struct VectorOf<const T> : VectorOf<T> {};
template <class T>
struct VectorOf<volatile T> : VectorOf<T> {};
template <class T>
struct VectorOf<T&> : VectorOf<T> {};
template <class T>
struct VectorOf<T&&> : VectorOf<T> {};

// The vector, or scalar, as wide as V with elements E.
template <class V, class E, bool Vector = VectorOf<V>::is_vector>
struct Rebound {
  typedef E type;
};

}  // namespace mpsops_msl
