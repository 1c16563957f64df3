// What metal/jagged.metal is told by csrc/ops/jagged.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/strided.h"

// What is wrong with offsets, as bits of the flag.
enum JaggedError : uint32_t {
  kJaggedTotal = 1,   // the last is not the number of rows
  kJaggedLength = 2,  // an item has more rows than there is room for
};

// Items of a batch have rows of `columns` elements: one after the other, or padded to `length` rows
// each. The source is what is read, either form, of any strides; what is written is contiguous.
struct JaggedParams {
  StridedShape row;      // of the source
  int64_t row_stride;    // of the source, in elements
  int64_t batch_stride;  // of a padded source
  int64_t batch;
  int64_t length;
  int64_t total;  // rows of the jagged form
  int64_t columns;
  int64_t lanes;     // threads that share a row
  uint64_t padding;  // bits of an element
  uint32_t checked;  // whether wrong offsets are to be reported
};
