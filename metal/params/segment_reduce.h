// What metal/segment_reduce.metal is told by csrc/ops/segment_reduce.cpp.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

#include "metal/params/strided.h"

enum SegmentReduction : uint32_t {
  kSegmentMax = 0,
  kSegmentMean = 1,
  kSegmentMin = 2,
  kSegmentSum = 3,
  kSegmentProd = 4,
};

// What is wrong with lengths or offsets, as bits of the flag.
enum SegmentError : uint32_t {
  kSegmentNegativeLength = 1,
  kSegmentWrongSum = 2,    // lengths of a row do not add up to the size of the axis
  kSegmentDecreasing = 4,  // an offset is below the one before it
  kSegmentOutOfRange = 8,  // an offset is outside [0, size of the axis]
};

// Output (row, segment, column) reduces data (row, [offset of segment, offset of the next),
// column): rows are the dimensions before the axis, columns those after it.
struct SegmentReduceParams {
  StridedShape lines;   // of data without the axis
  int64_t axis_size;    // of data
  int64_t axis_stride;  // of data, in elements
  int64_t segments;     // per row
  int64_t columns;
  int64_t outputs;  // rows * segments * columns
  float initial;
  uint32_t has_initial;
  uint32_t reduction;
  uint32_t checked;  // whether the flag is bound and bad offsets are to be reported
};

struct SegmentOffsetsParams {
  int64_t rows;
  int64_t segments;  // per row
  int64_t axis_size;
  uint32_t checked;
};
