// Offsets into tensors that are not contiguous.
#pragma once
#include <metal_stdlib>

#include "metal/params/strided.h"

template <class Index>
inline long strided_offset_of(Index index, constant StridedShape& shape) {
  constexpr ulong kLargest = ulong(Index(0) - Index(1));
  long offset = 0;
  for (long dim = shape.ndim - 1; dim > 0; --dim) {
    const Index size = Index(metal::min(ulong(shape.sizes[dim]), kLargest));
    const Index rest = index / size;
    offset += long(index - rest * size) * shape.strides[dim];
    index = rest;
  }
  // The outermost position needs no division.
  return shape.ndim > 0 ? offset + long(index) * shape.strides[0] : offset;
}

// Offset, in elements, of the row-major position `index`. GPUs divide 64-bit integers in software.
inline long strided_offset(ulong index, constant StridedShape& shape) {
  return index < 0xffffffff ? strided_offset_of<uint>(uint(index), shape)
                            : strided_offset_of<ulong>(index, shape);
}
