// Offsets into tensors that are not contiguous.
#pragma once
#include <metal_stdlib>

#include "metal/params/strided.h"

// Offset, in elements, of the row-major position `index`.
inline long strided_offset(ulong index, constant StridedShape& shape) {
  long offset = 0;
  for (long dim = shape.ndim - 1; dim > 0; --dim) {
    const ulong size = ulong(shape.sizes[dim]);
    const ulong rest = index / size;
    offset += long(index - rest * size) * shape.strides[dim];
    index = rest;
  }
  // The outermost position needs no division.
  return shape.ndim > 0 ? offset + long(index) * shape.strides[0] : offset;
}
