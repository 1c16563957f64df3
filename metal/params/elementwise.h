// What elementwise kernels (metal/common/elementwise.h) are told by csrc/core/elementwise.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Codes of c10::ScalarType, for kernels that convert at run time.
enum ElementwiseDtype : uint32_t {
  kElementwiseUInt8 = 0,
  kElementwiseInt8 = 1,
  kElementwiseInt16 = 2,
  kElementwiseInt32 = 3,
  kElementwiseInt64 = 4,
  kElementwiseFloat16 = 5,
  kElementwiseFloat32 = 6,
  kElementwiseComplex32 = 8,
  kElementwiseComplex64 = 9,
  kElementwiseBool = 11,
  kElementwiseBFloat16 = 15,
  kElementwiseUInt16 = 27,
  kElementwiseUInt32 = 28,
  kElementwiseUInt64 = 29,
  kElementwiseScalar = 255,  // no buffer: a CPU scalar, in ElementwiseParams::scalar
};

// Outputs come first. Beside this, strided kernels get a `constant long*` with the sizes of
// the `ndim` iterated dimensions (innermost first) and then each operand's strides, in elements.
struct ElementwiseParams {
  uint64_t count;      // elements of the output
  uint64_t threads;    // dense kernels: thread i computes i, i + threads, ... (at most 4)
  uint32_t ndim;       // 0 for a single element
  uint32_t narrow;     // 1 when every index and offset fits 32 bits
  uint32_t common;     // dtype that results are rounded to before they become the output's
  uint32_t dtypes[8];  // of each operand
  float scalar;
};
