// What kernels are told about a tensor that may not be contiguous (metal/common/strided.h).
#pragma once

#include <ATen/core/Tensor.h>

#include "metal/params/strided.h"

namespace mpsops {

// Dimensions, merged where they are contiguous in each other.
StridedShape strided_shape(at::IntArrayRef sizes, at::IntArrayRef strides);

// The dimensions of `tensor` without `excluded`; with -1, all.
StridedShape strided_shape_without(const at::Tensor& tensor, int64_t excluded);

}  // namespace mpsops
