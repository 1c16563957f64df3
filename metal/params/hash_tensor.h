// What metal/hash_tensor.metal is told by csrc/ops/hash_tensor.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/strided.h"

struct HashTensorParams {
  StridedShape kept;     // dimensions of self that the output has
  StridedShape reduced;  // the others
  int64_t outputs;
  int64_t length;  // elements of self for each output
  int64_t parts;   // that share an output's elements
  int64_t chunk;   // elements of a part
};
