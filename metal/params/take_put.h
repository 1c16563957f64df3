// What metal/take_put.metal is told by csrc/ops/take_put.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/strided.h"

struct TakePutParams {
  StridedShape shape;  // of self
  int64_t elements;    // of self
};

struct PutParams {
  StridedShape shape;   // of self
  int64_t elements;     // of self
  uint32_t count;       // of index
  uint32_t slots;       // of the table of indices, a power of two above `count`
  uint32_t one_to_one;  // an index is its own slot
};

// Words of a sum of floats, and bits of its flags.
enum PutFloatSum : uint32_t {
  kPutExponent = 0,  // the largest
  kPutFlags = 1,
  kPutLow = 2,
  kPutHigh = 3,
  kPutFloatWords = 4,
};

enum PutFlag : uint32_t {
  kPutSeveral = 1,  // several elements of source have this index
  kPutNaN = 2,
  kPutInfinity = 4,
  kPutMinusInfinity = 8,
  kPutNotMinusZero = 16,  // an addend is other than -0
};
