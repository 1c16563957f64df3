// Apple's simd library, as kernels see it: its names for Metal's own vectors and matrices, so that
// a kernel and its host can share a header.
#pragma once
#pragma GCC system_header
#include <metal_stdlib>

#define MPSOPS_SIMD_VECTOR(T, N)     \
  typedef metal::T##N vector_##T##N; \
  typedef metal::T##N simd_##T##N;   \
  namespace simd {                   \
  using metal::T##N;                 \
  }
#define MPSOPS_SIMD_VECTORS(T) \
  MPSOPS_SIMD_VECTOR(T, 2)     \
  MPSOPS_SIMD_VECTOR(T, 3)     \
  MPSOPS_SIMD_VECTOR(T, 4)
MPSOPS_SIMD_VECTORS(char)
MPSOPS_SIMD_VECTORS(uchar)
MPSOPS_SIMD_VECTORS(short)
MPSOPS_SIMD_VECTORS(ushort)
MPSOPS_SIMD_VECTORS(int)
MPSOPS_SIMD_VECTORS(uint)
MPSOPS_SIMD_VECTORS(long)
MPSOPS_SIMD_VECTORS(ulong)
MPSOPS_SIMD_VECTORS(half)
MPSOPS_SIMD_VECTORS(float)
#undef MPSOPS_SIMD_VECTORS
#undef MPSOPS_SIMD_VECTOR

#define MPSOPS_SIMD_MATRIX(T, S)     \
  typedef metal::T##S matrix_##T##S; \
  typedef metal::T##S simd_##T##S;   \
  namespace simd {                   \
  using metal::T##S;                 \
  }
#define MPSOPS_SIMD_MATRICES(T) \
  MPSOPS_SIMD_MATRIX(T, 2x2)    \
  MPSOPS_SIMD_MATRIX(T, 2x3)    \
  MPSOPS_SIMD_MATRIX(T, 2x4)    \
  MPSOPS_SIMD_MATRIX(T, 3x2)    \
  MPSOPS_SIMD_MATRIX(T, 3x3)    \
  MPSOPS_SIMD_MATRIX(T, 3x4)    \
  MPSOPS_SIMD_MATRIX(T, 4x2)    \
  MPSOPS_SIMD_MATRIX(T, 4x3)    \
  MPSOPS_SIMD_MATRIX(T, 4x4)
MPSOPS_SIMD_MATRICES(half)
MPSOPS_SIMD_MATRICES(float)
#undef MPSOPS_SIMD_MATRICES
#undef MPSOPS_SIMD_MATRIX
