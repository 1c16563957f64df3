// How kernels find element `index` of a tensor whose dimensions are laid out anyhow, and what the
// host (csrc/core/strided.h) tells them.
#pragma once
#ifndef __METAL_VERSION__
#include <cstdint>
#endif

// Row-major sizes with strides in elements; dimensions that are contiguous in each other are
// merged.
struct StridedShape {
  int64_t sizes[16];
  int64_t strides[16];
  int64_t ndim;
};
