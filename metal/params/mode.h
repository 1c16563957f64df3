// What metal/mode.metal is told by csrc/ops/mode.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/strided.h"

struct ModeParams {
  StridedShape rows_shape;  // of self without the reduced dimension
  int64_t rows;
  int64_t length;   // of a row
  int64_t stride;   // between neighbours in a row, in elements
  uint32_t padded;  // sorted rows: the power of two, at least 2, that holds a row
  uint32_t depth;   // counted rows: 2^depth threadgroups share a row
};
